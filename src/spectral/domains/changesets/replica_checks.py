"""A replica has to be shown to be one: it is executed on recorded inputs, and compared with the recorded outputs.

What a holdout says of a replica it says of the agent only as far as the two agree. So while no check has shown an
agreement of at least 0.9, a verdict about a replica can be inconclusive only.
"""

from typing import Any, ClassVar, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.agents.runtime import Runtimes
from spectral.domains.agents.service import PRODUCTION, AgentService
from spectral.domains.agents.settings import is_replica
from spectral.domains.changesets.errors import TooFewRecordedOutputsError
from spectral.domains.changesets.replica_models import ReplicaCheck
from spectral.domains.samples.origins import SampleOrigins
from spectral.domains.samples.sample import Sample
from spectral.domains.samples.service import SampleService
from spectral.domains.workflows.definitions.model import Definition, Graph, Node, NodeKind
from spectral.domains.workflows.execution.launching import Launcher
from spectral.domains.workflows.execution.platform_runs import launch_platform_run
from spectral.platform import audit
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.repository import WorkspaceRepository
from spectral.platform.shared.errors import BusinessRuleViolationError
from spectral.platform.shared.ids import new_id
from spectral.platform.shared.pagination import Page

KIND = "replica-check"
"""The adapter of the runs, and the engine's kind of work."""
TASK = "replica.check"
WORKFLOW = Definition(
    name="spectral.replica-check",
    description="Compares a replica with recorded outputs",
    graph=Graph((Node("check", NodeKind.TASK, params={"function": TASK}),), ()),
)
LEAST_OUTPUTS: Final = 100
MOST_OUTPUTS: Final = 500
LEAST_AGREEMENT: Final = 0.9
ENDED: Final = frozenset({"completed", "failed", "cancelled"})


class ReplicaCheckRepository(WorkspaceRepository[ReplicaCheck]):
    """The checks of one workspace."""

    model: ClassVar[type[ReplicaCheck]] = ReplicaCheck
    kind = "Replica check"


class ReplicaCheckService:
    """The checks of one workspace's replicas, in the caller's transaction."""

    def __init__(self, session: AsyncSession, access: WorkspaceAccess) -> None:
        self._session = session
        self._access = access
        self._checks = ReplicaCheckRepository(session, access)

    async def start_check(
        self,
        agent_id: UUID,
        sample_set_id: UUID,
        version: int | None,
        *,
        max_cost_nano_usd: int | None,
        launcher: Launcher,
        runtimes: Runtimes,
    ) -> ReplicaCheck:
        """The check is queued. It compares up to 500 samples that were made of traces and expect what those said.

        version: of the replica's config; None for what is live in production. Never reads a holdout.
        Raises NotFoundError, BusinessRuleViolationError (400) for an agent that is no replica,
        TooFewRecordedOutputsError (400) for less than 100 such samples.
        """
        agents = AgentService(self._session, self._access)
        agent = await agents.read_agent(agent_id)
        samples = SampleService(self._session, self._access)
        sample_set = await samples.read_set(sample_set_id)
        if not is_replica(agent):
            raise BusinessRuleViolationError(
                f"The agent {agent.name} is not executed as a replica: its own config is what is measured"
            )
        runtimes.check(agent)
        config = await (
            agents.current_config(agent_id, PRODUCTION) if version is None else agents.read_config(agent_id, version)
        )
        items = await self._recorded(samples, sample_set_id)
        if len(items) < LEAST_OUTPUTS:
            raise TooFewRecordedOutputsError(len(items), LEAST_OUTPUTS)
        check = self._checks.add(
            ReplicaCheck(
                id=new_id(),
                agent_id=agent_id,
                version=config.version,
                config_hash=config.config_hash,
                sample_set_id=sample_set_id,
                sample_set_version=sample_set.version,
                item_ids=[str(item.id) for item in items],
                max_cost_nano_usd=max_cost_nano_usd,
                status="queued",
                created_by=self._access.actor,
            )
        )
        await self._checks.flush()
        await self._audit(check, "replica.check_started", {"version": check.version, "outputs": len(items)})
        inputs = {"check_id": str(check.id)}
        await launch_platform_run(launcher, self._session, self._access, WORKFLOW, check.id, inputs, adapter=KIND)
        return check

    async def read_check(self, agent_id: UUID, check_id: UUID) -> ReplicaCheck:
        """Raises NotFoundError, also for a check of another agent."""
        await AgentService(self._session, self._access).read_agent(agent_id)
        found = await self._checks.find(ReplicaCheck.id == check_id, ReplicaCheck.agent_id == agent_id)
        return found or await self._checks.get(new_id())

    async def list_checks(self, agent_id: UUID, page: Page) -> tuple[list[ReplicaCheck], int]:
        """One page of an agent's checks, newest first. Raises NotFoundError."""
        await AgentService(self._session, self._access).read_agent(agent_id)
        return await self._checks.page(self._checks.select(ReplicaCheck.agent_id == agent_id), page)

    async def is_shown(self, agent_id: UUID, config_hash: str) -> bool:
        """Whether this config of the agent is known to say what the agent says, by the last check of it that ended."""
        done = (
            ReplicaCheck.agent_id == agent_id,
            ReplicaCheck.config_hash == config_hash,
            ReplicaCheck.status == "completed",
        )
        found = await self._checks.find_all(*done, order_by=(ReplicaCheck.finished_at.desc(),))
        return bool(found) and agrees(found[0])

    async def _recorded(self, samples: SampleService, sample_set_id: UUID) -> list[Sample]:
        """The items that a search may read, of those that traces were made into, with an output."""
        items = [
            *await samples.split_items(sample_set_id, "select", limit=2 * MOST_OUTPUTS),
            *await samples.split_items(sample_set_id, "reflect", limit=2 * MOST_OUTPUTS),
        ]
        known = [item for item in items if isinstance(item.expected, str) and item.expected.strip()]
        traces = await SampleOrigins(self._session, self._access).trace_ids([item.id for item in known])
        return [item for item in known if item.id in traces][:MOST_OUTPUTS]

    async def _audit(self, check: ReplicaCheck, action: str, detail: dict[str, Any]) -> None:
        await audit.record(
            self._session,
            account_id=self._access.account_id,
            workspace_id=self._access.workspace_id,
            actor=self._access.actor,
            action=action,
            subject=f"agent:{check.agent_id}",
            detail={"check_id": str(check.id), **detail},
        )


def agrees(check: ReplicaCheck) -> bool:
    """Whether enough was compared, and the lower bound of the agreement is at least 0.9."""
    return (check.compared or 0) >= LEAST_OUTPUTS and (check.lower or 0.0) >= LEAST_AGREEMENT
