"""How handlers get what they ask for."""

from typing import Any

from litestar import Litestar
from litestar.di import Provide
from litestar.routes import HTTPRoute


def constant(value: Any) -> Provide:
    """A dependency that is the same for every request."""

    def provide() -> Any:
        return value

    return Provide(provide, use_cache=True, sync_to_thread=False)


def resolve_in_turn(app: Litestar) -> None:
    """From now on the app's handlers get their dependencies one after the other.

    Litestar resolves those that do not need each other in tasks of their own, which is for dependencies that wait:
    none of ours does, and the tasks cost more than all of them.
    """
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for _, model in route.route_handler_map.values():
                model.dependency_batches = [{one} for batch in model.dependency_batches for one in batch]
