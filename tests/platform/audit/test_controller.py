"""The audit log over HTTP: list, filter, export, head."""

import json
from typing import Any
from uuid import uuid4

import httpx
import jwt
import pytest

from spectral.platform.audit.sealing import BATCH, Sealer
from spectral.platform.db.session import Database
from tests.docs.test_snippets import blocks
from tests.fixtures.project import ROOT
from tests.fixtures.tenants import Tenant
from tests.platform.audit.test_sealing import write

URL = "/api/v1/account/audit-log"


async def read(client: httpx.AsyncClient, tenant: Tenant, **query: str | int) -> dict[str, Any]:
    answer = await client.get(URL, params=query, headers=tenant.client_headers)
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


async def test_the_log_is_paged_newest_first_and_shows_seals(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant, database: Database, identity: Database
) -> None:
    await write(database, tenant, 30)
    await Sealer(identity).seal()
    await write(database, tenant, 1)
    found: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = await read(client, tenant, limit=10, **cursor)
        found += page["results"]
        if page["pagination"]["next_cursor"] is None:
            break
        cursor = {"cursor": page["pagination"]["next_cursor"]}
    assert len(found) == page["pagination"]["total"] == len({entry["id"] for entry in found})
    assert [entry["created_at"] for entry in found] == sorted((entry["created_at"] for entry in found), reverse=True)
    assert found[0]["seq"] is None
    assert found[0]["hash"] is None
    assert [entry["seq"] for entry in found[1:]] == list(range(len(found) - 1, 0, -1))
    assert {entry["account_id"] for entry in found} == {str(tenant.account_id)}
    assert (await read(client, tenant, limit=5, offset=3))["results"][0]["id"] == found[3]["id"]


async def test_the_log_is_filtered(client: httpx.AsyncClient, tenant: Tenant, database: Database) -> None:
    await write(database, tenant, 5)

    async def total(**query: str) -> int:
        return int((await read(client, tenant, **query))["pagination"]["total"])

    everything = await total()
    assert await total(action="thing.changed") == 5
    assert await total(action="thing.") == 5
    assert await total(action="th%") == 0
    assert await total(subject="thing:3") == 1
    assert await total(actor=f"user:{tenant.user_id}") == everything
    assert await total(actor="user:nobody") == 0
    assert await total(workspace_id=str(tenant.workspace_id), action="thing.") == 5
    assert await total(workspace_id=str(uuid4())) == 0
    third = (await read(client, tenant, subject="thing:3"))["results"][0]["created_at"]
    assert await total(action="thing.", since=third) == 2
    assert await total(action="thing.", until=third) == 3


BAD_QUERIES = (
    ({"since": "yesterday"}, "since"),
    ({"until": "2026-01-01T00:00:00"}, "until"),
    ({"cursor": "nonsense"}, "cursor"),
    ({"cursor": "WyItY3JlYXRlZF9hdCIsOTIyMzM3MjAzNjg1NDc3NTgwNywiMDAiXQ"}, "cursor"),
    ({"cursor": "WyItY3JlYXRlZF9hdCIsMSwiMDAiXQ", "offset": "1"}, "offset"),
)


async def test_a_bad_query_is_named(client: httpx.AsyncClient, tenant: Tenant) -> None:
    for query, pointer in BAD_QUERIES:
        answer = await client.get(URL, params=query, headers=tenant.client_headers)
        assert answer.status_code == 422
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_a_key_reads_no_audit_log(client: httpx.AsyncClient, tenant: Tenant) -> None:
    for path in ("", "/export", "/head"):
        assert (await client.get(URL + path)).status_code == 401
        assert (await client.get(URL + path, headers=tenant.key_headers)).status_code == 403


async def test_the_export_verifies_offline_and_ends_at_the_signed_head(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant, database: Database, identity: Database
) -> None:
    assert (await client.get(f"{URL}/head", headers=tenant.client_headers)).status_code == 404
    await write(database, tenant, BATCH + 10)
    await write(database, other_tenant, 10)
    await Sealer(identity).seal()
    export = await client.get(f"{URL}/export", headers=tenant.client_headers)
    assert export.headers["content-type"].startswith("application/x-ndjson")
    lines = export.text.splitlines()
    assert len(lines) > BATCH + 10
    assert {json.loads(line)["account_id"] for line in lines} == {str(tenant.account_id)}
    # The function of the guide, as a reader would copy it.
    guide: dict[str, Any] = {}
    exec(blocks(ROOT / "docs" / "audit-log.md", "python")[0], guide)  # noqa: S102
    seq, prev = guide["verify"](lines)
    assert seq == len(lines)
    assert guide["verify"](lines[7:]) == (seq, prev)
    for wrong in ([*lines[:5], *lines[6:]], [lines[0].replace("user:", "user;"), *lines[1:]], lines[::-1]):
        with pytest.raises(ValueError, match="entry"):
            guide["verify"](wrong)
    head = (await client.get(f"{URL}/head", headers=tenant.client_headers)).json()
    assert (head["seq"], head["hash"]) == (len(lines), prev)
    keys = jwt.PyJWKSet.from_dict((await client.get("/.well-known/jwks.json")).json())
    key = keys[jwt.get_unverified_header(head["signature"])["kid"]]
    claims = jwt.decode(head["signature"], key, algorithms=["EdDSA"], audience="spectral-audit")
    assert claims["typ"] == "audit-head"
    assert (claims["sub"], claims["seq"], claims["hash"]) == (str(tenant.account_id), head["seq"], prev)
    # A head is no access token.
    refused = await client.get("/api/v1/auth/me", headers={"Authorization": f"Bearer {head['signature']}"})
    assert refused.status_code == 401


async def test_a_part_of_the_export_has_no_gap(
    client: httpx.AsyncClient, tenant: Tenant, database: Database, identity: Database
) -> None:
    for _ in range(3):
        await write(database, tenant, 2)
        await Sealer(identity).seal()
    listed = await read(client, tenant, action="thing.")
    middle = listed["results"][3]["sealed_at"]
    later = await client.get(f"{URL}/export", params={"since": middle}, headers=tenant.client_headers)
    earlier = await client.get(f"{URL}/export", params={"until": middle}, headers=tenant.client_headers)
    numbers = [[json.loads(line)["seq"] for line in part.text.splitlines()] for part in (earlier, later)]
    assert numbers[0] + numbers[1] == list(range(1, len(numbers[0] + numbers[1]) + 1))
    assert len(numbers[1]) == 4
