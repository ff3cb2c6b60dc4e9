"""How a WebSocket is refused. Sockets of real servers: tests/domains/workflows/runs/test_socket.py."""

from typing import Any

import pytest
from litestar.exceptions import WebSocketException
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from spectral.platform.access.sockets import MAXIMUM_REASON_BYTES, SocketRefusals, refusing
from spectral.platform.shared.errors import NotAuthenticatedError, NotFoundError, RateLimitedError


async def sent(app: ASGIApp, kind: str = "websocket") -> list[Any]:
    """What somebody is sent who asks this application."""
    messages: list[Any] = []

    async def send(message: Message) -> None:
        messages.append(message)

    scope: Any = {"type": kind, "path": "/ws"}
    await SocketRefusals(app)(scope, lambda: None, send)  # type: ignore[arg-type, return-value]
    return messages


async def test_a_refusal_on_the_way_is_a_code_that_says_why() -> None:
    async def refuses(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise NotFoundError("Run", "é" * 100)

    accepted, closed = await sent(refuses)
    assert accepted["type"] == "websocket.accept"
    assert (closed["type"], closed["code"]) == ("websocket.close", 4404)
    assert closed["reason"].startswith("Run é")
    assert len(closed["reason"].encode()) <= MAXIMUM_REASON_BYTES
    with pytest.raises(NotFoundError):
        await sent(refuses, "http")


async def test_a_socket_is_accepted_once_and_closed_once() -> None:
    async def closes(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "websocket.close", "code": 4401, "reason": "no"})
        raise RateLimitedError("too many", 1)

    assert [message["type"] for message in await sent(closes)] == ["websocket.accept", "websocket.close"]

    async def talks(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept", "subprotocol": None, "headers": []})
        await send({"type": "websocket.send", "text": "one", "bytes": None})
        raise RateLimitedError("too many", 1)

    kinds = [message["type"].rpartition(".")[2] for message in await sent(talks)]
    assert kinds == ["accept", "send", "close"]


async def test_what_a_guard_refuses_has_the_problem_s_code() -> None:
    async def guard(*_: object) -> None:
        raise NotAuthenticatedError

    connection: Any = None
    with pytest.raises(WebSocketException) as refused:
        await refusing(guard)(connection, connection)  # type: ignore[misc]
    assert refused.value.code == 4401
