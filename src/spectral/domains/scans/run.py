"""A scan as engine work: seven phases, each stored whole or not at all.

Killed anywhere, it is run again from its rows: phases that have finished are not redone, and the one it was in finds
every evaluation and every answer in the journal.
"""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.scans.evaluate import evaluate
from spectral.domains.scans.generate import generate
from spectral.domains.scans.models import Scan, ScanPhase
from spectral.domains.scans.phases import cluster, detect, diagnose, observe
from spectral.domains.scans.repository import NewEvent, ScanPhaseRepository, ScanRepository
from spectral.domains.scans.safety import safety
from spectral.domains.scans.states import FINAL, PHASES, Outcome, Phase, ScanStatus, check_transition
from spectral.domains.scans.work import PhaseResult, ScanWork
from spectral.platform.engine.context import Handler, WorkContext
from spectral.platform.engine.errors import LeaseLostError, WorkCancelledError
from spectral.platform.engine.passing import is_passing
from spectral.platform.events import EventType, emit
from spectral.platform.llm.door import ModelDoor
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.errors import SpectralError

KIND = "scan"
CANCEL_POLL_S = 0.5

log = structlog.get_logger(__name__)

PHASE_FUNCTIONS: Mapping[Phase, Callable[[ScanWork], Awaitable[PhaseResult]]] = {
    Phase.OBSERVE: observe,
    Phase.DETECT: detect,
    Phase.CLUSTER: cluster,
    Phase.GENERATE: generate,
    Phase.EVALUATE: evaluate,
    Phase.DIAGNOSE: diagnose,
    Phase.SAFETY: safety,
}


def scan_handler(door: ModelDoor) -> Handler:
    """What the engine runs for work of kind "scan"; the work's key is the scan's id."""

    async def handle(context: WorkContext) -> None:
        await ScanRun(ScanExecution(context), door).run()

    return handle


class ScanExecution:
    """The engine's execution of a scan, which also ends when the *scan* was asked to.

    The request is read from the scan's own row: the engine ends work that was cancelled while its process lay dead
    without running it again, and then nobody would say in the scan's rows that it has ended.
    """

    def __init__(self, context: WorkContext) -> None:
        self.context = context
        self.database = context.database
        self.access = context.access
        self.scan_id = context.key
        self._looked_at = float("-inf")

    async def raise_if_cancelled(self) -> None:
        """Raises WorkCancelledError at most about half a second after the scan was asked to end."""
        await self.context.raise_if_cancelled()
        if time.monotonic() - self._looked_at < CANCEL_POLL_S:
            return
        async with self.database.transaction(self.access, read_only=True) as session:
            scan = await ScanRepository(session, self.access).find(Scan.id == self.scan_id)
        self._looked_at = time.monotonic()
        if scan is None or scan.status != ScanStatus.RUNNING:
            raise WorkCancelledError(str(self.scan_id))

    async def fence(self, session: AsyncSession) -> None:
        """Raises LeaseLostError when another execution owns the scan."""
        await self.context.fence(session)


