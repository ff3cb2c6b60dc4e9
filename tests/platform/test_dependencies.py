"""Handlers get what they ask for without tasks."""

import asyncio

import httpx
from litestar import Litestar, get
from litestar.di import Provide

from spectral.platform.dependencies import from_application, resolve_in_turn


async def provide_sum(one: int, two: int) -> int:
    return one + two


async def provide_task() -> asyncio.Task[None] | None:
    return asyncio.current_task()


@get("/", opt={"public": True})
async def handler(one: int, total: int, task: object) -> dict[str, object]:
    return {"one": one, "total": total, "alone": task is asyncio.current_task()}


async def test_dependencies_are_resolved_in_the_request_s_own_task() -> None:
    app = Litestar(
        [handler],
        dependencies={
            "one": from_application("one"),
            "two": from_application("two"),
            "total": Provide(provide_sum),
            "task": Provide(provide_task),
        },
        openapi_config=None,
    )
    app.state.update({"one": 1, "two": 2})
    resolve_in_turn(app)
    transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://spectral.test") as client:
        assert (await client.get("/")).json() == {"one": 1, "total": 3, "alone": True}
