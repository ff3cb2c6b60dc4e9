"""One reader for all watchers of a run: what it reads, what they get, and when it goes."""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from spectral.domains.workflows.execution.store import NewEvent
from spectral.domains.workflows.models import WorkflowRun
from spectral.domains.workflows.runs import fanout
from spectral.domains.workflows.runs.fanout import RunFanout, Watch
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.live import LiveChannel
from spectral.platform.shared.errors import RateLimitedError
from tests.domains.workflows.runs.recorded import Recorder, new_place
from tests.fixtures.statements import statements

PATIENCE_S = 20.0


@pytest.fixture
async def access(database: Database) -> WorkspaceAccess:
    return await new_place(database)


@pytest.fixture
def live() -> LiveChannel:
    return LiveChannel()


@pytest.fixture
def recorder(database: Database, access: WorkspaceAccess, live: LiveChannel) -> Recorder:
    return Recorder(database, access, live)


@pytest.fixture
async def watchers(database: Database, live: LiveChannel) -> AsyncIterator[RunFanout]:
    watchers = RunFanout(database, live)
    yield watchers
    await watchers.stop()


class Follower:
    """Somebody who watches a run to its end; `pause_s`: how long they take over each part."""

    def __init__(
        self, watchers: RunFanout, access: WorkspaceAccess, run: WorkflowRun, after: int = 0, **options: Any
    ) -> None:
        self.seqs: list[int] = []
        self.options: dict[str, Any] = {"pause_s": 0.0, "generation": None, **options}
        self.task = asyncio.create_task(self._follow(watchers, access, run, after))

    async def _follow(self, watchers: RunFanout, access: WorkspaceAccess, run: WorkflowRun, after: int) -> None:
        async with watchers.watch(access, run, after=after) as watch:
            while (events := await watch.next(PATIENCE_S, self.options["generation"])) is not None:
                self.seqs += [event.seq for event in events]
                if self.options["pause_s"]:
                    await asyncio.sleep(self.options["pause_s"])

    async def all(self) -> list[int]:
        """The numbers of the events that they got, once it is over."""
        await asyncio.wait_for(self.task, PATIENCE_S)
        return self.seqs


async def reach(follower: Follower, seq: int) -> None:
    """Wait until they have got that event."""
    async with asyncio.timeout(PATIENCE_S):
        while not follower.seqs or follower.seqs[-1] < seq:  # noqa: ASYNC110 - it may have been told of it already
            await asyncio.sleep(0.005)


async def test_five_hundred_watchers_cost_one_read_an_event(
    database: Database,
    access: WorkspaceAccess,
    recorder: Recorder,
    watchers: RunFanout,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fanout, "POLL_S", 60.0)
    run = await recorder.run()
    followers = [Follower(watchers, access, run, after=1) for _ in range(500)]
    first = await recorder.tell(run, NewEvent("step.started"))
    for follower in followers:
        await reach(follower, first.last_seq)
    assert watchers.watched == 1
    writer = Recorder(Database(str(database.writer.url.render_as_string(hide_password=False))), access)
    writer.live = recorder.live
    with statements(database) as seen:
        for number in range(20):
            told = await writer.tell(run, NewEvent("token", data={"text": str(number)}))
            await reach(followers[-1], told.last_seq)
        await writer.end(run)
        assert {tuple(await follower.all()) for follower in followers} == {tuple(range(2, 24))}
    await writer.database.close()
    reads = [statement for statement in seen if "workflow_run_event" in statement]
    assert len(reads) == 21, reads
    assert len(seen) - len(reads) == sum("set_config" in statement for statement in seen)
    assert watchers.watched == 0


