"""What every request must be before its handler reads it: text that a database can hold, and JSON where it is due."""

from typing import Any

from litestar import Request
from litestar.enums import RequestEncodingType
from litestar.exceptions import SerializationException
from litestar.params import BodyKwarg

from spectral.platform.shared.errors import (
    FieldError,
    MalformedRequestError,
    UnsupportedMediaTypeError,
    ValidationFailedError,
)

NUL = "\x00"


async def require_readable(request: Request[Any, Any, Any]) -> None:
    """Runs after the guards and before the handler's arguments are made.

    Raises MalformedRequestError for NUL characters (PostgreSQL has no place for them) and for what is not JSON,
    UnsupportedMediaTypeError for a body that is not declared as JSON, ValidationFailedError for a missing one. Only
    handlers that take `data` as JSON have their body looked at.
    """
    if b"%00" in request.scope["query_string"] or NUL in request.scope["path"]:
        raise MalformedRequestError("The URL contains a NUL character")
    if not _takes_json(request):
        return
    body = await request.body()
    if not body:
        field = request.route_handler.parsed_fn_signature.parameters["data"]
        if field.is_optional or field.has_default:
            return
        raise ValidationFailedError("The request failed validation", errors=[FieldError("", "a JSON body is required")])
    declared = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if declared != "application/json" and not declared.endswith("+json"):
        raise UnsupportedMediaTypeError("The body must be application/json")
    try:
        document = await request.json()
    except (SerializationException, UnicodeDecodeError, RecursionError) as error:
        raise MalformedRequestError("The body is not valid JSON") from error
    if b"\\u0000" in body and _contains_nul(document):
        raise MalformedRequestError("The body contains a NUL character")


def _takes_json(request: Request[Any, Any, Any]) -> bool:
    field = request.route_handler.parsed_fn_signature.parameters.get("data")
    if field is None:
        return False
    kwarg = field.kwarg_definition
    return not isinstance(kwarg, BodyKwarg) or kwarg.media_type in {RequestEncodingType.JSON, "", None}


def _contains_nul(document: Any) -> bool:
    waiting = [document]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str) and NUL in value:
            return True
        if isinstance(value, dict):
            waiting.extend(value.keys())
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
    return False
