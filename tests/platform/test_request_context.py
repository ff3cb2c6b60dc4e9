"""What surrounds every request."""

from collections.abc import Callable
from ipaddress import ip_network
from typing import Any, cast

import httpx
import pytest
from litestar import Litestar
from litestar.types import Scope

from spectral.platform.request_context import client_address, forwarded_address
from spectral.settings import Settings
from tests.fixtures.servers import in_process
from tests.fixtures.tenants import Tenant

PROXIES = tuple(map(ip_network, ("10.0.0.0/8", "2001:db8::/32")))


def scope(peer: str | None, *forwarded: str) -> Scope:
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    made: dict[str, Any] = {"type": "http", "client": (peer, 4711) if peer else None, "headers": headers}
    return cast("Scope", made)


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("192.0.2.1", (), "192.0.2.1"),
        ("192.0.2.1", ("198.51.100.7",), "192.0.2.1"),  # nobody vouches for the header
        ("10.0.0.1", ("198.51.100.7",), "198.51.100.7"),
        ("10.0.0.1", ("1.1.1.1, 198.51.100.7",), "198.51.100.7"),  # what stands left was written by the caller
        ("10.0.0.1", ("198.51.100.7, 10.0.0.2",), "198.51.100.7"),
        ("10.0.0.1", ("198.51.100.7", "10.0.0.2"), "198.51.100.7"),
        ("10.0.0.1", ("198.51.100.7:8080",), "198.51.100.7"),
        ("10.0.0.1", ("[2001:db9::7]:8080",), "2001:db9::7"),
        ("::ffff:10.0.0.1", ("198.51.100.7",), "198.51.100.7"),
        ("2001:db8::1", ("2001:db9::7",), "2001:db9::7"),
        ("10.0.0.1", ("198.51.100.7, nonsense",), "10.0.0.1"),
        ("10.0.0.1", ("198.51.100.7,",), "10.0.0.1"),
        ("10.0.0.1", (), "10.0.0.1"),
        ("10.0.0.1", ("10.0.0.3, 10.0.0.2",), "10.0.0.3"),
        ("not-an-address", ("198.51.100.7",), "unknown"),
        (None, ("198.51.100.7",), "unknown"),
    ],
)
def test_a_forwarded_address_counts_as_far_as_proxies_vouch_for_it(
    peer: str | None, forwarded: tuple[str, ...], address: str
) -> None:
    assert forwarded_address(scope(peer, *forwarded), PROXIES) == address


def test_without_trusted_proxies_the_peer_counts() -> None:
    assert client_address(scope("10.0.0.1", "198.51.100.7")) == "10.0.0.1"


# ------------------------------------------------------------------------------------------------------------- headers

STRICT = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
SECURED = ("/api/v1/health", "/api/v1/workspaces", "/nowhere", "/docs", "/openapi.json", "/otel/v1/traces/stats")


async def test_every_answer_has_the_security_headers_once(client: httpx.AsyncClient, tenant: Tenant) -> None:
    for path in (*SECURED, tenant.url):
        for headers in ({}, tenant.client_headers):
            answer = await client.get(path, headers=headers)
            for name, value in STRICT.items():
                given = answer.headers.get_list(name)
                page = path == "/docs" and name == "content-security-policy"
                assert given == [value] or (page and len(given) == 1 and given[0].startswith("default-src 'none';"))
            assert "camera=()" in answer.headers["permissions-policy"]
            assert "strict-transport-security" not in answer.headers


async def test_browsers_are_told_to_use_https_where_the_public_address_does(
    settings: Settings, create_app: Callable[[Settings], Litestar]
) -> None:
    encrypted = settings.model_copy(update={"public_url": "https://spectral.example"})
    async with in_process(create_app(encrypted)) as client:
        for path in SECURED:
            said = (await client.get(path)).headers["strict-transport-security"]
            assert said == "max-age=31536000; includeSubDomains"


async def test_what_a_caller_is_answered_is_kept_by_nobody(client: httpx.AsyncClient, tenant: Tenant) -> None:
    signed_in = await client.get(tenant.url, headers=tenant.client_headers)
    refused = await client.get(tenant.url)
    written = await client.post("/api/v1/auth/login", json={"email": tenant.email, "password": tenant.password})
    assert [answer.headers["cache-control"] for answer in (signed_in, refused, written)] == ["no-store"] * 3
    assert "cache-control" not in (await client.get("/openapi.json")).headers
    assert "max-age" in (await client.get("/docs/static/pages.css")).headers["cache-control"]


async def test_no_other_origin_is_let_in(client: httpx.AsyncClient, tenant: Tenant) -> None:
    asking = {"Origin": "https://elsewhere.test", "Access-Control-Request-Method": "POST"}
    for origin in ("https://elsewhere.test", "null", "http://spectral.test"):
        for method in ("GET", "POST", "OPTIONS", "DELETE"):
            for path in (*SECURED, tenant.url):
                answer = await client.request(method, path, headers=tenant.client_headers | asking | {"Origin": origin})
                assert not [name for name in answer.headers if name.startswith("access-control-")], path
