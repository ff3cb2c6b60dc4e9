"""A scan that a real server executes, followed as it happens."""

import asyncio
import json
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa
from litestar.datastructures import Headers

from spectral.domains.accounts.models import AccountMember
from spectral.domains.accounts.service import AccountService
from spectral.domains.scans import streams
from spectral.domains.workspaces.models import SupportGrant, WorkspaceMember
from spectral.platform.access.authentication import Authenticator
from spectral.platform.access.scopes import AccountRole, Scope, WorkspaceRole
from spectral.platform.access.streams import REVIEW_S, StreamRights
from spectral.platform.db.session import Database
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.ids import new_id
from tests.domains.scans.lab import Lab
from tests.fixtures.servers import ServerProcess
from tests.fixtures.tenants import Tenant, register_tenant


@pytest.mark.slow
async def test_events_arrive_while_the_scan_runs_and_end_with_it(server: ServerProcess, database: Database) -> None:
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        lab = Lab(client, database, await register_tenant(client, "watcher"))
        await lab.prepare()
        scan_id = await lab.start()
        url = f"{lab.tenant.url}/scans/{scan_id}/events"
        arrived: list[tuple[float, dict[str, Any]]] = []
        headers = {**lab.tenant.client_headers, "Accept": "text/event-stream"}
        async with client.stream("GET", url, headers=headers) as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            assert stream.headers["cache-control"] == "no-store"
            async for line in stream.aiter_lines():
                if line.startswith("data: "):
                    event = json.loads(line.removeprefix("data: "))
                    arrived.append((time.monotonic(), event))
        events = [event for _, event in arrived]
        assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
        assert events[-1]["type"] == "scan.completed"
        assert arrived[-1][0] - arrived[0][0] > 0.2, "they came one after the other, not all at the end"
        listed = (await client.get(url, headers=lab.tenant.client_headers, params={"limit": 100})).json()
        assert listed["results"] == events
        scan = (await client.get(f"{lab.tenant.url}/scans/{scan_id}", headers=lab.tenant.client_headers)).json()
        assert (scan["status"], scan["outcome"]) == ("completed", "validated")


@pytest.mark.slow
async def test_a_running_scan_is_cancelled_and_its_streams_end(server: ServerProcess, database: Database) -> None:
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        lab = Lab(client, database, await register_tenant(client, "impatient"))
        await lab.prepare(600)
        scan_id = await lab.start(budget={"max_evaluations": 100_000})
        url = f"{lab.tenant.url}/scans/{scan_id}"
        headers = {**lab.tenant.client_headers, "Accept": "text/event-stream"}
        kinds: list[str] = []
        asked_at = 0.0
        async with client.stream("GET", f"{url}/events", headers=headers) as stream:
            async for line in stream.aiter_lines():
                if line.startswith("event: "):
                    kinds.append(line.removeprefix("event: "))
                if line == "event: scan.phase_started" and kinds.count("scan.phase_started") == 4:
                    cancelled = await client.post(f"{url}/cancel", headers=lab.tenant.client_headers)
                    assert cancelled.json()["status"] == "cancelled"
                    asked_at = time.monotonic()
        assert (kinds[-1], kinds.count("scan.cancelled")) == ("scan.cancelled", 1), kinds
        assert time.monotonic() - asked_at < 10
        scan = (await client.get(url, headers=lab.tenant.client_headers)).json()
        assert (scan["status"], scan["phase"]) == ("cancelled", "generate")


@pytest.mark.slow
async def test_a_signed_out_reader_loses_the_stream(server: ServerProcess, database: Database) -> None:
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        lab = Lab(client, database, await register_tenant(client, "gone"))
        await lab.prepare(600)
        scan_id = await lab.start(budget={"max_evaluations": 100_000})
        headers = {**lab.tenant.client_headers, "Accept": "text/event-stream"}
        kinds: list[str] = []
        async with client.stream("GET", f"{lab.tenant.url}/scans/{scan_id}/events", headers=headers) as stream:
            async for line in stream.aiter_lines():
                if line.startswith("event: "):
                    kinds.append(line.removeprefix("event: "))
                    if len(kinds) == 1:
                        answer = await client.post("/api/v1/auth/logout", headers=lab.tenant.client_headers)
                        assert answer.is_success, answer.text
        assert "scan.completed" not in kinds


async def test_a_quiet_stream_keeps_the_connection_alive_and_ends_with_the_right_to_read(
    client: httpx.AsyncClient, database: Database, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "KEEPALIVE_S", 0.05)
    monkeypatch.setattr(streams, "POLL_S", 0.01)
    lab = Lab(client, database, tenant)
    await lab.prepare()
    scan_id = UUID(await lab.start())
    asked: list[float] = []

    class Ending(StreamRights):
        """Rights that end while the stream is quiet."""

        async def hold(self) -> bool:
            asked.append(time.monotonic())
            return len(asked) < 20

    stream = streams.stream_events(database, tenant.access, scan_id, after=0, rights=Ending(*NOBODY))
    chunks = [chunk async for chunk in stream]
    assert chunks[0] == b"retry: 1000\n\n"
    assert chunks[1].startswith(b"id: 1\nevent: scan.created\ndata: {")
    assert set(chunks[2:]) == {b": keepalive\n\n"}
    assert len(asked) == 20


