"""What may be seen of runs: lists, figures, one run, and everything that it has left behind."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.workflows.execution.state import State
from spectral.domains.workflows.execution.states import RunStatus
from spectral.domains.workflows.execution.store import RunRepository
from spectral.domains.workflows.models import WorkflowCheckpoint, WorkflowRun, WorkflowRunEvent, WorkflowStep
from spectral.domains.workflows.runs.reading_repository import (
    LOG,
    TOKEN,
    CheckpointReadRepository,
    Durations,
    EventFilter,
    EventReadRepository,
    RunFigures,
    RunFilter,
    RunReadRepository,
    StepReadRepository,
)
from spectral.domains.workflows.runs.slices import Listed, Slice
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.shared.cursors import CursorPagination
from spectral.platform.shared.errors import NotFoundError
from spectral.platform.shared.pagination import Page


@dataclass(frozen=True, slots=True)
class RunView:
    """A run with what other tables say about it; current_step: in flight, the last one begun."""

    run: WorkflowRun
    figures: RunFigures
    current_step: WorkflowStep | None


@dataclass(frozen=True, slots=True)
class RunListing:
    """One page of runs, each with how many steps it has begun; their large columns are not loaded."""

    rows: Sequence[tuple[WorkflowRun, int]]
    pagination: CursorPagination


@dataclass(frozen=True, slots=True)
class WorkflowCounts:
    """How the runs of one workflow ended; None names those of inline documents."""

    workflow: str | None
    total: int
    succeeded: int
    failed: int


@dataclass(frozen=True, slots=True)
class Summary:
    """How many runs there are in each status, of each workflow, and how long they took."""

    by_status: dict[RunStatus, int]
    workflows: Sequence[WorkflowCounts]
    durations: Durations

    @property
    def total(self) -> int:
        return sum(self.by_status.values())

    @property
    def success_rate(self) -> float | None:
        """Of those that succeeded or failed; what was cancelled says nothing about it."""
        succeeded, failed = self.by_status[RunStatus.SUCCEEDED], self.by_status[RunStatus.FAILED]
        return succeeded / (succeeded + failed) if succeeded + failed else None


@dataclass(frozen=True, slots=True)
class HistoryQuery:
    """Which part of a run's history is wanted.

    generation: None takes the present one.  levels, category: of logs.  cursors: each part has its own.
    """

    generation: int | None = None
    include_logs: bool = False
    levels: Collection[str] = ()
    category: str | None = None
    newest_first: bool = False
    limit: int = 20
    steps_cursor: str | None = None
    events_cursor: str | None = None
    logs_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class History:
    """What one generation did; logs: None unless asked for."""

    run: WorkflowRun
    generation: int
    steps: Slice[WorkflowStep]
    events: Slice[WorkflowRunEvent]
    logs: Slice[WorkflowRunEvent] | None


@dataclass(frozen=True, slots=True)
class StateView:
    """A run's state after one checkpoint."""

    run: WorkflowRun
    checkpoint: WorkflowCheckpoint
    document: dict[str, Any]


