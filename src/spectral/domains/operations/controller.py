"""HTTP of operations: `/api/v1/operations`."""

from litestar import Controller, get

from spectral.domains.operations.schemas import EngineOut, ModelConfigOut, ModelHealthOut
from spectral.platform.access.guards import requires
from spectral.platform.access.scopes import Scope
from spectral.platform.engine.engine import Engine
from spectral.platform.llm.door import ModelDoor
from spectral.platform.shared.pagination import Collection, Page


class OperationsController(Controller):
    """For operations staff."""

    path = "/api/v1/operations"
    tags = ("Operations",)
    guards = (requires(Scope.READ_OPERATIONS),)

    @get(
        "/model-health",
        operation_id="listModelHealth",
        summary="How the models behave, by name",
        description="Figures of the answering process since it started.",
    )
    async def list_model_health(self, door: ModelDoor, page: Page) -> Collection[ModelHealthOut]:
        found = [ModelHealthOut.model_validate(health) for health in door.health()]
        return Collection.of(found[page.offset : page.offset + page.limit], len(found), page)

    @get("/model-config", operation_id="listModelConfig", summary="Which models there are, by name")
    async def list_model_config(self, door: ModelDoor, page: Page) -> Collection[ModelConfigOut]:
        found = [ModelConfigOut.model_validate(model) for model in door.catalogue()]
        return Collection.of(found[page.offset : page.offset + page.limit], len(found), page)

    @get("/engine", operation_id="readEngine", summary="What durable execution is doing")
    async def read_engine(self, engine: Engine) -> EngineOut:
        return EngineOut.model_validate(await engine.health())
