"""A run's events as server-sent events, from real servers: replay, live, restarts, rights."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest
from litestar import Litestar
from litestar.datastructures import Headers

from spectral.domains.workflows.execution.store import NewEvent
from spectral.domains.workflows.models import WorkflowRun
from spectral.domains.workflows.runs import fanout, streams
from spectral.domains.workflows.runs.fanout import RunFanout
from spectral.domains.workflows.runs.reading_repository import EventFilter
from spectral.platform.access.authentication import Authenticator
from spectral.platform.access.scopes import Scope
from spectral.platform.access.streams import StreamRights
from spectral.platform.db.session import Database
from spectral.platform.live import LiveChannel
from spectral.settings import Settings
from tests.domains.workflows.runs.recorded import Recorder, new_place
from tests.fixtures.forked_servers import ForkedServer
from tests.fixtures.tenants import Tenant, register_tenant

SSE = {"Accept": "text/event-stream"}
NOBODY = (Authenticator([]), Headers(), Scope.READ_WORKSPACE)
PATIENCE_S = 30.0


class Always(StreamRights):
    """Rights that do not end by themselves; `left` says how often they still hold."""

    left = 10**9

    async def hold(self) -> bool:
        self.left -= 1
        return self.left >= 0


def always(run: WorkflowRun) -> Always:
    authenticator, headers, scope = NOBODY
    return Always(authenticator, headers, run.workspace_id, scope)


@pytest.fixture
def start_server(settings: Settings) -> Iterator[Callable[[], ForkedServer]]:
    """Servers that execute nothing, and need not read a thousand modules first."""
    started: list[ForkedServer] = []

    def start() -> ForkedServer:
        started.append(ForkedServer(settings, executes=False))
        started[-1].start()
        return started[-1]

    yield start
    for server in started:
        server.kill()


@pytest.fixture
async def recorder(database: Database) -> Recorder:
    return Recorder(database, await new_place(database), LiveChannel())


@pytest.fixture
async def watchers(recorder: Recorder) -> AsyncIterator[RunFanout]:
    assert recorder.live is not None
    watchers = RunFanout(recorder.database, recorder.live)
    yield watchers
    await watchers.stop()


async def test_a_quiet_stream_keeps_its_connection_and_ends_with_the_right_to_read(
    recorder: Recorder, watchers: RunFanout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "KEEPALIVE_S", 0.0)
    monkeypatch.setattr(streams, "TICK_S", 0.005)
    run = await recorder.run()
    rights = always(run)
    rights.left = 10
    stream = streams.stream_events(watchers, recorder.access, run, EventFilter(), rights)
    chunks = [chunk async for chunk in stream]
    assert chunks[0] == b"retry: 1000\n\n"
    assert chunks[1].startswith(b"id: 1\nevent: run.queued\ndata: {")
    assert set(chunks[2:]) == {b": keepalive\n\n"}
    assert watchers.watched == 0


async def test_nothing_more_is_sent_once_the_right_to_read_has_ended(recorder: Recorder, watchers: RunFanout) -> None:
    """Not even what had been read before, when the reader was slow to take it."""
    run = await recorder.tell(await recorder.run(), NewEvent("step.started"))
    rights = always(run)
    rights.left = 2
    stream = streams.stream_events(watchers, recorder.access, run, EventFilter(), rights)
    assert [chunk[:5] async for chunk in stream] == [b"retry", b"id: 1"]


async def test_a_narrowed_stream_tells_what_is_wanted_and_ends_all_the_same(
    recorder: Recorder, watchers: RunFanout
) -> None:
    run = await recorder.run()
    await recorder.tell(run, NewEvent("step.started"), NewEvent("token"), NewEvent("step.succeeded"))
    run = await recorder.end(run)
    wanted = EventFilter(types=("step.*",))
    stream = streams.stream_events(watchers, recorder.access, run, wanted, always(run))
    assert [chunk[:5] async for chunk in stream] == [b"retry", b"id: 2", b"id: 4"]


async def test_a_document_is_one_line_whatever_it_holds(recorder: Recorder, watchers: RunFanout) -> None:
    text = "one\ntwo\r\nthree\u2028\x85four"
    run = await recorder.end(await recorder.run(), "succeeded", NewEvent("token", data={"text": text}))
    stream = streams.stream_events(watchers, recorder.access, run, EventFilter(after=1), always(run))
    frame = [chunk async for chunk in stream][1].decode()
    assert json.loads(frame.partition("data: ")[2])["data"] == {"text": text}
    assert frame.count("\n") == 4


class Listener:
    """An EventSource: comes back with `Last-Event-ID` whenever the connection ends, until it is answered 204."""

    def __init__(self, url: Callable[[], str], headers: dict[str, str]) -> None:
        self.url = url
        self.headers = headers
        self.events: list[dict[str, Any]] = []
        self.connections = 0
        self.statuses: list[int] = []

    async def listen(self, *, once: bool = False) -> None:
        async with httpx.AsyncClient(timeout=PATIENCE_S) as client:
            while True:
                try:
                    if await self._connect(client) or once:
                        return
                except httpx.TransportError:
                    await asyncio.sleep(0.05)

    async def _connect(self, client: httpx.AsyncClient) -> bool:
        headers = {**self.headers, **SSE}
        if self.events:
            headers["Last-Event-ID"] = str(self.events[-1]["seq"])
        async with client.stream("GET", self.url(), headers=headers) as stream:
            self.statuses.append(stream.status_code)
            if stream.status_code != 200:
                return True
            assert stream.headers["content-type"].startswith("text/event-stream")
            assert stream.headers["cache-control"] == "no-store"
            self.connections += 1
            async for line in stream.aiter_lines():
                if line.startswith("data: "):
                    self.events.append(json.loads(line.removeprefix("data: ")))
        return False

    @property
    def seqs(self) -> list[int]:
        return [event["seq"] for event in self.events]

    async def reach(self, seq: int) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not self.seqs or self.seqs[-1] < seq:  # noqa: ASYNC110 - it may have been told of it already
                await asyncio.sleep(0.01)


@pytest.mark.slow
async def test_every_process_tells_the_same_over_suspensions_and_restarts_of_the_server(
    start_server: Callable[[], ForkedServer], database: Database
) -> None:
    """This process writes; two servers tell, one of them is killed and comes back."""
    first, second = start_server(), start_server()
    async with httpx.AsyncClient(base_url=first.url, timeout=PATIENCE_S) as client:
        tenant = await register_tenant(client, "watched")
        live = LiveChannel(database)
        await live.start()
        recorder = Recorder(database, tenant.access, live)
        run = await recorder.run(name="long")
        path = f"{tenant.url}/runs/long/events"
        near = Listener(lambda: f"{first.url}{path}", tenant.client_headers)
        far = Listener(lambda: f"{second.url}{path}", tenant.client_headers)
        tasks = [asyncio.create_task(listener.listen()) for listener in (near, far)]
        for text in ("a", "b", "c"):
            told = await recorder.tell(run, NewEvent("token", node="write", data={"text": text}))
        for listener in (near, far):
            await listener.reach(told.last_seq)
        first.kill()
        # What happens while nobody can tell it, and while the run waits.
        await recorder.tell(run, NewEvent("interrupt.requested", node="ask"), status="interrupted")
        first.start()
        told = await recorder.tell(run, NewEvent("interrupt.answered", node="ask"), status="queued")
        for listener in (near, far):
            await listener.reach(told.last_seq)
        second.stop()
        second.start()
        told = await recorder.end(run)
        await asyncio.wait_for(asyncio.gather(*tasks), PATIENCE_S)
        listed = (await client.get(path, headers=tenant.client_headers, params={"limit": 100})).json()
        await live.stop()
        assert near.events == far.events == listed["results"]
        assert near.seqs == list(range(1, told.last_seq + 1))
        assert near.connections >= 2
        assert far.connections >= 2
        assert near.statuses[-1] == far.statuses[-1] == 204

        # A restart begins again with a new connection, and goes past the end of the first generation.
        await recorder.tell(run, NewEvent("run.queued"), status="queued", generation=2, finished_at=None)
        again = Listener(lambda: f"{first.url}{path}?generation=2", tenant.client_headers)
        whole = Listener(lambda: f"{first.url}{path}?after=3", tenant.client_headers)
        tasks = [asyncio.create_task(listener.listen(once=True)) for listener in (again, whole)]
        await again.reach(told.last_seq + 1)
        await recorder.end(run, "failed")
        await asyncio.wait_for(asyncio.gather(*tasks), PATIENCE_S)
        assert again.seqs == [told.last_seq + 1, told.last_seq + 2]
        assert whole.seqs == list(range(4, told.last_seq + 3))


@pytest.mark.slow
async def test_whoever_loses_the_right_loses_the_stream(
    start_server: Callable[[], ForkedServer], database: Database
) -> None:
    """Told to another process than the one that streams."""
    reading, telling = start_server(), start_server()
    async with httpx.AsyncClient(base_url=telling.url, timeout=PATIENCE_S) as client:
        tenant = await register_tenant(client, "owner")
        await Recorder(database, tenant.access).run(name="open")
        made = await client.post(
            f"{tenant.url}/service-accounts",
            json={"name": "CI", "role": "observer"},
            headers=tenant.client_headers,
        )
        machine = made.json()
        listeners = {
            who: Listener(lambda: f"{reading.url}{tenant.url}/runs/open/events", headers)
            for who, headers in {
                "owner": tenant.client_headers,
                "machine": {"Authorization": f"Bearer {machine['key']}"},
            }.items()
        }
        tasks = {who: asyncio.create_task(listener.listen(once=True)) for who, listener in listeners.items()}
        for listener in listeners.values():
            await listener.reach(1)
        url = f"{tenant.url}/service-accounts/{machine['service_account_id']}"
        assert (await client.delete(url, headers=tenant.client_headers)).is_success
        await asyncio.wait_for(tasks["machine"], PATIENCE_S)
        assert not tasks["owner"].done()
        await client.post("/api/v1/auth/logout", headers=tenant.client_headers)
        await asyncio.wait_for(tasks["owner"], PATIENCE_S)
        assert all(listener.seqs == [1] for listener in listeners.values())


async def test_what_a_stream_cannot_do_is_said_before_it_begins(
    app: Litestar, client: httpx.AsyncClient, tenant: Tenant, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder(database, tenant.access)
    await recorder.end(await recorder.run(name="over"))
    url = f"{tenant.url}/runs/over/events"
    headers = {**tenant.client_headers, **SSE}
    for query in ({"order": "desc"}, {"offset": "1"}, {"cursor": "abc"}, {"type": "?"}, {"after": "x"}):
        assert (await client.get(url, headers=headers, params=query)).status_code == 422, query
    assert (await client.get(url, headers={**headers, "Last-Event-ID": "x"})).status_code == 422
    assert (await client.get(f"{tenant.url}/runs/none/events", headers=headers)).status_code == 404
    whole = await client.get(url, headers=headers)
    assert whole.text.count("\nevent: ") == 2
    assert (await client.get(url, headers={**headers, "Last-Event-ID": "1"})).text.count("\nevent: ") == 1
    assert (await client.get(url, headers={**headers, "Last-Event-ID": "2"})).status_code == 204
    monkeypatch.setattr(fanout, "MAXIMUM_WATCHERS", 0)
    assert (await client.get(url, headers=headers)).status_code == 429
    assert app.state["run_fanout"].watched == 0
