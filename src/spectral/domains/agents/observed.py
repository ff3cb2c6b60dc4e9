"""Agents that nobody created: they appear because spans name them, up to a limit, until somebody adopts them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.agents.lifecycle import record
from spectral.domains.agents.models import OBSERVED, Agent, AgentTombstone
from spectral.domains.agents.repository import AgentRepository
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.shared.ids import new_id

LIMIT = 1_000
"""How many observed agents a workspace has at most, archived and adopted ones included: ids may be anything."""

LONGEST_KEY = 200
QUIET_AFTER_DELETION = timedelta(hours=24)
"""A deleted agent does not appear again for so long, however many spans name it; archiving hides it for good."""

SEEN_PRECISION = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Observation:
    """What came of looking at the names of agents in spans. full: some were left out because of the limit."""

    appeared: int
    full: bool


class ObservedAgentService:
    """The observed agents of one workspace, in the caller's transaction."""

    def __init__(self, session: AsyncSession, access: WorkspaceAccess) -> None:
        self._session = session
        self._access = access
        self._agents = AgentRepository(session, access)

    async def observe(self, keys: Collection[str], now: datetime) -> Observation:
        """Every agent of these names has been seen; those that the workspace does not have appear as observed.

        keys: what spans call their agent: an id or name of an agent, or anything. What is longer than 200 characters,
        or cannot be shown, names none. The same at any time, in any process, any number of times.
        """
        shown = {key for key in keys if 0 < len(key) <= LONGEST_KEY and key.isprintable() and key.strip() == key}
        if not shown:
            return Observation(0, full=False)
        await self._take_turn()
        known = await self._known(shown)
        for agent in {agent.id: agent for agent in known.values()}.values():
            if agent.last_seen_at is None or agent.last_seen_at < now - SEEN_PRECISION:
                agent.first_seen_at = agent.first_seen_at or now
                agent.last_seen_at = now
        await self._session.flush()
        buried = await self._buried(shown - known.keys(), now)
        fresh = sorted(shown - known.keys() - buried)
        room = max(0, LIMIT - await self.count()) if fresh else 0
        appeared = [key for key in fresh[:room] if await self._add(key, now)]
        for key in appeared:
            await self._audit(key, now)
        return Observation(len(appeared), full=len(fresh) > room)

    async def count(self) -> int:
        """How many agents of the workspace were observed first, whatever became of them."""
        return await self._agents.count(Agent.origin == OBSERVED)

    async def bury(self, agent: Agent, now: datetime) -> None:
        """Nothing that names this agent makes it appear again for a day."""
        names = {str(agent.id), agent.name, agent.external_key or agent.name}
        rows = [
            {"workspace_id": self._access.workspace_id, "external_key": name, "deleted_at": now}
            for name in sorted(names)
        ]
        statement = self._insert(AgentTombstone)
        await self._session.execute(
            statement.on_conflict_do_update(
                index_elements=["workspace_id", "external_key"], set_={"deleted_at": statement.excluded.deleted_at}
            ),
            rows,
        )

    async def _take_turn(self) -> None:
        """Two processes do not both fill the last place. SQLite has one write transaction anyway."""
        if self._session.get_bind().dialect.name == "postgresql":
            await self._session.execute(
                sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:slot, 0))"),
                {"slot": f"spectral.observed_agents:{self._access.workspace_id}"},
            )

    async def _known(self, keys: Collection[str]) -> Mapping[str, Agent]:
        """The workspace's agents that these names mean: by id, by name, or by what their spans called them before."""
        identifiers = {key: identifier for key in keys if (identifier := _uuid(key)) is not None}
        statement = self._agents.select(
            sa.or_(Agent.external_key.in_(keys), Agent.name.in_(keys), Agent.id.in_(identifiers.values()))
        )
        known: dict[str, Agent] = {}
        for agent in await self._session.scalars(statement):
            names = {agent.external_key, agent.name} | {key for key, found in identifiers.items() if found == agent.id}
            known |= {name: agent for name in names if name is not None and name in keys}
        return known

    async def _buried(self, keys: Collection[str], now: datetime) -> set[str]:
        if not keys:
            return set()
        workspace_id = self._access.workspace_id
        over = sa.delete(AgentTombstone).where(
            AgentTombstone.workspace_id == workspace_id, AgentTombstone.deleted_at <= now - QUIET_AFTER_DELETION
        )
        await self._session.execute(over.execution_options(synchronize_session=False))
        found = sa.select(AgentTombstone.external_key).where(
            AgentTombstone.workspace_id == workspace_id, AgentTombstone.external_key.in_(keys)
        )
        return set(await self._session.scalars(found))

    async def _add(self, key: str, now: datetime) -> bool:
        """False where somebody created an agent of that name at the same moment."""
        statement = self._insert(Agent).values(
            workspace_id=self._access.workspace_id,
            id=new_id(),
            created_at=now,
            name=key,
            runtime=OBSERVED,
            latest_version=0,
            created_by=self._access.actor,
            updated_at=now,
            origin=OBSERVED,
            external_key=key,
            first_seen_at=now,
            last_seen_at=now,
        )
        made = await self._session.execute(statement.on_conflict_do_nothing().returning(Agent.id))
        return made.first() is not None

    async def _audit(self, key: str, now: datetime) -> None:
        agent = await self._agents.find(Agent.external_key == key)
        if agent is not None:
            detail = {"name": key, "seen_at": now.isoformat()}
            await record(self._session, self._access, agent.id, "agent.observed", detail)

    def _insert(self, table: type[Agent] | type[AgentTombstone]) -> postgresql.Insert | sqlite.Insert:
        if self._session.get_bind().dialect.name == "sqlite":
            return sqlite.insert(table)
        return postgresql.insert(table)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
