"""HTTP of experiments: `/api/v1/workspaces/{workspace_id}/changesets/experiments`."""

from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from litestar import Controller, Request, Response, get, post
from litestar.datastructures import State
from litestar.di import Provide
from litestar.openapi.spec import OpenAPIMediaType, Operation, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIType
from litestar.params import QueryParameter
from litestar.response import Stream
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.agents.runtime import Runtimes
from spectral.domains.changesets.answers import comparison_members, comparison_out, experiment_arm_out, experiment_out
from spectral.domains.changesets.experiment_launching import ExperimentLauncher
from spectral.domains.changesets.experiment_outputs import ExperimentItems, ExperimentOutputs
from spectral.domains.changesets.experiment_reading import (
    MAXIMUM_COMPARED,
    ComparedExperiments,
    ExperimentComparison,
    ItemResult,
    list_item_results,
)
from spectral.domains.changesets.experiment_schemas import (
    ComparedArmOut,
    ExperimentComparisonOut,
    ExperimentIn,
    ItemArmOut,
    ItemOutcomeOut,
    ItemResultOut,
    OutputsOut,
)
from spectral.domains.changesets.experiments import ExperimentService
from spectral.domains.changesets.schemas import ComparisonOut, ExperimentOut
from spectral.domains.evaluations.measurement import Measured
from spectral.domains.workflows.execution.launching import Launcher
from spectral.platform.access.guards import requires
from spectral.platform.access.principal import Principal, WorkspaceAccess
from spectral.platform.access.scopes import Scope
from spectral.platform.db.session import Database
from spectral.platform.llm.door import ModelDoor
from spectral.platform.shared.errors import FieldError, ValidationFailedError
from spectral.platform.shared.pagination import Collection, Page

PATH = "/api/v1/workspaces/{workspace_id:uuid}/changesets/experiments"

READ = requires(Scope.READ_WORKSPACE)
WRITE = requires(Scope.WRITE_WORKSPACE)

AgentQuery = Annotated[UUID | None, QueryParameter(description="of this agent only")]
ScanQuery = Annotated[UUID | None, QueryParameter(description="of this scan only")]
IdsQuery = Annotated[str, QueryParameter(description="ids of experiments, separated by commas, the reference first")]


@dataclass
class OutputsOperation(Operation):
    """Documents the body of outputs, which no typed parameter describes."""

    def __post_init__(self) -> None:
        line = Schema(
            type=OpenAPIType.STRING,
            description=(
                "one object a line: `item_id`, `config_hash`, `output` or `error {type, message?, missing?}`, and "
                "`repeat?`, `usage? {input_tokens, output_tokens}`, `cost_usd?`, `latency_ms?`"
            ),
        )
        self.request_body = RequestBody(
            required=True, description="JSON Lines", content={"application/x-ndjson": OpenAPIMediaType(schema=line)}
        )


def provide_experiment_service(session: AsyncSession, access: WorkspaceAccess) -> ExperimentService:
    return ExperimentService(session, access)


def provide_experiment_launcher(
    session: AsyncSession, access: WorkspaceAccess, launcher: Launcher, door: ModelDoor, runtimes: Runtimes
) -> ExperimentLauncher:
    return ExperimentLauncher(session, access, launcher, door=door, runtimes=runtimes)


def provide_experiment_outputs(database: Database, access: WorkspaceAccess, launcher: Launcher) -> ExperimentOutputs:
    return ExperimentOutputs(database, access, launcher)


def provide_experiment_items(database: Database, access: WorkspaceAccess) -> ExperimentItems:
    return ExperimentItems(database, access)


def provide_experiment_comparison(database: Database, access: WorkspaceAccess) -> ExperimentComparison:
    return ExperimentComparison(database, access)


