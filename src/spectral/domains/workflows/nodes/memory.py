"""Nodes of the kinds `memory.store` and `memory.recall`: values that outlive a run, for later runs of the workspace."""

import json
from typing import Any

from pydantic import ValidationError

from spectral.domains.agents.json_values import pointer_of, storable_json
from spectral.domains.workflows.models import NAME_MAXIMUM
from spectral.domains.workflows.nodes.calls import NodeCall, NodeError, NodeResult
from spectral.domains.workflows.settings.repository import MemoryRepository

MAXIMUM_VALUE_BYTES = 64 * 1024
MAXIMUM_KEYS = 10_000


class MemoryStoreWork:
    """Keeps a value under a key. The same store again, after a crash, changes nothing.

    Params: key, value, namespace.  Outputs: `{namespace, key, value, found: true}`.
    """

    async def __call__(self, call: NodeCall) -> NodeResult:
        """Raises NodeError: `invalid-params`, `value-too-large`, `memory-full`; none of them is retryable."""
        namespace, key = _namespace(call), _name(call.params.get("key"), "key")
        value = _storable(call.params.get("value"))
        async with call.database.transaction(call.access) as session:
            memory = MemoryRepository(session, call.access)
            if not await memory.replace(namespace, key, value):
                await memory.take_turn()
                if await memory.count() >= MAXIMUM_KEYS:
                    message = f"The workspace remembers {MAXIMUM_KEYS} keys already; forget some of them first"
                    raise NodeError("memory-full", message, retryable=False)
                await memory.store(namespace, key, value)
        return NodeResult({"namespace": namespace, "key": key, "value": value, "found": True})


class MemoryRecallWork:
    """Gives back what was stored last under a key, else the default.

    Params: key, default, namespace.  Outputs: `{namespace, key, value, found}`.
    """

    async def __call__(self, call: NodeCall) -> NodeResult:
        """Raises NodeError of type `invalid-params`."""
        namespace, key = _namespace(call), _name(call.params.get("key"), "key")
        async with call.database.transaction(call.access, read_only=True) as session:
            remembered = await MemoryRepository(session, call.access).recall(namespace, key)
        value = call.params.get("default") if remembered is None else remembered.value
        return NodeResult({"namespace": namespace, "key": key, "value": value, "found": remembered is not None})


def _namespace(call: NodeCall) -> str:
    """What the step says, else the definition, else the workflow's name."""
    given = call.params.get("namespace")
    return _name(call.definition.memory or call.definition.name if given is None else given, "namespace")


def _name(value: Any, what: str) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    is_name = isinstance(value, str) and 0 < len(value) <= NAME_MAXIMUM and value.isprintable()
    if not is_name or (what == "namespace" and "/" in value):
        without = " and no /" if what == "namespace" else ""
        message = f"{what} must be a text of 1 to {NAME_MAXIMUM} printable characters{without}"
        raise NodeError("invalid-params", message, retryable=False)
    return str(value)


def _storable(value: Any) -> Any:
    try:
        stored = storable_json(value)
    except ValidationError as error:
        first = error.errors()[0]
        message = f"value{pointer_of(first['loc'])} {first['msg']}"
        raise NodeError("invalid-params", message, retryable=False) from error
    size = len(json.dumps(stored, ensure_ascii=False).encode())
    if size > MAXIMUM_VALUE_BYTES:
        message = f"value is {size} bytes of JSON; at most {MAXIMUM_VALUE_BYTES} are remembered under a key"
        raise NodeError("value-too-large", message, retryable=False)
    return stored
