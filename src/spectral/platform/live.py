"""Wake-ups between whoever changes something and whoever watches it, in any process. Lossy: the table is the truth.

In one process they are a call. Between processes on PostgreSQL they are notifications, sent after the commit and on a
connection of their own: a NOTIFY inside of a transaction makes all commits of the database queue up for one lock.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from hashlib import blake2b
from typing import Any
from uuid import uuid4

import asyncpg
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.platform.db.session import Database, after_commit

LOOK_ANYWAY = 2**62
"""Greater than every value: something may have been missed."""
CHANNEL = "spectral_live"
APPLICATION_NAME = "spectral live"
# PostgreSQL refuses payloads of 8,000 bytes; one piece of news is less than 60.
NEWS_A_MESSAGE = 100
# What waits to be sent while the connection is gone; watchers elsewhere look at their tables anyway.
UNSENT_MAXIMUM = 10_000
BEAT_S = 10.0
FORGET_PEER_S = 35.0
ANSWER_LIMIT_S = 5.0
FIRST_PAUSE_S = 0.1
LAST_PAUSE_S = 5.0
UNKNOWN_TO_DRIVER = (
    "async_fallback",
    "async_creator_fn",
    "prepared_statement_cache_size",
    "prepared_statement_name_func",
)
IN_TRANSACTION = "spectral.live"

log = structlog.get_logger(__name__)


class _Topic:
    """What is known of a topic while somebody watches it: one future for all who wait, however many they are."""

    def __init__(self) -> None:
        self.watchers = 0
        self.value = 0
        self.version = 0
        # The version at which news may have been lost.
        self.missed = 0
        self.changed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def tell(self, value: int | None) -> None:
        """Everybody who waits hears it; without a value they hear that something may have been missed."""
        self.version += 1
        if value is None:
            self.missed = self.version
        else:
            self.value = max(self.value, value)
        changed, self.changed = self.changed, asyncio.get_running_loop().create_future()
        changed.set_result(None)


class Subscription:
    """One watcher of one topic. Hears what is published after it began."""

    def __init__(self, topic: _Topic) -> None:
        self._topic = topic
        self._seen = topic.version

    async def wait(self, timeout_s: float) -> int | None:
        """The greatest value so far, once there is news since the last call; None when nothing came in time.

        `LOOK_ANYWAY` when wake-ups may have been lost: whoever watches looks at the table.
        """
        if self._topic.version == self._seen:
            await asyncio.wait([self._topic.changed], timeout=timeout_s)
            if self._topic.version == self._seen:
                return None
        missed = self._topic.missed > self._seen
        self._seen = self._topic.version
        return LOOK_ANYWAY if missed else self._topic.value


class LiveChannel:
    """The topics of an installation, as one process knows them. Lives as long as the process.

    Without a database, and on SQLite, it reaches the watchers of this process only. is_connected: whether other
    processes are heard just now.
    """

    def __init__(self, database: Database | None = None) -> None:
        self._options: dict[str, Any] | None = None
        if database is not None and not database.is_sqlite:
            _, options = database.writer.dialect.create_connect_args(database.writer.url)
            self._options = {name: value for name, value in options.items() if name not in UNKNOWN_TO_DRIVER}
        self._process = uuid4().hex
        self._topics: dict[str, _Topic] = {}
        # Other processes that listen, and when they were last heard of.
        self._peers: dict[str, float] = {}
        self._unsent: dict[str, int] = {}
        self._introductions: list[str] = []
        self._something_to_send = asyncio.Event()
        self._listening: asyncio.Task[None] | None = None
        self.is_connected = False

    async def start(self) -> None:
        """Other processes are heard from soon on; does not wait for a database that is away."""
        if self._options is not None and self._listening is None:
            self._listening = asyncio.create_task(self._keep_listening(), name="live")

    async def stop(self) -> None:
        """Other processes are not heard any more; safe to call twice."""
        listening, self._listening = self._listening, None
        if listening is not None:
            listening.cancel()
            with suppress(asyncio.CancelledError):
                await listening

    async def publish(self, session: AsyncSession, topic: str, value: int) -> None:
        """Whoever watches the topic hears it once the transaction has committed; never if it rolls back.

        value: grows with every publication, or stays what it was.  Of one topic's values in a transaction the greatest
        is told.
        """
        said: dict[str, int] | None = session.info.get(IN_TRANSACTION)
        if said is None:
            said = session.info[IN_TRANSACTION] = {}

            async def tell() -> None:
                self._publish(session.info.pop(IN_TRANSACTION, {}))

            after_commit(session, tell)
        name = _name(topic)
        said[name] = max(said.get(name, value), value)

    @asynccontextmanager
    async def subscribe(self, topic: str) -> AsyncIterator[Subscription]:
        """A watcher of the topic for as long as the block runs."""
        name = _name(topic)
        found = self._topics.get(name)
        if found is None:
            found = self._topics[name] = _Topic()
        found.watchers += 1
        try:
            yield Subscription(found)
        finally:
            found.watchers -= 1
            if not found.watchers:
                del self._topics[name]

    def _publish(self, news: dict[str, int]) -> None:
        self._tell(news)
        # Nobody to send to, nothing to send.
        if not self._peers or len(self._unsent) > UNSENT_MAXIMUM:
            return
        for name, value in news.items():
            self._unsent[name] = max(self._unsent.get(name, value), value)
        self._something_to_send.set()

    def _tell(self, news: dict[str, int]) -> None:
        for name, value in news.items():
            topic = self._topics.get(name)
            if topic is not None:
                topic.tell(value)

    async def _keep_listening(self) -> None:
        """One connection after the other, with growing pauses while there is none to be had."""
        pause_s = FIRST_PAUSE_S
        while True:
            connection: asyncpg.Connection | None = None
            try:
                connection = await self._connect()
                self.is_connected = True
                pause_s = FIRST_PAUSE_S
                await self._send(connection)
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("live_connection_lost", error=type(error).__name__)
            finally:
                self.is_connected = False
                if connection is not None:
                    # Nothing that is open on it matters, and a peer that is away is not waited for.
                    connection.terminate()
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, LAST_PAUSE_S)

    async def _connect(self) -> asyncpg.Connection:
        options = dict(self._options or {})
        options["server_settings"] = {**options.get("server_settings", {}), "application_name": APPLICATION_NAME}
        options.setdefault("timeout", ANSWER_LIMIT_S)
        connection: asyncpg.Connection = await asyncpg.connect(**options)
        try:
            connection.add_termination_listener(lambda _: self._something_to_send.set())
            await asyncio.wait_for(connection.add_listener(CHANNEL, self._hear), ANSWER_LIMIT_S)
        except BaseException:
            connection.terminate()
            raise
        # Whoever watched while there was no connection may have missed something.
        for topic in self._topics.values():
            topic.tell(None)
        self._introductions = ["hello"]
        return connection

    async def _send(self, connection: asyncpg.Connection) -> None:
        """Sends what there is until the connection ends. Whatever comes meanwhile goes with the next round."""
        beat_at = time.monotonic() + BEAT_S
        self._something_to_send.set()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, beat_at - time.monotonic())):
                    await self._something_to_send.wait()
            self._something_to_send.clear()
            if connection.is_closed():
                raise ConnectionResetError
            if time.monotonic() >= beat_at:
                beat_at = time.monotonic() + BEAT_S
                self._introductions.append("here")
                self._forget_peers()
            messages = list(self._messages())
            if messages:
                statement = "SELECT pg_notify($1, message) FROM unnest($2::text[]) AS message"
                await connection.execute(statement, CHANNEL, messages, timeout=ANSWER_LIMIT_S)

    def _messages(self) -> Iterator[str]:
        introductions, self._introductions = self._introductions, []
        for word in dict.fromkeys(introductions):
            yield json.dumps({"from": self._process, "is": word})
        unsent, self._unsent = list(self._unsent.items()), {}
        for start in range(0, len(unsent), NEWS_A_MESSAGE):
            yield json.dumps({"from": self._process, "news": dict(unsent[start : start + NEWS_A_MESSAGE])})

    def _forget_peers(self) -> None:
        oldest = time.monotonic() - FORGET_PEER_S
        self._peers = {process: heard for process, heard in self._peers.items() if heard >= oldest}

    def _hear(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        """A message of some process; anyone who may use the database can send one, so nothing in it is believed."""
        try:
            message = json.loads(str(payload))
            sender, word, news = str(message["from"]), message.get("is"), message.get("news", {})
            told = {str(name): int(value) for name, value in news.items()}
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
            log.warning("live_message_unreadable")
            return
        if sender == self._process:
            return
        self._peers[sender] = time.monotonic()
        if word == "hello":
            self._introductions.append("here")
            self._something_to_send.set()
        self._tell(told)


def _name(topic: str) -> str:
    """What stands for the topic in notifications, whatever a tenant has put into it: 128 bits."""
    return blake2b(topic.encode(), digest_size=16).hexdigest()