class ScanRun:
    """One execution of one scan, from wherever its rows say it is to its end."""

    def __init__(self, execution: ScanExecution, door: ModelDoor) -> None:
        self._execution = execution
        self._door = door

    async def run(self) -> None:
        """Raises WorkCancelledError after a cancellation, LeaseLostError, and what the engine should see or retry."""
        scan = await self._begin()
        if scan is None:
            return
        try:
            await self._execution.raise_if_cancelled()
            await self._run_phases(scan)
        except WorkCancelledError:
            await self._end(ScanStatus.CANCELLED, "scan.cancelled")
            raise
        except LeaseLostError:
            raise
        except SpectralError as error:
            # A scan that cannot go on has been executed well: the engine has nothing to report.
            await self._end(ScanStatus.FAILED, "scan.failed", {"type": error.slug, "detail": error.detail})
        except Exception as error:
            if is_passing(error):
                raise  # a database that is away is not the scan's failure: the engine tries again
            log.exception("scan_failed", scan_id=str(scan.id), error=type(error).__name__)
            detail = "The scan met an error that it was not built for; the server's log has it"
            await self._end(ScanStatus.FAILED, "scan.failed", {"type": "internal-error", "detail": detail})
            raise

    async def _begin(self) -> Scan | None:
        """The scan, running; None when it has ended or is gone."""
        async with self._execution.database.transaction(self._execution.access) as session:
            await self._execution.fence(session)
            repository = ScanRepository(session, self._execution.access)
            scan = await repository.find(Scan.id == self._execution.scan_id)
            if scan is None or scan.status in FINAL:
                return None
            if scan.status == ScanStatus.QUEUED:
                scan.status = check_transition(scan.status, ScanStatus.RUNNING)
                scan.started_at = utc_now()
                await repository.flush()
                await repository.append_events(scan.id, [NewEvent("scan.started", {})])
        return scan

    async def _run_phases(self, scan: Scan) -> None:
        async with self._execution.database.transaction(self._execution.access, read_only=True) as session:
            rows = await ScanPhaseRepository(session, self._execution.access).of_scan(scan.id)
        finished = {Phase(row.name): row.result for row in rows if row.result is not None}
        work = await ScanWork.load(self._execution, self._door, scan, finished)
        if not rows:
            async with work.writing() as session:
                await _begin_phase(session, work, PHASES[0], [])
        for phase in PHASES:
            if phase in work.results:
                continue
            await self._execution.raise_if_cancelled()
            result = await PHASE_FUNCTIONS[phase](work)
            work.results[phase] = await self._finish_phase(work, phase, result)
        await self._complete(Outcome(work.results[Phase.SAFETY]["outcome"]))

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
            following = PHASES[PHASES.index(phase) + 1 :]
            if following:
                await _begin_phase(session, work, following[0], events)
            else:
                await work.append(session, events)
        return result.document

    async def _complete(self, outcome: Outcome) -> None:
        await self._end(ScanStatus.COMPLETED, "scan.completed", {"outcome": outcome.value}, outcome)

    async def _end(
        self, status: ScanStatus, event: str, data: dict[str, Any] | None = None, outcome: Outcome | None = None
    ) -> None:
        """The scan has ended, with its last event; nothing happens when it had ended before."""
        execution = self._execution
        async with execution.database.transaction(execution.access) as session:
            await execution.fence(session)
            repository = ScanRepository(session, execution.access)
            scan = await repository.lock(execution.scan_id)
            if scan.status in FINAL:
                return
            if scan.status == ScanStatus.RUNNING and status is ScanStatus.CANCELLED:
                # The engine was asked, not the scan: say so in between, as if the scan had been.
                scan.status = check_transition(scan.status, ScanStatus.CANCELLING)
            scan.status = check_transition(scan.status, status)
            scan.finished_at = utc_now()
            scan.outcome = None if outcome is None else outcome.value
            scan.failure = data if status is ScanStatus.FAILED else None
            await repository.flush()
            await repository.append_events(scan.id, [NewEvent(event, data or {})])
            ended = {"status": scan.status, "outcome": scan.outcome, "agent_id": str(scan.agent_id)}
            await emit(session, execution.access, EventType.SCAN_FINISHED, subject=f"scan:{scan.id}", data=ended)


async def _begin_phase(session: AsyncSession, work: ScanWork, phase: Phase, events: Sequence[NewEvent]) -> None:
    """The phase's row and its first event are there, after the events of what was before it."""
    phases, scans = ScanPhaseRepository(session, work.access), ScanRepository(session, work.access)
    phases.add(
        ScanPhase(
            id=work.derived_id("phase", phase),
            scan_id=work.scan.id,
            name=phase.value,
            ordinal=PHASES.index(phase) + 1,
        )
    )
    await scans.execute(scans.update(Scan.id == work.scan.id).values(phase=phase.value))
    await work.append(session, [*events, NewEvent("scan.phase_started", {}, phase)])
    subject = f"scan:{work.scan.id}"
    await emit(session, work.access, EventType.SCAN_PHASE_STARTED, subject=subject, data={"phase": phase.value})


def brief(document: Mapping[str, Any]) -> dict[str, Any]:
    """What of a phase's result fits into an event: numbers and short words, no lists."""
    return {
        name: value
        for name, value in document.items()
        if value is None or isinstance(value, bool | int | float) or (isinstance(value, str) and len(value) <= 64)
    }
