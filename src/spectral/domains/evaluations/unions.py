"""Errors inside of a tagged union stand where the caller wrote them."""

from typing import Any

from pydantic import ValidationError, ValidatorFunctionWrapHandler, WrapValidator
from pydantic_core import InitErrorDetails, PydanticCustomError


def _untagged(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    try:
        return handler(value)
    except ValidationError as error:
        found = [
            InitErrorDetails(
                # As context, because Pydantic expands braces in the message itself.
                type=PydanticCustomError("tagged", "{detail}", {"detail": each["msg"]}),
                # Pydantic puts the chosen member's tag in front, which is no place in the document.
                loc=each["loc"][1:],
                input=None,
            )
            for each in error.errors(include_url=False, include_input=False)
        ]
        raise ValidationError.from_exception_data(error.title, found) from error


UNTAGGED = WrapValidator(_untagged)
"""Annotates a discriminated union: locations of its errors leave out the tag."""
