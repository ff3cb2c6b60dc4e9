"""A scan as a run: seven phases, each a node of the platform's own workflow, each stored whole or not at all.

Killed anywhere, the run executes the phase again that it was in, which finds every evaluation and every answer in the
journal. How the run ends is how the scan ends (`ScanEnding`).
"""

import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from itertools import pairwise
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.agents.runtime import Runtimes
from spectral.domains.changesets.looks import abandon_look
from spectral.domains.scans.actions import give_up_to_pause
from spectral.domains.scans.errors import ScanPausedError
from spectral.domains.scans.evaluate import evaluate
from spectral.domains.scans.generate import generate
from spectral.domains.scans.models import Scan, ScanPhase
from spectral.domains.scans.phases import cluster, detect, diagnose, observe
from spectral.domains.scans.repository import NewEvent, ScanPhaseRepository, ScanRepository
from spectral.domains.scans.safety import safety
from spectral.domains.scans.states import FINAL, PHASES, Outcome, Phase, ScanStatus, check_transition
from spectral.domains.scans.work import PhaseResult, ScanWork, derived_id
from spectral.domains.workflows.definitions.model import Definition, Edge, Graph, Node, NodeKind
from spectral.domains.workflows.execution.launching import Launcher
from spectral.domains.workflows.execution.states import RunStatus
from spectral.domains.workflows.models import WorkflowRun
from spectral.domains.workflows.nodes.calls import Fence
from spectral.domains.workflows.nodes.tasks import TaskContext, TaskFunction
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.engine.errors import WorkCancelledError
from spectral.platform.events import EventType, emit
from spectral.platform.llm.door import ModelDoor
from spectral.platform.shared.clock import utc_now

KIND = "scan"
"""The adapter of the runs, and the engine's kind of work."""
TASK = "scan.phase"
CANCEL_POLL_S = 0.5

PHASE_FUNCTIONS: Mapping[Phase, Callable[[ScanWork], Awaitable[PhaseResult]]] = {
    Phase.OBSERVE: observe,
    Phase.DETECT: detect,
    Phase.CLUSTER: cluster,
    Phase.GENERATE: generate,
    Phase.EVALUATE: evaluate,
    Phase.DIAGNOSE: diagnose,
    Phase.SAFETY: safety,
}

WORKFLOW = Definition(
    name="spectral.scan",
    description="Searches for a better configuration of an agent and proves it on a holdout",
    graph=Graph(
        nodes=tuple(
            Node(phase.value, NodeKind.TASK, params={"function": TASK, "phase": phase.value}) for phase in PHASES
        ),
        edges=tuple(Edge(one.value, other.value) for one, other in pairwise(PHASES)),
    ),
)
"""A run of it has the scan's id; its inputs say nothing that the scan's rows do not."""


def scan_task(door: ModelDoor, runtimes: Runtimes, launcher: Launcher) -> TaskFunction:
    """What the workflow's nodes call: the phase that the node names, of the scan whose run it is."""

    async def run(context: TaskContext) -> Any:
        while True:
            execution = ScanExecution(context.database, context.access, context.run_id, context.fence)
            try:
                scan_run = ScanRun(execution, door, runtimes, context.kept)
                return await scan_run.run_phase(Phase(context.params["phase"]))
            except ScanPausedError:
                if await give_up_to_pause(context.database, context.access, launcher, context.run_id):
                    raise
                # Resumed before it came to the pause: the phase is done again, from the journal as far as it got.

    return run


class ScanExecution:
    """One execution of a scan's run, which also ends when the scan has ended or was paused.

    A cancelled run's nodes are interrupted at their next await; a thread that searches looks here. A paused run's
    nodes are not: they come to the next of these points with what was in flight recorded, since it is paid for.
    """

    def __init__(self, database: Database, access: WorkspaceAccess, scan_id: UUID, fence: Fence) -> None:
        self.database = database
        self.access = access
        self.scan_id = scan_id
        self._fence = fence
        self._looked_at = float("-inf")

    async def fence(self, session: AsyncSession) -> None:
        """Raises LeaseLostError when another execution has the scan."""
        await self._fence(session)

    async def raise_if_cancelled(self) -> None:
        """Raises WorkCancelledError once the scan has ended, ScanPausedError once it is paused; half a second late."""
        if time.monotonic() - self._looked_at < CANCEL_POLL_S:
            return
        async with self.database.transaction(self.access, read_only=True) as session:
            scan = await ScanRepository(session, self.access).find(Scan.id == self.scan_id)
        self._looked_at = time.monotonic()
        if scan is not None and scan.status == ScanStatus.PAUSED:
            # What the scan asks for next is refused as well, however soon it asks.
            self._looked_at = float("-inf")
            raise ScanPausedError(str(self.scan_id))
        if scan is None or scan.status != ScanStatus.RUNNING:
            raise WorkCancelledError(str(self.scan_id))


