"""Who asks too much is told when to come back; nobody else notices."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from ipaddress import ip_network
from typing import Any

import httpx
import pytest
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from litestar import Litestar

from spectral.platform.limits.counter import RateCounter
from spectral.platform.limits.middleware import address_bucket
from spectral.settings import Settings
from tests.fixtures.servers import BASE_URL, in_process
from tests.fixtures.tenants import Tenant, register_tenant
from tests.platform.test_request_context import scope

Limited = Callable[..., Any]
LOGIN = "/api/v1/auth/login"
SPANS = "/otel/v1/traces"


@pytest.fixture
def limited(settings: Settings, create_app: Callable[[Settings], Litestar]) -> Limited:
    """Starts one more process on the same installation, with limits of its own."""

    @asynccontextmanager
    async def start(**limits: Any) -> AsyncIterator[httpx.AsyncClient]:
        async with in_process(create_app(settings.model_copy(update=limits))) as client:
            yield client

    return start


def from_address(client: httpx.AsyncClient, address: str) -> httpx.AsyncClient:
    """The same server, asked from another address."""
    app = client._transport.app  # type: ignore[attr-defined]
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app, client=(address, 1)), base_url=BASE_URL)


async def statuses(client: httpx.AsyncClient, headers: dict[str, str], times: int, path: str) -> list[int]:
    return [(await client.get(path, headers=headers)).status_code for _ in range(times)]


async def test_an_answer_says_what_is_left_and_a_refusal_when_to_come_back(limited: Limited, tenant: Tenant) -> None:
    async with limited(rate_limit_per_credential=3, rate_limit_per_workspace=100) as client:
        answers = [await client.get(tenant.url, headers=tenant.client_headers) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert answers[0].headers["ratelimit-policy"] == '"credential";q=3;w=60, "workspace";q=100;w=60'
        assert [answer.headers["ratelimit"].split(";")[:2] for answer in answers] == [
            ['"credential"', f"r={left}"] for left in (2, 1, 0, 0)
        ]
        refusal = answers[3]
        assert refusal.headers["content-type"] == "application/problem+json"
        assert 1 <= int(refusal.headers["retry-after"]) <= 60
        assert refusal.headers["ratelimit"].endswith(f"t={refusal.headers['retry-after']}")
        assert refusal.json()["type"].endswith("/rate-limited")
        # Another credential of the same person's workspace has its own.
        assert (await client.get(f"{tenant.url}/agents", headers=tenant.key_headers)).status_code == 200


async def test_a_workspace_s_credentials_share_its_limit(
    limited: Limited, tenant: Tenant, other_tenant: Tenant
) -> None:
    async with limited(rate_limit_per_workspace=3) as client:
        agents = f"{tenant.url}/agents"
        assert await statuses(client, tenant.client_headers, 2, agents) == [200, 200]
        assert await statuses(client, tenant.key_headers, 2, agents) == [200, 429]
        assert await statuses(client, other_tenant.client_headers, 1, other_tenant.url) == [200]


async def test_two_processes_share_a_limit_and_overshoot_by_at_most_a_block_each(
    limited: Limited, tenant: Tenant
) -> None:
    limit, block = 40, 4
    async with AsyncExitStack() as stack:
        processes = [await stack.enter_async_context(limited(rate_limit_per_credential=limit)) for _ in range(2)]
        answers: list[int] = []
        for _ in range(limit):
            for process in processes:
                answers += await statuses(process, tenant.client_headers, 1, tenant.url)
    assert limit - 2 * block <= answers.count(200) <= limit + 2 * block
    assert answers[-2:] == [429, 429]


async def test_who_shows_no_credential_is_counted_by_address(limited: Limited, tenant: Tenant) -> None:
    async with limited(rate_limit_per_address=3) as client:
        wrong = {"email": tenant.email, "password": "not the password"}
        signing_in = [await client.post(LOGIN, json=wrong) for _ in range(4)]
        assert [answer.status_code for answer in signing_in] == [401, 401, 401, 429]
        assert signing_in[3].headers["ratelimit-policy"] == '"address";q=3;w=60'
        assert await statuses(client, {}, 5, "/api/v1/health") == [200] * 5
        # Nobody, and a refused credential, count too; a good one behind the same address does not.
        assert await statuses(client, {}, 1, tenant.url) == [429]
        assert await statuses(client, {"Authorization": "Bearer a.b.c"}, 1, tenant.url) == [429]
        assert await statuses(client, tenant.client_headers, 5, tenant.url) == [200] * 5
        async with from_address(client, "192.0.2.9") as elsewhere:
            assert (await elsewhere.post(LOGIN, json=wrong)).status_code == 401


async def test_behind_a_trusted_proxy_the_forwarded_address_counts(limited: Limited) -> None:
    proxies = (ip_network("192.0.2.0/24"),)
    async with limited(rate_limit_per_address=1, trusted_proxies=proxies) as client:
        async with from_address(client, "192.0.2.1") as proxy:
            for visitor in ("198.51.100.1", "198.51.100.2"):
                forwarded = {"X-Forwarded-For": f"203.0.113.5, {visitor}"}
                assert await statuses(proxy, forwarded, 2, "/openapi.json") == [200, 429]
        async with from_address(client, "203.0.113.9") as stranger:
            assert await statuses(stranger, {"X-Forwarded-For": "198.51.100.3"}, 1, "/openapi.json") == [200]
            assert await statuses(stranger, {"X-Forwarded-For": "198.51.100.4"}, 1, "/openapi.json") == [429]


@pytest.mark.parametrize(
    ("address", "bucket"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
    ],
)
def test_an_ipv6_network_is_one_caller(address: str, bucket: str) -> None:
    assert address_bucket(scope(address)) == bucket
    assert address_bucket(scope(None)) == "unknown"


async def test_an_exporter_is_refused_in_its_own_protocol(limited: Limited, tenant: Tenant) -> None:
    async with limited(rate_limit_per_credential=1) as client:
        protobuf = tenant.key_headers | {"Content-Type": "application/x-protobuf"}
        assert (await client.post(SPANS, content=b"", headers=protobuf)).status_code == 200
        refused = await client.post(SPANS, content=b"", headers=protobuf)
        assert (refused.status_code, refused.headers["content-type"]) == (429, "application/x-protobuf")
        assert int(refused.headers["retry-after"]) >= 1
        status = Status.FromString(refused.content)
        assert status.code == 8  # RESOURCE_EXHAUSTED
        assert [detail.type_url.rpartition(".")[2] for detail in status.details] == ["RetryInfo"]
        as_json = await client.post(SPANS, json={}, headers=tenant.key_headers)
        assert (as_json.status_code, as_json.json()["code"]) == (429, 8)


async def test_limits_that_cannot_be_read_fail_no_request(
    limited: Limited, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(RateCounter, "add", away)
    async with limited(rate_limit_per_credential=2, rate_limit_per_workspace=2) as client:
        assert await statuses(client, tenant.client_headers, 8, tenant.url) == [200] * 8


async def test_no_limit_no_headers(limited: Limited) -> None:
    async with limited() as client:
        tenant = await register_tenant(client, "free")
        answers = await asyncio.gather(*(client.get(tenant.url, headers=tenant.client_headers) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert not any("ratelimit" in answer.headers for answer in answers)
