"""HTTP to addresses that customers name: never into our own network, whatever their names resolve to.

The name is resolved here, every address that it has is checked, and the connection goes to exactly a checked address:
a name that resolves differently a moment later (DNS rebinding) changes nothing. Redirects pass the same way.
"""

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import cast

import httpcore
import httpx

from spectral.settings import Environment, Settings

MAXIMUM_REDIRECTS = 3
CONNECT_TIMEOUT_S = 5.0
TIMEOUT_S = 10.0
TOTAL_TIMEOUT_S = 20.0
RESPONSE_LIMIT_BYTES = 1024 * 1024

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a host. Raises OSError when it has none."""

# Source: IANA IPv4 Special-Purpose Address Registry; 168.63.129.16 is a cloud's metadata service on a public address.
REFUSED_IPV4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "168.63.129.16/32",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
# Source: IANA IPv6 Special-Purpose Address Registry. Outside 2000::/3 nothing is global unicast.
GLOBAL_IPV6 = IPv6Network("2000::/3")
REFUSED_IPV6 = tuple(IPv6Network(network) for network in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"))
# Networks with IPv6 only reach IPv4 through these; what counts is the address inside.
NAT64 = IPv6Network("64:ff9b::/96")
EVERYWHERE = (ip_network("0.0.0.0/0"), ip_network("::/0"))
# Where clouds tell a machine its credentials, and what is nobody's own network. No customer opens these for themselves.
# Source: the providers' documentation of their metadata services (AWS with ECS and EKS, GCP, Azure, Oracle, Alibaba).
NEVER_ADMITTED: tuple[Network, ...] = tuple(
    ip_network(network)
    for network in (
        "0.0.0.0/8",
        "100.100.100.200/32",
        "168.63.129.16/32",
        "169.254.169.254/32",
        "169.254.170.2/32",
        "169.254.170.23/32",
        "192.0.0.192/32",
        "224.0.0.0/3",
        "::/128",
        "fd00:c1::a9fe:a9fe/128",
        "fd00:ec2::/32",
        "fd20:ce::254/128",
        "fe80::a9fe:a9fe/128",
        "ff00::/8",
    )
)


class OutboundRefusedError(httpx.RequestError):
    """The address, or what a redirect leads to, may not be called. Trying again changes nothing."""


class ResponseTooLargeError(httpx.RequestError):
    """The answer is longer than anyone has to read."""


def is_allowed(address: Address, allowed: Iterable[Network] = ()) -> bool:
    """Whether a connection to this address may be made.

    Private, loopback, link-local, shared, multicast, reserved and transitional addresses are refused unless `allowed`
    holds them. An IPv4 address inside an IPv6 one (mapped, NAT64) is judged by itself.
    """
    address = _inner(address)
    if _is_in(address, allowed):
        return True
    if isinstance(address, IPv4Address):
        return not any(address in network for network in REFUSED_IPV4)
    return address in GLOBAL_IPV6 and not any(address in network for network in REFUSED_IPV6)


def is_admitted(address: Address, admitted: Iterable[Network]) -> bool:
    """Whether a customer who admits these networks for their own calls may call the address: never `NEVER_ADMITTED`."""
    address = _inner(address)
    return _is_in(address, admitted) and not _is_in(address, NEVER_ADMITTED)


def _inner(address: Address) -> Address:
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in NAT64:
            return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def _is_in(address: Address, networks: Iterable[Network]) -> bool:
    return any(address in network for network in networks if network.version == address.version)


async def resolve(host: str, port: int) -> list[str]:
    """What the operating system makes of the host: names, and numbers in every spelling that it understands."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Connects to checked addresses only.

    allowed: networks that the installation does not refuse although private.  admitted: those of one customer, for
    calls of their own; whoever else uses the same connections may call what this customer may.
    """

    def __init__(self, allowed: Sequence[Network], resolver: Resolver, admitted: Sequence[Network] = ()) -> None:
        self._allowed = tuple(allowed)
        self._admitted = tuple(admitted)
        self._resolver = resolver
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Raises OutboundRefusedError when any of the host's addresses is not allowed, httpcore's errors otherwise."""
        failure: Exception = httpcore.ConnectError("the host has no address")
        for address in await self._addresses(host, port, timeout):
            try:
                return await self._inner.connect_tcp(
                    str(address), port, timeout=timeout, local_address=local_address, socket_options=socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        del path, timeout, socket_options
        raise OutboundRefusedError("sockets of this machine are not called")

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)

    async def _addresses(self, host: str, port: int, limit_s: float | None) -> list[Address]:
        try:
            async with asyncio.timeout(limit_s):
                found = await self._resolver(host, port)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout("the name was not resolved in time") from error
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError("the name does not resolve") from error
        addresses = list(dict.fromkeys(ip_address(text.partition("%")[0]) for text in found))
        # One refused address refuses the name: its owner chooses which of them is tried first.
        if not all(is_allowed(address, self._allowed) or is_admitted(address, self._admitted) for address in addresses):
            raise OutboundRefusedError("the host's address is private or reserved")
        return addresses


class LimitedStream(httpx.AsyncByteStream):
    """A body of at most so many bytes, until the deadline (monotonic seconds)."""

    def __init__(self, stream: httpx.AsyncByteStream, limit_bytes: int, deadline: float) -> None:
        self._stream = stream
        self._limit_bytes = limit_bytes
        self._deadline = deadline

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = self._limit_bytes
        async for part in self._stream:
            left -= len(part)
            if left < 0:
                raise ResponseTooLargeError("the answer is too large")
            if time.monotonic() > self._deadline:
                raise httpx.ReadTimeout("the answer took too long")
            yield part

    async def aclose(self) -> None:
        await self._stream.aclose()


