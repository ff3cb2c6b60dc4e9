"""HTTP of sample sets: `/api/v1/workspaces/{workspace_id}/samples`."""

from typing import Annotated, TypeVar
from uuid import UUID

from litestar import Controller, Response, delete, get, patch, post
from litestar.di import Provide
from litestar.params import QueryParameter
from litestar.response import Stream
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.samples.drafts import checked_draft
from spectral.domains.samples.schemas import (
    HoldoutOut,
    SampleIn,
    SampleOut,
    SamplePatch,
    SampleSetIn,
    SampleSetOut,
    SampleSetPatch,
)
from spectral.domains.samples.service import SampleService
from spectral.domains.samples.splitting import Split
from spectral.domains.samples.transfer import Format, SampleExport
from spectral.platform.access.guards import requires
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.access.scopes import Scope
from spectral.platform.db.session import Database
from spectral.platform.shared.pagination import Collection, Page

T = TypeVar("T")

PATH = "/api/v1/workspaces/{workspace_id:uuid}/samples"

READ = requires(Scope.READ_WORKSPACE)
WRITE = requires(Scope.WRITE_WORKSPACE)
MEDIA_TYPES: dict[str, str] = {"jsonl": "application/x-ndjson", "csv": "text/csv"}

SplitQuery = Annotated[Split | None, QueryParameter(description="items of this split only")]
FrozenQuery = Annotated[bool | None, QueryParameter(description="items that are frozen, or that are not")]
FormatQuery = Annotated[Format, QueryParameter(name="format", description="JSON Lines without loss, or CSV")]


def provide_sample_service(session: AsyncSession, access: WorkspaceAccess) -> SampleService:
    return SampleService(session, access)


def provide_sample_export(database: Database, access: WorkspaceAccess) -> SampleExport:
    return SampleExport(database, access)


