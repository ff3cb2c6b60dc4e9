"""Nodes of the kind `task`: Python functions that the installation has registered, called by name.

A package adds one with an entry point, `[project.entry-points."spectral.tasks"]` `"acme.charge" = "acme.tasks:charge"`,
where `charge` is a `Task` around an `async def`. Tenants bring no code of their own here: that is what `remote` nodes
are for.
"""

import inspect
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any
from uuid import UUID

from spectral.domains.workflows.definitions.json_schemas import schema_failures, schema_problem, with_defaults
from spectral.domains.workflows.nodes.calls import Fence, NodeCall, NodeError, NodeResult, Suspend
from spectral.domains.workflows.nodes.tools import NAME as TOOL_NAME
from spectral.domains.workflows.nodes.tools import ToolPolicy
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database

GROUP = "spectral.tasks"
OURS = "spectral."
SHOWN_FAILURES = 5

_NAME = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)+")


@dataclass(frozen=True, slots=True)
class TaskContext:
    """One attempt at a task, for its function.

    It may come again after a crash: whoever changes something outside does it under `idempotency_key`, which is the
    same for every attempt.

    fence: for transactions that write results of the work: they commit only while this execution has the run.
    inputs: JSON; with the schema's defaults, where the task has one.  params: the step's other parameters.  attempt:
    from 1.  resume_data: what was answered to `Suspend`, else None.  tools: what the step lists.  database, access:
    for short transactions of the workspace.  kept: what functions leave for those that come later in this execution of
    the run; a later execution begins without.
    """

    run_id: UUID
    run_name: str
    account_id: UUID
    trace_id: str | None
    workflow: str
    key: str
    iteration: int
    attempt: int
    idempotency_key: str
    inputs: Any
    params: Mapping[str, Any]
    resume_data: Any
    tools: ToolPolicy
    database: Database
    access: WorkspaceAccess
    fence: Fence
    kept: dict[str, Any]
    log: Callable[..., None]
    """`log(message, *, level="info", category=None, data=None)`: a line of the run's log."""


TaskFunction = Callable[[TaskContext], Awaitable[Any]]
"""Gives back the outputs (JSON), `Suspend` to ask for data, or a `NodeResult` to tell what it spent."""


@dataclass(frozen=True, slots=True)
class Task:
    """A function that steps may name.

    public: whether definitions of tenants may name it; otherwise only built-in ones.  inputs: JSON Schema.
    requires: tools that it uses; a step that names the task lists them in its `tools`.
    """

    function: TaskFunction
    public: bool
    description: str
    inputs: Mapping[str, Any] | None = None
    requires: tuple[str, ...] = ()


class TaskRegistrationError(Exception):
    """A task cannot be registered; the message names it."""


class TaskRegistry:
    """The tasks of this process by name."""

    def __init__(self, tasks: Mapping[str, Task] | None = None) -> None:
        self._tasks: dict[str, Task] = {}
        for name, task in (tasks or {}).items():
            self.add(name, task)

    def register(
        self,
        name: str,
        function: TaskFunction,
        *,
        public: bool,
        inputs: Mapping[str, Any] | None = None,
        description: str = "",
        requires: Iterable[str] = (),
    ) -> None:
        """Add a task. Raises TaskRegistrationError."""
        self.add(name, Task(function, public, description, inputs, tuple(requires)))

    def add(self, name: str, task: Task) -> None:
        """Raises TaskRegistrationError for a bad name, one that is taken, and what cannot be run."""
        if _NAME.fullmatch(name) is None:
            raise TaskRegistrationError(f"task {name!r}: a name is words in lower case, joined by dots: acme.charge")
        if name in self._tasks:
            raise TaskRegistrationError(f"task {name!r} is registered twice")
        if not (inspect.iscoroutinefunction(task.function) or inspect.iscoroutinefunction(_call_of(task.function))):
            raise TaskRegistrationError(f"task {name!r} is not an async function")
        if task.inputs is not None and (problem := schema_problem(task.inputs)):
            raise TaskRegistrationError(f"task {name!r}: inputs are no JSON Schema: {problem}")
        if wrong := [tool for tool in task.requires if TOOL_NAME.fullmatch(tool) is None]:
            raise TaskRegistrationError(f"task {name!r}: {wrong[0]!r} is not the name of a tool")
        self._tasks[name] = task

    def find(self, name: str) -> Task | None:
        """The task of that name, or None."""
        return self._tasks.get(name)

    def public(self) -> Mapping[str, Task]:
        """Those that definitions of tenants may name, in order."""
        return {name: task for name, task in sorted(self._tasks.items()) if task.public}

    def names(self) -> frozenset[str]:
        """Every name, for the check of built-in definitions."""
        return frozenset(self._tasks)