class ExperimentController(Controller):
    """Configurations compared on the same items."""

    path = PATH
    tags = ("Changeset experiments",)
    dependencies = {  # noqa: RUF012
        "service": Provide(provide_experiment_service, sync_to_thread=False),
        "experiments": Provide(provide_experiment_launcher, sync_to_thread=False),
        "outputs": Provide(provide_experiment_outputs, sync_to_thread=False),
        "items": Provide(provide_experiment_items, sync_to_thread=False),
        "comparison": Provide(provide_experiment_comparison, sync_to_thread=False),
    }

    @get(operation_id="listExperiments", summary="List the experiments, newest first", guards=[READ])
    async def list_experiments(
        self, service: ExperimentService, page: Page, agent_id: AgentQuery = None, scan_id: ScanQuery = None
    ) -> Collection[ExperimentOut]:
        found, total = await service.list_experiments(page, agent_id=agent_id, scan_id=scan_id)
        return Collection.of([experiment_out(one) for one in found], total, page)

    @post(
        operation_id="createExperiment",
        summary="Compare configurations on the same samples",
        description=(
            "The first arm is the baseline. Every arm is measured on the same items of `reflect` or `select`, never of "
            "the holdout, and the experiment is pinned to the set as it is now. With `execution: outputs` it waits "
            "until somebody has brought what the agent answered."
        ),
        status_code=202,
        guards=[WRITE],
        opt={"idempotent": True},
    )
    async def create_experiment(
        self, experiments: ExperimentLauncher, workspace_id: UUID, data: ExperimentIn
    ) -> Response[ExperimentOut]:
        found = await experiments.start(data)
        location = f"/api/v1/workspaces/{workspace_id}/changesets/experiments/{found.experiment.id}"
        return Response(experiment_out(found), status_code=202, headers={"Location": location})

    @get(
        "/compare",
        operation_id="compareExperiments",
        summary="Compare the arms of several experiments",
        description=(
            "Paired by item, with intervals, against the baseline of the first experiment. All of them must be "
            "completed, on the same version of a sample set, split and version of a rubric."
        ),
        guards=[READ],
    )
    async def compare_experiments(self, comparison: ExperimentComparison, ids: IdsQuery) -> ExperimentComparisonOut:
        return _experiments_out(await comparison.compare(_identifiers(ids)))

    @get("/{experiment_id:uuid}", operation_id="readExperiment", summary="Read an experiment", guards=[READ])
    async def read_experiment(self, service: ExperimentService, experiment_id: UUID) -> ExperimentOut:
        return experiment_out(await service.read_experiment(experiment_id))

    @post(
        "/{experiment_id:uuid}/cancel",
        operation_id="cancelExperiment",
        summary="Cancel an experiment",
        description="What was measured is kept. Cancelling it again changes nothing.",
        status_code=200,
        guards=[WRITE],
    )
    async def cancel_experiment(self, experiments: ExperimentLauncher, experiment_id: UUID) -> ExperimentOut:
        return experiment_out(await experiments.cancel(experiment_id))

    @get(
        "/{experiment_id:uuid}/results",
        operation_id="listExperimentResults",
        summary="List the candidates against the champion, with intervals",
        guards=[READ],
    )
    async def list_results(
        self, service: ExperimentService, experiment_id: UUID, page: Page
    ) -> Collection[ComparisonOut]:
        found, total = await service.list_candidates(experiment_id, page)
        return Collection.of([comparison_out(arm) for arm in found], total, page)

    @get(
        "/{experiment_id:uuid}/results/items",
        operation_id="listExperimentItemResults",
        summary="List what every arm did on each item, with outputs",
        description="Of experiments by hand; what a scan measured is in the scan.",
        guards=[READ],
    )
    async def list_item_results(
        self, session: AsyncSession, access: WorkspaceAccess, experiment_id: UUID, page: Page
    ) -> Collection[ItemResultOut]:
        found, total = await list_item_results(session, access, experiment_id, page)
        return Collection.of([_item_out(one) for one in found], total, page)

    @get(
        "/{experiment_id:uuid}/items",
        operation_id="listExperimentItems",
        summary="Download the inputs to run, as JSON Lines",
        description="`item_id` and `input` of every item, without what is expected.",
        guards=[READ],
    )
    async def list_items(self, items: ExperimentItems, experiment_id: UUID) -> Stream:
        await items.require(experiment_id)
        return Stream(items.stream(experiment_id), media_type="application/x-ndjson")

    @post(
        "/{experiment_id:uuid}/outputs",
        operation_id="addExperimentOutputs",
        summary="Bring outputs that were made elsewhere",
        description=(
            "For an experiment with `execution: outputs`. All lines of a request are kept, or none and the wrong ones "
            "are named. A line about an execution that was brought before replaces it. The experiment is scored once "
            "every item of every arm is there."
        ),
        status_code=200,
        guards=[WRITE],
        # Read as it comes; lines and their sum are bounded.
        request_max_body_size=None,
        operation_class=OutputsOperation,
    )
    async def add_outputs(
        self, outputs: ExperimentOutputs, request: Request[Principal, None, State], experiment_id: UUID
    ) -> OutputsOut:
        return await outputs.take(experiment_id, request.stream())


def _identifiers(text: str) -> list[UUID]:
    try:
        found = list(dict.fromkeys(UUID(part.strip()) for part in text.split(",")))
    except ValueError:
        found = []
    if not 2 <= len(found) <= MAXIMUM_COMPARED:
        detail = f"must be two to {MAXIMUM_COMPARED} different ids, separated by commas"
        raise ValidationFailedError("The query failed validation", [FieldError("ids", detail)])
    return found


def _item_out(found: ItemResult) -> ItemResultOut:
    sample = found.sample
    return ItemResultOut(
        item_id=found.item_id,
        input=None if sample is None else sample.input,
        expected=None if sample is None else sample.expected,
        group_key=None if sample is None else sample.group_key,
        arms=[
            ItemArmOut(label=arm.label, config_hash=arm.config_hash, results=[_outcome_out(one) for one in results])
            for arm, results in found.arms
        ],
    )


def _outcome_out(one: Measured) -> ItemOutcomeOut:
    members: dict[str, Any] = {name: getattr(one, name, None) for name in ItemOutcomeOut.model_fields}
    dimensions = {
        name: {"score": score.score, "explanation": score.explanation, "scorer": score.scorer, "error": score.error}
        for name, score in one.dimensions.items()
    }
    return ItemOutcomeOut.model_validate({**members, "dimensions": dimensions, "cost_usd": one.cost_nano_usd})


def _experiments_out(found: ComparedExperiments) -> ExperimentComparisonOut:
    experiment, baseline = found.first.experiment, found.first.arms[0]
    pinned = ("sample_set_id", "sample_set_version", "split", "rubric_id", "rubric_version", "objective")
    return ExperimentComparisonOut(
        **{name: getattr(experiment, name) for name in pinned},
        margin=found.margin,
        items=found.items,
        baseline_experiment_id=experiment.id,
        baseline=experiment_arm_out(baseline, found.baseline),
        arms=[
            ComparedArmOut.model_validate(
                {
                    **comparison_members(one.arm, one.effect),
                    "experiment_id": one.experiment_id,
                    "summary": experiment_arm_out(one.arm, one.summary),
                }
            )
            for one in found.arms
        ],
    )
