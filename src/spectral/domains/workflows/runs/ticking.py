"""Runs of a workspace that somebody drives from outside, a bounded piece at a time."""

from dataclasses import dataclass
from datetime import datetime

from spectral.domains.workflows.errors import TicksDisabledError
from spectral.domains.workflows.execution.launching import KIND
from spectral.domains.workflows.execution.tracing import KIND as TRACE
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.engine.context import Allowance
from spectral.platform.engine.engine import Engine
from spectral.platform.engine.errors import EngineStateError
from spectral.platform.shared.errors import UnavailableError

AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Ticked:
    """What a tick did. processed: executions of runs.  steps: how many of their steps began.

    next_at: when there is something to do again, if nothing else comes; a moment that has passed: there is already.
    """

    processed: int
    steps: int
    next_at: datetime | None


class RunTicker:
    """Executes what is due in one workspace, within the call. enabled: whether this installation wants that."""

    def __init__(self, database: Database, access: WorkspaceAccess, engine: Engine, *, enabled: bool) -> None:
        self._database = database
        self._access = access
        self._engine = engine
        self._enabled = enabled

    async def tick(self, max_runs: int, max_steps: int) -> Ticked:
        """The runs that are due go on, those first that have waited longest, until they have ended or wait.

        No more than `max_steps` steps begin; a run that could begin another one goes on at the next tick, behind those
        that are due already. Raises TicksDisabledError, and UnavailableError while the engine starts or stops.
        """
        if not self._enabled:
            raise TicksDisabledError
        allowance, processed = Allowance(max_steps), 0
        try:
            while processed < max_runs and allowance.left > 0:
                at_most = min(max_runs - processed, allowance.left, AT_ONCE)
                executed = await self._run_due(KIND, at_most, allowance)
                if not executed:
                    break
                processed += executed
            # Of runs that ended, now or in a tick that was cut off.
            await self._run_due(TRACE, max_runs, None)
        except EngineStateError as error:
            raise UnavailableError("The engine is not ready to execute; try again in a moment") from error
        async with self._database.transaction(self._access, read_only=True) as session:
            next_at = await self._engine.next_due(session, self._access.workspace_id, (KIND, TRACE))
        return Ticked(processed, allowance.begun, next_at)

    async def _run_due(self, kind: str, at_most: int, allowance: Allowance | None) -> int:
        mine = (self._access.workspace_id, self._access.account_id)
        return await self._engine.run_due(*mine, kind, at_most=at_most, allowance=allowance)
