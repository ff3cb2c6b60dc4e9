"""The OpenAPI document: what Litestar derives from the handlers, plus what the platform adds to every one of them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from litestar import Litestar, Router
from litestar._openapi.datastructures import OpenAPIContext
from litestar._openapi.path_item import create_path_item_for_route
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.spec import Components, Contact, License, SecurityScheme, Tag
from litestar.routes import HTTPRoute
from pydantic_core import to_jsonable_python

from spectral.platform.docs.schemas import PydanticModels, resolve_models
from spectral.platform.shared.problems import MEDIA_TYPE, Problem

DOCUMENT = "spectral.openapi_document"

# Surfaces that answer errors in a protocol of their own.
OTHER_ERRORS = ("/otel/",)

DESCRIPTION = """\
Spectral improves AI agents measurably: traces come in, failures are found, candidates are searched, and a change is
proposed only after samples that the search never saw have confirmed it.

Send `Authorization: Bearer <token>` with a JWT from `auth/login` or with an API key (`sk_live_…`; `X-API-Key` is an
alias). What belongs to somebody else answers 404. Every error is a Problem Details document (RFC 9457).

Answers say in `RateLimit-Policy` which limits the caller is counted against, and in `RateLimit` what is left of the one
that is nearest to its end.
"""

PROBLEMS: dict[int, tuple[str, str]] = {
    400: ("Refused", "The request is malformed, or a rule or the present state forbids it."),
    401: ("NotAuthenticated", "There is no credential, or it is not valid."),
    403: ("Forbidden", "The caller lacks the scope."),
    404: ("NotFound", "There is no such thing, or it belongs to someone else."),
    408: ("TimedOut", "The body did not arrive in time."),
    409: ("Conflict", "It exists already, or the same idempotency key is still running."),
    413: ("TooLarge", "The body is over the limit."),
    415: ("UnsupportedMediaType", "The body has a media type that is not understood here."),
    422: ("ValidationFailed", "The body or the query failed validation; `errors` says where."),
    429: ("RateLimited", "Too many requests; `Retry-After` says when to come back."),
    500: ("Failed", "Something of ours failed; the request id finds it in the log."),
    502: ("UpstreamFailed", "Another system that this needs did not answer as it should."),
    503: ("Unavailable", "It cannot be answered right now; `Retry-After` says when to come back."),
}

IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same key with the same body answers what it answered before, for 24 hours.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}

SECURITY: list[dict[str, list[str]]] = [{"bearer": []}, {"apiKey": []}]


class _Unserved(Router):
    """Takes Litestar's own documentation routes and serves none; ours are in `pages.py`."""

    def register(self, value: object) -> list[Any]:
        del value
        return []


def openapi_config(version: str) -> OpenAPIConfig:
    """What Litestar derives the document from."""
    return OpenAPIConfig(
        title="Spectral",
        version=version,
        description=DESCRIPTION,
        contact=Contact(name="Spectral"),
        license=License(name="Apache-2.0", identifier="Apache-2.0"),
        components=Components(
            security_schemes={
                "bearer": SecurityScheme(
                    type="http",
                    scheme="bearer",
                    description="A JWT from `auth/login`, an API key (`sk_live_…`) or a service account (`st_live_…`).",
                ),
                "apiKey": SecurityScheme(
                    type="apiKey", name="X-API-Key", security_scheme_in="header", description="An API key."
                ),
            }
        ),
        use_handler_docstrings=True,
        openapi_router=_Unserved("/openapi", route_handlers=[], include_in_schema=False),
    )


def openapi_document(app: Litestar) -> dict[str, Any]:
    """The document of this application, ready to be rendered; made once."""
    document: dict[str, Any] | None = app.state.get(DOCUMENT)
    if document is None:
        config = app.openapi_config
        if config is None:
            message = "the application has no openapi_config"
            raise ValueError(message)
        document = _complete(_derived(app, config), _handlers(app))
        app.state[DOCUMENT] = document
    return document


def _derived(app: Litestar, config: OpenAPIConfig) -> dict[str, Any]:
    """What Litestar makes of the handlers, with models documented by Pydantic."""
    models = PydanticModels()
    context = OpenAPIContext(openapi_config=config, plugins=[models, *app.plugins.openapi])
    openapi = config.to_openapi_schema()
    with _parameters_as_they_are(app):
        openapi.paths = {
            route.path_format: create_path_item_for_route(context, route) for route in _documented_routes(app)
        }
    openapi.components.schemas = context.schema_registry.generate_components_schemas()
    # A parameter's default may be a model; in the document it is plain JSON.
    document: dict[str, Any] = to_jsonable_python(openapi.to_schema(), by_alias=True)
    document["components"].setdefault("schemas", {})
    resolve_models(document)
    return document