class TaskWork:
    """Calls the function that the step names."""

    def __init__(self, registry: TaskRegistry) -> None:
        self._registry = registry

    async def __call__(self, call: NodeCall) -> NodeResult | Suspend:
        """Raises NodeError.

        Types: `unknown-task`, `tool-denied`, `invalid-inputs`, and what the function raises itself.
        """
        task = self._task(call)
        tools = ToolPolicy(call.node.tools)
        tools.require(task.requires)
        outcome = await task.function(
            TaskContext(
                run_id=call.run_id,
                run_name=call.run_name,
                account_id=call.account_id,
                trace_id=call.trace_id,
                workflow=call.definition.name,
                key=call.key,
                iteration=call.iteration,
                attempt=call.attempt,
                idempotency_key=call.idempotency_key,
                inputs=_checked_inputs(task, call.inputs),
                params={name: value for name, value in call.params.items() if name != "function"},
                resume_data=call.resume_data,
                tools=tools,
                database=call.database,
                access=call.access,
                fence=call.fence,
                kept=call.kept,
                log=call.journal.log,
            )
        )
        return outcome if isinstance(outcome, NodeResult | Suspend) else NodeResult(outcome)

    def _task(self, call: NodeCall) -> Task:
        name = call.params.get("function")
        task = self._registry.find(name) if isinstance(name, str) else None
        # Whether a definition may name a task that is not public is decided when it is compiled, where it is known
        # whose it is. What an expression makes of somebody's inputs was not there to be looked at.
        if task is None or not (task.public or call.node.params.get("function") == name):
            raise NodeError("unknown-task", f"There is no task {str(name)[:200]}", retryable=False)
        return task


def _call_of(function: TaskFunction) -> Any:
    return getattr(type(function), "__call__", None)  # noqa: B004 - how it is called, not whether


def load_tasks(found: Iterable[EntryPoint]) -> Mapping[str, Task]:
    """Name → task of installed packages.

    Raises TaskRegistrationError for one that cannot be loaded, is no `Task`, or takes a name that is ours or another's.
    """
    chosen: dict[str, EntryPoint] = {}
    for point in found:
        if point.name.startswith(OURS):
            raise TaskRegistrationError(f"task {point.name!r} ({point.value}): names that begin with {OURS} are ours")
        earlier = chosen.setdefault(point.name, point)
        if earlier.value != point.value:
            # A package must not be able to change what stored definitions mean by taking over a name.
            message = f"task {point.name!r} is registered twice: {earlier.value} and {point.value}"
            raise TaskRegistrationError(message)
    return {name: _load(point) for name, point in sorted(chosen.items())}


@cache
def installed_tasks() -> Mapping[str, Task]:
    """The tasks that packages bring: read once, since a package installed later needs a restart anyway."""
    return load_tasks(entry_points(group=GROUP))


def _load(point: EntryPoint) -> Task:
    try:
        task = point.load()
    except Exception as error:
        message = f"task {point.name!r} ({point.value}) cannot be loaded: {error}"
        raise TaskRegistrationError(message) from error
    if not isinstance(task, Task):
        message = f"task {point.name!r} ({point.value}) is not a spectral Task"
        raise TaskRegistrationError(message)
    return task


def _checked_inputs(task: Task, inputs: Any) -> Any:
    if task.inputs is None:
        return inputs
    filled = with_defaults(task.inputs, inputs)
    failures = schema_failures(task.inputs, filled)
    if failures:
        shown = "; ".join(f"{one.pointer or 'inputs'}: {one.detail}" for one in failures[:SHOWN_FAILURES])
        raise NodeError("invalid-inputs", f"The inputs do not fit the task: {shown}", retryable=False)
    return filled
