"""What a run may be started with."""

from collections.abc import Mapping
from typing import Any

import msgspec
from pydantic import ValidationError

from spectral.domains.agents.json_values import pointer_of, storable_json
from spectral.domains.workflows.definitions.json_schemas import schema_failures, with_defaults
from spectral.domains.workflows.definitions.model import Definition
from spectral.domains.workflows.errors import InvalidInputsError
from spectral.platform.shared.errors import FieldError

MAXIMUM_BYTES = 256 * 1024
POINTER = "/inputs"


def check_inputs(definition: Definition, inputs: Any) -> dict[str, Any]:
    """The inputs with the schema's defaults filled in, as both databases give them back.

    Raises InvalidInputsError (422), whose pointers begin with `/inputs`: for what the schema does not allow, for more
    than 256 KiB of JSON or 32 levels, and for what a database could not hold.
    """
    if not isinstance(inputs, Mapping):
        raise InvalidInputsError("The inputs are not an object", [FieldError(POINTER, "must be an object")])
    stored = _storable(dict(inputs))
    filled: dict[str, Any] = with_defaults(definition.inputs, stored)
    size = len(msgspec.json.encode(filled))
    if size > MAXIMUM_BYTES:
        detail = f"is {size} bytes of JSON, and at most {MAXIMUM_BYTES} are allowed"
        raise InvalidInputsError("The inputs are too large", [FieldError(POINTER, detail)])
    failures = schema_failures(definition.inputs, filled, POINTER)
    if failures:
        raise InvalidInputsError(f"The inputs do not fit the workflow {definition.name}", failures)
    return filled


def _storable(inputs: dict[str, Any]) -> dict[str, Any]:
    try:
        stored: dict[str, Any] = storable_json(inputs)
    except ValidationError as error:
        wrong = [FieldError(POINTER + pointer_of(one["loc"]), one["msg"]) for one in error.errors()]
        raise InvalidInputsError("The inputs cannot be stored", wrong) from error
    except RecursionError as error:
        raise InvalidInputsError("The inputs are too deep", [FieldError(POINTER, "is nested too deeply")]) from error
    return stored