async def test_nothing_is_lost_or_repeated_whenever_somebody_comes_and_however_slow_they_are(
    access: WorkspaceAccess, recorder: Recorder, watchers: RunFanout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Late joiners read the table in parts, slow ones fall behind what is kept, wake-ups get lost."""
    monkeypatch.setattr(fanout, "BATCH", 7)
    monkeypatch.setattr(fanout, "KEPT_EVENTS", 9)
    monkeypatch.setattr(fanout, "POLL_S", 0.05)
    chance = random.Random(5)  # noqa: S311 - not for secrets
    deaf = Recorder(recorder.database, access)
    run = await recorder.run()
    followers = [Follower(watchers, access, run)]
    starts = [0]
    for _ in range(40):
        teller = recorder if chance.random() < 0.7 else deaf
        told = await teller.tell(run, *(NewEvent("token") for _ in range(chance.randint(1, 6))))
        if chance.random() < 0.5:
            starts.append(chance.randint(0, told.last_seq))
            pause_s = chance.choice([0.0, 0.0, 0.004, 0.02])
            followers.append(Follower(watchers, access, told, starts[-1], pause_s=pause_s))
    last = (await deaf.end(run)).last_seq
    for start, follower in zip(starts, followers, strict=True):
        assert await follower.all() == list(range(start + 1, last + 1))
    assert watchers.watched == 0


async def test_large_events_come_a_few_at_a_time(
    access: WorkspaceAccess, recorder: Recorder, watchers: RunFanout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fanout, "BATCH_CHARACTERS", 10_000)
    monkeypatch.setattr(fanout, "KEPT_BYTES", 10_000)
    run = await recorder.run()
    for _ in range(6):
        told = await recorder.tell(run, NewEvent("step.succeeded", output="x" * 6_000))
    ended = await recorder.end(told)
    async with watchers.watch(access, ended, after=1) as watch:
        parts = []
        while (events := await watch.next(PATIENCE_S)) is not None:
            parts.append([event.seq for event in events])
    assert parts == [[2, 3], [4, 5], [6, 7], [8]]


async def test_a_reader_stops_with_its_last_watcher_and_a_new_one_goes_on(
    access: WorkspaceAccess, recorder: Recorder, watchers: RunFanout, live: LiveChannel
) -> None:
    run = await recorder.run()
    followers = [Follower(watchers, access, run) for _ in range(2)]
    for follower in followers:
        await reach(follower, 1)
    for follower in followers:
        assert watchers.watched == 1
        follower.task.cancel()
        await asyncio.gather(follower.task, return_exceptions=True)
    assert watchers.watched == 0
    async with asyncio.timeout(PATIENCE_S):
        while live._topics:  # noqa: ASYNC110 - nobody tells when a reader has gone
            await asyncio.sleep(0.005)
    told = await recorder.tell(run, NewEvent("step.started"))
    again = Follower(watchers, access, told, after=1)
    await recorder.end(run)
    assert await again.all() == [2, 3]


async def test_the_end_is_where_the_run_stands_and_not_where_a_generation_ended(
    access: WorkspaceAccess, recorder: Recorder, watchers: RunFanout
) -> None:
    run = await recorder.end(await recorder.run(), "failed")
    assert await Follower(watchers, access, run).all() == [1, 2]
    assert await Follower(watchers, access, run, after=2).all() == []
    run = await recorder.tell(run, NewEvent("run.queued"), status="queued", generation=2, finished_at=None)
    # A watcher of the generation that is over ends with it; those of the run go on over every suspension.
    assert await Follower(watchers, access, run, generation=1).all() == [1, 2, 3]
    follower = Follower(watchers, access, run)
    await reach(follower, 3)
    for status in ("running", "waiting", "paused", "interrupted"):
        told = await recorder.tell(run, NewEvent(f"run.{status}"), status=status)
        await reach(follower, told.last_seq)
        assert not follower.task.done()
    await recorder.end(run)
    assert await follower.all() == list(range(1, 9))


async def test_a_watcher_who_knows_more_than_the_reader_makes_it_look(
    access: WorkspaceAccess, recorder: Recorder, watchers: RunFanout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Restarted, and nobody heard of it: whoever comes then is not told that the run has ended."""
    monkeypatch.setattr(fanout, "POLL_S", 60.0)
    deaf = Recorder(recorder.database, access)
    run = await recorder.run()
    async with watchers.watch(access, run, after=0) as watch:
        await recorder.tell(run, NewEvent("step.started"))
        await next_of(watch, 2)
        ended = await deaf.end(run)
        restarted = await deaf.tell(ended, NewEvent("run.queued"), status="queued", generation=2)
        for known, seqs in ((ended, [3, 4]), (restarted, [4])):
            async with watchers.watch(access, known, after=seqs[0] - 1) as late:
                assert [event.seq for event in await late.next(PATIENCE_S) or ()] == seqs
                assert await late.next(0.01) == []
        await next_of(watch, 4)


async def next_of(watch: Watch, seq: int) -> None:
    """Wait until the watch has come to that event."""
    while watch.position < seq:
        assert await watch.next(PATIENCE_S) is not None


async def test_a_run_that_is_gone_ends_its_watches(
    database: Database,
    access: WorkspaceAccess,
    recorder: Recorder,
    watchers: RunFanout,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fanout, "POLL_S", 0.05)
    run = await recorder.run()
    follower = Follower(watchers, access, run)
    await reach(follower, 1)
    async with database.transaction(access) as session:
        await session.delete(await session.merge(run, load=True))
    assert await follower.all() == [1]


async def test_a_database_that_is_away_delays_and_loses_nothing(
    access: WorkspaceAccess, recorder: Recorder, watchers: RunFanout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fanout, "POLL_S", 60.0)
    run = await recorder.run()
    follower = Follower(watchers, access, run)
    await reach(follower, 1)
    await recorder.tell(run, NewEvent("step.started"))
    await reach(follower, 2)
    read = fanout.read_tail
    failures = [OSError("away")] * 3

    async def sometimes(*arguments: Any) -> Any:
        if failures:
            raise failures.pop()
        return await read(*arguments)

    monkeypatch.setattr(fanout, "read_tail", sometimes)
    monkeypatch.setattr(fanout, "POLL_S", 0.02)
    await recorder.end(run)
    assert await follower.all() == [1, 2, 3]
    assert not failures


async def test_a_workspace_has_so_many_watchers_and_no_more(
    access: WorkspaceAccess, recorder: Recorder, watchers: RunFanout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fanout, "MAXIMUM_WATCHERS", 2)
    run = await recorder.run()
    async with watchers.watch(access, run, after=0):
        watchers.require_room(access)
        async with watchers.watch(access, run, after=0):
            with pytest.raises(RateLimitedError):
                watchers.require_room(access)
        watchers.require_room(access)
