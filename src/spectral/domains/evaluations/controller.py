"""HTTP of rubrics and objectives: `/api/v1/workspaces/{workspace_id}/evaluations`."""

from typing import Annotated
from uuid import UUID

from litestar import Controller, Response, delete, get, patch, post, put
from litestar.di import Provide
from litestar.params import QueryParameter
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.evaluations.generating import RubricDraft, RubricDrafting
from spectral.domains.evaluations.models import Objective
from spectral.domains.evaluations.previewing import PreviewService
from spectral.domains.evaluations.previews import (
    Example,
    ExampleFault,
    MeasuredExample,
    Scores,
    preview_objective,
)
from spectral.domains.evaluations.schemas import (
    DimensionOut,
    ExampleIn,
    MeasuredIn,
    ObjectiveIn,
    ObjectiveOut,
    ObjectivePatch,
    ObjectivePreviewIn,
    ObjectivePreviewOut,
    RubricDraftIn,
    RubricDraftOut,
    RubricIn,
    RubricOut,
    RubricPatch,
    RubricPreviewIn,
    RubricScoreIn,
    RubricVersionOut,
    ScoresOut,
    TracesIn,
)
from spectral.domains.evaluations.scorers.base import ScoredCase
from spectral.domains.evaluations.scoring import DimensionScore, RubricSpec
from spectral.domains.evaluations.service import ObjectiveService, RubricService, VersionedRubric
from spectral.domains.traces.mapping import SpanMapper
from spectral.platform.access.guards import requires
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.access.scopes import Scope
from spectral.platform.db.session import Database
from spectral.platform.llm.door import ModelDoor
from spectral.platform.shared.pagination import Collection, Page

PATH = "/api/v1/workspaces/{workspace_id:uuid}/evaluations"
MAXIMUM_VERSION = 2**31 - 1

Version = Annotated[
    int | None,
    QueryParameter(name="version", ge=1, le=MAXIMUM_VERSION, description="the latest when left out"),
]


def provide_rubric_service(session: AsyncSession, access: WorkspaceAccess) -> RubricService:
    return RubricService(session, access)


def provide_objective_service(session: AsyncSession, access: WorkspaceAccess) -> ObjectiveService:
    return ObjectiveService(session, access)


def provide_preview_service(
    database: Database, access: WorkspaceAccess, door: ModelDoor, span_mapper: SpanMapper
) -> PreviewService:
    return PreviewService(database, access, door, span_mapper)


def provide_rubric_drafting(
    database: Database, access: WorkspaceAccess, door: ModelDoor, span_mapper: SpanMapper
) -> RubricDrafting:
    return RubricDrafting(database, access, door, span_mapper)


