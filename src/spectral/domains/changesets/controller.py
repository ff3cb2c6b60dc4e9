"""HTTP of change sets: `/api/v1/workspaces/{workspace_id}/changesets`."""

from typing import Annotated
from uuid import UUID

from litestar import Controller, Response, get, post
from litestar.di import Provide
from litestar.params import QueryParameter
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.changesets.answers import (
    changeset_detail_out,
    changeset_out,
    validation_out,
)
from spectral.domains.changesets.evidence import EvidenceService
from spectral.domains.changesets.schemas import (
    AcceptIn,
    ChangesetDetailOut,
    ChangesetOut,
    CloseIn,
    ValidationIn,
    ValidationOut,
)
from spectral.domains.changesets.service import ChangesetFilter, ChangesetService
from spectral.domains.changesets.states import ChangesetState
from spectral.domains.changesets.validation import ValidationService
from spectral.domains.workflows.execution.launching import Launcher
from spectral.platform.access.guards import requires
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.access.scopes import Scope
from spectral.platform.shared.pagination import Collection, Page

PATH = "/api/v1/workspaces/{workspace_id:uuid}/changesets"

READ = requires(Scope.READ_WORKSPACE)
WRITE = requires(Scope.WRITE_WORKSPACE)
APPROVE = requires(Scope.APPROVE_AGENTS)

AgentQuery = Annotated[UUID | None, QueryParameter(description="of this agent only")]
ScanQuery = Annotated[UUID | None, QueryParameter(description="of this scan only")]
StateQuery = Annotated[ChangesetState | None, QueryParameter(name="state", description="in this state only")]


def provide_changeset_service(session: AsyncSession, access: WorkspaceAccess) -> ChangesetService:
    return ChangesetService(session, access)


def provide_evidence_service(session: AsyncSession, access: WorkspaceAccess) -> EvidenceService:
    return EvidenceService(session, access)


def provide_validation_service(session: AsyncSession, access: WorkspaceAccess, launcher: Launcher) -> ValidationService:
    return ValidationService(session, access, launcher)


class ChangesetController(Controller):
    """Proposed changes of agents, and what a person decides about them."""

    path = PATH
    tags = ("Changesets",)
    dependencies = {  # noqa: RUF012
        "service": Provide(provide_changeset_service, sync_to_thread=False),
        "evidence": Provide(provide_evidence_service, sync_to_thread=False),
    }

    @get(operation_id="listChangesets", summary="List the change sets, newest first", guards=[READ])
    async def list_changesets(
        self,
        service: ChangesetService,
        page: Page,
        in_state: StateQuery = None,
        agent_id: AgentQuery = None,
        scan_id: ScanQuery = None,
    ) -> Collection[ChangesetOut]:
        found, total = await service.list_changesets(page, ChangesetFilter(in_state, agent_id, scan_id))
        return Collection.of([changeset_out(changeset, latest) for changeset, latest in found], total, page)

    @get(
        "/{changeset_id:uuid}",
        operation_id="readChangeset",
        summary="Read a change set with its evidence",
        guards=[READ],
    )
    async def read_changeset(self, evidence: EvidenceService, changeset_id: UUID) -> ChangesetDetailOut:
        return changeset_detail_out(await evidence.explain(changeset_id))

    @post(
        "/{changeset_id:uuid}/accept",
        operation_id="acceptChangeset",
        summary="Accept a change set: its candidate goes live",
        description=(
            "Promotes the candidate to the target environment. Refused with the reason and the number of further "
            "samples needed unless a holdout has validated the gain, or `override_reason` is given, which is audited. "
            "With a holdback, a tenth of the sessions by default, a guard compares both versions until it decides."
        ),
        status_code=200,
        guards=[APPROVE],
    )
    async def accept_changeset(
        self,
        service: ChangesetService,
        evidence: EvidenceService,
        changeset_id: UUID,
        data: AcceptIn | None = None,
    ) -> ChangesetDetailOut:
        wanted = data or AcceptIn()
        await service.accept_changeset(changeset_id, wanted.override_reason, holdback=wanted.holdback)
        return changeset_detail_out(await evidence.explain(changeset_id))

    @post(
        "/{changeset_id:uuid}/apply",
        operation_id="applyChangeset",
        summary="Write an accepted change set into the managed templates",
        status_code=200,
        guards=[APPROVE],
    )
    async def apply_changeset(
        self, service: ChangesetService, evidence: EvidenceService, changeset_id: UUID
    ) -> ChangesetDetailOut:
        await service.apply_changeset(changeset_id)
        return changeset_detail_out(await evidence.explain(changeset_id))

    @post(
        "/{changeset_id:uuid}/reject",
        operation_id="rejectChangeset",
        summary="Reject a change set",
        status_code=200,
        guards=[APPROVE],
    )
    async def reject_changeset(
        self,
        service: ChangesetService,
        evidence: EvidenceService,
        changeset_id: UUID,
        data: CloseIn | None = None,
    ) -> ChangesetDetailOut:
        await service.reject_changeset(changeset_id, None if data is None else data.reason)
        return changeset_detail_out(await evidence.explain(changeset_id))

    @post(
        "/{changeset_id:uuid}/rollback",
        operation_id="rollbackChangeset",
        summary="Take back a change set: what was live before is live again",
        status_code=200,
        guards=[APPROVE],
    )
    async def rollback_changeset(
        self,
        service: ChangesetService,
        evidence: EvidenceService,
        changeset_id: UUID,
        data: CloseIn | None = None,
    ) -> ChangesetDetailOut:
        await service.rollback_changeset(changeset_id, None if data is None else data.reason)
        return changeset_detail_out(await evidence.explain(changeset_id))


class ValidationController(Controller):
    """Looks at the holdout."""

    path = PATH + "/{changeset_id:uuid}/validation"
    tags = ("Changeset validation",)
    dependencies = {"service": Provide(provide_validation_service, sync_to_thread=False)}  # noqa: RUF012

    @post(
        operation_id="startValidation",
        summary="Look at the holdout",
        description=(
            "Measures champion and candidate on the frozen holdout. Each look spends a planned part of the holdout's "
            "error budget, whatever it shows; after the last one the answer is `holdout-spent`."
        ),
        status_code=202,
        guards=[WRITE],
        opt={"idempotent": True},
    )
    async def start_validation(
        self,
        service: ValidationService,
        workspace_id: UUID,
        changeset_id: UUID,
        data: ValidationIn | None = None,
    ) -> Response[ValidationOut]:
        wanted = data or ValidationIn()
        validation = await service.request_validation(
            changeset_id, repeats=wanted.repeats, max_cost_nano_usd=wanted.max_cost_usd
        )
        location = f"/api/v1/workspaces/{workspace_id}/changesets/{changeset_id}/validation/{validation.id}"
        return Response(validation_out(validation), status_code=202, headers={"Location": location})

    @get(operation_id="listValidations", summary="List the looks at the holdout, newest first", guards=[READ])
    async def list_validations(
        self, service: ValidationService, changeset_id: UUID, page: Page
    ) -> Collection[ValidationOut]:
        found, total = await service.list_validations(changeset_id, page)
        return Collection.of([validation_out(validation) for validation in found], total, page)

    @get(
        "/{validation_id:uuid}",
        operation_id="readValidation",
        summary="Read a look at the holdout",
        guards=[READ],
    )
    async def read_validation(
        self, service: ValidationService, changeset_id: UUID, validation_id: UUID
    ) -> ValidationOut:
        return validation_out(await service.read_validation(changeset_id, validation_id))
