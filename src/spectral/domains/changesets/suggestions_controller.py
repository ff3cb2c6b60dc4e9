"""HTTP of what rubrics could get: here, because it reads failure clusters."""

from typing import Annotated, Any
from uuid import UUID

from litestar import Controller, get
from litestar.di import Provide
from litestar.params import QueryParameter
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.changesets.suggestions import Suggestion, SuggestionService
from spectral.platform.access.guards import requires
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.access.scopes import Scope
from spectral.platform.shared.pagination import Collection, Page
from spectral.platform.shared.wire import WireOut

PATH = "/api/v1/workspaces/{workspace_id:uuid}/evaluations/rubrics/suggestions"


class SuggestedDimensionOut(WireOut):
    """A dimension as a rubric takes it."""

    name: str
    scorer: str
    weight: float
    options: dict[str, Any]


class SuggestionOut(WireOut):
    """A dimension that would see what a failure cluster has in common; nothing is saved."""

    cluster_id: UUID
    label: str
    size: int
    share: float
    dimension: SuggestedDimensionOut
    reason: str


def provide_suggestion_service(session: AsyncSession, access: WorkspaceAccess) -> SuggestionService:
    return SuggestionService(session, access)


class SuggestionController(Controller):
    """Dimensions proposed from failure clusters."""

    path = PATH
    tags = ("Rubrics",)
    dependencies = {"service": Provide(provide_suggestion_service, sync_to_thread=False)}  # noqa: RUF012

    @get(
        operation_id="listRubricSuggestions",
        summary="Dimensions that a rubric could get, from failure clusters",
        guards=[requires(Scope.READ_WORKSPACE)],
    )
    async def list_suggestions(
        self,
        service: SuggestionService,
        page: Page,
        agent_id: Annotated[UUID | None, QueryParameter(description="whose clusters; all agents' otherwise")] = None,
        rubric_id: Annotated[
            UUID | None, QueryParameter(description="leaves out what this rubric's latest version measures already")
        ] = None,
        model: Annotated[
            str | None, QueryParameter(max_length=200, description="who would judge where no other scorer can")
        ] = None,
    ) -> Collection[SuggestionOut]:
        found = await service.list_suggestions(agent_id, rubric_id, model)
        shown = found[page.offset : page.offset + page.limit]
        return Collection.of([suggestion_out(each) for each in shown], len(found), page)


def suggestion_out(suggestion: Suggestion) -> SuggestionOut:
    """The wire shape of a proposal."""
    dimension = suggestion.dimension
    return SuggestionOut(
        cluster_id=suggestion.cluster_id,
        label=suggestion.label,
        size=suggestion.size,
        share=suggestion.share,
        dimension=SuggestedDimensionOut(
            name=dimension.name,
            scorer=dimension.scorer,
            weight=dimension.weight,
            options=dimension.built.model_dump(mode="json", by_alias=True),
        ),
        reason=suggestion.reason,
    )
