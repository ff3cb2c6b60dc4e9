"""What a workspace decides about its traces, over HTTP: who may, what it does, and who is told."""

from typing import Any
from uuid import uuid4

import httpx
import pytest
import sqlalchemy as sa
from litestar import Litestar

from spectral.domains.traces.ingestion import policy as ingestion_policy
from spectral.domains.traces.ingestion.policy import PolicyBook
from spectral.domains.traces.lifecycle.settings import TraceSettingsService
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.audit import AuditEntry
from spectral.platform.db.session import Database
from spectral.platform.shared.errors import UnavailableError
from tests.domains.traces.otlp_samples import PROTOBUF, TRACE_ID, make_request, make_span
from tests.fixtures.tenants import Tenant

MASKING = {"detectors": ["email"], "rules": [{"name": "customer", "pattern": "C-[0-9]{6}"}]}


async def choose(client: httpx.AsyncClient, tenant: Tenant, **settings: Any) -> httpx.Response:
    return await client.put(f"{tenant.url}/traces/settings", json=settings, headers=tenant.client_headers)


async def test_settings_are_chosen_read_and_audited(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant, database: Database
) -> None:
    url = f"{tenant.url}/traces/settings"
    before = (await client.get(url, headers=tenant.client_headers)).json()
    assert before == {
        "retention_days": None,
        "effective_retention_days": None,
        "masking": {"detectors": [], "rules": [], "drop_attributes": [], "content": "keep"},
        "version": 0,
        "updated_at": None,
        "updated_by": None,
    }
    chosen = await choose(client, tenant, retention_days=30, masking=MASKING, version=0)
    assert chosen.status_code == 200, chosen.text
    after = (await client.get(url, headers=tenant.client_headers)).json()
    assert after == chosen.json()
    assert (after["version"], after["retention_days"], after["effective_retention_days"]) == (1, 30, 30)
    assert after["masking"]["rules"] == [{"name": "customer", "pattern": "C-[0-9]{6}", "replacement": None}]
    assert after["updated_by"] == f"user:{tenant.user_id}"
    # Two who both read version 0: the second one is told.
    assert (await choose(client, tenant, retention_days=1, version=0)).status_code == 409
    assert (await client.get(url, headers=other_tenant.client_headers)).status_code == 404
    assert (await client.put(url, json={}, headers=other_tenant.client_headers)).status_code == 404
    assert (await client.put(url, json={}, headers=tenant.key_headers)).status_code == 403
    assert (await client.put(url, json={})).status_code == 401
    async with database.transaction(tenant.access, read_only=True) as session:
        entry = (await session.scalars(sa.select(AuditEntry).where(AuditEntry.action == "trace_settings.chosen"))).one()
    assert entry.detail["before"]["retention_days"] is None
    assert entry.detail["after"]["masking"]["detectors"] == ["email"]


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"retention_days": 0}, "retention_days"),
        ({"retention_days": 3651}, "retention_days"),
        ({"masking": {"detectors": ["shoe_size"]}}, "detectors"),
        ({"masking": {"rules": [{"name": "a", "pattern": "(?=x)y"}]}}, "pattern"),
        ({"masking": {"rules": [{"name": "a", "pattern": "x"}, {"name": "a", "pattern": "y"}]}}, "masking"),
        ({"masking": {"drop_attributes": ["a*b"]}}, "drop_attributes"),
        ({"masking": {"content": "some"}}, "content"),
        ({"keep": True}, "keep"),
    ],
    ids=["zero", "long", "detector", "pattern", "twice", "star", "content", "unknown"],
)
async def test_what_cannot_hold_is_refused_and_named(
    client: httpx.AsyncClient, tenant: Tenant, body: dict[str, Any], named: str
) -> None:
    refused = await choose(client, tenant, **body)
    assert refused.status_code == 422
    assert named in str(refused.json()["errors"])
    assert (await client.get(f"{tenant.url}/traces/settings", headers=tenant.client_headers)).json()["version"] == 0


async def test_what_is_masked_is_never_stored_or_shown(client: httpx.AsyncClient, tenant: Tenant) -> None:
    async def send() -> dict[str, Any]:
        span = make_span(name="mail a@b.example", attributes={"input.value": "C-123456 a@b.example", "user.id": "u"})
        body = make_request(span).SerializeToString()
        answer = await client.post("/otel/v1/traces", content=body, headers=PROTOBUF | tenant.key_headers)
        assert answer.status_code == 200, answer.content
        url = f"{tenant.url}/traces/{TRACE_ID.hex()}"
        trace: dict[str, Any] = (await client.get(url, headers=tenant.client_headers)).json()
        body_url = f"{url}/spans/{span.span_id.hex()}?include=body"
        return trace | {"body": (await client.get(body_url, headers=tenant.client_headers)).json()}

    assert (await choose(client, tenant, masking=MASKING)).status_code == 200
    # In effect at once in the process that changed it.
    shown = await send()
    assert (shown["name"], shown["input_preview"]) == ("mail [email]", "[customer] [email]")
    assert "a@b" not in str(shown)
    assert "C-123456" not in str(shown)


async def test_a_preview_shows_what_would_be_stored(client: httpx.AsyncClient, tenant: Tenant) -> None:
    url = f"{tenant.url}/traces/settings/preview"
    body: dict[str, Any] = {"text": "a@b.example", "attributes": {"to": ["a@b.example", 1], "drop": "x"}}
    untouched = await client.post(url, json=body, headers=tenant.client_headers)
    assert untouched.json() == body
    rules = {"detectors": ["email"], "drop_attributes": ["drop"]}
    tried = await client.post(url, json=body | {"masking": rules}, headers=tenant.client_headers)
    assert tried.json() == {"text": "[email]", "attributes": {"to": ["[email]", 1]}}
    await choose(client, tenant, masking=rules)
    assert (await client.post(url, json=body, headers=tenant.client_headers)).json() == tried.json()
    assert (await client.post(url, json={}, headers=tenant.client_headers)).status_code == 422


async def test_policies_are_remembered_for_a_second_and_forgotten_on_a_change(
    app: Litestar, tenant: Tenant, other_tenant: Tenant, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    book: PolicyBook = app.state.policy_book
    other_process = PolicyBook(book.database, retention_days=10)
    assert (await book.policy(tenant.access)).retention_days is None
    assert (await other_process.policy(tenant.access)).retention_days == 10
    async with database.transaction(tenant.access) as session:
        service = TraceSettingsService(session, tenant.access, book)
        await service.set_watching(watches=True)
        await service.choose_settings(3, (await service.read_settings()).masking, None)
    policy = await book.policy(tenant.access)
    assert (policy.retention_days, policy.watches, policy.masker) == (3, True, None)
    assert (await other_process.policy(tenant.access)).retention_days == 10
    monkeypatch.setattr(ingestion_policy, "LIFETIME_S", 0.0)
    assert (await other_process.policy(tenant.access)).retention_days == 3
    assert not (await book.policy(other_tenant.access)).watches


async def test_a_policy_that_cannot_be_read_is_a_503() -> None:
    database = Database("postgresql+asyncpg://nobody@127.0.0.1:1/none")
    book = PolicyBook(database)
    with pytest.raises(UnavailableError):
        await book.policy(WorkspaceAccess.for_system(uuid4(), uuid4(), "tests"))
    await database.close()
