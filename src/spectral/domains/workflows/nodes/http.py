"""Nodes of the kind `http`: one request to an address that the definition names, never into our own network."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from spectral.domains.workflows.nodes.calls import NodeCall, NodeError, NodeResult
from spectral.domains.workflows.nodes.http_request import SENT, HttpLimits, HttpRequest
from spectral.domains.workflows.nodes.http_response import outputs_of, status_error
from spectral.domains.workflows.nodes.mask import Mask
from spectral.domains.workflows.nodes.secrets import Secrets
from spectral.domains.workflows.settings.networks import admitted_networks
from spectral.domains.workflows.settings.repository import SettingsRepository
from spectral.platform.outbound import (
    MAXIMUM_REDIRECTS,
    Network,
    OutboundCalls,
    OutboundRefusedError,
    ResponseTooLargeError,
)

LARGE_BYTES = 32 * 1024


class HttpWork:
    """Sends the request and gives back `{status, headers, body, json}`.

    Secrets are filled into url, headers, query, json and body at the last moment, and masked in outputs, errors and log
    lines. Every request but GET, HEAD and OPTIONS carries the step's idempotency key, the same in every attempt. No
    proxies, no cookies, no connection that outlives the call.

    permitted: the networks that the installation lets workspaces open.
    """

    def __init__(self, calls: OutboundCalls, secrets: Secrets, permitted: Sequence[Network]) -> None:
        self._calls = calls
        self._secrets = secrets
        self._permitted = permitted

    async def __call__(self, call: NodeCall) -> NodeResult:
        """Raises NodeError.

        Types: `http-status` (retryable for 408, 425, 429 and 5xx; `HttpStatusError`), `timeout` and `connection`
        (retryable), `outbound-refused`, `response-too-large`, `unknown-secret`, `invalid-params`.
        """
        limits = HttpLimits.of(call.params, call.node.timeout_s or call.definition.default_timeout_s)
        sent = {name: call.params[name] for name in SENT if name in call.params}
        template = {name: call.node.params.get(name) for name in SENT}
        filled, mask = await self._secrets.fill(call.access, sent, template)
        # What was not filled in yet names the request in everything that is told of it.
        what = mask.text(f"{str(call.params.get('method') or 'GET').upper()} {_shown(call.params.get('url'))}")
        try:
            request = HttpRequest.of({**call.params, **filled}, call.idempotency_key)
            async with asyncio.timeout(limits.timeout_s):
                outputs = await self._exchange(call, request, limits, mask, what)
        except TimeoutError as error:
            raise NodeError("timeout", f"{what} took longer than {limits.timeout_s:g} s") from error
        except httpx.HTTPError as error:
            raise _failure(what, error, limits) from None
        except NodeError as error:
            error.message = mask.text(error.message)
            error.args = (error.message,)
            raise
        return NodeResult(outputs)

    async def _exchange(
        self, call: NodeCall, request: HttpRequest, limits: HttpLimits, mask: Mask, what: str
    ) -> dict[str, Any]:
        admitted = await self._admitted(call)
        async with self._calls.client(
            admitted, timeout_s=limits.timeout_s, response_limit_bytes=limits.max_bytes
        ) as client:
            response = await _send(client, request)
            hops = 0
            while limits.follows and response.has_redirect_location:
                await response.aclose()
                hops += 1
                if hops > MAXIMUM_REDIRECTS:
                    raise NodeError(
                        "http-status", f"{what} was redirected more than {MAXIMUM_REDIRECTS} times", retryable=False
                    )
                request = request.redirected(response)
                target = mask.text(_shown(str(request.url)))
                call.journal.log(f"{what} was redirected to {target}", level="debug", category="http")
                response = await _send(client, request)
            try:
                content = await response.aread()
            finally:
                await response.aclose()
        if len(content) > LARGE_BYTES:
            outputs = await asyncio.to_thread(outputs_of, response, content, mask)
        else:
            outputs = outputs_of(response, content, mask)
        if response.status_code not in limits.expected:
            raise status_error(what, response, outputs)
        return outputs

    async def _admitted(self, call: NodeCall) -> tuple[Network, ...]:
        """The private networks that the workspace has opened for its own calls."""
        async with call.database.transaction(call.access, read_only=True) as session:
            settings = await SettingsRepository(session, call.access).find()
        return admitted_networks(settings.allowed_networks, self._permitted) if settings else ()


async def _send(client: httpx.AsyncClient, request: HttpRequest) -> httpx.Response:
    headers: Mapping[str, Any] = {name.encode(): value for name, value in request.headers.items()}  # type: ignore[misc]
    made = client.build_request(request.method, request.url, headers=headers, content=request.content)
    return await client.send(made, stream=True)


def _shown(url: Any) -> str:
    """The URL without its query, which is where people put what nobody should read."""
    text = str(url).partition("?")[0].partition("#")[0]
    return text if len(text) <= 200 else f"{text[:200]}…"


def _failure(what: str, error: httpx.HTTPError, limits: HttpLimits) -> NodeError:
    """What went wrong, in words of ours: those of a library may hold what was sent."""
    if isinstance(error, OutboundRefusedError):
        return NodeError("outbound-refused", f"{what} was refused: {error}", retryable=False)
    if isinstance(error, ResponseTooLargeError):
        message = f"{what} answered more than {limits.max_bytes} bytes"
        return NodeError("response-too-large", message, retryable=False)
    if isinstance(error, httpx.TimeoutException):
        return NodeError("timeout", f"{what} took longer than {limits.timeout_s:g} s")
    return NodeError("connection", f"{what} failed: {_REASONS.get(type(error), 'the connection broke')}")


_REASONS: Mapping[type[httpx.HTTPError], str] = {
    httpx.ConnectError: "no connection could be made",
    httpx.RemoteProtocolError: "the answer is not HTTP",
    httpx.LocalProtocolError: "the request is not HTTP",
}
