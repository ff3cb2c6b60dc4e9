"""HTTP of failure clusters: `…/changesets/{changeset_id}/clusters`, and `…/changesets/clusters` for all of a workspace.

Both say the same about a cluster: the first as the change set's scan saw it, the second as the last scan did.
"""

from typing import Annotated
from uuid import UUID

from litestar import Controller, get, patch, post
from litestar.di import Provide
from litestar.params import QueryParameter
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.changesets.answers import cluster_detail_out, cluster_out
from spectral.domains.changesets.clusters import ClusterService
from spectral.domains.changesets.curation import CurationService
from spectral.domains.changesets.schemas import (
    ClusterDetailOut,
    ClusterMembersIn,
    ClusterMergeIn,
    ClusterOut,
    ClusterPartsOut,
    ClusterPatch,
    ClusterSplitIn,
    ClusterStatus,
)
from spectral.platform.access.guards import requires
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.access.scopes import Scope
from spectral.platform.db.session import Database
from spectral.platform.shared.pagination import Collection, Page

PATH = "/api/v1/workspaces/{workspace_id:uuid}/changesets"
READ = requires(Scope.READ_WORKSPACE)
WRITE = requires(Scope.WRITE_WORKSPACE)
TAGS = ("Changeset clusters",)
IDEMPOTENT = {"idempotent": True}

CLUSTER = "/{cluster_id:uuid}"
MERGE = "Say that clusters are one kind of failure; later scans keep it"
SPLIT = "Say that a cluster is several kinds of failure; later scans keep it"
MOVE = "Put failures into a cluster, or take them out; later scans keep it"
CURATE = "Rename a failure cluster, set its status or note; later scans keep it"

AgentQuery = Annotated[UUID | None, QueryParameter(description="of this agent only")]
StatusQuery = Annotated[ClusterStatus | None, QueryParameter(name="status", description="with this status only")]


def provide_cluster_service(session: AsyncSession, access: WorkspaceAccess) -> ClusterService:
    return ClusterService(session, access)


def provide_curation_service(session: AsyncSession, access: WorkspaceAccess, database: Database) -> CurationService:
    return CurationService(session, access, database)


class ClusterController(Controller):
    """The failure clusters that a change set is about."""

    path = PATH + "/{changeset_id:uuid}/clusters"
    tags = TAGS
    dependencies = {  # noqa: RUF012
        "service": Provide(provide_cluster_service, sync_to_thread=False),
        "curation": Provide(provide_curation_service, sync_to_thread=False),
    }

    @get(operation_id="listClusters", summary="List the failure clusters, the largest first", guards=[READ])
    async def list_clusters(self, service: ClusterService, changeset_id: UUID, page: Page) -> Collection[ClusterOut]:
        found, total = await service.list_clusters(changeset_id, page)
        return Collection.of([cluster_out(seen) for seen in found], total, page)

    @get(
        CLUSTER,
        operation_id="readCluster",
        summary="Read a failure cluster with a page of its members",
        guards=[READ],
    )
    async def read_cluster(
        self, service: ClusterService, changeset_id: UUID, cluster_id: UUID, page: Page
    ) -> ClusterDetailOut:
        return cluster_detail_out(await service.read_cluster(changeset_id, cluster_id, page), page)

    @patch(CLUSTER, operation_id="curateCluster", summary=CURATE, guards=[WRITE])
    async def curate_cluster(
        self,
        service: ClusterService,
        curation: CurationService,
        changeset_id: UUID,
        cluster_id: UUID,
        data: ClusterPatch,
    ) -> ClusterDetailOut:
        changed = await curation.curate(changeset_id, cluster_id, data.model_dump(exclude_unset=True))
        return await _detail(service, changeset_id, changed)

    @post("/merge", operation_id="mergeClusters", summary=MERGE, status_code=200, guards=[WRITE], opt=IDEMPOTENT)
    async def merge_clusters(
        self, service: ClusterService, curation: CurationService, changeset_id: UUID, data: ClusterMergeIn
    ) -> ClusterDetailOut:
        merged = await curation.merge(changeset_id, data.cluster_ids, data.label)
        return await _detail(service, changeset_id, merged)

    @post(
        CLUSTER + "/split", operation_id="splitCluster", summary=SPLIT, status_code=200, guards=[WRITE], opt=IDEMPOTENT
    )
    async def split_cluster(
        self,
        service: ClusterService,
        curation: CurationService,
        changeset_id: UUID,
        cluster_id: UUID,
        data: ClusterSplitIn,
    ) -> ClusterPartsOut:
        return await _split(service, curation, changeset_id, cluster_id, data)

    @post(CLUSTER + "/members", operation_id="moveClusterMembers", summary=MOVE, status_code=200, guards=[WRITE])
    async def move_members(
        self,
        service: ClusterService,
        curation: CurationService,
        changeset_id: UUID,
        cluster_id: UUID,
        data: ClusterMembersIn,
    ) -> ClusterDetailOut:
        moved = await curation.move(changeset_id, cluster_id, add=data.add, remove=data.remove, to=data.to)
        return await _detail(service, changeset_id, moved)


