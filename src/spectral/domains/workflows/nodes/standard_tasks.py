"""The tasks that every installation has: no files, no shell, no network, nothing that depends on this machine."""

from collections.abc import Mapping
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from spectral.domains.workflows.definitions.json_schemas import schema_failures, schema_problem
from spectral.domains.workflows.nodes.calls import NodeError, Suspend
from spectral.domains.workflows.nodes.tasks import Task, TaskContext, TaskRegistry, installed_tasks
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.wire import rfc3339

TEXT = {"type": "string", "minLength": 1, "maxLength": 2_000}
LEVELS = ["debug", "info", "warn", "error"]
LONGEST_WAIT_S = 366 * 24 * 3600


async def give_back(context: TaskContext) -> Any:
    """The inputs as they are."""
    return context.inputs


async def fail(context: TaskContext) -> Any:
    """Fails, or gives the inputs back from the attempt `until_attempt` on."""
    inputs = context.inputs
    if context.attempt >= inputs.get("until_attempt", context.attempt + 1):
        return inputs
    raise NodeError(inputs["type"], inputs["message"], retryable=inputs["retryable"])


async def log(context: TaskContext) -> Any:
    """A line of the run's log; gives the inputs back."""
    inputs = context.inputs
    context.log(inputs["message"], level=inputs["level"], category=inputs.get("category"), data=inputs.get("data"))
    return inputs


async def suspend(context: TaskContext) -> Any:
    """Asks for data, and gives back what was answered: `{data}`."""
    if context.resume_data is not None:
        return {"data": context.resume_data}
    inputs = context.inputs
    schema = inputs.get("schema")
    if schema is not None and (problem := schema_problem(schema)):
        raise NodeError("invalid-inputs", f"/schema: {problem}", retryable=False)
    return Suspend(inputs["reason"], inputs.get("data"), schema, inputs.get("timeout_s"))


async def validate(context: TaskContext) -> Any:
    """Whether a value fits a JSON Schema: `{valid, errors: [{pointer, message}]}`."""
    schema = context.inputs["schema"]
    if problem := schema_problem(schema):
        raise NodeError("invalid-inputs", f"/schema: {problem}", retryable=False)
    failures = schema_failures(schema, context.inputs["value"])
    return {
        "valid": not failures,
        "errors": [{"pointer": failure.pointer, "message": failure.detail} for failure in failures],
    }


async def merge(context: TaskContext) -> Any:
    """One object of several, later ones win; `deep` merges objects within them as well."""
    merged: dict[str, Any] = {}
    for one in context.inputs["objects"]:
        merged = _merged(merged, one or {}, deep=context.inputs["deep"])
    return merged


async def now(context: TaskContext) -> Any:
    """The moment: `{at, unix}`. A replay and a fork keep what the step has given."""
    del context
    moment = utc_now()
    return {"at": rfc3339(moment), "unix": moment.timestamp()}


async def new_uuid(context: TaskContext) -> Any:
    """A UUID that is the step's own, the same in each of its attempts: `{id}`."""
    return {"id": str(uuid5(NAMESPACE_URL, f"{context.run_id}/{context.idempotency_key}"))}


def _merged(left: Mapping[str, Any], right: Mapping[str, Any], *, deep: bool) -> dict[str, Any]:
    merged = {**left, **right}
    if deep:
        for name in left.keys() & right.keys():
            if isinstance(left[name], Mapping) and isinstance(right[name], Mapping):
                merged[name] = _merged(left[name], right[name], deep=True)
    return merged


def _schema(required: list[str], /, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


STANDARD: Mapping[str, Task] = {
    "spectral.pass": Task(give_back, public=True, description="Gives its inputs back."),
    "spectral.fail": Task(
        fail,
        public=True,
        description="Fails with a message, always or until an attempt.",
        inputs={
            **_schema(
                ["message"],
                message=TEXT,
                type={"type": "string", "pattern": "^[a-z][a-z0-9-]{0,63}$", "default": "failed"},
                retryable={"type": "boolean", "default": True},
                until_attempt={"type": "integer", "minimum": 1},
            )
        },
    ),
    "spectral.log": Task(
        log,
        public=True,
        description="Writes a line into the run's log.",
        inputs=_schema(
            ["message"],
            message={**TEXT, "maxLength": 16_000},
            level={"enum": LEVELS, "default": "info"},
            category={"type": "string", "maxLength": 64},
            data=True,
        ),
    ),
    "spectral.suspend": Task(
        suspend,
        public=True,
        description="Asks for data and gives back what was answered.",
        inputs=_schema(
            ["reason"],
            reason=TEXT,
            data=True,
            schema={"type": ["object", "boolean"]},
            timeout_s={"type": "number", "exclusiveMinimum": 0, "maximum": LONGEST_WAIT_S},
        ),
    ),
    "spectral.validate": Task(
        validate,
        public=True,
        description="Says whether a value fits a JSON Schema, and where it does not.",
        inputs=_schema(["value", "schema"], value=True, schema={"type": ["object", "boolean"]}),
    ),
    "spectral.merge": Task(
        merge,
        public=True,
        description="Makes one object of several; later ones win.",
        inputs=_schema(
            ["objects"],
            objects={"type": "array", "items": {"type": ["object", "null"]}, "maxItems": 1_000},
            deep={"type": "boolean", "default": False},
        ),
    ),
    "spectral.now": Task(now, public=True, description="The moment at which the step ran."),
    "spectral.uuid": Task(new_uuid, public=True, description="A UUID of the step's own."),
}


def standard_registry() -> TaskRegistry:
    """What every process starts with: ours, and what installed packages bring.

    Raises TaskRegistrationError for an installed task that cannot be used.
    """
    return TaskRegistry({**STANDARD, **installed_tasks()})
