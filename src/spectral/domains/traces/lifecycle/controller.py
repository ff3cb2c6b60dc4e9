"""HTTP of what a workspace decides about its traces, and of those that it wants to be gone."""

from uuid import UUID

from litestar import Controller, Response, delete, get, post, put
from litestar.di import Provide
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.traces.ingestion.policy import PolicyBook
from spectral.domains.traces.lifecycle.deletion import TraceDeletionService
from spectral.domains.traces.lifecycle.schemas import (
    MaskingPreviewIn,
    MaskingPreviewOut,
    TraceDeletionIn,
    TraceDeletionOut,
    TraceSettingsIn,
    TraceSettingsOut,
)
from spectral.domains.traces.lifecycle.settings import TraceSettingsService
from spectral.platform.access.guards import requires
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.access.scopes import Scope
from spectral.platform.engine.engine import Engine
from spectral.platform.shared.pagination import Collection, Page

PATH = "/api/v1/workspaces/{workspace_id:uuid}/traces"


def provide_settings_service(
    session: AsyncSession, access: WorkspaceAccess, policy_book: PolicyBook
) -> TraceSettingsService:
    return TraceSettingsService(session, access, policy_book)


def provide_trace_deletion_service(
    session: AsyncSession, access: WorkspaceAccess, engine: Engine
) -> TraceDeletionService:
    return TraceDeletionService(session, access, engine)


class TraceSettingsController(Controller):
    """What a workspace decides about its traces: what is masked before they are stored, and how long they are kept."""

    path = f"{PATH}/settings"
    tags = ("Traces",)
    dependencies = {"service": Provide(provide_settings_service, sync_to_thread=False)}  # noqa: RUF012

    @get(
        operation_id="readTraceSettings",
        summary="Read masking and retention",
        guards=[requires(Scope.READ_WORKSPACE)],
    )
    async def read_settings(self, service: TraceSettingsService) -> TraceSettingsOut:
        return TraceSettingsOut.model_validate(await service.read_settings())

    @put(
        operation_id="chooseTraceSettings",
        summary="Choose masking and retention",
        guards=[requires(Scope.ADMIN_WORKSPACE)],
    )
    async def choose_settings(self, service: TraceSettingsService, data: TraceSettingsIn) -> TraceSettingsOut:
        """For spans that come from now on: what is stored already is not masked again, only deleted when it is old.

        A shorter retention deletes at the next full hour, and deleted traces do not come back.
        """
        chosen = await service.choose_settings(data.retention_days, data.masking, data.version)
        return TraceSettingsOut.model_validate(chosen)

    @post(
        "/preview",
        operation_id="previewMasking",
        summary="Show what would be stored of a text or of attributes",
        guards=[requires(Scope.READ_WORKSPACE)],
        status_code=200,
    )
    async def preview_masking(self, service: TraceSettingsService, data: MaskingPreviewIn) -> MaskingPreviewOut:
        text, attributes = await service.mask(data.text, data.attributes, data.masking)
        return MaskingPreviewOut(text=text, attributes=attributes)


# Not in a controller: its path belongs to another one.
@delete(
    f"{PATH}/{{trace_id:str}}",
    operation_id="deleteTrace",
    summary="Delete a trace",
    description=(
        "With its spans, their content and its feedback; the figures of the dashboard go back to what they were."
    ),
    guards=[requires(Scope.WRITE_WORKSPACE)],
    dependencies={"service": Provide(provide_trace_deletion_service, sync_to_thread=False)},
    tags=["Traces"],
)
async def delete_trace(service: TraceDeletionService, trace_id: str) -> None:
    await service.delete_trace(trace_id)


class TraceDeletionController(Controller):
    """Traces that shall be gone, and how far that is."""

    path = f"{PATH}/deletions"
    tags = ("Traces",)
    dependencies = {"service": Provide(provide_trace_deletion_service, sync_to_thread=False)}  # noqa: RUF012

    @post(
        operation_id="deleteTraces",
        summary="Delete the traces of a session, a user or a time, or a list of them",
        guards=[requires(Scope.WRITE_WORKSPACE)],
        opt={"idempotent": True},
        status_code=202,
    )
    async def delete_traces(
        self, service: TraceDeletionService, access: WorkspaceAccess, data: TraceDeletionIn
    ) -> Response[TraceDeletionOut]:
        """Done in the background, whatever happens to the processes; spans that arrive later are stored again."""
        deletion = await service.request_deletion(data.model_dump(mode="json", by_alias=True, exclude_unset=True))
        location = f"/api/v1/workspaces/{access.workspace_id}/traces/deletions/{deletion.id}"
        return Response(TraceDeletionOut.model_validate(deletion), status_code=202, headers={"Location": location})

    @get(
        operation_id="listTraceDeletions",
        summary="List deletions of traces",
        guards=[requires(Scope.READ_WORKSPACE)],
    )
    async def list_deletions(self, service: TraceDeletionService, page: Page) -> Collection[TraceDeletionOut]:
        found, total = await service.list_deletions(page)
        return Collection.of([TraceDeletionOut.model_validate(deletion) for deletion in found], total, page)

    @get(
        "/{trace_deletion_id:uuid}",
        operation_id="readTraceDeletion",
        summary="Read how far a deletion of traces is",
        guards=[requires(Scope.READ_WORKSPACE)],
    )
    async def read_deletion(self, service: TraceDeletionService, trace_deletion_id: UUID) -> TraceDeletionOut:
        return TraceDeletionOut.model_validate(await service.read_deletion(trace_deletion_id))
