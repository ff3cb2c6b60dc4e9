"""Whoever has no room left says so with a 503, stores nothing by half, and goes on when there is room again."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import islice

import psutil  # type: ignore[import-untyped]
import psycopg
import pytest
from psycopg import sql

from spectral.settings import Settings
from tests.domains.traces.otlp_samples import make_span
from tests.domains.traces.site import Site, running_site
from tests.domains.traces.traffic import encode, marker
from tests.fixtures.exporters import Export

MEGABYTE = 1024 * 1024
BIG_BODY_BYTES = 6 * MEGABYTE
SENDERS = 32
# What a process of its size may hold for pending bytes that are decoded, mapped and compressed at the same time.
MEMORY_LIMIT_BYTES = 320 * MEGABYTE

pytestmark = pytest.mark.slow


async def test_a_full_queue_puts_senders_off_until_all_are_through(settings: Settings) -> None:
    small = settings.model_copy(update={"otlp_pending_requests": 3})
    async with running_site(small, connections=64) as site:
        site.exporters.start(islice(site.traffic.exports(), 128))
        await site.exporters.delivered()
        await site.require_all()
        assert site.exporters.answers.keys() == {200, 503}
        assert site.exporters.refused == 0


@pytest.mark.databases("sqlite")
async def test_a_flood_of_big_bodies_does_not_fill_the_memory(settings: Settings) -> None:
    small = settings.model_copy(update={"otlp_pending_bytes": 16 * MEGABYTE})
    async with running_site(small, connections=SENDERS) as site:
        process = psutil.Process(site.server.pid)
        before = process.memory_info().rss
        peak = before
        body = _big_export()
        site.exporters.start(iter([body] * SENDERS * 2))
        while site.exporters.answers.total() < 3 * SENDERS:
            peak = max(peak, process.memory_info().rss)
            await asyncio.sleep(0.01)
        await site.exporters.abandon()
        print(f"{before / MEGABYTE:.0f} MB before, {peak / MEGABYTE:.0f} MB at most; {site.report}")
        assert site.exporters.answers[503] > 0
        assert site.exporters.answers[200] > 0
        assert peak - before < MEMORY_LIMIT_BYTES


def _big_export() -> Export:
    spans = [make_span(span_id=number.to_bytes(8, "big"), attributes={"text": ""}) for number in range(1, 101)]
    for span in spans:
        span.attributes[0].value.string_value = marker(span.span_id, BIG_BODY_BYTES // len(spans))
    return encode(spans)


# ----------------------------------------------------------------------------------------------------------- full disks

Full = Callable[[Site, Settings], AbstractContextManager[None]]


@contextmanager
def _no_page_left(site: Site, settings: Settings) -> Iterator[None]:
    """SQLite's own limit: SQLITE_FULL."""
    flag = settings.data_dir / "full"
    flag.touch()
    yield
    flag.unlink()


@contextmanager
def _no_byte_left(site: Site, settings: Settings) -> Iterator[None]:
    """The system refuses to let any file of the process grow: SQLITE_IOERR, and a log that cannot be written."""
    process = psutil.Process(site.server.pid)
    usual = process.rlimit(psutil.RLIMIT_FSIZE)
    process.rlimit(psutil.RLIMIT_FSIZE, (4096, usual[1]))
    yield
    process.rlimit(psutil.RLIMIT_FSIZE, usual)


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize("full", [_no_page_left, _no_byte_left], ids=["pages", "files"])
async def test_a_full_disk_is_a_503_until_there_is_room_again(settings: Settings, full: Full) -> None:
    async with running_site(settings, full_disk=settings.data_dir / "full") as site:
        await _fill_up(site, full(site, settings))


@pytest.mark.databases("postgresql")
async def test_a_full_disk_of_postgres_is_a_503_until_there_is_room_again(settings: Settings) -> None:
    async with running_site(settings) as site:
        # The last table that a transaction writes: everything else of it was written before.
        await _fill_up(site, _refusing(settings, "usage_hourly"))


@contextmanager
def _refusing(settings: Settings, table: str) -> Iterator[None]:
    """Simulated: the database itself raises what it raises when a table cannot be extended (53100)."""
    name = sql.Identifier(table)
    with psycopg.connect(settings.owner_url.replace("+asyncpg", ""), autocommit=True) as owner:
        owner.execute(
            "CREATE FUNCTION disk_full() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION "
            "'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$"
        )
        owner.execute(
            sql.SQL(
                "CREATE TRIGGER disk_full BEFORE INSERT ON {} FOR EACH STATEMENT EXECUTE FUNCTION disk_full()"
            ).format(name)
        )
        yield
        owner.execute(sql.SQL("DROP TRIGGER disk_full ON {}").format(name))


async def _fill_up(site: Site, full: AbstractContextManager[None]) -> None:
    """Under load the disk becomes full, and later has room again; nobody starts anything anew."""
    site.exporters.start(site.traffic.exports())
    await site.exporters.acknowledged(5)
    with full:
        await site.exporters.put_off(2 * site.exporters.connections)
        # What was acknowledged is readable, and nothing of what was not is there by half.
        await site.inspection.require_stored(site.traffic, set(site.exporters.receipts.read()))
    await site.exporters.acknowledged(10)
    await site.require_all()
    assert site.exporters.answers.keys() == {200, 503}
    assert site.exporters.refused == 0
