"""What surrounds every request, also one that meets no route: its id, its caller's address, its log line, headers."""

import logging
import re
import time
from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any

import structlog
from litestar.connection import ASGIConnection
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPResponseStartEvent, HTTPScope, Message, Receive, Scope, Send

from spectral.platform.shared.ids import new_id
from spectral.platform.shared.origin import ORIGIN, Origin

ACCEPTABLE_ID = re.compile(r"[0-9A-Za-z._-]{8,64}")
HEADERS: dict[bytes, bytes] = {
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    # What the API answers is data, also when a browser is sent to it; a page says for itself what it needs.
    b"content-security-policy": (
        b"default-src 'none'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox"
    ),
    b"permissions-policy": b"camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
}
ALWAYS_ENCRYPTED = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")
UNKNOWN_ADDRESS = "unknown"
# An IPv6 address with a zone, brackets and a port.
MAXIMUM_ADDRESS_CHARACTERS = 100
FIRST_ERROR_STATUS = 400
CACHED = frozenset({"GET", "HEAD"})
KNOWN = frozenset({ScopeType.HTTP, ScopeType.WEBSOCKET})
# Credentials that are no good, rights that are missing, limits that are used up: what an operator wants to be told of.
SUSPICIOUS = {401: logging.WARNING, 403: logging.WARNING, 429: logging.WARNING}

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

log = structlog.get_logger("spectral.requests")


class RequestContext:
    """Gives each request an id (the caller's `X-Request-Id` where it is acceptable) and logs how it ended.

    trusted_proxies: the networks whose `X-Forwarded-For` is believed; everybody else's is ignored.  is_encrypted:
    users reach this server by https only, and browsers are told so. No answer admits another origin: there is no CORS.
    """

    def __init__(self, app: ASGIApp, trusted_proxies: Sequence[Network] = (), *, is_encrypted: bool = False) -> None:
        self.app = app
        self.trusted_proxies = tuple(trusted_proxies)
        self.headers = (*HEADERS.items(), *([ALWAYS_ENCRYPTED] if is_encrypted else []))
        self.names = frozenset(name for name, _ in self.headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in KNOWN:
            await self.app(scope, receive, send)
            return
        request_id = _given_id(scope) or str(new_id())
        address = forwarded_address(scope, self.trusted_proxies)
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        state["client_address"] = address
        if scope["type"] == ScopeType.WEBSOCKET:
            await self._socket(scope, receive, send, Origin(request_id, address))
            return
        started = time.perf_counter()
        status = 500
        http = scope

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = self._complete(http, message, request_id)
            await send(message)

        known = ORIGIN.set(Origin(request_id, address))
        try:
            await self.app(scope, receive, send_with_headers)
        finally:
            level = SUSPICIOUS.get(status, logging.INFO)
            if log.isEnabledFor(level):
                log.log(
                    level,
                    "request",
                    method=scope["method"],
                    # The path as it came may carry anything; its query is left out because filters quote content.
                    path=scope["path"][:300],
                    status=status,
                    duration_ms=round((time.perf_counter() - started) * 1000, 2),
                    actor=actor_of(scope),
                    address=address,
                    **({"problem": state["problem"]} if "problem" in state else {}),
                )
            ORIGIN.reset(known)

    async def _socket(self, scope: Scope, receive: Receive, send: Send, origin: Origin) -> None:
        """A WebSocket has no answer whose headers could be completed; its line says how it was closed."""
        started = time.perf_counter()
        code: int | None = None

        async def send_noting(message: Message) -> None:
            nonlocal code
            if message["type"] == "websocket.close":
                code = message["code"]
            await send(message)

        known = ORIGIN.set(origin)
        try:
            await self.app(scope, receive, send_noting)
        finally:
            log.info(
                "socket",
                path=scope["path"][:300],
                code=code,
                duration_ms=round((time.perf_counter() - started) * 1000, 2),
                actor=actor_of(scope),
                address=origin.address,
            )
            ORIGIN.reset(known)

    def _complete(self, scope: HTTPScope, start: HTTPResponseStartEvent, request_id: str) -> list[tuple[bytes, bytes]]:
        """The answer's headers with those that it owes and does not have."""
        headers = list(start["headers"])
        present = {name.lower() for name, _ in headers}
        state = scope["state"]
        # What most answers bring themselves is their content's type and length.
        headers += self.headers if self.names.isdisjoint(present) else _lacking(self.headers, present)
        if "answer_headers" in state:
            headers += _lacking(state["answer_headers"].items(), present)
        if b"cache-control" not in present and (
            scope.get("user") is not None or start["status"] >= FIRST_ERROR_STATUS or scope["method"] not in CACHED
        ):
            # With a validator a copy may be kept by its owner, and is asked about each time.
            headers.append((b"cache-control", b"private, no-cache" if b"etag" in present else b"no-store"))
        headers.append((b"x-request-id", request_id.encode()))
        return headers


def _lacking(headers: Iterable[tuple[bytes, bytes]], present: set[bytes]) -> list[tuple[bytes, bytes]]:
    return [header for header in headers if header[0] not in present]


def actor_of(scope: Scope) -> str:
    """Who made this request, as the audit log names them; "anonymous" before a credential has been verified."""
    return str(getattr(scope.get("user"), "actor", "anonymous"))


def add_answer_header(scope: Scope, name: bytes, value: bytes) -> None:
    """This request's answer will have the header, unless whoever answers sets it; `name` in lower case."""
    scope["state"].setdefault("answer_headers", {})[name] = value


def client_address(request_or_scope: ASGIConnection[Any, Any, Any, Any] | Scope) -> str:
    """The address that the request came from, at most 45 characters; "unknown" where the server does not say.

    Behind a trusted proxy (`SPECTRAL_TRUSTED_PROXIES`) the address that the proxy saw.
    """
    scope = request_or_scope.scope if isinstance(request_or_scope, ASGIConnection) else request_or_scope
    known = scope.get("state", {}).get("client_address")
    return known if isinstance(known, str) else forwarded_address(scope, ())


def forwarded_address(scope: Scope, trusted: Sequence[Network]) -> str:
    """The last hop that no trusted proxy vouches for: the peer, or an entry of `X-Forwarded-For` from right to left.

    What stands left of it was written by the caller and is not read.
    """
    client = scope.get("client")
    peer = _address(client[0]) if client else None
    if peer is None:
        return UNKNOWN_ADDRESS
    if not trusted:
        return str(peer)
    given = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
    for hop in reversed(",".join(given).split(",")):
        if not any(peer in network for network in trusted):
            break
        further = _address(hop.strip())
        if further is None:
            break
        peer = further
    return str(peer)


def _address(text: str) -> Address | None:
    """An address with or without a port; IPv4 written as IPv6 is IPv4."""
    return _parsed_address(text) if len(text) <= MAXIMUM_ADDRESS_CHARACTERS else None


# The same few peers and proxies over and over.
@lru_cache(maxsize=1024)
def _parsed_address(text: str) -> Address | None:
    host = text[1:].partition("]")[0] if text.startswith("[") else text
    if host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _given_id(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            given = value.decode("latin-1")
            return given if ACCEPTABLE_ID.fullmatch(given) else None
    return None
