"""What cannot be read is refused with a reason, whatever was sent."""

import json
from typing import Any

import httpx

from tests.fixtures.tenants import Tenant

JSON = "application/json"
DEEP = b'{"name": ' + b"[" * 200_000 + b"]" * 200_000 + b"}"


UNREADABLE: list[tuple[bytes, str, int]] = [
    (b"", JSON, 422),
    (b"{", JSON, 400),
    (b'{"name": "a",}', JSON, 400),
    (b'{"name": NaN}', JSON, 400),
    (b'{"name": "\xe9"}', JSON, 400),
    ('{"name": "a"}'.encode("utf-16"), JSON, 400),
    ('{"name": "é"}'.encode("latin-1"), f"{JSON}; charset=iso-8859-1", 400),
    (b'\xef\xbb\xbf{"name": "a"}', JSON, 400),
    (b'{"name": "\\ud800"}', JSON, 400),
    (b'{"name": "a\\u0000b"}', JSON, 400),
    (DEEP, JSON, 400),
    (b'{"name": "a", "description": ' + b"9" * 5000 + b"}", JSON, 400),
    (b'{"name": 1e999}', JSON, 400),
    (b'[{"name": "a"}]', JSON, 422),
    (b"null", JSON, 422),
    (b'"name"', JSON, 422),
    (b'{"name": "a"}', "text/plain", 415),
    (b'{"name": "a"}', "application/x-www-form-urlencoded", 415),
    (b'{"name": "a"}', "multipart/form-data; boundary=x", 415),
    (b'{"name": "a"}', "", 415),
    (b'{"name": "a"}', "application/json/../xml", 415),
]


async def test_a_body_that_is_no_document_of_ours_is_refused(client: httpx.AsyncClient, tenant: Tenant) -> None:
    for body, media_type, status in UNREADABLE:
        headers = tenant.client_headers | {"Content-Type": media_type}
        answer = await client.post(f"{tenant.url}/agents", content=body, headers=headers)
        assert answer.status_code == status, f"{body[:80]!r} as {media_type}: {answer.text}"
        assert answer.headers["content-type"] == "application/problem+json"
    listed = await client.get(f"{tenant.url}/agents", headers=tenant.client_headers)
    assert listed.json()["pagination"]["total"] == 0


FREE: list[Any] = [2**63, -(2**63) - 1, 10**400, 1e308, -0.0, "\u202e\ufeff", {"": {"": ""}}, [[]] * 50, "x" * 100_000]


async def test_whatever_a_free_document_holds_comes_back_or_is_refused(
    client: httpx.AsyncClient, tenant: Tenant
) -> None:
    made = await client.post(f"{tenant.url}/samples", json={"name": "free"}, headers=tenant.client_headers)
    items = f"{tenant.url}/samples/{made.json()['id']}/items"
    headers = tenant.client_headers | {"Content-Type": JSON}
    for value in FREE:
        content = json.dumps({"input": {"text": value}, "expected": value})
        answer = await client.post(items, content=content, headers=headers)
        assert answer.status_code in {201, 400, 422}, f"{value!r:.80}: {answer.text}"
        listed = await client.get(items, headers=tenant.client_headers)
        assert listed.status_code == 200
        if answer.status_code == 201:
            assert listed.json()["results"][0]["input"] == {"text": value}


async def test_of_a_repeated_member_the_last_counts_everywhere(client: httpx.AsyncClient, tenant: Tenant) -> None:
    body = b'{"name": "first", "name": "last"}'
    headers = tenant.client_headers | {"Content-Type": JSON}
    answer = await client.post(f"{tenant.url}/agents", content=body, headers=headers)
    assert answer.json()["name"] == "last"


async def test_a_nul_in_a_url_is_refused(client: httpx.AsyncClient, tenant: Tenant) -> None:
    for path in (f"{tenant.url}/agents?agent=%00", f"{tenant.url}/agents/%00", f"{tenant.url}%00/agents"):
        answer = await client.get(path, headers=tenant.client_headers)
        assert answer.status_code in {400, 404}, path
