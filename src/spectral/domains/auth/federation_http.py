"""Requests to identity providers: short, small, to one address and no further."""

import asyncio
import json
from typing import Any

import httpx

CONNECT_LIMIT_S = 5.0
ANSWER_LIMIT_S = 10.0
ANSWER_LIMIT_BYTES = 512 * 1024


class ProviderAnswerError(Exception):
    """The provider did not answer, or with something else than was asked for; the message is for the log only."""


class ProviderHttp:
    """One client for all providers of a process; closed by `close()`.

    Redirects are not followed: what a provider answers elsewhere is not its answer. The addresses are the operator's
    choice and may be private ones, so they are not kept from them.
    """

    def __init__(self) -> None:
        self._opened: httpx.AsyncClient | None = None

    @property
    def _client(self) -> httpx.AsyncClient:
        # Made for the first request: it reads certificates, and most processes ask no provider.
        if self._opened is None:
            self._opened = httpx.AsyncClient(
                timeout=httpx.Timeout(ANSWER_LIMIT_S, connect=CONNECT_LIMIT_S),
                follow_redirects=False,
                # A compressed answer could be larger than it looks.
                headers={"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "spectral"},
            )
        return self._opened

    async def read(self, url: str, *, token: str | None = None) -> Any:
        """The JSON behind an address. Raises ProviderAnswerError for everything but a 200."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        status, document = await self._send(self._client.build_request("GET", url, headers=headers))
        if status != httpx.codes.OK:
            message = f"{url} answered {status}"
            raise ProviderAnswerError(message)
        return document

    async def send_form(self, url: str, form: dict[str, str], auth: httpx.BasicAuth | None = None) -> tuple[int, Any]:
        """Status and JSON of the answer to a form. Raises ProviderAnswerError."""
        request = self._client.build_request("POST", url, data=form)
        if auth is not None:
            request = next(auth.sync_auth_flow(request))
        return await self._send(request)

    async def close(self) -> None:
        if self._opened is not None:
            await self._opened.aclose()
            self._opened = None

    async def _send(self, request: httpx.Request) -> tuple[int, Any]:
        try:
            # httpx limits each part of an answer; a provider that sends a byte now and then is limited here.
            async with asyncio.timeout(CONNECT_LIMIT_S + ANSWER_LIMIT_S):
                response = await self._client.send(request, stream=True)
                try:
                    content = await _content(response)
                finally:
                    await response.aclose()
            return response.status_code, json.loads(content)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, ValueError, RecursionError) as error:
            message = f"{request.url}: {type(error).__name__} {error}"
            raise ProviderAnswerError(message) from error


async def _content(response: httpx.Response) -> bytes:
    if response.headers.get("content-encoding", "identity") != "identity":
        message = "the answer is compressed"
        raise ValueError(message)
    content = bytearray()
    async for part in response.aiter_raw():
        content += part
        if len(content) > ANSWER_LIMIT_BYTES:
            message = f"the answer is larger than {ANSWER_LIMIT_BYTES} bytes"
            raise ValueError(message)
    return bytes(content)