class WorkspaceClusterController(Controller):
    """What the agents of a workspace get wrong, whether or not a change set came of it."""

    path = PATH + "/clusters"
    tags = TAGS
    dependencies = {  # noqa: RUF012
        "service": Provide(provide_cluster_service, sync_to_thread=False),
        "curation": Provide(provide_curation_service, sync_to_thread=False),
    }

    @get(
        operation_id="listWorkspaceClusters",
        summary="List every failure cluster as its last scan saw it, the last seen first",
        guards=[READ],
    )
    async def list_clusters(
        self, service: ClusterService, page: Page, agent_id: AgentQuery = None, with_status: StatusQuery = None
    ) -> Collection[ClusterOut]:
        found, total = await service.list_all(page, agent_id=agent_id, status=with_status)
        return Collection.of([cluster_out(seen) for seen in found], total, page)

    @get(
        CLUSTER,
        operation_id="readWorkspaceCluster",
        summary="Read a failure cluster as its last scan saw it, with a page of its members",
        guards=[READ],
    )
    async def read_cluster(self, service: ClusterService, cluster_id: UUID, page: Page) -> ClusterDetailOut:
        return cluster_detail_out(await service.read_cluster(None, cluster_id, page), page)

    @patch(CLUSTER, operation_id="curateWorkspaceCluster", summary=CURATE, guards=[WRITE])
    async def curate_cluster(
        self, service: ClusterService, curation: CurationService, cluster_id: UUID, data: ClusterPatch
    ) -> ClusterDetailOut:
        return await _detail(
            service, None, await curation.curate(None, cluster_id, data.model_dump(exclude_unset=True))
        )

    @post(
        "/merge", operation_id="mergeWorkspaceClusters", summary=MERGE, status_code=200, guards=[WRITE], opt=IDEMPOTENT
    )
    async def merge_clusters(
        self, service: ClusterService, curation: CurationService, data: ClusterMergeIn
    ) -> ClusterDetailOut:
        return await _detail(service, None, await curation.merge(None, data.cluster_ids, data.label))

    @post(
        CLUSTER + "/split",
        operation_id="splitWorkspaceCluster",
        summary=SPLIT,
        status_code=200,
        guards=[WRITE],
        opt=IDEMPOTENT,
    )
    async def split_cluster(
        self, service: ClusterService, curation: CurationService, cluster_id: UUID, data: ClusterSplitIn
    ) -> ClusterPartsOut:
        return await _split(service, curation, None, cluster_id, data)

    @post(
        CLUSTER + "/members", operation_id="moveWorkspaceClusterMembers", summary=MOVE, status_code=200, guards=[WRITE]
    )
    async def move_members(
        self, service: ClusterService, curation: CurationService, cluster_id: UUID, data: ClusterMembersIn
    ) -> ClusterDetailOut:
        moved = await curation.move(None, cluster_id, add=data.add, remove=data.remove, to=data.to)
        return await _detail(service, None, moved)


async def _detail(service: ClusterService, changeset_id: UUID | None, cluster_id: UUID) -> ClusterDetailOut:
    page = Page()
    return cluster_detail_out(await service.read_cluster(changeset_id, cluster_id, page), page)


async def _split(
    service: ClusterService,
    curation: CurationService,
    changeset_id: UUID | None,
    cluster_id: UUID,
    data: ClusterSplitIn,
) -> ClusterPartsOut:
    parts = await curation.split(changeset_id, cluster_id, item_ids=data.item_ids, parts=data.k or 2, label=data.label)
    return ClusterPartsOut(parts=[cluster_out(await service.read_cluster(changeset_id, part)) for part in parts])
