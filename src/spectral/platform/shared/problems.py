"""Every error leaves as Problem Details (RFC 9457), rendered here and nowhere else."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import structlog
from litestar import Request, Response
from litestar._signature.types import ExtendedMsgSpecValidationError
from litestar.exceptions import (
    ClientException,
    HTTPException,
    MethodNotAllowedException,
    NotFoundException,
    SerializationException,
    ValidationException,
)
from litestar.serialization import encode_json
from litestar.types import Scope
from pydantic import BaseModel, ConfigDict, Field

from spectral.platform.db.away import database_is_away
from spectral.platform.shared.errors import (
    FieldError,
    MalformedRequestError,
    MethodNotAllowedError,
    NotFoundError,
    PayloadTooLargeError,
    RateLimitedError,
    SpectralError,
    UnavailableError,
    UnsupportedMediaTypeError,
    ValidationFailedError,
)

TYPE_BASE = "https://spectral.dev/errors/"
MEDIA_TYPE = "application/problem+json"

log = structlog.get_logger(__name__)

Renderer = Callable[[Request[Any, Any, Any], SpectralError], Response[bytes]]


class ProblemField(BaseModel):
    """One wrong place in a body (JSON pointer) or query (parameter name)."""

    pointer: str
    detail: str


class Problem(BaseModel):
    """Problem Details, RFC 9457. Some types add members of their own."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=[TYPE_BASE + "not-found"])
    title: str = Field(examples=["Resource Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["Scan abc123 not found"])
    instance: str = Field(examples=["/api/v1/workspaces"])
    request_id: str
    errors: list[ProblemField] | None = None


class InternalError(SpectralError):
    """Something of ours failed; the log knows what, the answer does not."""


_HTTP_ERRORS: dict[int, type[SpectralError]] = {
    400: MalformedRequestError,
    413: PayloadTooLargeError,
    415: UnsupportedMediaTypeError,
    422: ValidationFailedError,
}


class ProblemRenderer:
    """Turns any exception into the answer that its caller is owed.

    A path prefix may have a renderer of its own, for surfaces that speak another protocol's errors (`/otel`).
    """

    def __init__(self, renderers: dict[str, Renderer] | None = None) -> None:
        self._renderers = renderers or {}

    def __call__(self, request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
        """The response of an error; unknown ones are logged with their traceback and answer a bare 500."""
        known = classify(error)
        if isinstance(known, InternalError):
            log.error("unhandled_error", path=request.url.path, exc_info=error)
        # The request's log line says why it was refused.
        request.scope["state"]["problem"] = known.slug
        path = request.scope["path"]
        for prefix, renderer in self._renderers.items():
            if path.startswith(prefix):
                return renderer(request, known)
        return Response(
            content=encode_json(problem_document(known, path, request_id_of(request.scope))),
            status_code=known.status,
            media_type=MEDIA_TYPE,
            headers=known.headers,
        )


def problem_document(error: SpectralError, instance: str, request_id: str) -> dict[str, Any]:
    """The members of the problem document of one error."""
    document: dict[str, Any] = {
        "type": TYPE_BASE + error.slug,
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "instance": instance,
        "request_id": request_id,
    }
    if isinstance(error, ValidationFailedError) and error.errors:
        document["errors"] = [{"pointer": field.pointer, "detail": field.detail} for field in error.errors]
    return document | error.extensions


def request_id_of(scope: Scope) -> str:
    """The id under which this request stands in the log."""
    return str(scope.get("state", {}).get("request_id", ""))


def classify(error: Exception) -> SpectralError:
    """The error that a caller sees for this exception."""
    if isinstance(error, SpectralError):
        return error
    if isinstance(error, ValidationException):
        return ValidationFailedError("The request failed validation", errors=_field_errors(error))
    if isinstance(error, MethodNotAllowedException):
        known: SpectralError = MethodNotAllowedError("This path does not take this method")
        known.headers = dict(error.headers or {})
        return known
    if isinstance(error, NotFoundException):
        return NotFoundError("Resource")
    if isinstance(error, HTTPException) and error.status_code == HTTPStatus.TOO_MANY_REQUESTS:
        return RateLimitedError("Too many requests", 1)
    if isinstance(error, HTTPException) and error.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
        kind = _HTTP_ERRORS.get(error.status_code, MalformedRequestError)
        return kind(_public_detail(error))
    if database_is_away(error):
        log.warning("database_unavailable", error=type(error).__name__)
        return UnavailableError("The database cannot be reached right now", retry_after_s=2)
    return InternalError("Something went wrong on our side; the request id finds it in our log")


def _public_detail(error: HTTPException) -> str:
    if isinstance(error, ClientException) and isinstance(error.__cause__, SerializationException):
        return "The body is not valid JSON"
    if error.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return "The body is over the limit"
    return error.detail or HTTPStatus(error.status_code).phrase


def _field_errors(error: ValidationException) -> list[FieldError]:
    """Every wrong place: JSON pointers into the body, names of parameters. Never the value that was sent."""
    cause = error.__cause__
    if isinstance(cause, ExtendedMsgSpecValidationError):
        return [FieldError(_pointer(found["loc"]), _public_message(str(found["msg"]))) for found in cause.errors]
    found_errors = error.extra if isinstance(error.extra, list) else []
    fields = []
    for found in found_errors:
        key = str(found.get("key", ""))
        from_body = found.get("source") == "body" or key == "data"
        pointer = "" if key == "data" else "/" + key.replace(".", "/") if from_body else key
        fields.append(FieldError(pointer, _public_message(str(found.get("message", "is not valid")))))
    return fields


def _pointer(location: tuple[str | int, ...]) -> str:
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in location)


def _public_message(message: str) -> str:
    return message.removeprefix("Value error, ")
