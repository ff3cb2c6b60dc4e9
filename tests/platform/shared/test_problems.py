"""Every error is a problem document; nothing of the inside is in it."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import httpx
import pytest
from litestar import Litestar, get
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.settings import Settings
from tests.fixtures.servers import in_process
from tests.fixtures.tenants import Tenant


@contextmanager
def kept(name: str) -> Iterator[list[dict[str, Any]]]:
    """What this logger is given meanwhile."""
    lines: list[dict[str, Any]] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(cast("dict[str, Any]", record.msg))

    handler, logger = Kept(), logging.getLogger(name)
    logger.addHandler(handler)
    yield lines
    logger.removeHandler(handler)


def assert_problem(answer: httpx.Response, status: int, slug: str) -> dict[str, Any]:
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert document["type"] == f"https://spectral.dev/errors/{slug}"
    assert document["status"] == status
    assert document["title"]
    assert document["detail"]
    assert document["instance"] == answer.request.url.path
    assert document["request_id"] == answer.headers["x-request-id"]
    return document


@pytest.mark.databases("sqlite")
async def test_the_routers_own_refusals_are_problems(client: httpx.AsyncClient) -> None:
    assert_problem(await client.get("/api/nowhere"), 404, "not-found")
    assert_problem(await client.get("/api/v1/workspaces/x/y/z"), 404, "not-found")
    wrong_method = await client.put("/api/v1/auth/login", json={})
    assert_problem(wrong_method, 405, "method-not-allowed")
    assert "POST" in wrong_method.headers["allow"]


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize(
    ("content", "content_type", "status", "slug"),
    [
        (b"{bad", "application/json", 400, "malformed-request"),
        (b'{"email": "\xff"}', "application/json", 400, "malformed-request"),
        (b"[" * 100_000, "application/json", 400, "malformed-request"),
        (b'{"email": "a\\u0000b"}', "application/json", 400, "malformed-request"),
        (b"", "application/json", 422, "validation-error"),
        (b"[]", "application/json", 422, "validation-error"),
        (b"email=x", "application/x-www-form-urlencoded", 415, "unsupported-media-type"),
        (b"{}", "text/plain", 415, "unsupported-media-type"),
        (b"{}" + b" " * 11_000_000, "application/json", 413, "payload-too-large"),
    ],
)
async def test_bodies_that_cannot_be_read(
    client: httpx.AsyncClient, content: bytes, content_type: str, status: int, slug: str
) -> None:
    answer = await client.post("/api/v1/auth/login", content=content, headers={"Content-Type": content_type})
    assert_problem(answer, status, slug)


@pytest.mark.databases("sqlite")
async def test_the_query_is_validated_by_name(client: httpx.AsyncClient, tenant: Tenant) -> None:
    answer = await client.get("/api/v1/workspaces?limit=101&offset=-1", headers=tenant.client_headers)
    document = assert_problem(answer, 422, "validation-error")
    assert sorted(error["pointer"] for error in document["errors"]) == ["limit", "offset"]


@pytest.mark.databases("sqlite")
async def test_a_request_keeps_the_id_it_brought(client: httpx.AsyncClient) -> None:
    assert (await client.get("/api/nowhere", headers={"X-Request-Id": "ci-run.4711"})).json()[
        "request_id"
    ] == "ci-run.4711"
    forged = await client.get("/api/nowhere", headers={"X-Request-Id": "a b\tc"})
    assert forged.json()["request_id"] != "a b\tc"


@get("/broken", opt={"public": True})
async def broken() -> None:
    message = "the password is hunter2"
    raise RuntimeError(message)


@get("/broken-commit", opt={"public": True})
async def broken_commit(session: AsyncSession) -> dict[str, str]:
    await session.execute(text("SELECT no_such_column FROM account"))
    return {"never": "sent"}


async def test_what_fails_inside_stays_inside(
    settings: Settings, create_whole_app: Callable[[Settings], Litestar]
) -> None:
    app = create_whole_app(settings)
    app.register(broken)
    app.register(broken_commit)
    async with in_process(app) as client:
        with kept("spectral.platform.shared.problems") as lines:
            document = assert_problem(await client.get("/broken"), 500, "internal-error")
        assert "hunter2" not in str(document)
        assert [(line["event"], line["path"]) for line in lines] == [("unhandled_error", "/broken")]
        assert lines[0]["request_id"] == document["request_id"]
        assert isinstance(lines[0]["exc_info"], Exception)
        document = assert_problem(await client.get("/broken-commit"), 500, "internal-error")
        assert "no_such_column" not in str(document)
        assert (await client.get("/api/v1/health")).status_code == 200
