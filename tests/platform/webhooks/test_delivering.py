"""Deliveries to a real receiver: signed, tried again, refused, given up, repeated after a crash."""

import asyncio
import base64
import hashlib
import hmac
import json
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from ipaddress import ip_network
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from litestar import Litestar

from spectral.platform.db.session import Database
from spectral.platform.mail.delivery import letters_in
from spectral.settings import Settings
from tests.docs.test_snippets import blocks
from tests.fixtures.project import ROOT
from tests.fixtures.receivers import Received, Receiver, Reply, receiving
from tests.fixtures.servers import ServerProcess, free_port, in_process
from tests.fixtures.tenants import Tenant, register_tenant

LIMIT_S = 60


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """As everywhere, and the receiver may be called, but not the rest of loopback; two retries."""
    allowed = {"outbound_allowed_networks": (ip_network("127.0.0.1"),), "webhook_retry_intervals_s": (0.1, 0.1)}
    return settings.model_copy(update=allowed)


@pytest.fixture
async def delivering(
    settings: Settings, create_app: Callable[[Settings], Litestar]
) -> AsyncIterator[httpx.AsyncClient]:
    async with in_process(create_app(settings.model_copy(update={"engine_executes": True}))) as client:
        yield client


async def create(client: httpx.AsyncClient, tenant: Tenant, **target: Any) -> dict[str, Any]:
    body = {"name": target.get("url", target.get("email")), "kind": "http", "events": ["*"], **target}
    answer = await client.post(f"{tenant.url}/webhooks", json=body, headers=tenant.client_headers)
    assert answer.status_code == 201, answer.text
    created: dict[str, Any] = answer.json()
    return created


async def ping(client: httpx.AsyncClient, tenant: Tenant, webhook: dict[str, Any]) -> None:
    answer = await client.post(f"{tenant.url}/webhooks/{webhook['id']}/test", headers=tenant.client_headers)
    assert answer.status_code == 202, answer.text