class RubricController(Controller):
    """The rubrics of a workspace: versioned, weighted dimensions, each a scorer."""

    path = f"{PATH}/rubrics"
    tags = ("Rubrics",)
    dependencies = {  # noqa: RUF012
        "service": Provide(provide_rubric_service, sync_to_thread=False),
        "previews": Provide(provide_preview_service, sync_to_thread=False),
        "drafting": Provide(provide_rubric_drafting, sync_to_thread=False),
    }

    @post(
        operation_id="createRubric",
        summary="Create a rubric",
        guards=[requires(Scope.WRITE_WORKSPACE)],
        opt={"idempotent": True},
    )
    async def create_rubric(self, service: RubricService, data: RubricIn, workspace_id: UUID) -> Response[RubricOut]:
        found = await service.create_rubric(data.name, data.description, data.spec)
        location = f"{PATH}/rubrics/{found.rubric.id}".replace("{workspace_id:uuid}", str(workspace_id))
        return Response(rubric_out(found), status_code=201, headers={"Location": location})

    @get(operation_id="listRubrics", summary="List the rubrics", guards=[requires(Scope.READ_WORKSPACE)])
    async def list_rubrics(self, service: RubricService, page: Page) -> Collection[RubricOut]:
        found, total = await service.list_rubrics(page)
        return Collection.of([rubric_out(each) for each in found], total, page)

    @post(
        "/preview",
        operation_id="previewRubric",
        summary="Score examples, or the newest traces, with a rubric that need not be saved",
        status_code=200,
        guards=[requires(Scope.WRITE_WORKSPACE)],
    )
    async def preview_rubric(self, previews: PreviewService, data: RubricPreviewIn) -> ScoresOut:
        if data.cases is not None:
            examples, trace_ids = [_example(case) for case in data.cases], None
        else:
            wanted = data.traces or TracesIn()
            examples, trace_ids = await previews.read_examples(data.rubric, wanted.agent_id, wanted.limit)
        scores = await previews.preview_rubric(data.rubric, examples, max_cost_nano_usd=data.max_cost_usd)
        return scores_out(scores, trace_ids)

    @post(
        "/generate",
        operation_id="generateRubric",
        summary="Draft a rubric from an agent's template, samples and traces",
        status_code=200,
        guards=[requires(Scope.WRITE_WORKSPACE)],
    )
    async def generate_rubric(self, drafting: RubricDrafting, data: RubricDraftIn) -> RubricDraftOut:
        return draft_out(await drafting.draft_rubric(data.agent_id, data.sample_set_id, data.model, data.max_cost_usd))

    @get(
        "/{rubric_id:uuid}",
        operation_id="readRubric",
        summary="Read a rubric, in any of its versions",
        guards=[requires(Scope.READ_WORKSPACE)],
    )
    async def read_rubric(self, service: RubricService, rubric_id: UUID, version: Version = None) -> RubricOut:
        return rubric_out(await service.read_rubric(rubric_id, version))

    @get(
        "/{rubric_id:uuid}/versions",
        operation_id="listRubricVersions",
        summary="List the versions of a rubric",
        guards=[requires(Scope.READ_WORKSPACE)],
    )
    async def list_versions(self, service: RubricService, rubric_id: UUID, page: Page) -> Collection[RubricVersionOut]:
        versions, total = await service.list_versions(rubric_id, page)
        return Collection.of([RubricVersionOut.model_validate(version) for version in versions], total, page)

    @patch(
        "/{rubric_id:uuid}",
        operation_id="updateRubric",
        summary="Change a rubric; other content becomes a new version",
        guards=[requires(Scope.WRITE_WORKSPACE)],
    )
    async def update_rubric(self, service: RubricService, rubric_id: UUID, data: RubricPatch) -> RubricOut:
        return rubric_out(await service.update_rubric(rubric_id, data.model_dump(mode="json", exclude_unset=True)))

    @put(
        "/{rubric_id:uuid}",
        operation_id="replaceRubric",
        summary="Replace a rubric; other content becomes a new version",
        guards=[requires(Scope.WRITE_WORKSPACE)],
    )
    async def replace_rubric(self, service: RubricService, rubric_id: UUID, data: RubricIn) -> RubricOut:
        return rubric_out(await service.replace_rubric(rubric_id, data.name, data.description, data.spec))

    @delete(
        "/{rubric_id:uuid}",
        operation_id="deleteRubric",
        summary="Delete a rubric that nothing refers to",
        guards=[requires(Scope.WRITE_WORKSPACE)],
    )
    async def delete_rubric(self, service: RubricService, rubric_id: UUID) -> None:
        await service.delete_rubric(rubric_id)

    @post(
        "/{rubric_id:uuid}/score",
        operation_id="scoreWithRubric",
        summary="Score examples with a stored rubric",
        status_code=200,
        guards=[requires(Scope.WRITE_WORKSPACE)],
    )
    async def score_with_rubric(self, previews: PreviewService, rubric_id: UUID, data: RubricScoreIn) -> ScoresOut:
        examples = [_example(case) for case in data.cases]
        limit = data.max_cost_usd
        return scores_out(await previews.score_with(rubric_id, data.version, examples, max_cost_nano_usd=limit))


