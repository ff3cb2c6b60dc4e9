"""HTTP of calibration: `/api/v1/workspaces/{workspace_id}/evaluations/rubrics/{rubric_id}/calibration`."""

from typing import Annotated
from uuid import UUID

from litestar import Controller, get, post
from litestar.di import Provide
from litestar.params import QueryParameter
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.evaluations.calibration import BlindItem, CalibrationService
from spectral.domains.evaluations.calibration_schemas import (
    BlindItemOut,
    CalibrationOut,
    JudgeCalibrationOut,
    LabelIn,
    LabelOut,
)
from spectral.platform.access.guards import people_only, requires
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.access.scopes import Scope

PATH = "/api/v1/workspaces/{workspace_id:uuid}/evaluations/rubrics/{rubric_id:uuid}/calibration"

Version = Annotated[
    int | None, QueryParameter(name="version", ge=1, le=2**31 - 1, description="the latest when left out")
]


def provide_calibration_service(session: AsyncSession, access: WorkspaceAccess) -> CalibrationService:
    return CalibrationService(session, access)


class CalibrationController(Controller):
    """A rubric's judges beside people."""

    path = PATH
    tags = ("Rubrics",)
    dependencies = {"service": Provide(provide_calibration_service, sync_to_thread=False)}  # noqa: RUF012

    @get(
        operation_id="readCalibration",
        summary="How well a rubric's judges agree with people",
        guards=[requires(Scope.READ_WORKSPACE)],
    )
    async def read_calibration(
        self, service: CalibrationService, rubric_id: UUID, version: Version = None
    ) -> CalibrationOut:
        found = await service.read_calibration(rubric_id, version)
        return CalibrationOut(rubric_id=rubric_id, judges=[JudgeCalibrationOut.model_validate(each) for each in found])

    @get(
        "/next",
        operation_id="nextCalibrationItem",
        summary="The next judged answer to label, without the judge's verdict",
        guards=[requires(Scope.READ_WORKSPACE)],
    )
    async def next_item(
        self,
        service: CalibrationService,
        rubric_id: UUID,
        version: Version = None,
        dimension: Annotated[
            str | None, QueryParameter(max_length=64, description="of which judge; the first one when left out")
        ] = None,
    ) -> BlindItemOut:
        return blind_item_out(await service.next_item(rubric_id, version, dimension))

    @post(
        operation_id="labelCalibrationItem",
        summary="Label a judged answer",
        guards=[requires(Scope.WRITE_WORKSPACE), people_only],
        opt={"idempotent": True},
    )
    async def add_label(self, service: CalibrationService, rubric_id: UUID, data: LabelIn) -> LabelOut:
        made = await service.add_label(rubric_id, data.version, data.item_id, data.label, data.comment)
        return LabelOut(
            id=made.label.id,
            item_id=data.item_id,
            dimension=made.judge.dimension,
            value=made.label.value,
            comment=made.label.comment,
            labelled_by=made.label.labelled_by,
            created_at=made.label.created_at,
            labels=made.labels,
        )


def blind_item_out(item: BlindItem) -> BlindItemOut:
    """The wire shape of what is to be labelled."""
    judge = item.judge
    return BlindItemOut(
        rubric_id=judge.rubric_id,
        rubric_version=judge.rubric_version,
        dimension=judge.dimension,
        item_id=item.item_id,
        instructions=judge.judge.prompt,
        scale=judge.judge.scale,
        input=item.shown.get("input"),
        expected=item.shown.get("expected"),
        output=item.shown.get("output"),
        labelled=item.labelled,
        waiting=item.waiting,
    )
