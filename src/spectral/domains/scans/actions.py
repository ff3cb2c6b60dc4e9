"""What people do to a scan as a whole: pause it, let it go on, end it. Each is an action on the scan's run."""

from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.scans.models import Scan
from spectral.domains.scans.repository import NewEvent, ScanRepository
from spectral.domains.scans.states import ScanStatus, check_transition
from spectral.domains.workflows.execution.launching import Launcher
from spectral.domains.workflows.execution.states import RunStatus
from spectral.domains.workflows.execution.store import RunRepository
from spectral.domains.workflows.models import WorkflowRun
from spectral.domains.workflows.runs.actions import RunActions
from spectral.domains.workflows.runs.authority import RunAct
from spectral.platform import audit
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.access.scopes import Scope
from spectral.platform.db.session import Database


class ScanAuthority:
    """Acting on a scan's run takes what acting on the scan takes; the runs' own routes leave it alone."""

    def __init__(self, access: WorkspaceAccess) -> None:
        self._access = access

    async def authorize(self, act: RunAct, run: WorkflowRun | None) -> None:
        """Raises ForbiddenError."""
        del act, run
        self._access.require(Scope.WRITE_WORKSPACE)


class ScanActions:
    """Actions on the scans of one workspace, in the caller's transaction.

    Asking again for what is so already is harmless. All of them raise NotFoundError, ForbiddenError, and
    InvalidTransitionError (400) where the scan's status does not allow the action.
    """

    def __init__(self, session: AsyncSession, access: WorkspaceAccess, launcher: Launcher) -> None:
        self._session = session
        self._access = access
        self._scans = ScanRepository(session, access)
        self._runs = RunActions(session, access, launcher, ScanAuthority(access))

    async def pause_scan(self, scan_id: UUID) -> Scan:
        """Nothing new of the scan begins; what is in flight is recorded, and then the scan holds no slot."""
        scan = await self._scans.get(scan_id)
        if scan.status == ScanStatus.PAUSED:
            return scan
        check_transition(scan.status, ScanStatus.PAUSED)
        # The run first, as everywhere: whoever executes the scan holds its run while it writes to the scan.
        await self._runs.pause_run(str(scan_id), reason=None, at_once=False)
        scan = await self._scans.lock(scan_id)
        before = scan.status
        scan.status = check_transition(before, ScanStatus.PAUSED)
        await self._scans.flush()
        await self._scans.append_events(scan_id, [NewEvent("scan.paused", {"by": self._access.actor}, scan.phase)])
        await self._note(scan, "scan.paused", {"status": before, "phase": scan.phase})
        return scan

    async def resume_scan(self, scan_id: UUID) -> Scan:
        """A paused scan goes on where it was; a failed one begins the phase again that broke.

        Whatever was recorded is read and not repeated.
        """
        scan = await self._scans.get(scan_id)
        before = ScanStatus(scan.status)
        if before in {ScanStatus.QUEUED, ScanStatus.RUNNING}:
            return scan
        # One that has begun may still be at its way to the pause, and then just goes on.
        begun = before is ScanStatus.PAUSED and scan.started_at is not None
        wanted = ScanStatus.RUNNING if begun else ScanStatus.QUEUED
        check_transition(before, wanted)
        if before is ScanStatus.FAILED:
            await self._runs.restart_run(str(scan_id))
        else:
            await self._runs.resume_run(str(scan_id))
        scan = await self._scans.lock(scan_id)
        scan.status = check_transition(scan.status, wanted)
        scan.failure, scan.finished_at = None, None
        await self._scans.flush()
        data = {"by": self._access.actor, "from": before.value}
        await self._scans.append_events(scan_id, [NewEvent("scan.resumed", data, scan.phase)])
        await self._note(scan, "scan.resumed", {"status": before.value, "phase": scan.phase})
        return scan

    async def cancel_scan(self, scan_id: UUID) -> Scan:
        """The scan is cancelled, and what executes it is interrupted; what was measured is kept."""
        scan = await self._scans.get(scan_id)
        if scan.status == ScanStatus.CANCELLED:
            return scan
        check_transition(scan.status, ScanStatus.CANCELLED)
        # Both held, the run first: it may have ended, or have been cancelled, since it was read.
        await RunRepository(self._session, self._access).lock(scan_id)
        scan = await self._scans.lock(scan_id)
        if scan.status == ScanStatus.CANCELLED:
            return scan
        check_transition(scan.status, ScanStatus.CANCELLED)
        await self._runs.terminate_run(str(scan_id), None)
        scan = await self._scans.lock(scan_id)
        await self._note(scan, "scan.cancelled", {"status": scan.status})
        return scan

    async def _note(self, scan: Scan, action: str, detail: dict[str, Any]) -> None:
        await audit.record(
            self._session,
            account_id=self._access.account_id,
            workspace_id=self._access.workspace_id,
            actor=self._access.actor,
            action=action,
            subject=f"scan:{scan.id}",
            detail=detail,
        )


async def give_up_to_pause(database: Database, access: WorkspaceAccess, launcher: Launcher, scan_id: UUID) -> bool:
    """The run that was asked to pause is paused, and this execution has lost it; False where nobody asks any more."""
    async with database.transaction(access) as session:
        run = await RunRepository(session, access).lock(scan_id)
        if run.status != RunStatus.PAUSING:
            return False
        await RunActions(session, access, launcher, ScanAuthority(access)).pause_run(
            str(scan_id), reason=None, at_once=True
        )
    return True
