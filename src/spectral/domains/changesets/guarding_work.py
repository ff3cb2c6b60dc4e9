"""The live guards at work: new scores of live sessions are counted by arm, and what they show has its consequences.

A session is counted once, with its first score, in the arm to which the salt assigns it, whichever version its spans
say has answered: who is in which arm then depends on the hash alone. Each guard is advanced in one transaction that
counts, finds and acts, so a crash repeats nothing and loses nothing.
"""

import hashlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.client.arms import place_of
from spectral.domains.agents.models import Agent, AgentEnvironment
from spectral.domains.agents.service import AgentService
from spectral.domains.changesets.guarding import Comparison, Decline, Finding, baseline_of
from spectral.domains.changesets.guarding_models import GuardObservation, PromotionGuard
from spectral.domains.changesets.guarding_repository import (
    ALERTING,
    RUNNING,
    GuardRepository,
    ObservationRepository,
)
from spectral.domains.changesets.guarding_service import DECLINE, ENDED, PLAN, UNEVEN, GuardService
from spectral.domains.changesets.repository import ChangesetRepository
from spectral.domains.changesets.service import ChangesetService
from spectral.domains.evaluations.live_scores import evaluation_of, evaluation_scores
from spectral.domains.keys.figures import trusted_actors
from spectral.domains.traces.live_sessions import LiveTraces, SessionScore, feedback_scores
from spectral.domains.workspaces.autonomy import PERMITTED, Act, AutonomyService
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.engine.discovery import look_across_workspaces
from spectral.platform.events import EventType
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.errors import SpectralError

SCHEDULE = "changesets.guards"
INTERVAL_S = 2.0
GUARDS_A_RUN = 500
PAGE = 500
PAGES_A_RUN = 40
OVERLAP = timedelta(seconds=60)
"""Scores may be committed a little out of order; those of the last minute are looked at again."""
HISTORY = 200
BASELINE_SCORES = 2_000
MOST_CROSSOVERS = 0.2
ACTOR = "guard"

EVALUATION = "evaluation"
FEEDBACK = "feedback"

log = structlog.get_logger(__name__)


class GuardSchedule:
    """Advances the guards of every workspace. Runs in one process of the installation at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self) -> None:
        """Every running guard has counted what was scored; of more than fit into a run, others in each."""
        columns = (PromotionGuard.workspace_id, PromotionGuard.account_id, PromotionGuard.changeset_id)
        statement = sa.select(*columns).where(PromotionGuard.state == RUNNING).order_by(sa.func.random())
        for workspace_id, account_id, changeset_id in await look_across_workspaces(
            self._database, statement.limit(GUARDS_A_RUN)
        ):
            access = WorkspaceAccess.for_system(workspace_id, account_id, ACTOR)
            try:
                await advance_guard(self._database, access, changeset_id)
            except Exception:
                # A guard that fails does not keep the others waiting; the next run is the next try.
                log.warning("guard_not_advanced", changeset_id=str(changeset_id), exc_info=True)


async def advance_guard(database: Database, access: WorkspaceAccess, changeset_id: UUID) -> None:
    """The change set's guard has counted what is new, and has acted where that decides something.

    access: the platform's own.  Nothing is written while nothing is new.
    """
    async with database.transaction(access, read_only=True) as session:
        guard = await GuardRepository(session, access).of_changeset(changeset_id)
        if guard is None or guard.state != RUNNING or not await _Advance(session, access, guard).is_due():
            return
    async with database.transaction(access) as session:
        # In the order in which accepting locks: the change set, its guard, the agent.
        await ChangesetRepository(session, access).lock(changeset_id)
        guard = await GuardRepository(session, access).lock_of(changeset_id)
        if guard.state == RUNNING:
            await _Advance(session, access, guard).advance()


@dataclass(frozen=True, slots=True)
class _Source:
    """Where a guard's scores come from."""

    kind: str
    online_evaluation_id: UUID | None


