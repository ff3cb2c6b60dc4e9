"""Answers of server-sent events.  Source: WHATWG HTML, "Server-sent events"."""

from typing import Any

from litestar import Litestar, Request
from litestar.response import Stream
from litestar.response.base import ASGIResponse

EVENT_STREAM = "text/event-stream"
STREAM_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
"""Nothing on the way keeps a stream, or holds it back to send more of it at once."""


class EventStream(Stream):
    """A streamed answer that stays what it is on a route that also answers JSON."""

    def to_asgi_response(self, app: Litestar | None, request: Request[Any, Any, Any], **options: Any) -> ASGIResponse:
        # Litestar lets the route's media type win over a stream's own.
        return super().to_asgi_response(app, request, **{**options, "media_type": EVENT_STREAM})
