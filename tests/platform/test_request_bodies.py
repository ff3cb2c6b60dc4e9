"""Bodies and headers that come slowly, without end or too large hold nobody up: seen from a socket."""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import httpx
import pytest
from litestar import Litestar
from litestar.types import Message

from spectral.settings import Settings
from tests.fixtures.databases import SqliteTemplate
from tests.fixtures.servers import ServerProcess, in_process
from tests.fixtures.tenants import register_tenant

LOGIN = b"POST /api/v1/auth/login HTTP/1.1\r\nHost: spectral.test\r\nContent-Type: application/json\r\n"
EXPORT = b"POST /otel/v1/traces HTTP/1.1\r\nHost: spectral.test\r\nContent-Type: application/json\r\n"
HEALTH = b"GET /api/v1/health HTTP/1.1\r\nHost: spectral.test\r\nConnection: close\r\n\r\n"
PIECE = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
BODY_LIMIT = 1_000_000
SLOW = 300


@pytest.fixture(scope="module")
def impatient(sqlite_template: SqliteTemplate, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A real server that waits a second for headers, and as long for a body."""
    with sqlite_template.fresh(tmp_path_factory.mktemp("impatient")) as settings:
        short = {
            "request_body_timeout_s": 1.0,
            "request_header_timeout_s": 1.0,
            "request_body_limit_bytes": BODY_LIMIT,
        }
        server = ServerProcess(settings.model_copy(update=short), executes=False)
        server.start()
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def connected(server: ServerProcess) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        yield connection


def received(connection: socket.socket) -> bytes:
    """Everything until the server lets go of the connection."""
    parts = []
    try:
        while part := connection.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        pass  # it has let go while something was still on its way
    return b"".join(parts)


def problem(answer: bytes, status: int) -> dict[str, Any]:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode()), answer[:300]
    assert b"content-type: application/problem+json" in head
    document: dict[str, Any] = json.loads(body)
    return document


def test_a_body_that_trickles_is_over_when_its_time_is(impatient: ServerProcess) -> None:
    with connected(impatient) as connection:
        connection.sendall(LOGIN + b"Content-Length: 100\r\n\r\n")
        connection.settimeout(0.1)
        answer = b""
        for _ in range(100):  # a byte each, for longer than the server waits
            try:
                connection.sendall(b" ")
                answer = connection.recv(65536)
                break
            except TimeoutError:
                continue
        connection.settimeout(20)
        said = problem(answer, 408)
        assert said["type"].endswith("/request-timeout")
        assert "1 s" in said["detail"]
        assert received(connection) == b""


def test_without_a_credential_a_body_is_not_waited_for(impatient: ServerProcess) -> None:
    with connected(impatient) as connection:
        connection.sendall(EXPORT + b"Content-Length: 100\r\n\r\n{")
        head, _, body = received(connection).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 401 ")
    assert json.loads(body)["code"] == 16


async def test_a_late_body_is_refused_wherever_it_is_read(
    settings: Settings, create_app: Callable[[Settings], Litestar]
) -> None:
    """In the middleware that hashes it, by the framework, and in a route that reads a stream."""

    async def late() -> AsyncIterator[bytes]:
        yield b'{"name": '
        await asyncio.sleep(20)
        yield b'"late"}'

    async with in_process(create_app(settings.model_copy(update={"request_body_timeout_s": 0.2}))) as client:
        tenant = await register_tenant(client, "ours")
        headers = tenant.client_headers | {"Content-Type": "application/json"}
        for more in ({}, {"Idempotency-Key": "once"}):
            answer = await client.post(f"{tenant.url}/agents", content=late(), headers=headers | more)
            assert answer.status_code == 408
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.headers["connection"] == "close"
        headers |= {"X-Workspace-Id": str(tenant.workspace_id)}
        exported = await client.post("/otel/v1/traces", content=late(), headers=headers)
        assert (exported.status_code, exported.json()["code"]) == (408, 4)  # DEADLINE_EXCEEDED
        listed = await client.get(f"{tenant.url}/agents", headers=tenant.client_headers)
        assert listed.json()["pagination"]["total"] == 0


async def test_a_body_that_breaks_off_is_no_failure_of_ours(app: Litestar, client: httpx.AsyncClient) -> None:
    tenant = await register_tenant(client, "ours")
    answers: list[Message] = []

    async def receive() -> dict[str, object]:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        answers.append(message)

    request = client.build_request("POST", f"{tenant.url}/agents", json={}, headers=tenant.client_headers)
    scope = {
        "type": "http",
        "method": "POST",
        "path": request.url.path,
        "raw_path": request.url.raw_path,
        "query_string": b"",
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "client": ("127.0.0.1", 1),
    }
    await app(scope, receive, send)  # type: ignore[arg-type]
    assert answers[0]["status"] == 400  # type: ignore[typeddict-item]


def test_headers_that_trickle_are_not_waited_for(impatient: ServerProcess) -> None:
    with connected(impatient) as connection:
        connection.sendall(b"GET /api/v1/health HTTP/1.1\r\nHost: spectral.test\r\nX-Slow: ")
        assert received(connection) == b""


def test_a_body_that_says_it_is_too_large_is_not_read(impatient: ServerProcess) -> None:
    with connected(impatient) as connection:
        connection.sendall(LOGIN + f"Content-Length: {BODY_LIMIT + 1}\r\n\r\n".encode())
        assert problem(received(connection), 413)["type"].endswith("/payload-too-large")


def test_a_body_without_a_length_is_read_up_to_the_limit(impatient: ServerProcess) -> None:
    sent = 0
    with connected(impatient) as connection:
        connection.sendall(LOGIN + b"Transfer-Encoding: chunked\r\n\r\n")
        try:
            while sent < 100 * BODY_LIMIT:
                connection.sendall(PIECE)
                sent += len(PIECE)
        except OSError:
            pass  # the server has stopped reading
        assert sent < 100 * BODY_LIMIT
        answer = received(connection)
    # The answer may be lost with the connection that went away under what was still being sent.
    if answer:
        problem(answer, 413)


def test_many_slow_connections_hold_nobody_up(impatient: ServerProcess) -> None:
    slow = [socket.create_connection(("127.0.0.1", impatient.port), timeout=20) for _ in range(SLOW)]
    try:
        for connection in slow:
            connection.sendall(LOGIN + b"Content-Length: 100\r\n\r\n{")
        with connected(impatient) as connection:
            connection.sendall(HEALTH)
            assert received(connection).startswith(b"HTTP/1.1 200 ")
        assert problem(received(slow[0]), 408)
    finally:
        for connection in slow:
            connection.close()


@pytest.mark.parametrize(
    "target",
    [
        b"/api/v1/workspaces/../../openapi.json",
        b"/api/v1/%2e%2e/%2e%2e/etc/passwd",
        b"/docs/static/..%2f..%2fpages.py",
        b"/docs/static/../pages.py",
        b"//api/v1//workspaces",
        b"/api/v1/workspaces/%00",
        b"/api/v1/workspaces/%ff%fe",
        b"/api/v1/workspaces/" + b"a" * 8000,
        b"http://elsewhere.test/api/v1/workspaces",
        b"/api/v1/workspaces?limit=1%00",
    ],
)
def test_a_target_that_means_harm_is_refused_as_any_other(impatient: ServerProcess, target: bytes) -> None:
    with connected(impatient) as connection:
        connection.sendall(b"GET " + target + b" HTTP/1.1\r\nHost: spectral.test\r\nConnection: close\r\n\r\n")
        answer = received(connection)
    assert answer[9:12] in {b"400", b"401", b"404", b"414"}, answer[:200]
    assert b"content-type: application/problem+json" in answer
    assert b"Traceback" not in answer


@pytest.mark.parametrize(
    ("framing", "body"),
    [
        (b"Content-Length: 4\r\nContent-Length: 5\r\n", b"{}  "),
        (b"Content-Length: 4, 5\r\n", b"{}  "),
        (b"Content-Length: -4\r\n", b"{}  "),
        (b"Content-Length: +4\r\n", b"{}  "),
        (b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", b"2\r\n{}\r\n0\r\n\r\n"),
        (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", b"2\r\n{}\r\n0\r\n\r\n"),
        (b"Transfer-Encoding: xchunked\r\n", b"2\r\n{}\r\n0\r\n\r\n"),
        (b"Transfer-Encoding : chunked\r\n", b"2\r\n{}\r\n0\r\n\r\n"),
        (b"Transfer-Encoding: chunked\r\n", b"0x2\r\n{}\r\n0\r\n\r\n"),
        (b"Transfer-Encoding: chunked\r\n", b"2;a=\nb\r\n{}\r\n0\r\n\r\n"),
        (b"Content-Length: 2\r\nX-Split: a\rb\r\n", b"{}"),
        (b"Content-Length: 2\r\nX-Folded: a\r\n b\r\n", b"{}"),
    ],
)
def test_a_body_whose_end_is_in_doubt_hides_no_second_request(
    impatient: ServerProcess, framing: bytes, body: bytes
) -> None:
    """RFC 9112, section 6.3: what might be read in two ways is refused, or nothing more is read from the connection."""
    hidden = b"GET /hidden HTTP/1.1\r\nHost: spectral.test\r\nConnection: close\r\n\r\n"
    with connected(impatient) as connection:
        connection.sendall(LOGIN + framing + b"\r\n" + body + hidden)
        answer = received(connection)
    assert answer[9:12] in {b"400", b"422"}, answer[:200]
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"/hidden" not in answer


def test_headers_larger_than_any_of_ours_are_refused(impatient: ServerProcess) -> None:
    with connected(impatient) as connection:
        with suppress(OSError):
            connection.sendall(
                b"GET /api/v1/workspaces HTTP/1.1\r\nHost: spectral.test\r\nConnection: close\r\n"
                b"Authorization: Bearer " + b"a" * 1_000_000 + b"\r\n\r\n"
            )
        assert received(connection)[9:12] in {b"401", b"431", b"400", b""}


def test_the_server_is_well_after_all_this(impatient: ServerProcess) -> None:
    started = time.monotonic()
    with connected(impatient) as connection:
        connection.sendall(HEALTH)
        assert received(connection).startswith(b"HTTP/1.1 200 ")
    assert time.monotonic() - started < 10
    assert "unhandled_error" not in impatient.log