class _Advance:
    """One advance of one guard, in one transaction."""

    def __init__(self, session: AsyncSession, access: WorkspaceAccess, guard: PromotionGuard) -> None:
        self._session = session
        self._access = access
        self._guard = guard
        self._agents = AgentService(session, access)
        self._observations = ObservationRepository(session, access)
        self._guards = GuardService(session, access)

    async def is_due(self) -> bool:
        """Whether there is something to count or to end."""
        live = await self._agents.find_environment(self._guard.agent_id, self._guard.environment)
        if not self._is_mine(live):
            return True
        agent = await self._agents.read_agent(self._guard.agent_id)
        source = await self._source(agent)
        async for page in self._pages(source, await self._wanted(agent)):
            if await self._uncounted(page):
                return True
        return False

    async def advance(self) -> None:
        """See `advance_guard`."""
        guard = self._guard
        live = await self._agents.find_environment(guard.agent_id, guard.environment)
        if not self._is_mine(live):
            version = None if live is None else live.version
            self._guards.close(guard, ENDED, f"version {version} was promoted to {guard.environment}")
            await self._session.flush()
            return
        agent = await self._agents.read_agent(guard.agent_id)
        source = await self._source(agent)
        guard.source, guard.online_evaluation_id = source.kind, source.online_evaluation_id
        wanted = await self._wanted(agent)
        state = await self._state(source, agent)
        async for page in self._pages(source, wanted):
            await self._count(state, page)
            if self._finding(state) != Finding.OPEN:
                break
        self._write(state)
        await self._session.flush()
        await self._act(state)

    # --------------------------------------------------------------------------------------------------- what is new

    def _is_mine(self, live: AgentEnvironment | None) -> bool:
        guard = self._guard
        return live is not None and live.version == guard.version and live.salt == guard.salt

    async def _source(self, agent: Agent) -> _Source:
        guard = self._guard
        if guard.sessions and guard.source is not None:
            return _Source(guard.source, guard.online_evaluation_id)
        # Until the first score has come somebody may still set up what gives one.
        changeset = await ChangesetRepository(self._session, self._access).get(guard.changeset_id)
        online = await evaluation_of(self._session, self._access, _names(agent), changeset.rubric_id)
        return _Source(FEEDBACK, None) if online is None else _Source(EVALUATION, online.id)

    async def _wanted(self, agent: Agent) -> LiveTraces:
        guard = self._guard
        versions = [guard.version] if guard.share is None else [guard.version, guard.previous_version]
        known = [name for version in versions for name in await self._version_names(agent.id, version)]
        return LiveTraces(_names(agent), known, since_ns=_nanoseconds(guard.created_at))

    async def _version_names(self, agent_id: UUID, version: int) -> tuple[str, str]:
        """What spans call a version: its number, or the hash of its config."""
        return str(version), (await self._agents.read_config(agent_id, version)).config_hash

    async def _pages(self, source: _Source, wanted: LiveTraces) -> AsyncIterator[Sequence[SessionScore]]:
        """The scores since a minute before the last one that was counted, a page at a time."""
        position: tuple[datetime, Any] = (self._guard.cursor - OVERLAP, UUID(int=0))
        for _ in range(PAGES_A_RUN):
            page = await self._page(source, wanted, position)
            if page:
                yield page
                position = (page[-1].at, page[-1].key)
            if len(page) < PAGE:
                return

    async def _page(
        self, source: _Source, wanted: LiveTraces, after: tuple[datetime, Any] | None, **options: Any
    ) -> Sequence[SessionScore]:
        session, access = self._session, self._access
        limit = options.pop("limit", PAGE)
        if source.online_evaluation_id is not None:
            return await evaluation_scores(
                session, access, source.online_evaluation_id, wanted, after=after, limit=limit, **options
            )
        trusted = await trusted_actors(session, access)
        return await feedback_scores(session, access, wanted, trusted, after=after, limit=limit)

    async def _uncounted(self, page: Sequence[SessionScore]) -> list[tuple[bytes, SessionScore]]:
        """The sessions of a page that have not been counted, each with its first score."""
        found: dict[bytes, SessionScore] = {}
        for score in page:
            found.setdefault(_unit(self._guard.id, score.session_id), score)
        known = await self._observations.known(self._guard.id, found.keys())
        return [(unit, score) for unit, score in found.items() if unit not in known]

    # ------------------------------------------------------------------------------------------------------ counting

    async def _state(self, source: _Source, agent: Agent) -> Comparison | Decline | None:
        """The statistics so far; None where there is nothing to compare with."""
        guard = self._guard
        if guard.share is not None:
            return (
                Comparison.from_document(guard.document)
                if guard.document
                else Comparison(guard.share, alpha=PLAN.alpha)
            )
        if guard.document:
            return Decline.from_document(guard.document) if "baseline" in guard.document else None
        baseline = baseline_of(await self._scores_before(source, agent))
        return None if baseline is None else Decline(baseline, alpha=PLAN.alpha)

    async def _scores_before(self, source: _Source, agent: Agent) -> list[float]:
        """The last scores of the version before, one a session, from before the promotion."""
        names = await self._version_names(agent.id, self._guard.previous_version)
        until = LiveTraces(_names(agent), names, until_ns=_nanoseconds(self._guard.created_at))
        options: dict[str, Any] = {} if source.online_evaluation_id is None else {"newest_first": True}
        page = await self._page(source, until, None, limit=BASELINE_SCORES, **options)
        return list({score.session_id: score.score for score in reversed(page)}.values())

    async def _count(self, state: Comparison | Decline | None, page: Sequence[SessionScore]) -> None:
        guard, rows = self._guard, []
        new_names = await self._version_names(guard.agent_id, guard.version)
        for unit, score in await self._uncounted(page):
            if self._finding(state) != Finding.OPEN:
                break
            is_new = True
            if guard.share is not None and guard.salt is not None:
                is_new = place_of([1 - guard.share, guard.share], guard.salt, score.session_id) == 0
            crossed = (score.version in new_names) != is_new
            if isinstance(state, Comparison):
                state.observe(score.score, is_new=is_new)
            elif state is not None:
                state.observe(score.score)
            guard.sessions += 1
            guard.crossovers += crossed
            guard.cursor = max(guard.cursor, score.at)
            rows.append(
                GuardObservation(
                    guard_id=guard.id,
                    unit=unit,
                    seq=guard.sessions,
                    is_new=is_new,
                    crossed=crossed,
                    score=score.score,
                    trace_id=score.trace_id,
                )
            )
        self._observations.add_all(rows)

    def _finding(self, state: Comparison | Decline | None) -> str:
        guard = self._guard
        if isinstance(state, Comparison):
            finding = state.finding(margin=PLAN.margin, horizon=PLAN.horizon)
            if state.is_uneven:
                return UNEVEN
            if finding is Finding.NO_REGRESSION and guard.crossovers > MOST_CROSSOVERS * guard.sessions:
                # Where sessions do not get what they are assigned, two arms that are alike show nothing.
                return Finding.HORIZON if guard.sessions >= PLAN.horizon else Finding.OPEN
            return finding
        if state is not None and state.has_declined:
            return DECLINE
        return Finding.HORIZON if guard.sessions >= PLAN.horizon else Finding.OPEN

    def _write(self, state: Comparison | Decline | None) -> None:
        guard = self._guard
        guard.finding, guard.updated_at = self._finding(state), utc_now()
        guard.document = {"none": True} if state is None else state.document()
        point = {"at": guard.updated_at.isoformat(), **_point(state, guard.sessions)}
        history = [*guard.history, point]
        # Every other point of the past goes: what is left reaches back to the beginning.
        guard.history = history if len(history) <= HISTORY else [*history[:-1:2], history[-1]]

    # -------------------------------------------------------------------------------------------------------- acting

    async def _act(self, state: Comparison | Decline | None) -> None:
        guard = self._guard
        if guard.finding == Finding.OPEN:
            return
        if guard.finding in {Finding.NO_REGRESSION, Finding.HORIZON}:
            await self._guards.let_go(guard, _reason(guard, state))
            return
        mode = (await AutonomyService(self._session, self._access).read_autonomy()).mode
        may = guard.finding == Finding.REGRESSION and Act.ROLL_BACK_BY_ITSELF in PERMITTED[mode]
        guard.reason = _reason(guard, state)
        if may:
            try:
                await ChangesetService(self._session, self._access).rollback_changeset(guard.changeset_id, guard.reason)
            except SpectralError as error:
                guard.reason = f"{guard.reason}; it could not be rolled back: {error.detail}"[:2000]
            else:
                await self._guards.tell(guard, EventType.GUARD_ROLLED_BACK)
                return
        guard.state, guard.alerted_at = ALERTING, utc_now()
        await self._session.flush()
        await self._guards.tell(guard, EventType.GUARD_ALERTED)


