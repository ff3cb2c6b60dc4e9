"""How handlers and middleware get what the application has for all of them.

They look it up where a request comes in, so the routes of one application serve another one as well: making them is
nearly all that an application costs.
"""

from typing import Any

from litestar import Litestar
from litestar.di import Provide
from litestar.routes import HTTPRoute
from litestar.types import Scope


def service_of(scope: Scope, name: str) -> Any:
    """What the application of this request or connection has under a name."""
    return scope["litestar_app"].state[name]


def from_application(name: str) -> Provide:
    """A dependency that the application has under this name."""

    def provide(scope: Scope) -> Any:
        return service_of(scope, name)

    return Provide(provide, sync_to_thread=False)


def resolve_in_turn(app: Litestar) -> None:
    """From now on the app's handlers get their dependencies one after the other.

    Litestar resolves those that do not need each other in tasks of their own, which is for dependencies that wait:
    none of ours does, and the tasks cost more than all of them.
    """
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for _, model in route.route_handler_map.values():
                model.dependency_batches = [{one} for batch in model.dependency_batches for one in batch]
