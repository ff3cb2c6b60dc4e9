"""Live guards: begun where a change set goes live, read, and ended by people or by what is promoted next."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.agents.models import AgentEnvironment
from spectral.domains.agents.service import AgentService
from spectral.domains.changesets.guarding import ALPHA, HORIZON, MARGIN, Finding
from spectral.domains.changesets.guarding_models import PromotionGuard
from spectral.domains.changesets.guarding_repository import OPEN, GuardRepository
from spectral.domains.changesets.models import Changeset
from spectral.domains.changesets.repository import ChangesetRepository
from spectral.platform import audit
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.access.scopes import Scope
from spectral.platform.events import EventType, emit
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.errors import InvalidTransitionError, NotFoundError

ROLLED_BACK = "rolled_back"
RELEASED = "released"
ENDED = "ended"
UNEVEN = "uneven"
DECLINE = "decline"
ALERTS_LISTED = 100


@dataclass(frozen=True, slots=True)
class GuardPlan:
    """What every guard decides by. alpha: of each kind of error, over all looks together.

    margin: a loss below it is called none.  horizon: after so many sessions the guard ends without a finding.
    """

    alpha: float = ALPHA
    margin: float = MARGIN
    horizon: int = HORIZON


PLAN = GuardPlan()


class GuardService:
    """The live guards of one workspace, in the caller's transaction."""

    def __init__(self, session: AsyncSession, access: WorkspaceAccess) -> None:
        self._session = session
        self._access = access
        self._guards = GuardRepository(session, access)

    async def begin(self, changeset: Changeset, live: AgentEnvironment, previous_version: int) -> PromotionGuard:
        """The change set's promotion is watched from now on, and what was watched in its place is not any more.

        live: as the promotion has left it, with the holdback where it keeps one.
        """
        await self.end_in(changeset.agent_id, changeset.target_environment, "another change set was accepted")
        now = utc_now()
        guard = self._guards.add(
            PromotionGuard(
                account_id=self._access.account_id,
                changeset_id=changeset.id,
                agent_id=changeset.agent_id,
                environment=changeset.target_environment,
                version=changeset.candidate_version,
                previous_version=previous_version,
                share=live.holdback_share,
                salt=live.salt,
                source=None,
                online_evaluation_id=None,
                state="running",
                finding=Finding.OPEN,
                sessions=0,
                crossovers=0,
                document={},
                history=[],
                cursor=now,
                created_at=now,
                updated_at=now,
            )
        )
        await self._guards.flush()
        return guard

    async def find_guard(self, changeset_id: UUID) -> PromotionGuard | None:
        """The guard of a change set; None where nothing was watched after it, or it never went live."""
        return await self._guards.of_changeset(changeset_id)

    async def read_guard(self, changeset_id: UUID) -> PromotionGuard:
        """Raises NotFoundError, also where the change set has no guard."""
        await ChangesetRepository(self._session, self._access).get(changeset_id)
        guard = await self._guards.of_changeset(changeset_id)
        if guard is None:
            raise NotFoundError(GuardRepository.kind)
        return guard

    async def list_alerts(self) -> list[PromotionGuard]:
        """What waits for somebody to decide, the longest waiting first, 100 at most."""
        return await self._guards.alerting(ALERTS_LISTED)

    async def release_guard(self, changeset_id: UUID, reason: str | None = None) -> PromotionGuard:
        """The new version is live for everybody, whatever the guard has found or would have.

        Needs approve:agents. Raises NotFoundError, InvalidTransitionError (400) where the guard has ended.
        """
        self._access.require(Scope.APPROVE_AGENTS)
        await ChangesetRepository(self._session, self._access).lock(changeset_id)
        guard = await self._guards.lock_of(changeset_id)
        if guard.state not in OPEN:
            raise InvalidTransitionError(f"The guard has ended ({guard.state})", state=guard.state, possible=[])
        await self.let_go(guard, reason or "released by hand")
        return guard

    async def let_go(self, guard: PromotionGuard, reason: str) -> None:
        """The guard, which is held, ends and so does the holdback; audited and told."""
        agents = AgentService(self._session, self._access)
        live = await agents.find_environment(guard.agent_id, guard.environment)
        if guard.share is not None and live is not None and live.salt == guard.salt:
            await agents.promote_config(guard.agent_id, guard.version, guard.environment, reason)
        self.close(guard, RELEASED, reason)
        await self._guards.flush()
        await self.tell(guard, EventType.GUARD_RELEASED)

    async def end_of(self, changeset_id: UUID, state: str, reason: str) -> PromotionGuard | None:
        """The change set's guard, if one is open, has this final state."""
        guard = await self._guards.of_changeset(changeset_id)
        if guard is None or guard.state not in OPEN:
            return None
        self.close(guard, state, reason)
        await self._guards.flush()
        return guard

    async def end_in(self, agent_id: UUID, environment: str, reason: str) -> None:
        """Nothing is watched in this environment of the agent any more."""
        for guard in await self._guards.open_in(agent_id, environment):
            self.close(guard, ENDED, reason)
        await self._guards.flush()

    def close(self, guard: PromotionGuard, state: str, reason: str) -> None:
        """The guard's end, by whoever calls."""
        now = utc_now()
        guard.state, guard.reason, guard.updated_at = state, reason[:2000], now
        guard.finished_at, guard.finished_by = now, self._access.actor

    async def tell(self, guard: PromotionGuard, kind: EventType) -> None:
        """The audit log and the event say what the guard did, with its reason and numbers."""
        numbers = numbers_of(guard)
        await audit.record(
            self._session,
            account_id=self._access.account_id,
            workspace_id=self._access.workspace_id,
            actor=self._access.actor,
            action=kind.value,
            subject=f"changeset:{guard.changeset_id}",
            detail={"guard_id": str(guard.id), "agent_id": str(guard.agent_id), "reason": guard.reason, **numbers},
        )
        told = {name: numbers[name] for name in ("environment", "version", "previous_version", "finding", "sessions")}
        told |= {"agent_id": str(guard.agent_id), "state": guard.state}
        await emit(self._session, self._access, kind, subject=f"changeset:{guard.changeset_id}", data=told)


def numbers_of(guard: PromotionGuard) -> dict[str, Any]:
    """What the guard's finding rests on, as JSON."""
    latest = guard.history[-1] if guard.history else {}
    return {
        "environment": guard.environment,
        "version": guard.version,
        "previous_version": guard.previous_version,
        "holdback": guard.share,
        "finding": str(guard.finding),
        "source": guard.source,
        "sessions": guard.sessions,
        "crossovers": guard.crossovers,
        "alpha": PLAN.alpha,
        **{name: latest.get(name) for name in ("n", "n_previous", "mean", "mean_previous", "low", "high")},
    }