class ObjectiveController(Controller):
    """The objectives of a workspace: weighted terms and guards."""

    path = f"{PATH}/objectives"
    tags = ("Objectives",)
    dependencies = {"service": Provide(provide_objective_service, sync_to_thread=False)}  # noqa: RUF012

    @post(
        operation_id="createObjective",
        summary="Create an objective",
        guards=[requires(Scope.WRITE_WORKSPACE)],
        opt={"idempotent": True},
    )
    async def create_objective(
        self, service: ObjectiveService, data: ObjectiveIn, workspace_id: UUID
    ) -> Response[ObjectiveOut]:
        objective = await service.create_objective(data.name, data.description, data.rubric_id, data.spec)
        location = f"{PATH}/objectives/{objective.id}".replace("{workspace_id:uuid}", str(workspace_id))
        return Response(objective_out(objective), status_code=201, headers={"Location": location})

    @get(operation_id="listObjectives", summary="List the objectives", guards=[requires(Scope.READ_WORKSPACE)])
    async def list_objectives(self, service: ObjectiveService, page: Page) -> Collection[ObjectiveOut]:
        found, total = await service.list_objectives(page)
        return Collection.of([objective_out(each) for each in found], total, page)

    @get(
        "/{objective_id:uuid}",
        operation_id="readObjective",
        summary="Read an objective",
        guards=[requires(Scope.READ_WORKSPACE)],
    )
    async def read_objective(self, service: ObjectiveService, objective_id: UUID) -> ObjectiveOut:
        return objective_out(await service.read_objective(objective_id))

    @patch(
        "/{objective_id:uuid}",
        operation_id="updateObjective",
        summary="Change an objective",
        guards=[requires(Scope.WRITE_WORKSPACE)],
    )
    async def update_objective(
        self, service: ObjectiveService, objective_id: UUID, data: ObjectivePatch
    ) -> ObjectiveOut:
        changes = data.model_dump(mode="json", exclude_unset=True)
        return objective_out(await service.update_objective(objective_id, changes))

    @put(
        "/{objective_id:uuid}",
        operation_id="replaceObjective",
        summary="Replace an objective",
        guards=[requires(Scope.WRITE_WORKSPACE)],
    )
    async def replace_objective(self, service: ObjectiveService, objective_id: UUID, data: ObjectiveIn) -> ObjectiveOut:
        return objective_out(await service.update_objective(objective_id, data.model_dump(mode="json")))

    @delete(
        "/{objective_id:uuid}",
        operation_id="deleteObjective",
        summary="Delete an objective that nothing refers to",
        guards=[requires(Scope.WRITE_WORKSPACE)],
    )
    async def delete_objective(self, service: ObjectiveService, objective_id: UUID) -> None:
        await service.delete_objective(objective_id)

    @post(
        "/{objective_id:uuid}/preview",
        operation_id="previewObjective",
        summary="Apply an objective to measured pairs",
        status_code=200,
        guards=[requires(Scope.WRITE_WORKSPACE)],
    )
    async def preview_objective(
        self, service: ObjectiveService, objective_id: UUID, data: ObjectivePreviewIn
    ) -> ObjectivePreviewOut:
        spec = await service.read_objective_spec(objective_id)
        pairs = [(_measured(pair.champion), _measured(pair.challenger)) for pair in data.pairs]
        return ObjectivePreviewOut.model_validate(preview_objective(spec, pairs))


def draft_out(draft: RubricDraft) -> RubricDraftOut:
    """The wire shape of a drafted rubric, every option written out."""
    return RubricDraftOut(
        rubric=RubricSpec.model_validate(draft.spec.canonical()),
        reasons=dict(draft.reasons),
        model=draft.model,
        samples=draft.samples,
        traces=draft.traces,
        cost_usd=draft.cost_nano_usd,
    )


def rubric_out(found: VersionedRubric) -> RubricOut:
    """The wire shape of a rubric in one version."""
    rubric, version = found.rubric, found.version
    return RubricOut(
        id=rubric.id,
        name=rubric.name,
        description=rubric.description,
        version=version.version,
        latest_version=rubric.latest_version,
        dimensions=[DimensionOut.model_validate(dimension) for dimension in version.document["dimensions"]],
        threshold=version.document["threshold"],
        on_error=version.document["on_error"],
        digest=version.digest,
        created_at=rubric.created_at,
        updated_at=rubric.updated_at,
        created_by=version.created_by,
    )


def objective_out(objective: Objective) -> ObjectiveOut:
    """The wire shape of an objective."""
    columns = ("id", "name", "description", "rubric_id", "created_at", "updated_at")
    return ObjectiveOut.model_validate(
        {**{column: getattr(objective, column) for column in columns}, **objective.document}
    )


def scores_out(scores: Scores, trace_ids: list[str] | None = None) -> ScoresOut:
    """The wire shape of scored examples."""
    columns = ("cases", "weights", "threshold", "scored", "missing", "passed", "mean_total")
    values = {column: getattr(scores, column) for column in columns}
    return ScoresOut.model_validate({**values, "cost_usd": scores.cost_nano_usd, "trace_ids": trace_ids})


def _example(case: ExampleIn) -> Example:
    return Example(
        case=ScoredCase(case.input, case.expected, case.metadata),
        output=case.output,
        error=None if case.error is None else ExampleFault(case.error.type, case.error.message),
        latency_ms=case.latency_ms,
        cost_nano_usd=case.cost_usd,
        tool_calls=None if case.tool_calls is None else tuple(case.tool_calls),
    )


def _measured(side: MeasuredIn) -> MeasuredExample:
    return MeasuredExample(
        total=side.total,
        dimensions={name: DimensionScore(score, "", "") for name, score in side.dimensions.items()},
        error_type=side.error_type,
        latency_ms=side.latency_ms,
        cost_nano_usd=side.cost_usd,
        feedback=side.feedback,
    )
