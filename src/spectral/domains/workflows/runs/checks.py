"""What people send is checked against the schema that asked for it, and against its size."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from spectral.domains.workflows.definitions.json_schemas import schema_failures
from spectral.platform.shared.errors import FieldError, ValidationFailedError

SMALL = 4_096
"""Characters of JSON that are checked at once; more is checked off the loop."""
KIBIBYTE = 1_024


async def check_against(schema: Mapping[str, Any] | None, value: Any, pointer: str) -> None:
    """Raises ValidationFailedError (422) that names every place in `value`, which stands at `pointer` of the body."""
    if schema is None:
        return
    if len(json.dumps(value)) <= SMALL:
        wrong = schema_failures(schema, value, pointer)
    else:
        wrong = await asyncio.to_thread(schema_failures, schema, value, pointer)
    if wrong:
        raise ValidationFailedError("The body failed validation", wrong)


def check_size(value: Any, maximum_bytes: int, pointer: str) -> None:
    """Raises ValidationFailedError (422) for JSON of more bytes than that."""
    size = len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())
    if size > maximum_bytes:
        detail = f"is {size} bytes of JSON, and at most {maximum_bytes} are allowed"
        raise ValidationFailedError("The body failed validation", [FieldError(pointer, detail)])