class SampleController(Controller):
    """The sample sets of a workspace."""

    path = PATH
    tags = ("Samples",)
    dependencies = {  # noqa: RUF012
        "service": Provide(provide_sample_service, sync_to_thread=False),
        "export": Provide(provide_sample_export, sync_to_thread=False),
    }

    # ------------------------------------------------------------------------------------------------------- sets

    @get(operation_id="listSampleSets", summary="List the sample sets", guards=[READ])
    async def list_sets(self, service: SampleService, page: Page) -> Collection[SampleSetOut]:
        summaries, total = await service.list_sets(page)
        return Collection.of([SampleSetOut.of(one) for one in summaries], total, page)

    @post(operation_id="createSampleSet", summary="Create a sample set", guards=[WRITE], opt={"idempotent": True})
    async def create_set(
        self, service: SampleService, access: WorkspaceAccess, data: SampleSetIn
    ) -> Response[SampleSetOut]:
        summary = await service.create_set(data.as_new_set())
        return _created(SampleSetOut.of(summary), access, str(summary.sample_set.id))

    @get("/{set_id:uuid}", operation_id="readSampleSet", summary="Read a sample set", guards=[READ])
    async def read_set(self, service: SampleService, set_id: UUID) -> SampleSetOut:
        return SampleSetOut.of(await service.read_summary(set_id))

    @patch("/{set_id:uuid}", operation_id="updateSampleSet", summary="Rename a sample set", guards=[WRITE])
    async def update_set(self, service: SampleService, set_id: UUID, data: SampleSetPatch) -> SampleSetOut:
        return SampleSetOut.of(await service.update_set(set_id, data.model_dump(exclude_unset=True)))

    @delete(
        "/{set_id:uuid}",
        operation_id="deleteSampleSet",
        summary="Delete a sample set that no scan refers to",
        guards=[WRITE],
    )
    async def delete_set(self, service: SampleService, set_id: UUID) -> None:
        await service.delete_set(set_id)

    # ------------------------------------------------------------------------------------------------------ items

    @get("/{set_id:uuid}/items", operation_id="listSamples", summary="List the samples of a set", guards=[READ])
    async def list_items(
        self,
        service: SampleService,
        set_id: UUID,
        page: Page,
        split: SplitQuery = None,
        frozen: FrozenQuery = None,
    ) -> Collection[SampleOut]:
        items, total = await service.list_items(set_id, page, split=split, frozen=frozen)
        return Collection.of([SampleOut.of(item) for item in items], total, page)

    @post(
        "/{set_id:uuid}/items",
        operation_id="createSample",
        summary="Add a sample",
        guards=[WRITE],
        opt={"idempotent": True},
    )
    async def create_item(
        self, service: SampleService, access: WorkspaceAccess, set_id: UUID, data: SampleIn
    ) -> Response[SampleOut]:
        """The set decides which split the sample goes to. A repetition of a sample of the set is refused (400)."""
        item = await service.add_item(set_id, checked_draft(data.model_dump()))
        return _created(SampleOut.of(item), access, f"{set_id}/items/{item.id}")

    @get(
        "/{set_id:uuid}/items/{item_id:uuid}",
        operation_id="readSample",
        summary="Read a sample",
        guards=[READ],
    )
    async def read_item(self, service: SampleService, set_id: UUID, item_id: UUID) -> SampleOut:
        return SampleOut.of(await service.read_item(set_id, item_id))

    @patch(
        "/{set_id:uuid}/items/{item_id:uuid}",
        operation_id="updateSample",
        summary="Change a sample that is not frozen",
        guards=[WRITE],
    )
    async def update_item(self, service: SampleService, set_id: UUID, item_id: UUID, data: SamplePatch) -> SampleOut:
        """The sample stays in its split and group, so that nothing a search has seen gets into a holdout."""
        return SampleOut.of(await service.update_item(set_id, item_id, data.model_dump(exclude_unset=True)))

    @delete(
        "/{set_id:uuid}/items/{item_id:uuid}",
        operation_id="deleteSample",
        summary="Delete a sample that is not frozen",
        guards=[WRITE],
    )
    async def delete_item(self, service: SampleService, set_id: UUID, item_id: UUID) -> None:
        await service.delete_item(set_id, item_id)

    # ------------------------------------------------------------------------------------------------------- files

    @get(
        "/{set_id:uuid}/export",
        operation_id="exportSamples",
        summary="Download a set as JSON Lines or CSV",
        guards=[READ],
    )
    async def export_samples(self, export: SampleExport, set_id: UUID, file_format: FormatQuery = "jsonl") -> Stream:
        await export.require_set(set_id)
        return Stream(
            export.stream(set_id, file_format),
            media_type=MEDIA_TYPES[file_format],
            headers={"Content-Disposition": f'attachment; filename="samples-{set_id}.{file_format}"'},
        )

    # ---------------------------------------------------------------------------------------------------- holdouts

    @get(
        "/{set_id:uuid}/holdouts",
        operation_id="listHoldouts",
        summary="List the frozen holdouts of a set",
        guards=[READ],
    )
    async def list_holdouts(self, service: SampleService, set_id: UUID, page: Page) -> Collection[HoldoutOut]:
        holdouts, total = await service.list_holdouts(set_id, page)
        return Collection.of([HoldoutOut.model_validate(one) for one in holdouts], total, page)

    @post(
        "/{set_id:uuid}/holdouts",
        operation_id="freezeHoldout",
        summary="Freeze the holdout",
        guards=[WRITE],
        opt={"idempotent": True},
    )
    async def freeze_holdout(
        self, service: SampleService, access: WorkspaceAccess, set_id: UUID
    ) -> Response[HoldoutOut]:
        """From now on the items of the holdout split are never changed; samples that come later wait for the next one.

        Refused (400) under 30 items, and while a current holdout is not retired.
        """
        holdout = await service.freeze_holdout(set_id)
        return _created(HoldoutOut.model_validate(holdout), access, f"{set_id}/holdouts/{holdout.id}")

    @get(
        "/{set_id:uuid}/holdouts/{holdout_id:uuid}",
        operation_id="readHoldout",
        summary="Read a frozen holdout",
        guards=[READ],
    )
    async def read_holdout(self, service: SampleService, set_id: UUID, holdout_id: UUID) -> HoldoutOut:
        return HoldoutOut.model_validate(await service.read_holdout(holdout_id, set_id=set_id))


def _created(answer: T, access: WorkspaceAccess, tail: str) -> Response[T]:
    location = f"/api/v1/workspaces/{access.workspace_id}/samples/{tail}"
    return Response(answer, status_code=201, headers={"Location": location})
