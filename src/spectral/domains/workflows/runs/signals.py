"""Events that are sent to runs: kept until a wait takes them, whatever the run is doing meanwhile."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.agents.json_values import json_text
from spectral.domains.workflows.errors import SignalBufferFullError, SignalConflictError
from spectral.domains.workflows.execution.launching import Launcher
from spectral.domains.workflows.execution.states import RunAction, next_status
from spectral.domains.workflows.execution.store import NewEvent, RunRepository
from spectral.domains.workflows.models import WorkflowRun, WorkflowSignal
from spectral.domains.workflows.runs.authority import RunAct, RunAuthority
from spectral.domains.workflows.runs.checks import KIBIBYTE, check_size
from spectral.domains.workflows.runs.reading_repository import RunReadRepository
from spectral.domains.workflows.runs.repository import SignalRepository
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.keyset import Listing
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.ids import new_id
from spectral.platform.shared.pagination import Page

MAXIMUM_PAYLOAD_BYTES = 256 * KIBIBYTE
KEPT_MAXIMUM = 1_000
"""Of signals that nothing has taken, for one run."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A signal, and whether it is new: the same one again changes nothing."""

    signal: WorkflowSignal
    is_new: bool


class SignalService:
    """Signals of one workspace's runs, in the caller's transaction."""

    def __init__(
        self, session: AsyncSession, access: WorkspaceAccess, launcher: Launcher, authority: RunAuthority
    ) -> None:
        self._session = session
        self._access = access
        self._launcher = launcher
        self._authority = authority
        self._runs = RunRepository(session, access, launcher.live)
        self._signals = SignalRepository(session, access)

    async def send(self, name: str, type: str, payload: Any, signal_id: str | None) -> Sent:
        """The run has the signal, and looks at it after the commit if it waits.

        Raises NotFoundError, InvalidTransitionError (400) for a run that has ended, SignalConflictError where another
        one has this id, SignalBufferFullError.
        """
        found = await RunReadRepository(self._session, self._access).find_by_name(name)
        run = await self._runs.lock(found.id)
        await self._authority.authorize(RunAct.SIGNAL, run)
        check_size(payload, MAXIMUM_PAYLOAD_BYTES, "/payload")
        if signal_id is not None:
            known = await self._signals.of_key(run, signal_id)
            if known is not None:
                # Also of a run that has ended meanwhile: whoever sends again wants to know that it arrived.
                if known.type != type or json_text(known.payload) != json_text(payload):
                    raise SignalConflictError(signal_id)
                return Sent(known, is_new=False)
        next_status(run.status, RunAction.SIGNAL)
        if await self._signals.kept(run) >= KEPT_MAXIMUM:
            raise SignalBufferFullError(KEPT_MAXIMUM)
        signal = await self.keep(run, type, payload, signal_id)
        await self._launcher.wake(self._session, self._access, run)
        return Sent(signal, is_new=True)

    async def keep(self, run: WorkflowRun, type: str, payload: Any, signal_id: str | None = None) -> WorkflowSignal:
        """A new signal of the run, which the caller has locked and wakes."""
        identifier = new_id()
        signal = self._signals.add(
            WorkflowSignal(
                id=identifier,
                run_id=run.id,
                generation=run.generation,
                signal_key=signal_id or str(identifier),
                type=type,
                payload=payload,
                sent_by=self._access.actor,
                received_at=utc_now(),
            )
        )
        await self._signals.flush()
        told = {"signal_id": signal.signal_key, "signal_type": type, "sent_by": signal.sent_by}
        await self._runs.append(run, [NewEvent("signal.received", input=payload, data=told)])
        return signal

    async def list_signals(self, name: str, page: Page, cursor: str | None) -> Listing:
        """What was sent to the run, newest first. Raises NotFoundError."""
        run = await RunReadRepository(self._session, self._access).find_by_name(name)
        return await self._signals.of_run(run, page, cursor)
