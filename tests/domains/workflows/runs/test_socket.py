"""A run's events over WebSockets of real servers, and who is refused one."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from spectral.domains.accounts.models import AccountMember
from spectral.domains.workflows.execution.store import NewEvent
from spectral.domains.workspaces.models import WorkspaceMember
from spectral.platform.access.scopes import AccountRole, WorkspaceRole
from spectral.platform.db.session import Database
from spectral.platform.live import LiveChannel
from spectral.settings import Settings
from tests.domains.workflows.runs.recorded import Recorder
from tests.fixtures.forked_servers import ForkedServer
from tests.fixtures.tenants import Tenant, register_tenant

pytestmark = pytest.mark.slow

PATIENCE_S = 30.0


class Watcher:
    """Reads a socket to its end. code: what it was closed with."""

    def __init__(self) -> None:
        self.documents: list[str] = []
        self.code: int | None = None
        self.reason = ""

    @property
    def seqs(self) -> list[int]:
        return [json.loads(document)["seq"] for document in self.documents]

    async def watch(self, url: str, headers: dict[str, str] | None = None) -> None:
        async with connect(url, additional_headers=headers, open_timeout=PATIENCE_S) as socket:
            await self.read(socket)

    async def read(self, socket: ClientConnection) -> None:
        try:
            while True:
                message = await socket.recv()
                assert isinstance(message, str)
                self.documents.append(message)
        except ConnectionClosed:
            self.code, self.reason = socket.close_code, socket.close_reason or ""

    async def reach(self, seq: int) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not self.seqs or self.seqs[-1] < seq:  # noqa: ASYNC110 - it may have been told of it already
                await asyncio.sleep(0.01)


class Place:
    """A workspace that two servers serve, and what is written into it by this process."""

    def __init__(self, client: httpx.AsyncClient, tenant: Tenant, recorder: Recorder, url: str) -> None:
        self.client = client
        self.tenant = tenant
        self.recorder = recorder
        self.url = url

    @property
    def named(self) -> dict[str, str]:
        """The headers of a program: its credential and its workspace."""
        return {**self.tenant.client_headers, "X-Workspace-Id": str(self.tenant.workspace_id)}

    async def ticket(self, run: str, headers: dict[str, str] | None = None) -> str:
        """The path that a browser opens."""
        made = await self.client.post(
            f"{self.tenant.url}/runs/{run}/ticket", headers=headers or self.tenant.client_headers
        )
        assert made.status_code == 201, made.text
        assert made.headers["cache-control"] == "no-store"
        return str(made.json()["url"])

    async def code(self, path: str, headers: dict[str, str] | None = None) -> int:
        """What a socket is closed with that gets no event."""
        watcher = Watcher()
        await asyncio.wait_for(watcher.watch(f"{self.url}{path}", headers), PATIENCE_S)
        assert watcher.documents == []
        assert watcher.reason
        assert watcher.code is not None
        return watcher.code


@pytest.fixture
def server(settings: Settings) -> Iterator[ForkedServer]:
    """A server that executes nothing, and need not read a thousand modules first."""
    server = ForkedServer(settings, executes=False)
    server.start()
    yield server
    server.kill()


@pytest.fixture
async def place(server: ForkedServer, database: Database) -> AsyncIterator[Place]:
    live = LiveChannel(database)
    await live.start()
    async with httpx.AsyncClient(base_url=server.url, timeout=PATIENCE_S) as client:
        tenant = await register_tenant(client, "watched")
        yield Place(client, tenant, Recorder(database, tenant.access, live), socket_url(server))
    await live.stop()


def socket_url(server: ForkedServer) -> str:
    return server.url.replace("http", "ws", 1)


async def test_a_socket_tells_the_same_as_every_other_way_and_goes_on_after_a_restart(
    place: Place, server: ForkedServer
) -> None:
    recorder, tenant = place.recorder, place.tenant
    run = await recorder.run(name="long")
    watcher = Watcher()
    watching = asyncio.create_task(watcher.watch(f"{place.url}{await place.ticket('long')}"))
    for text in ("a", "b"):
        told = await recorder.tell(run, NewEvent("token", node="write", data={"text": text}))
    await recorder.tell(run, NewEvent("interrupt.requested"), status="interrupted")
    told = await recorder.tell(run, NewEvent("interrupt.answered"), status="queued")
    await watcher.reach(told.last_seq)
    server.kill()
    await asyncio.wait_for(watching, PATIENCE_S)
    assert watcher.code == 1006
    told = await recorder.tell(run, NewEvent("step.started"))
    server.start()
    after = watcher.seqs[-1]
    headers = place.named
    watching = asyncio.create_task(watcher.watch(f"{place.url}/ws/runs/long?after={after}", headers))
    await watcher.reach(told.last_seq)
    ended = await recorder.end(run)
    await asyncio.wait_for(watching, PATIENCE_S)
    assert watcher.code == 1000
    assert watcher.seqs == list(range(1, ended.last_seq + 1))
    url = f"{tenant.url}/runs/long/events"
    listed = await place.client.get(url, headers=tenant.client_headers)
    assert [json.loads(document) for document in watcher.documents] == listed.json()["results"]
    streamed = await place.client.get(url, headers={**tenant.client_headers, "Accept": "text/event-stream"})
    lines = [line.removeprefix("data: ") for line in streamed.text.splitlines() if line.startswith("data: ")]
    assert lines == watcher.documents
    # Whoever comes once more is told that there is nothing.
    late = Watcher()
    await late.watch(f"{place.url}/ws/runs/{run.id}?after={ended.last_seq}", headers)
    assert (late.documents, late.code) == ([], 1000)


async def test_who_may_not_watch_is_told_why(place: Place, database: Database) -> None:
    recorder, tenant = place.recorder, place.tenant
    await recorder.end(await recorder.run(name="mine"))
    await recorder.end(await recorder.run(name="other"))
    stranger = await register_tenant(place.client, "stranger")
    theirs = {**stranger.client_headers, "X-Workspace-Id": str(stranger.workspace_id)}
    key = tenant.key_headers
    assert await place.code("/ws/runs/mine") == 4401
    assert await place.code("/ws/runs/mine", {"Authorization": "Bearer nonsense"}) == 4401
    assert await place.code("/ws/runs/mine", {"Authorization": "Bearer " + "a.b.c"}) == 4401
    assert await place.code("/ws/runs/mine", key) == 4403
    assert await place.code("/ws/runs/mine", theirs) == 4404
    assert await place.code("/ws/runs/mine", {**theirs, "X-Workspace-Id": str(tenant.workspace_id)}) == 4404
    assert await place.code("/ws/runs/none", place.named) == 4404
    assert await place.code("/ws/runs/mine", {**place.named, "X-Workspace-Id": "x"}) == 4400
    assert await place.code("/ws/runs/mine?after=x", place.named) == 4422
    # Tickets: once, for one run, and nothing but ours.
    opened = await place.ticket("mine")
    assert await place.code(opened.replace(str(opened.split("/")[3].split("?")[0]), "other")) == 4404
    assert await place.code(opened) == 4401
    opened = await place.ticket("mine")
    watcher = Watcher()
    await watcher.watch(f"{place.url}{opened}")
    assert (watcher.seqs, watcher.code) == ([1, 2], 1000)
    for ticket in ("", "x", "wt_", "wt_.x", "wt_AAAA.x", "wt_" + "A" * 22 + ".x", "wt_" + "A" * 500, "wt_é.x"):
        assert await place.code(f"/ws/runs/mine?ticket={ticket}") == 4401, ticket
    refused = await place.client.post(f"{tenant.url}/runs/mine/ticket", headers=key)
    assert refused.status_code == 403
    for url in (f"{tenant.url}/runs/mine/ticket", f"{stranger.url}/runs/mine/ticket"):
        assert (await place.client.post(url, headers=stranger.client_headers)).status_code == 404
    kept = await place.client.post(
        f"{tenant.url}/runs/mine/ticket", headers={**tenant.client_headers, "Idempotency-Key": "k1234567"}
    )
    assert kept.status_code == 400
    # No other path takes a socket.
    for path in ("/ws/runs", "/api/v1/health"):
        with pytest.raises((InvalidHandshake, ConnectionClosed)):
            await Watcher().watch(f"{place.url}{path}")


async def test_a_ticket_gives_no_more_than_its_bearer_has_when_it_is_used_and_later(
    place: Place, database: Database, identity: Database
) -> None:
    recorder, tenant = place.recorder, place.tenant
    await recorder.run(name="open")
    login = {"email": tenant.email, "password": tenant.password}
    signed_in = (await place.client.post("/api/v1/auth/login", json=login)).json()
    session = {"Authorization": f"Bearer {signed_in['access_token']}"}
    machine = await made(place, "/service-accounts", {"name": "CI", "role": "observer"})
    member = await register_tenant(place.client, "member")
    await let_in(identity, tenant, member)
    bearers = {
        "session": session,
        "machine": {"Authorization": f"Bearer {machine['key']}"},
        "member": member.client_headers,
    }
    watchers = {who: Watcher() for who in bearers}
    tickets = {who: [await place.ticket("open", headers) for _ in range(2)] for who, headers in bearers.items()}
    watching = [asyncio.create_task(watchers[who].watch(f"{place.url}{tickets[who].pop()}")) for who in bearers]
    for watcher in watchers.values():
        await watcher.reach(1)
    assert (await place.client.post("/api/v1/auth/logout", headers=session)).is_success
    for path in (f"/service-accounts/{machine['service_account_id']}", f"/members/{member.user_id}"):
        answer = await place.client.delete(f"{tenant.url}{path}", headers=tenant.client_headers)
        assert answer.is_success, answer.text
    await asyncio.wait_for(asyncio.gather(*watching), PATIENCE_S)
    codes = {"session": 4401, "machine": 4401, "member": 4404}
    assert {who: watcher.code for who, watcher in watchers.items()} == codes
    for who, (left,) in tickets.items():
        assert await place.code(left) == codes[who], who
    async with database.transaction(tenant.access, read_only=True) as transaction:
        stored = sa.text("SELECT count(*) FROM workflow_run_ticket")
        assert (await transaction.execute(stored)).scalar_one() == 0


async def test_clients_that_go_or_talk_disturb_nobody_and_a_server_that_ends_lets_go_of_them(
    place: Place, server: ForkedServer
) -> None:
    """They vanish without a word, close in the middle, or send what nobody asked for."""
    recorder = place.recorder
    run = await recorder.run(name="open")
    url = f"{place.url}/ws/runs/open"
    steady = Watcher()
    watching = asyncio.create_task(steady.watch(url, place.named))
    await steady.reach(1)
    async with opened(url, place.named) as talker, opened(url, place.named) as leaver, opened(url, place.named) as lost:
        await talker.send("hello")
        await talker.send(b"\x00" * 1000)
        await leaver.close()
        lost.transport.abort()
        told = await recorder.tell(run, NewEvent("step.started"))
        await steady.reach(told.last_seq)
        heard = Watcher()
        hearing = asyncio.create_task(heard.read(talker))
        ended = await recorder.end(run)
        await asyncio.wait_for(asyncio.gather(watching, hearing), PATIENCE_S)
    assert steady.seqs == heard.seqs == list(range(1, ended.last_seq + 1))
    assert steady.code == heard.code == 1000
    # A server that is asked to end does not wait for a run to end.
    await recorder.run(name="endless")
    left = Watcher()
    watching = asyncio.create_task(left.watch(f"{place.url}/ws/runs/endless", place.named))
    await left.reach(1)
    headers = {**place.tenant.client_headers, "Accept": "text/event-stream"}
    async with place.client.stream("GET", f"{place.tenant.url}/runs/endless/events", headers=headers) as stream:
        lines = stream.aiter_lines()
        assert await anext(lines) == "retry: 1000"
        assert await asyncio.to_thread(server.terminate) == 0
        assert [line async for line in lines if line.startswith("id: ")] == ["id: 1"]
    await asyncio.wait_for(watching, PATIENCE_S)
    assert (left.seqs, left.code) == ([1], 1012)


@asynccontextmanager
async def opened(url: str, headers: dict[str, str]) -> AsyncIterator[ClientConnection]:
    """A socket that may be gone by the end of the block."""
    socket = await connect(url, additional_headers=headers, open_timeout=PATIENCE_S)
    try:
        yield socket
    finally:
        with suppress(ConnectionClosed, OSError):
            await socket.close()


async def made(place: Place, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = await place.client.post(f"{place.tenant.url}{path}", json=body, headers=place.tenant.client_headers)
    assert answer.status_code == 201, answer.text
    document: dict[str, Any] = answer.json()
    return document


async def let_in(identity: Database, owner: Tenant, member: Tenant) -> None:
    """The one is an observer of the other's workspace."""
    async with identity.transaction() as transaction:
        transaction.add(AccountMember(account_id=owner.account_id, user_id=member.user_id, role=AccountRole.MEMBER))
        transaction.add(
            WorkspaceMember(workspace_id=owner.workspace_id, user_id=member.user_id, role=WorkspaceRole.OBSERVER)
        )
