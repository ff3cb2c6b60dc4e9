"""Tells the agents' domain which agents spans name: soon after they are stored, and again from what was counted."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from uuid import UUID

import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.agents.observed import LIMIT, ObservedAgentService
from spectral.domains.traces.ingestion.rollup import HOUR_NS
from spectral.domains.traces.lifecycle.retention import workspaces
from spectral.domains.traces.models import USAGE_HOURLY, Trace
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.shared.clock import utc_now

SCHEDULE = "agents.observe"
INTERVAL_S = 300.0
RECONCILED_HOURS = 3
PAGE = 200

REFRESH_S = 60.0
REMEMBERED = 20_000
PENDING_WORKSPACES = 1_000
PENDING_A_WORKSPACE = 200
STOP_GRACE_S = 5.0

ACTOR = "observed agents"

log = structlog.get_logger(__name__)


class AgentObserver:
    """A listener of ingestion. Lives as long as the process; what it holds is bounded, whatever spans name.

    database: as the application's role.  identity: as the authentication role, which knows every workspace. What is
    lost in between (a crash, too many at once) is found again by `reconcile`.
    """

    def __init__(self, database: Database, identity: Database) -> None:
        self._database = database
        self._identity = identity
        self._noted: OrderedDict[tuple[UUID, str], float] = OrderedDict()
        self._pending: dict[UUID, tuple[WorkspaceAccess, set[str]]] = {}
        self._running: asyncio.Task[None] | None = None
        self._stopped = False

    def stored(self, access: WorkspaceAccess, agents: frozenset[str]) -> None:
        """Spans of these agents were stored: called after the commit, on the event loop. Never waits, never raises."""
        now = time.monotonic()
        for agent in agents:
            key = (access.workspace_id, agent)
            noted = self._noted.get(key)
            if noted is not None and now - noted < REFRESH_S:
                continue
            if not self._remember(access, agent):
                break
            self._noted[key] = now
            self._noted.move_to_end(key)
        while len(self._noted) > REMEMBERED:
            self._noted.popitem(last=False)
        if self._pending and not self._stopped and (self._running is None or self._running.done()):
            self._running = asyncio.get_running_loop().create_task(self._write())

    async def settle(self) -> None:
        """What was noted so far has been written, or could not be."""
        while self._running is not None and not self._running.done():
            await asyncio.wait({self._running})

    async def stop(self) -> None:
        """What is being written is brought to its end, if that comes within seconds; nothing else begins."""
        self._stopped = True
        if self._running is not None:
            await asyncio.wait({self._running}, timeout=STOP_GRACE_S)
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    async def reconcile(self) -> None:
        """What the schedule calls: the agents that hourly usage names in the last hours have been observed."""
        for access in await workspaces(self._identity, ACTOR):
            try:
                async with self._database.transaction(access, read_only=True) as session:
                    named = await agents_named(session, access)
                if named:
                    await self._observe(access, named)
            except Exception:
                # A workspace that fails does not keep the others waiting; the next run is the next try.
                log.warning("agents_not_reconciled", workspace_id=str(access.workspace_id), exc_info=True)

    def _remember(self, access: WorkspaceAccess, agent: str) -> bool:
        pending = self._pending.get(access.workspace_id)
        if pending is None:
            if len(self._pending) >= PENDING_WORKSPACES:
                return False
            own = WorkspaceAccess.for_system(access.workspace_id, access.account_id, ACTOR)
            pending = self._pending[access.workspace_id] = (own, set())
        if len(pending[1]) >= PENDING_A_WORKSPACE:
            return False
        pending[1].add(agent)
        return True

    async def _write(self) -> None:
        while self._pending and not self._stopped:
            taken, self._pending = self._pending, {}
            for access, agents in taken.values():
                try:
                    await self._observe(access, sorted(agents))
                except Exception:
                    log.warning("agents_not_observed", workspace_id=str(access.workspace_id), exc_info=True)
                    for agent in agents:
                        self._noted.pop((access.workspace_id, agent), None)

    async def _observe(self, access: WorkspaceAccess, agents: Sequence[str]) -> None:
        async with self._database.transaction(access) as session:
            observation = await ObservedAgentService(session, access).observe(agents, utc_now())
        if observation.appeared or observation.full:
            log.info(
                "agents_observed",
                workspace_id=str(access.workspace_id),
                appeared=observation.appeared,
                limit_reached=observation.full,
            )


async def agents_named(session: AsyncSession, access: WorkspaceAccess) -> list[str]:
    """The agents that spans and traces of the last hours name, at most as many as a workspace may have observed."""
    this_hour = int(utc_now().timestamp()) * 10**9 // HOUR_NS * HOUR_NS
    earliest = this_hour - (RECONCILED_HOURS - 1) * HOUR_NS
    of_spans = await _of_spans(session, access, range(this_hour, earliest - 1, -HOUR_NS))
    return sorted({*of_spans, *await _of_traces(session, access, earliest)})[:LIMIT]


async def _of_spans(session: AsyncSession, access: WorkspaceAccess, hours: Iterable[int]) -> set[str]:
    # By pages in the order of the primary key: what is skipped is not read, however many names there are.
    table, found = USAGE_HOURLY.c, set[str]()
    for hour in hours:
        last = ""
        while len(found) <= LIMIT:
            statement = (
                sa.select(table.agent_id)
                .distinct()
                .where(table.workspace_id == access.workspace_id, table.hour == hour, table.agent_id > last)
                .order_by(table.agent_id)
                .limit(PAGE)
            )
            page = list(await session.scalars(statement))
            found.update(page)
            if len(page) < PAGE:
                break
            last = page[-1]
    return found


async def _of_traces(session: AsyncSession, access: WorkspaceAccess, earliest: int) -> Sequence[str]:
    """Those of traces that started since then; the only ones that name an agent by its service."""
    # From each agent to the next one in the index: with a DISTINCT all of its traces would be read.
    workspace_id = access.workspace_id
    first = sa.select(sa.func.min(Trace.agent_id).label("id")).where(Trace.workspace_id == workspace_id)
    named = first.cte("named", recursive=True)
    following = sa.select(sa.func.min(Trace.agent_id)).where(
        Trace.workspace_id == workspace_id, Trace.agent_id > named.c.id
    )
    named = named.union_all(sa.select(following.scalar_subquery()).where(named.c.id.is_not(None)))
    lately = sa.select(Trace.trace_id).where(
        Trace.workspace_id == workspace_id, Trace.agent_id == named.c.id, Trace.started_at >= earliest
    )
    seen = sa.select(named.c.id).where(named.c.id.is_not(None), lately.exists()).limit(LIMIT)
    return (await session.scalars(seen)).all()
