"""What runners are given: JSON that the store can hold, and not too much of it."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from spectral.domains.agents.json_values import json_text, storable_json
from spectral.domains.workflows.errors import InvalidRemoteTaskError
from spectral.platform.shared.errors import PayloadTooLargeError

MAX_TASK_BYTES = 256 * 1024


def checked_task(task: Mapping[str, Any]) -> dict[str, Any]:
    """The task as it is stored. Raises InvalidRemoteTaskError (400) and PayloadTooLargeError (413)."""
    try:
        document: dict[str, Any] = storable_json(dict(task))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = "/".join(map(str, first["loc"]))
        raise InvalidRemoteTaskError(f"The task cannot be stored: {place} {first['msg']}") from error
    size = len(json_text(document).encode())
    if size > MAX_TASK_BYTES:
        raise PayloadTooLargeError(f"The task has {size} bytes of JSON, more than {MAX_TASK_BYTES}")
    return document