async def ended(client: httpx.AsyncClient, tenant: Tenant, webhook: dict[str, Any], count: int) -> list[dict[str, Any]]:
    """The target's deliveries, newest first, once there are so many and all have ended."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            answer = await client.get(
                f"{tenant.url}/webhooks/{webhook['id']}/deliveries", headers=tenant.client_headers
            )
            found: list[dict[str, Any]] = answer.json()["results"]
            if len(found) >= count and all(one["finished_at"] for one in found):
                return found
            await asyncio.sleep(0.2)


async def read(client: httpx.AsyncClient, tenant: Tenant, webhook: dict[str, Any]) -> dict[str, Any]:
    answer = await client.get(f"{tenant.url}/webhooks/{webhook['id']}", headers=tenant.client_headers)
    document: dict[str, Any] = answer.json()
    return document


def require_signature(request: Received, secret: str) -> None:
    """By the words of Standard Webhooks, with nothing of ours."""
    headers = request.headers
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + request.body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert f"v1,{expected}" in headers["webhook-signature"].split(" ")


async def test_an_event_arrives_signed_is_tried_again_and_can_be_sent_again(
    delivering: httpx.AsyncClient, receiver: Receiver, settings: Settings
) -> None:
    tenant = await register_tenant(delivering, "ours")
    replies = [Reply(500, b"broken: " + b"x" * 2000), Reply(503, b"later"), Reply(204)]
    receiver.answer = lambda _: replies.pop(0) if replies else Reply(body=b"thanks sk_live_1234567890")
    webhook = await create(delivering, tenant, url=f"{receiver.url}/hook?a=1", events=["key.created", "agent.promoted"])
    other = await create(delivering, tenant, url=f"{receiver.url}/other", events=["scan.finished"])
    made = await delivering.post(f"{tenant.url}/keys", json={"name": "fresh"}, headers=tenant.client_headers)
    (delivery,) = await ended(delivering, tenant, webhook, 1)
    assert (delivery["state"], delivery["event_type"]) == ("delivered", "key.created")
    assert [attempt["number"] for attempt in delivery["attempts"]] == [1, 2, 3]
    assert [attempt["status_code"] for attempt in delivery["attempts"]] == [500, 503, 204]
    assert len(delivery["attempts"][0]["response_snippet"]) == 1024
    # What it is told: the same bytes and the same id at every attempt.
    requests = receiver.wait_for(3)
    assert {request.path for request in requests} == {"/hook?a=1"}
    assert len({(request.body, request.headers["webhook-id"]) for request in requests}) == 1
    document = json.loads(requests[0].body)
    assert set(document) == {"type", "timestamp", "data"}
    assert document["type"] == "key.created"
    assert document["data"]["subject"] == f"api_key:{made.json()['key_id']}"
    for request in requests:
        require_signature(request, webhook["secret"])
    guide: dict[str, Any] = {}
    exec(blocks(ROOT / "docs" / "webhooks.md", "python")[0], guide)  # noqa: S102
    guide["verify"](webhook["secret"], requests[0].headers, requests[0].body)
    with pytest.raises(ValueError, match="not signed"):
        guide["verify"](webhook["secret"], requests[0].headers, requests[0].body + b" ")
    # After a rotation both secrets sign.
    rotated = await delivering.post(
        f"{tenant.url}/webhooks/{webhook['id']}/rotate-secret", headers=tenant.client_headers
    )
    again = await delivering.post(
        f"{tenant.url}/webhooks/{webhook['id']}/deliveries/{delivery['id']}/redeliver", headers=tenant.client_headers
    )
    assert again.status_code == 202
    newest, _ = await ended(delivering, tenant, webhook, 2)
    assert newest["id"] == again.json()["id"]
    assert newest["attempts"][0]["response_snippet"] == "thanks [masked]"
    last = receiver.wait_for(4)[-1]
    assert (last.body, last.headers["webhook-id"]) == (requests[0].body, requests[0].headers["webhook-id"])
    for secret in (webhook["secret"], rotated.json()["secret"]):
        require_signature(last, secret)
    assert await ended(delivering, tenant, other, 0) == []
    # The event is listed, and no secret is anywhere but in the two answers.
    events = await delivering.get(f"{tenant.url}/events", params={"type": "key.created"}, headers=tenant.client_headers)
    assert events.json()["results"][0]["id"] == requests[0].headers["webhook-id"]
    log = await delivering.get("/api/v1/account/audit-log?action=webhook.", headers=tenant.client_headers)
    assert [entry["action"] for entry in log.json()["results"]][:1] == ["webhook.secret_rotated"]
    listed = await delivering.get(f"{tenant.url}/webhooks", headers=tenant.client_headers)
    for secret in (webhook["secret"], rotated.json()["secret"]):
        assert not any(secret in text for text in (log.text, events.text, listed.text))


async def test_what_cannot_be_delivered_is_refused_given_up_or_switched_off(
    delivering: httpx.AsyncClient, receiver: Receiver
) -> None:
    tenant = await register_tenant(delivering, "ours")
    with receiving("127.0.0.2") as private:
        replies = {
            "/redirects": Reply(307, headers={"location": f"{private.url}/inner"}),
            "/gone": Reply(410),
            "/broken": Reply(500),
        }
        receiver.answer = lambda request: replies[request.path]
        redirects, gone, broken = [
            await create(delivering, tenant, url=receiver.url + path, events=["changeset.accepted"]) for path in replies
        ]
        nobody = await create(delivering, tenant, url=f"http://127.0.0.1:{free_port()}/", events=["agent.promoted"])
        for webhook in (redirects, gone, broken, nobody):
            await ping(delivering, tenant, webhook)
        (refused,) = await ended(delivering, tenant, redirects, 1)
        assert refused["state"] == "refused"
        assert [attempt["error"] for attempt in refused["attempts"]] == ["OutboundRefusedError"]
        (given_up,) = await ended(delivering, tenant, broken, 1)
        assert (given_up["state"], len(given_up["attempts"]), given_up["next_attempt_at"]) == ("failed", 3, None)
        (away,) = await ended(delivering, tenant, nobody, 1)
        assert {attempt["error"] for attempt in away["attempts"]} == {"ConnectError"}
        (switched_off,) = await ended(delivering, tenant, gone, 1)
        assert (switched_off["state"], len(switched_off["attempts"])) == ("failed", 1)
        assert not private.received
    assert [(await read(delivering, tenant, one))["status"] for one in (redirects, broken, gone)] == [
        "failing",
        "failing",
        "disabled",
    ]
    assert "410" in (await read(delivering, tenant, gone))["disabled_reason"]
    refusal = await delivering.post(f"{tenant.url}/webhooks/{gone['id']}/test", headers=tenant.client_headers)
    assert refusal.status_code == 400
    log = await delivering.get("/api/v1/account/audit-log?action=webhook.disabled", headers=tenant.client_headers)
    assert [entry["subject"] for entry in log.json()["results"]] == [f"webhook:{gone['id']}"]
    # The next success ends the failing.
    replies["/broken"] = Reply(200)
    await ping(delivering, tenant, broken)
    await ended(delivering, tenant, broken, 2)
    assert (await read(delivering, tenant, broken))["status"] == "active"


async def test_slack_and_mail_are_told_in_their_ways(
    delivering: httpx.AsyncClient, receiver: Receiver, settings: Settings
) -> None:
    tenant = await register_tenant(delivering, "ours")
    slack = await create(delivering, tenant, kind="slack", url=f"{receiver.url}/services/T0/B0/secret")
    assert (slack["url"], slack["secret"]) == (f"{receiver.url}/…", None)
    mail = await create(delivering, tenant, kind="email", email="team@example.com")
    name = "a <!channel> & <https://evil.example|link>"
    await delivering.post(f"{tenant.url}/keys", json={"name": name}, headers=tenant.client_headers)
    (sent,) = await ended(delivering, tenant, slack, 1)
    assert sent["state"] == "delivered"
    (request,) = receiver.wait_for(1)
    text = json.loads(request.body)["text"]
    assert "key.created" in text
    assert "a &lt;!channel&gt; &amp; &lt;https://evil.example|link&gt;" in text
    assert "webhook-signature" not in request.headers
    (posted,) = await ended(delivering, tenant, mail, 1)
    assert posted["state"] == "delivered"
    async with asyncio.timeout(LIMIT_S):
        while True:
            letters = [one for one in letters_in(settings.outbox_dir) if one["To"] == "team@example.com"]
            if letters:
                break
            await asyncio.sleep(0.2)
    assert letters[0]["Subject"] == "[Spectral] key.created"
    assert name in letters[0].get_content()


@pytest.mark.slow
async def test_a_server_killed_before_it_recorded_an_attempt_delivers_again(
    client: httpx.AsyncClient, tenant: Tenant, settings: Settings, receiver: Receiver, database: Database
) -> None:
    webhook = await create(client, tenant, url=receiver.url)
    server = ServerProcess(settings)
    killed: list[int] = []

    def answer(_: Received) -> Reply:
        if not killed:
            assert server.process is not None
            killed.append(server.process.pid)
            os.killpg(server.process.pid, signal.SIGKILL)
        return Reply()

    receiver.answer = answer
    try:
        await asyncio.to_thread(server.start)
        await ping(client, tenant, webhook)
        await asyncio.to_thread(receiver.wait_for, 1, LIMIT_S)
        server.kill()
        async with database.transaction(tenant.access, read_only=True) as session:
            assert (await session.execute(sa.text("SELECT count(*) FROM webhook_attempt"))).scalar_one() == 0
        await asyncio.to_thread(server.start)
        first, second = await asyncio.to_thread(receiver.wait_for, 2, LIMIT_S)
        (delivery,) = await ended(client, tenant, webhook, 1)
    finally:
        server.stop()
    assert killed
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body
    assert (delivery["state"], len(delivery["attempts"])) == ("delivered", 1)