class RunReading:
    """Reads the runs of one workspace in the caller's transaction. Runs are named by their name or their id."""

    def __init__(self, session: AsyncSession, access: WorkspaceAccess) -> None:
        self._session = session
        self._access = access
        self._runs = RunReadRepository(session, access)
        self._steps = StepReadRepository(session, access)
        self._events = EventReadRepository(session, access)
        self._checkpoints = CheckpointReadRepository(session, access)

    async def find_run(self, name: str) -> WorkflowRun:
        """Raises NotFoundError."""
        return await self._runs.find_by_name(name)

    async def view_run(self, name: str) -> RunView:
        """The run with its figures. Raises NotFoundError."""
        return await self.view(await self.find_run(name))

    async def view(self, run: WorkflowRun) -> RunView:
        """As `view_run`, of a run that has been read."""
        return RunView(run, await self._runs.figures(run), await self._steps.current(run))

    async def list_runs(
        self, wanted: RunFilter, page: Page, cursor: str | None, *, newest_first: bool = True
    ) -> RunListing:
        """One page. Raises ValidationFailedError (422) for a cursor that is none of this list's."""
        found = await self._runs.list_runs(wanted, page, cursor, newest_first=newest_first)
        counts = await self._runs.step_counts(found.rows)
        return RunListing([(run, counts.get(run.id, 0)) for run in found.rows], found.pagination)

    async def summarise_runs(self, wanted: RunFilter) -> Summary:
        """Counts and durations of the runs that fit."""
        by_status: Counter[RunStatus] = Counter(dict.fromkeys(RunStatus, 0))
        by_workflow: dict[str | None, Counter[str]] = {}
        for workflow, status, count in await self._runs.counts(wanted):
            by_status[RunStatus(status)] += count
            by_workflow.setdefault(workflow, Counter())[status] += count
        return Summary(
            dict(by_status),
            [
                WorkflowCounts(
                    workflow, counted.total(), counted[RunStatus.SUCCEEDED.value], counted[RunStatus.FAILED.value]
                )
                for workflow, counted in sorted(by_workflow.items(), key=lambda item: (item[0] is None, item[0] or ""))
            ],
            await self._runs.durations(wanted),
        )

    async def list_steps(
        self, name: str, generation: int | None, page: Page, cursor: str | None, *, newest_first: bool
    ) -> Listed[WorkflowStep]:
        """The steps of one generation, None for the present one. Raises NotFoundError."""
        run = await self.find_run(name)
        return await self._steps.page_of_run(run, generation or run.generation, page, cursor, newest_first=newest_first)

    async def list_events(
        self, name: str, wanted: EventFilter, page: Page, cursor: str | None, *, newest_first: bool = False
    ) -> Listed[WorkflowRunEvent]:
        """The events of all generations unless one is wanted. Raises NotFoundError."""
        run = await self.find_run(name)
        return await self._events.page_of_run(run, wanted, page, cursor, newest_first=newest_first)

    async def read_history(self, name: str, wanted: HistoryQuery) -> History:
        """Steps, events without tokens, and logs, each from its own cursor on. Raises NotFoundError."""
        run = await self.find_run(name)
        generation = wanted.generation or run.generation
        steps = await self._steps.slice_of_run(
            run, generation, wanted.limit, wanted.steps_cursor, newest_first=wanted.newest_first
        )
        events = await self._events.slice_of_run(
            run,
            EventFilter(generation=generation, without=(LOG, TOKEN)),
            wanted.limit,
            wanted.events_cursor,
            newest_first=wanted.newest_first,
            parameter="events_cursor",
        )
        logs = None
        if wanted.include_logs:
            logs = await self._events.slice_of_run(
                run,
                EventFilter(generation=generation, types=(LOG,), levels=wanted.levels, category=wanted.category),
                wanted.limit,
                wanted.logs_cursor,
                newest_first=wanted.newest_first,
                parameter="logs_cursor",
            )
        return History(run, generation, steps, events, logs)

    async def list_checkpoints(
        self, name: str, generation: int | None, page: Page, cursor: str | None, *, newest_first: bool
    ) -> Listed[WorkflowCheckpoint]:
        """Of all generations unless one is wanted; their states are not loaded. Raises NotFoundError."""
        run = await self.find_run(name)
        return await self._checkpoints.page_of_run(run, generation, page, cursor, newest_first=newest_first)

    async def read_state(self, name: str, index: int | None = None) -> StateView:
        """The whole state after that checkpoint, None for the last one. Raises NotFoundError."""
        run = await self.find_run(name)
        if index is not None and index >= run.next_index:
            raise NotFoundError("Checkpoint", index)
        rows = await RunRepository(self._session, self._access).checkpoints(run, index)
        return StateView(run, rows[-1], State.load(rows).to_document())
