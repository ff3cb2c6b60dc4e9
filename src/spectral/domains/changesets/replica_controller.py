"""HTTP of replica checks: `/api/v1/workspaces/{workspace_id}/agents/{agent_id}/replica-checks`."""

from uuid import UUID

from litestar import Controller, Response, get, post
from litestar.di import Provide
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.agents.runtime import Runtimes
from spectral.domains.changesets.replica_checks import ReplicaCheckService, agrees
from spectral.domains.changesets.replica_models import ReplicaCheck
from spectral.domains.changesets.replica_schemas import ReplicaCheckIn, ReplicaCheckOut
from spectral.domains.workflows.execution.launching import Launcher
from spectral.platform.access.guards import requires
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.access.scopes import Scope
from spectral.platform.shared.pagination import Collection, Page


def provide_replica_check_service(session: AsyncSession, access: WorkspaceAccess) -> ReplicaCheckService:
    return ReplicaCheckService(session, access)


def replica_check_out(check: ReplicaCheck) -> ReplicaCheckOut:
    names = set(ReplicaCheckOut.model_fields) - {"outputs", "agrees"}
    return ReplicaCheckOut(
        **{name: getattr(check, name) for name in names}, outputs=len(check.item_ids), agrees=agrees(check)
    )


class ReplicaCheckController(Controller):
    """Whether a replica says what its agent was seen to say."""

    path = "/api/v1/workspaces/{workspace_id:uuid}/agents/{agent_id:uuid}/replica-checks"
    tags = ("Agents",)
    guards = (requires(Scope.READ_WORKSPACE),)
    dependencies = {"service": Provide(provide_replica_check_service, sync_to_thread=False)}  # noqa: RUF012

    @post(
        operation_id="startReplicaCheck",
        summary="Compare a replica with recorded outputs",
        guards=[requires(Scope.WRITE_WORKSPACE)],
        status_code=202,
        opt={"idempotent": True},
    )
    async def start_check(
        self,
        service: ReplicaCheckService,
        launcher: Launcher,
        runtimes: Runtimes,
        workspace_id: UUID,
        agent_id: UUID,
        data: ReplicaCheckIn,
    ) -> Response[ReplicaCheckOut]:
        check = await service.start_check(
            agent_id,
            data.sample_set_id,
            data.version,
            max_cost_nano_usd=data.max_cost_usd,
            launcher=launcher,
            runtimes=runtimes,
        )
        location = f"/api/v1/workspaces/{workspace_id}/agents/{agent_id}/replica-checks/{check.id}"
        return Response(replica_check_out(check), status_code=202, headers={"Location": location})

    @get(operation_id="listReplicaChecks", summary="List an agent's replica checks")
    async def list_checks(
        self, service: ReplicaCheckService, agent_id: UUID, page: Page
    ) -> Collection[ReplicaCheckOut]:
        checks, total = await service.list_checks(agent_id, page)
        return Collection.of([replica_check_out(check) for check in checks], total, page)

    @get("/{check_id:uuid}", operation_id="readReplicaCheck", summary="Read a replica check")
    async def read_check(self, service: ReplicaCheckService, agent_id: UUID, check_id: UUID) -> ReplicaCheckOut:
        return replica_check_out(await service.read_check(agent_id, check_id))
