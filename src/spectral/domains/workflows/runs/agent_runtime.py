"""The runtime `workflow`: a workflow of the workspace is the agent, and each execution is one run of it."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final
from uuid import UUID

from pydantic import JsonValue

from spectral.domains.agents.config import ConfigDocument, canonical_hash
from spectral.domains.agents.errors import NotExecutableError
from spectral.domains.agents.executing import Call, call_of, executed, missing
from spectral.domains.agents.models import Agent
from spectral.domains.agents.runtime import WORKFLOW, Execution, ExecutionMode
from spectral.domains.agents.settings import WorkflowSettings, workflow_settings
from spectral.domains.workflows.errors import DuplicateRunError
from spectral.domains.workflows.execution.children import Subflows
from spectral.domains.workflows.execution.launching import Launcher, NewRun
from spectral.domains.workflows.execution.spans import MODE_LABEL
from spectral.domains.workflows.execution.states import FINAL, RunStatus
from spectral.domains.workflows.execution.store import RunRepository, rest_topic_of
from spectral.domains.workflows.models import WorkflowRun
from spectral.domains.workflows.runs.ending import RunEnding
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.live import LiveChannel
from spectral.platform.shared.ids import new_id

LOOK_S = 1.0
"""A wake-up may be lost; so often the run is read without one."""

NOT_THE_AGENTS: Final = frozenset({"model-unavailable", "internal-error", "lease-expired"})
"""Errors of a run that say nothing about the workflow: what it asked was away."""


class WorkflowRuntimes:
    """Agents that are workflows of their workspace. Lives as long as the application."""

    def __init__(self, database: Database, live: LiveChannel, launcher: Launcher) -> None:
        self._database = database
        self._live = live
        self._launcher = launcher

    def check(self, agent: Agent) -> None:
        """Which workflow it is was said when the agent was made."""

    def of(
        self, access: WorkspaceAccess, agent: Agent, mode: ExecutionMode, *, subject: str | None = None
    ) -> "WorkflowRuntime":
        """Runs of the agent's workflow.

        Raises NotExecutableError (400) for a step of a workflow: a workflow runs another one as a `subflow`, which
        cannot go round in a circle.
        """
        if mode is ExecutionMode.LIVE:
            raise NotExecutableError(f"The agent {agent.name} is a workflow: a step runs it as a subflow")
        return WorkflowRuntime(self._database, self._live, self._launcher, access, agent, mode, subject)


class WorkflowRuntime:
    """Runs one agent's workflow, once for each execution.

    The run's inputs are the input, or `{input}` of one that is no object; `run.context` in its expressions holds
    `config`, `config_hash` and `seed`. Its output is the workflow's output `output`, or all of them as JSON.
    """

    ceiling_nano_usd: int | None = None
    """What a run costs depends on what it does."""

    def __init__(
        self,
        database: Database,
        live: LiveChannel,
        launcher: Launcher,
        access: WorkspaceAccess,
        agent: Agent,
        mode: ExecutionMode,
        subject: str | None,
    ) -> None:
        self._database = database
        self._live = live
        self._launcher = launcher
        self._access = access
        self._agent_id = agent.id
        self._mode = mode
        self._subject = subject
        self._settings: WorkflowSettings = workflow_settings(agent)
        self.in_flight = self._settings.in_flight
        self._turn = asyncio.Semaphore(self.in_flight)

    async def execute_many(
        self, config: ConfigDocument, inputs: Sequence[JsonValue], seeds: Sequence[int]
    ) -> list[Execution]:
        """One execution for each input, in their order, at most `in_flight` runs at a time.

        A run that an evaluation has begun before is waited for, and not begun again. Raises NotFoundError where the
        workflow is gone.
        """
        config_hash = canonical_hash(config)

        async def one(value: JsonValue, seed: int) -> Execution:
            call = call_of(self._agent_id, self._subject, self._mode, config, config_hash, value, seed)
            async with self._turn:
                return await self._execute(call)

        return list(await asyncio.gather(*(one(*each) for each in zip(inputs, seeds, strict=True))))

    async def _execute(self, call: Call) -> Execution:
        run_id = await self._begin(call)
        try:
            run = await self._ended(run_id)
        except BaseException:
            if call.key is None:
                with suppress(Exception):
                    await asyncio.shield(self._cancel(run_id, "nobody waits for it any more"))
            raise
        if run is None:
            await self._cancel(run_id, f"not ended within {self._settings.timeout_s:g} s")
            message = f"The run {run_id} did not end within {self._settings.timeout_s:g} s"
            return missing(WORKFLOW, self._mode, message, retryable=False, cost_nano_usd=None)
        return self._execution(run)

    async def _begin(self, call: Call) -> UUID:
        inputs = call.value if isinstance(call.value, dict) else {"input": call.value}
        name = None if call.key is None else f"evaluation-{call.key}"
        async with self._database.transaction(self._access) as session:
            subflows = Subflows(self._launcher)
            found = await subflows.prepare(
                session, self._access, self._settings.workflow, self._settings.version, inputs
            )
            document = call.document()
            new = NewRun(
                version=found.version,
                workflow_name=found.workflow_name,
                inputs=found.inputs,
                name=name,
                context={each: document[each] for each in ("config", "config_hash", "seed")},
                labels={MODE_LABEL: self._mode.value, "subject": self._subject or f"agent:{self._agent_id}"},
                id=new_id(),
            )
            try:
                return (await self._launcher.launch(session, self._access, new, self._access.actor)).id
            except DuplicateRunError:
                return (await RunRepository(session, self._access).find_by_name(str(name))).id

    async def _ended(self, run_id: UUID) -> WorkflowRun | None:
        """The run once it has ended; None where it has not in time."""
        until = time.monotonic() + self._settings.timeout_s
        async with self._live.subscribe(rest_topic_of(run_id)) as heard:
            while True:
                async with self._database.transaction(self._access, read_only=True) as session:
                    run = await RunRepository(session, self._access).get(run_id)
                if run.status in FINAL:
                    return run
                left = until - time.monotonic()
                if left <= 0:
                    return None
                await heard.wait(min(left, LOOK_S))

    async def _cancel(self, run_id: UUID, reason: str) -> None:
        async with self._database.transaction(self._access) as session:
            run = await RunRepository(session, self._access).lock(run_id)
            if run.status not in FINAL:
                await RunEnding(session, self._access, self._launcher).cancel(run, reason)

    def _execution(self, run: WorkflowRun) -> Execution:
        cost, latency_ms = _cost_of(run), _latency_ms(run)
        error = run.error or {}
        if run.status == RunStatus.CANCELLED or error.get("type") in NOT_THE_AGENTS:
            message = f"The run {run.id}: {error.get('message') or 'was cancelled'}"
            return missing(WORKFLOW, self._mode, message, retryable=False, cost_nano_usd=cost, latency_ms=latency_ms)
        said: dict[str, Any] = {"error": error} if run.status == RunStatus.FAILED else {"output": _output_of(run)}
        said["usage"] = {"input_tokens": (run.spent or {}).get("tokens", 0)}
        return executed(WORKFLOW, self._mode, said, cost_nano_usd=cost, latency_ms=latency_ms, trace_id=run.trace_id)


def _output_of(run: WorkflowRun) -> Any:
    outputs = run.outputs
    if isinstance(outputs, dict) and set(outputs) == {"output"}:
        return outputs["output"]
    return outputs


def _cost_of(run: WorkflowRun) -> int | None:
    spent = run.spent or {}
    return None if spent.get("unknown_cost_calls") else int(spent.get("cost_nano_usd") or 0)


def _latency_ms(run: WorkflowRun) -> float:
    if run.started_at is None or run.finished_at is None:
        return 0.0
    return (run.finished_at - run.started_at).total_seconds() * 1000
