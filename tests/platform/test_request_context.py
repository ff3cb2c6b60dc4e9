"""What surrounds every request."""

import logging
from collections.abc import Callable, Iterator
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
    "content-security-policy": (
        "default-src 'none'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
SECURED = (
    "/",
    "/api/v1/health",
    "/api/v1/workspaces",
    "/api/nowhere",
    "/docs",
    "/openapi.json",
    "/otel/v1/traces/stats",
)
PAGES = ("/", "/docs")


async def test_every_answer_has_the_security_headers_once(client: httpx.AsyncClient, tenant: Tenant) -> None:
    for path in (*SECURED, tenant.url):
        for headers in ({}, tenant.client_headers):
            answer = await client.get(path, headers=headers)
            for name, value in STRICT.items():
                given = answer.headers.get_list(name)
                page = path in PAGES and name == "content-security-policy"
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


async def test_text_says_in_which_letters_it_is_written(client: httpx.AsyncClient, tenant: Tenant) -> None:
    made = await client.post(f"{tenant.url}/samples", json={"name": "any"}, headers=tenant.client_headers)
    export = f"{tenant.url}/samples/{made.json()['id']}/export?format=csv"
    for path in ("/docs", "/redoc", "/docs/static/pages.css", "/docs/static/swagger-ui-bundle.js", export):
        said = (await client.get(path, headers=tenant.client_headers)).headers["content-type"]
        assert said.startswith("text/"), path
        assert said.endswith("; charset=utf-8"), path
    for path in (*SECURED, tenant.url):
        assert (await client.get(path)).headers["content-type"] in {"application/json", "application/problem+json"} | {
            "text/html; charset=utf-8"
        }


async def test_only_the_methods_of_a_route_are_answered(client: httpx.AsyncClient, tenant: Tenant) -> None:
    for method in ("TRACE", "TRACK", "CONNECT", "DEBUG"):
        for path in ("/api/v1/health", "/docs", "/api/v1/auth/me"):
            answer = await client.request(method, path, headers=tenant.client_headers)
            assert answer.status_code == 405
            assert tenant.access_token not in answer.text


async def test_a_parameter_is_read_from_its_own_place_and_checked_however_often_it_comes(
    client: httpx.AsyncClient, tenant: Tenant
) -> None:
    mine = tenant.client_headers
    for query in ("limit=1&limit=101", "limit=101", "limit=nothing", "limit=1&limit="):
        assert (await client.get(f"/api/v1/workspaces?{query}", headers=mine)).status_code == 422, query
    made = await client.post(f"{tenant.url}/agents?name=query", json={"description": "x"}, headers=mine)
    assert made.status_code == 422
    by_cookie = {"Cookie": f"Authorization=Bearer {tenant.access_token}; limit=1; access_token={tenant.access_token}"}
    assert (await client.get("/api/v1/workspaces", headers=by_cookie)).status_code == 401
    whole = await client.get("/api/v1/workspaces", headers=mine | {"limit": "101", "Cookie": "limit=101"})
    assert whole.json()["pagination"]["limit"] == 20


# ------------------------------------------------------------------------------------------------------------ log line


class Kept(logging.Handler):
    """The requests that were logged: level and members."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[tuple[str, dict[str, Any]]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append((record.levelname, cast("dict[str, Any]", record.msg)))


@pytest.fixture
def kept() -> Iterator[Kept]:
    handler = Kept()
    logger = logging.getLogger("spectral.requests")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(logging.NOTSET)


async def test_the_log_says_who_asked_for_what_and_why_they_were_refused(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant, kept: Kept
) -> None:
    person, key = f"user:{tenant.user_id}", f"key:{tenant.key_id}"
    agents = f"{tenant.url}/agents"
    asked: list[tuple[str, str, dict[str, str], Any, tuple[str, int, str, str | None]]] = [
        ("GET", agents, tenant.client_headers, None, ("INFO", 200, person, None)),
        ("GET", agents, {}, None, ("WARNING", 401, "anonymous", "not-authenticated")),
        ("GET", agents, {"Authorization": "Bearer a.b.c"}, None, ("WARNING", 401, "anonymous", "not-authenticated")),
        ("POST", "/api/v1/auth/login", {}, {"email": tenant.email, "password": "wrong"},
         ("WARNING", 401, "anonymous", "wrong-credentials")),
        ("POST", agents, tenant.key_headers, {"name": "a"}, ("WARNING", 403, key, "forbidden")),
        ("GET", f"{other_tenant.url}/agents?q=secret", tenant.client_headers, None, ("INFO", 404, person, "not-found")),
        ("POST", agents, tenant.client_headers, {"nonsense": 1}, ("INFO", 422, person, "validation-error")),
        ("GET", "/api/nowhere", {}, None, ("INFO", 404, "anonymous", "not-found")),
    ]  # fmt: skip
    for method, path, headers, body, (level, status, actor, problem) in asked:
        kept.lines.clear()
        await client.request(method, path, headers=headers, json=body)
        ((said, line),) = kept.lines
        assert (said, line["status"], line["actor"], line.get("problem")) == (level, status, actor, problem), path
        assert (line["method"], line["path"]) == (method, path.partition("?")[0])
        assert (line["address"], len(line["request_id"]) >= 8) == ("127.0.0.1", True)
        assert "secret" not in str(line)


async def test_a_caller_over_a_limit_is_in_the_log(
    settings: Settings, create_app: Callable[[Settings], Litestar], kept: Kept
) -> None:
    async with in_process(create_app(settings.model_copy(update={"rate_limit_per_address": 1}))) as client:
        for _ in range(3):
            await client.get("/api/v1/auth/providers")
    level, line = kept.lines[-1]
    assert (level, line["status"], line["problem"]) == ("WARNING", 429, "rate-limited")