class ScanRun:
    """One execution of one scan's phases. kept: of the run's execution, for what the next phase would read again."""

    def __init__(
        self, execution: ScanExecution, door: ModelDoor, runtimes: Runtimes, kept: MutableMapping[str, Any]
    ) -> None:
        self._execution = execution
        self._door = door
        self._runtimes = runtimes
        self._kept = kept

    async def run_phase(self, phase: Phase) -> dict[str, Any]:
        """What the phase came to, in short; one that has finished before is not done again.

        Raises WorkCancelledError, LeaseLostError, ScanPausedError, and what the scan cannot go on with.
        """
        scan, finished = await self._begin(phase)
        if phase not in finished:
            work = await self._work(scan, finished)
            await self._execution.raise_if_cancelled()
            finished[phase] = await self._finish_phase(work, phase, await PHASE_FUNCTIONS[phase](work))
            self._kept[KIND] = work
        return brief(finished[phase])

    async def _work(self, scan: Scan, finished: dict[Phase, dict[str, Any]]) -> ScanWork:
        # Taken out until the phase has finished: one that fails leaves nothing to go on with.
        known: ScanWork | None = self._kept.pop(KIND, None)
        if known is None:
            return await ScanWork.load(self._execution, self._door, self._runtimes, scan, finished)
        known.go_on(self._execution, scan, finished)
        return known

    async def _begin(self, phase: Phase) -> tuple[Scan, dict[Phase, dict[str, Any]]]:
        """The scan, running and in this phase or beyond it, and the results of the phases that have finished."""
        execution = self._execution
        async with execution.database.transaction(execution.access) as session:
            await execution.fence(session)
            repository = ScanRepository(session, execution.access)
            scan = await repository.get(execution.scan_id)
            if scan.status in FINAL:
                raise WorkCancelledError(str(scan.id))
            if scan.status == ScanStatus.PAUSED:
                raise ScanPausedError(str(scan.id))
            if scan.status == ScanStatus.QUEUED:
                scan.status = check_transition(scan.status, ScanStatus.RUNNING)
                first, scan.started_at = scan.started_at is None, scan.started_at or utc_now()
                await repository.flush()
                if first:
                    await repository.append_events(scan.id, [NewEvent("scan.started", {})])
            rows = await ScanPhaseRepository(session, execution.access).of_scan(scan.id)
            if phase not in {row.name for row in rows}:
                await _begin_phase(session, execution.access, scan, phase)
        return scan, {Phase(row.name): row.result for row in rows if row.result is not None}

    async def _finish_phase(self, work: ScanWork, phase: Phase, result: PhaseResult) -> dict[str, Any]:
        """The phase has finished and the next one has begun, in one transaction."""
        async with work.writing() as session:
            if result.write is not None:
                await result.write(session)
            phases = ScanPhaseRepository(session, work.access)
            same = (ScanPhase.scan_id == work.scan.id, ScanPhase.name == phase.value)
            await phases.execute(phases.update(*same).values(result=result.document, finished_at=utc_now()))
            events = [NewEvent(event.type, event.data, phase) for event in result.events]
            events.append(NewEvent("scan.phase_finished", brief(result.document), phase))
            await work.append(session, events)
        return result.document


async def _begin_phase(session: AsyncSession, access: WorkspaceAccess, scan: Scan, phase: Phase) -> None:
    """The phase's row and its first event are there."""
    phases, scans = ScanPhaseRepository(session, access), ScanRepository(session, access)
    ordinal = PHASES.index(phase) + 1
    phases.add(ScanPhase(id=derived_id(scan.id, "phase", phase), scan_id=scan.id, name=phase.value, ordinal=ordinal))
    scan.phase = phase.value
    await scans.flush()
    await scans.append_events(scan.id, [NewEvent("scan.phase_started", {}, phase)])
    data = {"phase": phase.value}
    await emit(session, access, EventType.SCAN_PHASE_STARTED, subject=f"scan:{scan.id}", data=data)


class ScanEnding:
    """A scan ends as its run does; what the run's listener is for."""

    async def run_ended(self, session: AsyncSession, access: WorkspaceAccess, run: WorkflowRun) -> None:
        """The scan is completed with the outcome of its last phase, failed, or cancelled; nothing if it had ended."""
        repository = ScanRepository(session, access)
        scan = await repository.lock(run.id)
        if scan.status in FINAL:
            return
        data: dict[str, Any] = {}
        status, event = ScanStatus.CANCELLED, "scan.cancelled"
        if run.status == RunStatus.SUCCEEDED:
            status, event = ScanStatus.COMPLETED, "scan.completed"
            rows = await ScanPhaseRepository(session, access).of_scan(scan.id)
            results = {Phase(row.name): row.result or {} for row in rows}
            scan.outcome = Outcome(results[Phase.SAFETY]["outcome"]).value
            data = {"outcome": scan.outcome}
        elif run.status == RunStatus.FAILED:
            status, event = ScanStatus.FAILED, "scan.failed"
            error = run.error or {}
            scan.failure = data = {"type": error.get("type"), "detail": error.get("message")}
        scan.status = check_transition(scan.status, status)
        scan.finished_at = utc_now()
        await repository.flush()
        if status is ScanStatus.CANCELLED and scan.changeset_id is not None:
            # Whoever took the look cannot end it any more: it has lost the scan, or there is nobody.
            await abandon_look(session, access, scan.changeset_id, f"system:{KIND} {scan.id}")
        await repository.append_events(scan.id, [NewEvent(event, data)])
        ended = {"status": scan.status, "outcome": scan.outcome, "agent_id": str(scan.agent_id)}
        await emit(session, access, EventType.SCAN_FINISHED, subject=f"scan:{scan.id}", data=ended)


def brief(document: Mapping[str, Any]) -> dict[str, Any]:
    """What of a phase's result fits into an event: numbers and short words, no lists."""
    return {
        name: value
        for name, value in document.items()
        if value is None or isinstance(value, bool | int | float) or (isinstance(value, str) and len(value) <= 64)
    }
