"""Each generation of a run is a trace in the workspace's traces: the run is its root, its steps are in it."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any, ClassVar, Final
from uuid import UUID, uuid5

import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.traces.ingestion.ingestor import TraceIngestor
from spectral.domains.traces.otlp.requests import TRACE_ID_BYTES
from spectral.domains.workflows.definitions.model import Definition, NodeKind
from spectral.domains.workflows.execution.spans import Content, RunFacts, Spoken, StepFacts, build_request
from spectral.domains.workflows.execution.states import FINAL
from spectral.domains.workflows.models import WorkflowRun, WorkflowRunEvent, WorkflowStep, WorkflowVersion
from spectral.domains.workflows.nodes.masking import masked_inputs
from spectral.domains.workflows.nodes.model_calls import CATEGORY
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.repository import WorkspaceRepository
from spectral.platform.engine.context import WorkContext, WorkItem
from spectral.platform.shared.errors import UnavailableError

KIND: Final = "workflow.trace"
MAX_PER_WORKSPACE: Final = 2
"""Exports of one workspace at once: they must not fill the store's queue."""

MAXIMUM_STEPS: Final = 5_000
MAXIMUM_CALLS: Final = 20_000
CONTENT_CHARACTERS: Final = 8_000_000
"""Of one trace; shared evenly by its spans, but never more or less than these for each value."""
LARGEST_CONTENT: Final = 50_000
SMALLEST_CONTENT: Final = 500
REMEMBERED_DEFINITIONS: Final = 64
MODEL_KINDS: Final = (NodeKind.PROMPT, NodeKind.STRUCTURED_OUTPUT, NodeKind.AGENT)

log = structlog.get_logger(__name__)


class TraceNotTakenError(ConnectionError):
    """The store of traces is full or away. As a lost connection, so that the engine tries again later."""


def trace_id_of(run_id: UUID, generation: int) -> str:
    """The trace of one generation of a run, as 32 hex digits; always the same one."""
    return blake2b(run_id.bytes + generation.to_bytes(8, "big"), digest_size=TRACE_ID_BYTES).hexdigest()


def trace_work_of(run: WorkflowRun) -> WorkItem:
    """The engine's work that makes a trace of the run as it ended in its present generation."""
    payload = {"run_id": str(run.id), "generation": run.generation}
    key = uuid5(run.id, f"trace {run.generation}")
    return WorkItem(KIND, run.workspace_id, run.account_id, key, payload)


class RunTracer:
    """Exports finished runs to the store of traces, as if an exporter had sent them. One per process."""

    def __init__(self, ingestor: TraceIngestor) -> None:
        self._ingestor = ingestor
        # Versions never change, and many runs are of one.
        self._definitions: OrderedDict[UUID, Definition] = OrderedDict()

    async def export(self, context: WorkContext) -> None:
        """What the engine calls, with a payload `{run_id, generation}`. A repeated export changes nothing.

        A run that is gone, or has not ended, has no trace. Raises TraceNotTakenError.
        """
        run_id, generation = UUID(context.payload["run_id"]), int(context.payload["generation"])
        async with context.database.transaction(context.access, read_only=True) as session:
            finished = await _read(session, context.access, run_id, generation)
            if finished is None:
                return
            definition = await self._definition(session, context.access, finished.version_id)
        trace_id = bytes.fromhex(trace_id_of(run_id, generation))
        request = await asyncio.to_thread(
            build_request, trace_id, finished.run, finished.steps, finished.calls, definition
        )
        try:
            rejections = await self._ingestor.take(context.access, request, request.ByteSize())
        except UnavailableError as error:
            raise TraceNotTakenError(error.detail) from error
        if rejections.count:
            log.warning("run_not_traced", run_id=str(run_id), generation=generation, because=rejections.message)

    async def _definition(self, session: AsyncSession, access: WorkspaceAccess, version_id: UUID) -> Definition:
        known = self._definitions.get(version_id)
        if known is None:
            version = await _Versions(session, access).get(version_id)
            known = self._definitions[version_id] = Definition.from_document(version.document)
            if len(self._definitions) > REMEMBERED_DEFINITIONS:
                self._definitions.popitem(last=False)
        self._definitions.move_to_end(version_id)
        return known


@dataclass(frozen=True, slots=True)
class _Finished:
    run: RunFacts
    steps: Sequence[StepFacts]
    calls: Sequence[Spoken]
    version_id: UUID


@dataclass(frozen=True, slots=True)
class _End:
    """How a generation of a run went."""

    status: str
    outputs: Any
    error: dict[str, Any] | None
    started_at: datetime
    ended_at: datetime


class _Runs(WorkspaceRepository[WorkflowRun]):
    model: ClassVar[type[WorkflowRun]] = WorkflowRun
    kind = "Run"

    async def find_run(self, run_id: UUID) -> WorkflowRun | None:
        return await self.find(WorkflowRun.id == run_id)


class _Versions(WorkspaceRepository[WorkflowVersion]):
    model: ClassVar[type[WorkflowVersion]] = WorkflowVersion
    kind = "Workflow version"


