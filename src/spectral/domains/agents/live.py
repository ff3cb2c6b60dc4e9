"""What a running agent fetches: the live config of an environment and, while a promotion keeps a holdback, its arms."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.agents.repository import AgentRepository, EnvironmentRepository
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.shared.errors import NotFoundError

MAXIMUM_HOLDBACK = 0.5


@dataclass(frozen=True, slots=True)
class LiveArm:
    """A version that a share of the sessions gets. document: None where it was not asked for."""

    version: int
    config_hash: str
    weight: float
    document: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Live:
    """What is live in an environment. arms: none, or the live version and then the one before it, with their weights.

    salt: of the hash by which a session finds its arm; see `spectral.client.arms`.  document: None where it was not
    asked for.
    """

    version: int
    config_hash: str
    arms: tuple[LiveArm, ...]
    salt: str | None
    document: dict[str, Any] | None

    @property
    def entity_tag(self) -> str:
        """A strong validator: the answer is made of this, of the versions' documents, and of nothing that changes."""
        held = "".join(f"-{arm.version}-{arm.weight}" for arm in self.arms[1:])
        return f'"{self.version}-{self.config_hash}{held}{f"-{self.salt}" if held else ""}"'


class LiveConfigService:
    """The live configs of one workspace's agents, in the caller's transaction; the request that agents make most."""

    def __init__(self, session: AsyncSession, access: WorkspaceAccess) -> None:
        self._agents = AgentRepository(session, access)
        self._environments = EnvironmentRepository(session, access)

    async def read_live(self, agent_id: UUID, environment: str, *, documents: bool = True) -> Live:
        """What is live, in one statement. Raises NotFoundError when nothing is.

        documents: left out where the caller may know them by the entity tag.
        """
        row = await self._environments.live(agent_id, environment, documents=documents)
        if row is None:
            await self._agents.get(agent_id)
            raise NotFoundError(f"Config for the environment '{environment}'")
        now, before = (row.document, row.holdback_document) if documents else (None, None)
        arms: tuple[LiveArm, ...] = ()
        if row.holdback_version is not None and row.holdback_hash is not None:
            arms = (
                LiveArm(row.version, row.config_hash, 1.0 - row.holdback_share, now),
                LiveArm(row.holdback_version, row.holdback_hash, row.holdback_share, before),
            )
        return Live(row.version, row.config_hash, arms, row.salt if arms else None, now)
