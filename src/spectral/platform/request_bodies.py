"""A body arrives within its time, or the request is over: nobody holds a connection by sending slowly."""

import asyncio
import time

from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Receive, ReceiveMessage, Scope, Send

from spectral.platform.shared.errors import MalformedRequestError, RequestTimeoutError

WITHOUT_BODY = frozenset({"GET", "HEAD", "OPTIONS"})
BODY_HEADERS = frozenset({b"content-length", b"transfer-encoding"})


class BodyDeadline:
    """Gives each body a number of seconds; only time spent waiting for the client counts.

    Whoever reads a body that is late gets RequestTimeoutError (408), one that breaks off MalformedRequestError (400).
    """

    def __init__(self, app: ASGIApp, timeout_s: float) -> None:
        self.app = app
        self.timeout_s = timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP or not _may_have_body(scope):
            await self.app(scope, receive, send)
            return
        left = self.timeout_s
        is_complete = False

        async def receive_in_time() -> ReceiveMessage:
            nonlocal left, is_complete
            if is_complete:
                return await receive()
            asked = time.monotonic()
            try:
                async with asyncio.timeout(left):
                    message = await receive()
            except TimeoutError as error:
                raise RequestTimeoutError(f"The body did not arrive within {self.timeout_s:g} s") from error
            left -= time.monotonic() - asked
            if message["type"] == "http.disconnect":
                raise MalformedRequestError("The body broke off")
            is_complete = not message.get("more_body", False)
            return message

        await self.app(scope, receive_in_time, send)


def _may_have_body(scope: HTTPScope) -> bool:
    return scope["method"] not in WITHOUT_BODY or any(name in BODY_HEADERS for name, _ in scope["headers"])