class GuardedTransport(httpx.AsyncHTTPTransport):
    """Sends over a `GuardedBackend`, keeps no cookies, and reads no more of an answer than it must.

    Cookies and connections of a client are shared by everyone who uses it: what one customer's server set must not be
    sent on behalf of another.
    """

    def __init__(
        self,
        backend: GuardedBackend,
        *,
        https_only: bool,
        response_limit_bytes: int,
        verify: ssl.SSLContext | bool,
        total_timeout_s: float = TOTAL_TIMEOUT_S,
    ) -> None:
        context = tls_context(verify)
        super().__init__(verify=context, trust_env=False)
        # The one thing that httpx does not hand on to the pool.
        self._pool = httpcore.AsyncConnectionPool(ssl_context=context, network_backend=backend, max_connections=100)
        self._https_only = https_only
        self._response_limit_bytes = response_limit_bytes
        self._total_timeout_s = total_timeout_s

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Raises OutboundRefusedError, also for an answer in an encoding that was not asked for (a bomb)."""
        schemes = ("https",) if self._https_only else ("https", "http")
        if request.url.scheme not in schemes:
            raise OutboundRefusedError(f"only {' and '.join(schemes)} addresses are called")
        deadline = time.monotonic() + self._total_timeout_s
        try:
            async with asyncio.timeout(self._total_timeout_s):
                response = await super().handle_async_request(request)
        except TimeoutError as error:
            raise httpx.ReadTimeout("the answer took too long") from error
        if response.headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}:
            await response.aclose()
            raise OutboundRefusedError("the answer is encoded, which was not asked for")
        response.headers.pop("set-cookie", None)
        stream = cast("httpx.AsyncByteStream", response.stream)
        response.stream = LimitedStream(stream, self._response_limit_bytes, deadline)
        return response


def outbound_client(
    settings: Settings,
    *,
    resolver: Resolver = resolve,
    verify: ssl.SSLContext | bool = True,
    timeout_s: float = TIMEOUT_S,
    response_limit_bytes: int = RESPONSE_LIMIT_BYTES,
) -> httpx.AsyncClient:
    """A client for addresses that customers name; whoever makes it closes it.

    At most three redirects, none from https to http and none that would turn a POST into a GET; no proxies and no
    other settings from the environment; in production https only. `SPECTRAL_OUTBOUND_ALLOWED_NETWORKS` admits networks
    that are refused otherwise. Raises OutboundRefusedError and ResponseTooLargeError besides httpx's own.
    """
    transport = GuardedTransport(
        GuardedBackend(settings.outbound_allowed_networks, resolver),
        https_only=settings.environment is Environment.PRODUCTION,
        response_limit_bytes=response_limit_bytes,
        verify=verify,
    )
    return httpx.AsyncClient(
        transport=transport,
        timeout=httpx.Timeout(timeout_s, connect=CONNECT_TIMEOUT_S),
        follow_redirects=True,
        max_redirects=MAXIMUM_REDIRECTS,
        headers={"Accept-Encoding": "identity", "User-Agent": "Spectral"},
        event_hooks={"response": [_refuse_bad_redirects]},
        trust_env=False,
    )


def tls_context(verify: ssl.SSLContext | bool) -> ssl.SSLContext:  # noqa: FBT001 - as httpx has it
    """How servers prove who they are; one for the process, because reading the certificates takes long."""
    return verify if isinstance(verify, ssl.SSLContext) else _made_context(verify)


@cache
def _made_context(verify: bool) -> ssl.SSLContext:  # noqa: FBT001
    return httpx.create_ssl_context(verify=verify, trust_env=False)


class OutboundCalls:
    """Clients for calls that a customer describes: each for one call, with networks that only this customer admits.

    No connection outlives its call: one into a customer's own network must not be there for the next customer's.
    """

    def __init__(
        self, settings: Settings, *, resolver: Resolver = resolve, verify: ssl.SSLContext | bool = True
    ) -> None:
        self._allowed = settings.outbound_allowed_networks
        self._resolver = resolver
        self._verify = verify

    def client(
        self, admitted: Sequence[Network], *, timeout_s: float, response_limit_bytes: int = RESPONSE_LIMIT_BYTES
    ) -> httpx.AsyncClient:
        """A client that follows no redirects and takes nothing from the environment; whoever asks closes it.

        admitted: networks that this customer may call although private; never `NEVER_ADMITTED`.
        timeout_s: for one request with its answer.  Raises as `outbound_client`.
        """
        transport = GuardedTransport(
            GuardedBackend(self._allowed, self._resolver, admitted),
            https_only=False,
            response_limit_bytes=response_limit_bytes,
            verify=tls_context(self._verify),
            total_timeout_s=timeout_s,
        )
        return httpx.AsyncClient(
            transport=transport,
            timeout=httpx.Timeout(timeout_s, connect=min(timeout_s, CONNECT_TIMEOUT_S)),
            follow_redirects=False,
            headers={"Accept-Encoding": "identity", "User-Agent": "Spectral"},
            trust_env=False,
        )


async def _refuse_bad_redirects(response: httpx.Response) -> None:
    if not response.has_redirect_location:
        return
    try:
        target = response.url.join(response.headers["location"])
    except httpx.InvalidURL as error:
        raise OutboundRefusedError("a redirect leads to what is no URL") from error
    if response.url.scheme == "https" and target.scheme != "https":
        raise OutboundRefusedError("a redirect leads from https to another scheme")
    if response.request.method not in {"GET", "HEAD"} and response.status_code not in {307, 308}:
        raise OutboundRefusedError("a redirect would change the method of the request")