@contextmanager
def _parameters_as_they_are(app: Litestar) -> Iterator[None]:
    """Litestar adds the parameters of the path that a handler does not take to what it takes; not for ever.

    Otherwise a refused query would be told that they are missing, once somebody has read the document.
    """
    taken = [handler.parsed_fn_signature.parameters for handler in _handlers(app).values()]
    before = [dict(parameters) for parameters in taken]
    try:
        yield
    finally:
        for parameters, kept in zip(taken, before, strict=True):
            parameters.clear()
            parameters.update(kept)


def _documented_routes(app: Litestar) -> list[HTTPRoute]:
    return [
        route
        for route in app.routes
        if isinstance(route, HTTPRoute) and any(handler.resolve_include_in_schema() for handler in route.route_handlers)
    ]


def _handlers(app: Litestar) -> dict[tuple[str, str], HTTPRouteHandler]:
    return {
        (route.path_format, method.lower()): handler
        for route in _documented_routes(app)
        for handler in route.route_handlers
        for method in handler.http_methods
    }


def _complete(document: dict[str, Any], handlers: Mapping[tuple[str, str], HTTPRouteHandler]) -> dict[str, Any]:
    components = document["components"]
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    components["schemas"] |= problem.pop("$defs", {})
    components["schemas"]["Problem"] = problem
    components["responses"] = {
        name: {
            "description": description,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for name, description in PROBLEMS.values()
    }
    tags: set[str] = set()
    for path, method, operation in _operations(document):
        _describe(operation, path, method, handlers[(path, method)])
        tags.update(operation.get("tags", ()))
    document["tags"] = [Tag(name=name).to_schema() for name in sorted(tags)]
    return document


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document.get("paths", {}).items():
        for method, operation in item.items():
            if method in {"get", "put", "post", "delete", "patch", "head", "options"}:
                yield path, method, operation


def _describe(operation: dict[str, Any], path: str, method: str, handler: HTTPRouteHandler) -> None:
    is_public = bool(handler.opt.get("public"))
    scopes = required_scopes(handler)
    operation["security"] = [] if is_public else SECURITY
    if scopes:
        operation["x-required-scopes"] = scopes
        note = f"Needs {', and '.join(' or '.join(f'`{scope}`' for scope in group) for group in scopes)}."
        operation["description"] = f"{operation.get('description', '').strip()}\n\n{note}".strip()
    if handler.opt.get("idempotent"):
        operation.setdefault("parameters", []).append(IDEMPOTENCY_KEY)
    if path.startswith(OTHER_ERRORS):
        return
    responses = operation.setdefault("responses", {})
    # Litestar documents its own error body for 400, which the platform never sends.
    responses.pop("400", None)
    statuses = _problems_of(operation, path, method, is_public=is_public)
    # What a route refuses besides what every route of its kind does.
    statuses |= set(handler.opt.get("problems", ()))
    if handler.opt.get("may_be_missing"):
        # No id is named, and what is asked for need not be there yet.
        statuses.add(404)
    if not handler.opt.get("uncounted"):
        statuses.add(429)
    for status in sorted(statuses):
        responses.setdefault(str(status), {"$ref": f"#/components/responses/{PROBLEMS[status][0]}"})


def _problems_of(operation: dict[str, Any], path: str, method: str, *, is_public: bool) -> set[int]:
    statuses = {400, 500, 503}
    if not is_public:
        statuses |= {401, 403}
    elif "requestBody" in operation:
        # Who is public and takes a body reads credentials from it.
        statuses.add(401)
    if "{" in path:
        statuses.add(404)
    if "requestBody" in operation:
        statuses |= {408, 413, 415, 422}
    if any(parameter.get("in") == "query" for parameter in operation.get("parameters", ())):
        statuses.add(422)
    if method in {"post", "put", "patch", "delete"}:
        statuses.add(409)
    return statuses


def required_scopes(handler: HTTPRouteHandler) -> list[list[str]]:
    """What this handler's guards ask for: one scope of each group; empty when they ask for none."""
    found = []
    for guard in handler.resolve_guards():
        # Litestar wraps a guard that is not a coroutine function.
        scopes = getattr(getattr(guard, "func", guard), "required_scopes", ())
        if scopes:
            found.append(sorted(map(str, scopes)))
    return found