class _Events(WorkspaceRepository[WorkflowRunEvent]):
    model: ClassVar[type[WorkflowRunEvent]] = WorkflowRunEvent
    kind = "Event"

    async def end_of(self, run: WorkflowRun, generation: int) -> _End | None:
        """How an earlier generation went, of which the run itself says nothing any more."""
        of_run = (
            WorkflowRunEvent.run_id == run.id,
            WorkflowRunEvent.generation == generation,
            WorkflowRunEvent.type.like("run.%"),
        )
        told = await self.find_all(*of_run, order_by=(WorkflowRunEvent.seq,))
        last = next((event for event in reversed(told) if event.data.get("status") in FINAL), None)
        if last is None:
            return None
        data = last.data
        return _End(data["status"], data.get("output"), data.get("error"), told[0].started_at, last.created_at)

    async def calls_of(self, run: WorkflowRun, generation: int) -> list[Spoken]:
        """What the generation's steps said of the models that they asked, in order."""
        statement = (
            self.select(
                WorkflowRunEvent.run_id == run.id,
                WorkflowRunEvent.generation == generation,
                WorkflowRunEvent.type == "log",
                WorkflowRunEvent.category == CATEGORY,
            )
            .order_by(WorkflowRunEvent.seq)
            .limit(MAXIMUM_CALLS)
        )
        calls = []
        for event in await self.session.scalars(statement):
            # The category is anybody's: a line that is not ours is no call.
            with suppress(AttributeError, KeyError, TypeError, OverflowError, ValueError):
                calls.append(Spoken.read(event.data["data"]))
        return calls


class _Steps(WorkspaceRepository[WorkflowStep]):
    model: ClassVar[type[WorkflowStep]] = WorkflowStep
    kind = "Step"

    async def of(self, run: WorkflowRun, generation: int) -> tuple[list[StepFacts], int]:
        """The first steps of the generation in the order of their start, and how many more there are."""
        of_run = (WorkflowStep.run_id == run.id, WorkflowStep.generation == generation)
        began = sa.func.coalesce(WorkflowStep.started_at, WorkflowStep.finished_at)
        told = (*of_run, began.is_not(None))
        total = await self.count(*told)
        limit = CONTENT_CHARACTERS // max(1, 2 * min(total, MAXIMUM_STEPS))
        limit = max(SMALLEST_CONTENT, min(LARGEST_CONTENT, limit))
        # Cut in the database: a thousand steps may hold a gigabyte.
        statement = (
            sa.select(
                WorkflowStep.key,
                WorkflowStep.iteration,
                WorkflowStep.kind,
                WorkflowStep.status,
                WorkflowStep.attempts,
                WorkflowStep.started_at,
                WorkflowStep.finished_at,
                WorkflowStep.error,
                _beginning(WorkflowStep.inputs, limit).label("inputs"),
                _beginning(WorkflowStep.outputs, limit).label("outputs"),
                WorkflowStep.outputs["status"].as_string().label("response_status"),
            )
            .where(self._mine, *told)
            .order_by(WorkflowStep.ordinal, WorkflowStep.iteration)
            .limit(MAXIMUM_STEPS)
        )
        steps = [_step(row, limit) for row in await self.session.execute(statement)]
        return steps, total - len(steps)


async def _read(session: AsyncSession, access: WorkspaceAccess, run_id: UUID, generation: int) -> _Finished | None:
    """None where there is no such run, or this generation of it has not ended."""
    run = await _Runs(session, access).find_run(run_id)
    if run is None or generation > run.generation:
        return None
    events = _Events(session, access)
    end = _end_of(run) if run.generation == generation else await events.end_of(run, generation)
    if end is None:
        return None
    steps, left_out = await _Steps(session, access).of(run, generation)
    asks = any(step.kind in MODEL_KINDS for step in steps)
    facts = RunFacts(
        run_id=str(run.id),
        name=run.name,
        workflow_name=run.workflow_name,
        workflow_version=run.workflow_version,
        generation=generation,
        adapter=run.adapter,
        status=end.status,
        started_at=end.started_at,
        ended_at=end.ended_at,
        inputs=Content.of(masked_inputs(run.inputs), LARGEST_CONTENT),
        outputs=None if end.outputs is None else Content.of(end.outputs, LARGEST_CONTENT),
        error=end.error,
        user_id=run.user_id,
        conversation_id=run.conversation_id,
        labels=run.labels,
        tags=run.tags,
        parent_run_id=None if run.parent_run_id is None else str(run.parent_run_id),
        steps_left_out=left_out,
    )
    calls = await events.calls_of(run, generation) if asks else []
    return _Finished(facts, steps, calls, run.version_id)


def _end_of(run: WorkflowRun) -> _End | None:
    if run.status not in FINAL:
        return None
    ended_at = run.finished_at or run.updated_at
    return _End(run.status, run.outputs, run.error, run.started_at or run.created_at, ended_at)


def _step(row: sa.Row[Any], limit: int) -> StepFacts:
    started_at = row.started_at or row.finished_at
    return StepFacts(
        key=row.key,
        iteration=row.iteration,
        kind=row.kind,
        status=row.status,
        attempts=row.attempts,
        started_at=started_at,
        ended_at=row.finished_at or started_at,
        inputs=Content.beginning(row.inputs, limit),
        outputs=Content.beginning(row.outputs, limit),
        error=row.error,
        # A number on SQLite, text on PostgreSQL; anything at all where the outputs were mapped.
        response_status=str(row.response_status) if row.kind == NodeKind.HTTP else None,
    )


def _beginning(column: Any, limit: int) -> sa.ColumnElement[str]:
    """A JSON column's text, one character longer than the limit where there is more."""
    return sa.func.substr(sa.cast(column, sa.Text), 1, limit + 1)
