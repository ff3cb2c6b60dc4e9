"""Wake-ups reach who watches, in this process and in others, and cost nothing where nobody does."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import sqlalchemy as sa

from spectral.platform import live as module
from spectral.platform.db.session import Database
from spectral.platform.live import APPLICATION_NAME, CHANNEL, LOOK_ANYWAY, LiveChannel
from spectral.settings import Settings
from tests.fixtures.statements import statements

SOON_S = 10.0
NOT_YET_S = 0.05

Connect = Callable[[], Awaitable[LiveChannel]]


@pytest.fixture
async def connect(settings: Settings) -> AsyncIterator[Connect]:
    """Channels as other processes have them, each with a database of its own; stopped at the end."""
    made: list[tuple[LiveChannel, Database]] = []

    async def start() -> LiveChannel:
        database = Database(settings.url, pool_size=1)
        channel = LiveChannel(database)
        made.append((channel, database))
        await channel.start()
        await until(lambda: channel.is_connected or database.is_sqlite)
        return channel

    yield start
    for channel, database in made:
        await channel.stop()
        await channel.stop()
        await database.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON_S):
        while True:
            if condition():
                return
            await asyncio.sleep(0.01)


async def know_each_other(*channels: LiveChannel) -> None:
    await until(lambda: all(len(channel._peers) == len(channels) - 1 for channel in channels))


async def publish(database: Database, channel: LiveChannel, topic: str, *values: int) -> None:
    async with database.transaction() as session:
        for value in values:
            await channel.publish(session, topic, value)


async def test_a_watcher_hears_the_greatest_value_once_the_transaction_has_committed(
    database: Database, connect: Connect
) -> None:
    channel = await connect()
    async with channel.subscribe("run:1") as watcher, channel.subscribe("run:2") as other:
        async with database.transaction() as session:
            await channel.publish(session, "run:1", 3)
            await channel.publish(session, "run:1", 2)
            assert await watcher.wait(NOT_YET_S) is None
        assert await watcher.wait(SOON_S) == 3
        assert await watcher.wait(0) is None
        # What comes while nobody waits is not lost.
        await publish(database, channel, "run:1", 4)
        await publish(database, channel, "run:1", 5)
        assert await watcher.wait(0) == 5
        # The same value again is news as well.
        await publish(database, channel, "run:1", 5)
        assert await watcher.wait(0) == 5
        assert await other.wait(NOT_YET_S) is None
    async with channel.subscribe("run:1") as late:
        assert await late.wait(NOT_YET_S) is None
    assert channel._topics == {}


async def test_what_is_rolled_back_is_not_heard(database: Database, connect: Connect) -> None:
    channel = await connect()

    async def caller() -> None:
        async with database.transaction() as session:
            await channel.publish(session, "run:1", 1)
            raise RuntimeError("the caller fails")

    async with channel.subscribe("run:1") as watcher:
        with pytest.raises(RuntimeError, match="the caller fails"):
            await caller()
        assert await watcher.wait(NOT_YET_S) is None


async def test_publishing_asks_the_database_nothing_and_sends_nothing_where_nobody_listens(
    database: Database, connect: Connect
) -> None:
    channel = await connect()
    with statements(database) as seen:
        await publish(database, channel, "run:1", 1)
    assert seen == []
    assert channel._unsent == {}


async def test_five_hundred_watchers_of_a_topic_wait_for_one_thing(
    database: Database, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel, told = await connect(), []
    tell = module._Topic.tell

    def noted(topic: module._Topic, value: int) -> None:
        told.append(value)
        tell(topic, value)

    monkeypatch.setattr(module._Topic, "tell", noted)
    waiting = 0

    async def watch() -> int | None:
        nonlocal waiting
        async with channel.subscribe("run:1") as watcher:
            waiting += 1
            return await watcher.wait(SOON_S)

    watchers = [asyncio.create_task(watch()) for _ in range(500)]
    await until(lambda: waiting == 500)
    await publish(database, channel, "run:1", *range(1, 8))
    assert await asyncio.gather(*watchers) == [7] * 500
    assert told == [7]
    assert channel._topics == {}


@pytest.mark.databases("postgresql")
async def test_another_process_hears_it_too_however_strange_the_topic(database: Database, connect: Connect) -> None:
    here, there = await connect(), await connect()
    await know_each_other(here, there)
    topics = ["run:1", "work:w:" + "größer'; NOTIFY x; --" * 500, *(f"many:{number}" for number in range(1_000))]
    async with (
        there.subscribe(topics[0]) as one,
        there.subscribe(topics[1]) as two,
        there.subscribe(topics[-1]) as last,
    ):
        async with database.transaction() as session:
            for number, topic in enumerate(topics):
                await here.publish(session, topic, number)
        assert [await watcher.wait(SOON_S) for watcher in (one, two, last)] == [0, 1, len(topics) - 1]
    async with here.subscribe("run:1") as watcher:
        await publish(database, there, "run:1", 8)
        assert await watcher.wait(SOON_S) == 8


@pytest.mark.databases("postgresql")
async def test_after_a_lost_connection_watchers_are_told_to_look_and_hear_again(
    database: Database, connect: Connect
) -> None:
    here, there = await connect(), await connect()
    await know_each_other(here, there)
    ended = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name = :name AND datname = current_database()"
    )
    async with there.subscribe("run:1") as watcher:
        await publish(database, here, "run:1", 5)
        assert await watcher.wait(SOON_S) == 5
        async with database.transaction() as session:
            stopped = await session.execute(sa.text(ended), {"name": APPLICATION_NAME})
            assert [tuple(row) for row in stopped] == [(True,), (True,)]
        assert await watcher.wait(SOON_S) == LOOK_ANYWAY
        # What is said while nobody can hear it is sent later, and at the latest the next thing is heard.
        seq = 5
        async with asyncio.timeout(SOON_S):
            heard = None
            while heard is None:
                seq += 1
                await publish(database, here, "run:1", seq)
                heard = await watcher.wait(0.1)
        assert 5 < heard <= seq


@pytest.mark.databases("postgresql")
@pytest.mark.parametrize(
    "payload",
    ["", "nonsense", "[]", '{"from": "x", "news": 3}', '{"from": "x", "news": {"a": 1e999}}', "[" * 7_000],
    ids=["empty", "words", "list", "number", "infinite", "deep"],
)
async def test_notifications_that_nobody_of_us_sent_change_nothing(
    database: Database, connect: Connect, payload: str
) -> None:
    here, there = await connect(), await connect()
    await know_each_other(here, there)
    async with there.subscribe("run:1") as watcher:
        async with database.transaction() as session:
            await session.execute(
                sa.text("SELECT pg_notify(:channel, :payload)"), {"channel": CHANNEL, "payload": payload}
            )
        await publish(database, here, "run:1", 2)
        assert await watcher.wait(SOON_S) == 2


@pytest.mark.databases("postgresql")
async def test_who_is_not_heard_of_for_long_is_not_sent_to(
    database: Database, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BEAT_S", 0.05)
    monkeypatch.setattr(module, "FORGET_PEER_S", 0.3)
    here, there = await connect(), await connect()
    await know_each_other(here, there)
    await there.stop()
    await until(lambda: here._peers == {})
    await publish(database, here, "run:1", 1)
    assert here._unsent == {}


async def test_without_a_database_a_channel_serves_its_process(database: Database) -> None:
    channel = LiveChannel()
    await channel.start()
    async with channel.subscribe("run:1") as watcher:
        await publish(database, channel, "run:1", 1)
        assert await watcher.wait(0) == 1
    await channel.stop()