async def test_nothing_more_is_sent_once_the_right_to_read_has_ended(
    client: httpx.AsyncClient, database: Database, tenant: Tenant
) -> None:
    """Not even what had been read before, when the reader was slow to take it."""
    lab = Lab(client, database, tenant)
    await lab.prepare()
    scan_id = UUID(await lab.start())
    left = [True, False]

    class Ending(StreamRights):
        async def hold(self) -> bool:
            return left.pop(0)

    stream = streams.stream_events(database, tenant.access, scan_id, after=0, rights=Ending(*NOBODY))
    assert [chunk async for chunk in stream] == [b"retry: 1000\n\n"]
    assert left == []


@pytest.mark.slow
async def test_whoever_loses_the_right_loses_the_stream_whichever_process_was_told(
    start_server: Callable[..., ServerProcess], database: Database, identity: Database
) -> None:
    """Streams of one process; a member, a session, a service account and a grant of support end in another."""
    reading, telling = start_server(executes=False), start_server(executes=False)
    async with (
        httpx.AsyncClient(base_url=telling.url, timeout=60) as client,
        httpx.AsyncClient(base_url=reading.url, timeout=60) as readers,
    ):
        lab = Lab(client, database, await register_tenant(client, "owner"))
        await lab.prepare()
        # Nobody executes it, so it does not end.
        url = f"{lab.tenant.url}/scans/{await lab.start()}/events"
        login = {"email": lab.tenant.email, "password": lab.tenant.password}
        session = bearer((await client.post("/api/v1/auth/login", json=login)).json()["access_token"])
        machine = await lab.make("/service-accounts", {"name": "CI", "role": "observer"})
        member, staff = [await register_tenant(client, name) for name in ("member", "staff")]
        grant_id = await let_in(identity, lab.tenant, member, staff)
        headers = {
            "owner": lab.tenant.client_headers,
            "session": session,
            "machine": bearer(machine["key"]),
            "member": member.client_headers,
            "staff": staff.client_headers,
        }
        opened = {who: asyncio.Event() for who in headers}
        following = {who: asyncio.create_task(follow(readers, url, headers[who], opened[who])) for who in headers}
        await asyncio.wait_for(asyncio.gather(*(event.wait() for event in opened.values())), 30)
        await asyncio.sleep(REVIEW_S)
        assert not any(task.done() for task in following.values())
        signed_out = await client.post("/api/v1/auth/logout", headers=session)
        removed = await lab.call("DELETE", f"/{member.user_id}", below="/members")
        revoked = await lab.call("DELETE", f"/{machine['service_account_id']}", below="/service-accounts")
        for answer in (signed_out, removed, revoked):
            assert answer.is_success, answer.text
        async with identity.transaction() as transaction:
            ended = sa.update(SupportGrant).where(SupportGrant.id == grant_id).values(ended_at=utc_now())
            await transaction.execute(ended)
        kept = following.pop("owner")
        kinds = await asyncio.wait_for(asyncio.gather(*following.values()), 15)
        assert all(kind == ["scan.created"] for kind in kinds)
        for who in following:
            again = await readers.get(url, headers=headers[who])
            assert again.status_code == (404 if who in {"member", "staff"} else 401), who
        assert not kept.done()
        kept.cancel()


NOBODY = (Authenticator([]), Headers(), UUID(int=0), Scope.READ_WORKSPACE)


def bearer(credential: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {credential}"}


async def follow(client: httpx.AsyncClient, url: str, headers: dict[str, str], opened: asyncio.Event) -> list[str]:
    """The kinds of the events of a stream, once it has ended."""
    kinds: list[str] = []
    async with client.stream("GET", url, headers={**headers, "Accept": "text/event-stream"}) as stream:
        assert stream.status_code == 200
        async for line in stream.aiter_lines():
            if line.startswith("event: "):
                kinds.append(line.removeprefix("event: "))
                opened.set()
    return kinds


async def let_in(identity: Database, owner: Tenant, member: Tenant, staff: Tenant) -> UUID:
    """The one is an observer of the owner's workspace, the other has a grant of support, whose id is answered."""
    grant = SupportGrant(
        id=new_id(),
        account_id=owner.account_id,
        workspace_id=owner.workspace_id,
        user_id=staff.user_id,
        role=WorkspaceRole.OBSERVER,
        reason="a test",
        expires_at=utc_now() + timedelta(hours=1),
    )
    async with identity.transaction() as transaction:
        transaction.add(AccountMember(account_id=owner.account_id, user_id=member.user_id, role=AccountRole.MEMBER))
        transaction.add(
            WorkspaceMember(workspace_id=owner.workspace_id, user_id=member.user_id, role=WorkspaceRole.OBSERVER)
        )
        transaction.add(grant)
        await AccountService(transaction).promote_to_operations(staff.email)
    return grant.id
