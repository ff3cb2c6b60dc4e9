"""The providers' client libraries send through our own guarded transport: resolved addresses checked, no redirects.

They speak httpx 2, the guard httpx; this carries requests from one to the other. Only headers that a provider needs
leave: the libraries add what they find in the environment of this process, which is not the customer's business.
"""

from collections.abc import AsyncIterator
from typing import cast

import httpx
import httpx2

SENT_HEADERS = frozenset({"accept", "anthropic-version", "authorization", "content-type", "x-api-key"})


class GuardedTransport(httpx2.AsyncBaseTransport):
    """Sends over a client of `platform.outbound`, which it closes in the end."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Raises httpx2.TimeoutException, and httpx's own errors for everything else that goes wrong."""
        headers = {name: value for name, value in request.headers.items() if name.lower() in SENT_HEADERS}
        sent = self._client.build_request(
            request.method, str(request.url), headers=headers, content=await request.aread()
        )
        try:
            response = await self._client.send(sent, stream=True)
        except httpx.TimeoutException as error:
            raise httpx2.ReadTimeout(str(error)) from error
        return httpx2.Response(
            response.status_code, headers=response.headers.multi_items(), stream=_Body(response), request=request
        )

    async def aclose(self) -> None:
        await self._client.aclose()


class _Body(httpx2.AsyncByteStream):
    def __init__(self, response: httpx.Response) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for part in cast("httpx.AsyncByteStream", self._response.stream):
                yield part
        except httpx.TimeoutException as error:
            raise httpx2.ReadTimeout(str(error)) from error

    async def aclose(self) -> None:
        await self._response.aclose()