def _names(agent: Agent) -> list[str]:
    """What spans call the agent."""
    return [name for name in (str(agent.id), agent.external_key, agent.name) if name is not None]


def _unit(guard_id: UUID, session_id: str) -> bytes:
    return hashlib.sha256(guard_id.bytes + session_id.encode("utf-8", "surrogatepass")).digest()[:16]


def _nanoseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000) * 1_000


def _point(state: Comparison | Decline | None, sessions: int) -> dict[str, Any]:
    """What the statistics say now."""
    point: dict[str, Any] = dict.fromkeys(("n_previous", "mean", "mean_previous", "low", "high"))
    if isinstance(state, Comparison):
        mean, before = state.means
        arms = {"n": state.counts[0], "n_previous": state.counts[1], "mean": mean, "mean_previous": before}
        return point | arms | {"low": state.low, "high": state.high}
    if state is None:
        return point | {"n": sessions}
    mean = state.total / state.count if state.count else None
    return point | {"n": state.count, "mean": mean, "mean_previous": state.baseline}


def _reason(guard: PromotionGuard, state: Comparison | Decline | None) -> str:
    """What was found, in a sentence with its numbers."""
    if not isinstance(state, Comparison):
        if guard.finding == DECLINE and state is not None:
            after = state.total / max(state.count, 1)
            return (
                f"After the promotion {state.count} sessions scored {after:.3f} on average; "
                f"before it, the mean was at least {state.baseline:.3f}. Without a holdback this may be a drift"
            )
        return f"{guard.sessions} sessions were watched"
    mean, before = state.means
    arms = (
        f"{state.counts[0]} sessions with version {guard.version} scored {mean or 0:.3f} on average, {state.counts[1]} "
        f"with version {guard.previous_version} {before or 0:.3f}"
    )
    sure = f"with {1 - PLAN.alpha:.1%} over all looks"
    if guard.finding == Finding.REGRESSION:
        return f"A regression is confirmed {sure}: {arms}; the effect is at most {state.high:+.2f}"
    if guard.finding == Finding.NO_REGRESSION:
        return f"A loss of more than {PLAN.margin:.2f} is excluded {sure}: {arms}; the effect is above {state.low:+.2f}"
    if guard.finding == UNEVEN:
        return f"Sessions do not come from the arms as they were assigned, so nothing can be compared: {arms}"
    crossed = ""
    if guard.crossovers > MOST_CROSSOVERS * guard.sessions:
        crossed = f"; {guard.crossovers} were answered by the other arm's version: do the agents follow the arms?"
    return f"After {guard.sessions} sessions no regression was found: {arms}{crossed}"
