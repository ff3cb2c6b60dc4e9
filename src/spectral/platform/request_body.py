"""What a JSON route demands of a body before it reads it."""

from typing import Any

from litestar import Request
from litestar.enums import RequestEncodingType
from litestar.params import BodyKwarg

from spectral.platform.shared.errors import FieldError, UnsupportedMediaTypeError, ValidationFailedError


async def require_json_body(request: Request[Any, Any, Any]) -> None:
    """Raises UnsupportedMediaTypeError for a body that is not declared as JSON, ValidationFailedError without one.

    Runs after the guards, and only where the handler takes `data` as JSON.
    """
    field = request.route_handler.parsed_fn_signature.parameters.get("data")
    if field is None:
        return
    if isinstance(field.kwarg_definition, BodyKwarg) and (
        field.kwarg_definition.media_type not in {RequestEncodingType.JSON, "", None}
    ):
        return
    if not await request.body():
        if field.is_optional or field.has_default:
            return
        raise ValidationFailedError("The request failed validation", errors=[FieldError("", "a JSON body is required")])
    declared = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if declared != "application/json" and not declared.endswith("+json"):
        raise UnsupportedMediaTypeError("The body must be application/json")
