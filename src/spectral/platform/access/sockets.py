"""How a WebSocket is refused: accepted, and closed at once with a code that says why.

A browser tells a page nothing about a handshake that was answered with an HTTP status; the code of a close it does.
"""

import structlog
from litestar.enums import ScopeType
from litestar.exceptions import WebSocketException
from litestar.handlers.base import BaseRouteHandler
from litestar.types import ASGIApp, Guard, Message, Receive, Scope, Send

from spectral.platform.access.guards import AnyConnection
from spectral.platform.shared.errors import SpectralError

CODES = 4000
"""A problem of status 404 closes with 4404; 4000 to 4999 are for applications.  Source: RFC 6455 §7.4.2."""
MAXIMUM_REASON_BYTES = 123
"""What a control frame has room for.  Source: RFC 6455 §5.5."""

log = structlog.get_logger(__name__)


class SocketRefusals:
    """Stands before authentication: a socket that is refused anywhere behind it is accepted and closed with a code."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.WEBSOCKET:
            await self.app(scope, receive, send)
            return
        accepted = closed = False

        async def accept_before_closing(message: Message) -> None:
            nonlocal accepted, closed
            if message["type"] == "websocket.accept":
                accepted = True
            elif message["type"] == "websocket.close":
                if closed:
                    return
                closed = True
                if not accepted:
                    accepted = True
                    await send({"type": "websocket.accept", "subprotocol": None, "headers": []})
            await send(message)

        try:
            await self.app(scope, receive, accept_before_closing)
        except SpectralError as error:
            log.info("socket_refused", path=scope["path"][:300], problem=error.slug)
            await accept_before_closing({"type": "websocket.close", "code": code_of(error), "reason": reason_of(error)})


def refusing(guard: Guard) -> Guard:
    """The same guard for a WebSocket: what it refuses closes the socket with the problem's code."""

    async def guarded(connection: AnyConnection, handler: BaseRouteHandler) -> None:
        try:
            await guard(connection, handler)  # type: ignore[misc]
        except SpectralError as error:
            raise WebSocketException(code=code_of(error), detail=reason_of(error)) from error

    return guarded


def code_of(error: SpectralError) -> int:
    """4401 for a problem of status 401, and so on."""
    return CODES + error.status


def reason_of(error: SpectralError) -> str:
    """The detail, cut to what a close has room for."""
    return error.detail.encode()[:MAXIMUM_REASON_BYTES].decode(errors="ignore")
