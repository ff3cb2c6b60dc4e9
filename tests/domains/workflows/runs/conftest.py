import pytest
from litestar import Litestar
from collections.abc import Callable
from spectral.settings import Settings

@pytest.fixture
def app(settings: Settings, create_app: Callable[[Settings], Litestar]) -> Litestar:
    app = create_app(settings)
    engine = app.state["engine"]
    if "workflow" not in engine._registrations:
        async def nothing(context): ...
        engine.register("workflow", nothing)
    return app
