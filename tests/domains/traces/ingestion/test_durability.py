"""What was acknowledged is there, whoever was killed meanwhile: the server, PostgreSQL, or nobody.

`SPECTRAL_TEST_ROUNDS` makes more kills of it than the few of every run; with `-s` the numbers are printed.
"""

import asyncio
import os
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

from spectral.platform.db.session import Database
from spectral.settings import Settings
from tests.domains.traces.site import running_site
from tests.fixtures.crashing_postgres import CrashingPostgres, crashing_postgres
from tests.fixtures.databases import TestRun
from tests.fixtures.exporters import Receipts

ROUNDS = int(os.environ.get("SPECTRAL_TEST_ROUNDS", "2"))
SEED = int(os.environ.get("SPECTRAL_TEST_SEED", "1"))

pytestmark = pytest.mark.slow


async def test_a_killed_server_lost_nothing_that_it_acknowledged(settings: Settings) -> None:
    dice = random.Random(SEED)  # noqa: S311 - when, not what
    async with running_site(settings, seed=SEED) as site:
        site.exporters.start(site.traffic.exports())
        for _ in range(ROUNDS):
            await site.exporters.acknowledged(1)
            await asyncio.sleep(dice.uniform(0, 0.8))
            site.server.kill()
            # Its exporters keep trying meanwhile.
            await asyncio.to_thread(site.server.start)
        await site.exporters.acknowledged(1)
        await site.require_all()
        # A kill that nobody noticed proves nothing.
        assert site.exporters.broken.total() + site.exporters.refused > 0


async def test_a_server_that_is_asked_to_end_answers_what_it_can_and_loses_nothing(settings: Settings) -> None:
    async with running_site(settings, seed=SEED) as site:
        site.exporters.start(site.traffic.exports())
        await site.exporters.acknowledged(5)
        assert await asyncio.to_thread(site.server.terminate) == 0, site.server.log
        await asyncio.to_thread(site.server.start)
        await site.exporters.acknowledged(1)
        await site.require_all()


@pytest.mark.databases("postgresql")
async def test_two_processes_store_the_same_traces_at_the_same_time(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    async with running_site(settings, seed=SEED, processes=2) as site:
        exports = list(islice(site.traffic.exports(), 40 * ROUNDS))
        # Both get everything, so halves of one trace and copies of one span meet in both.
        again = Receipts(tmp_path / "again.log")
        others = replace(site.exporters, ports=site.exporters.ports[::-1], receipts=again, answers=Counter(), sent=[])
        site.exporters.start(iter(exports))
        others.start(iter(exports[::-1]))
        await asyncio.gather(site.exporters.delivered(), others.delivered())
        assert set(again.read()) == set(site.exporters.receipts.read())
        await site.require_all()
        assert site.exporters.answers.keys() | others.answers.keys() == {200}
    async with database.transaction(read_only=True) as session:
        mine = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        assert (await session.execute(sa.text(mine))).scalar_one() == 0


# ------------------------------------------------------------------------------------------- PostgreSQL is killed


@pytest.fixture(scope="module")
def postgres(
    database_kind: str, test_run: TestRun, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CrashingPostgres]:
    """A cluster that the tests of this module may kill; `database_kind` says whether PostgreSQL is wanted at all."""
    with crashing_postgres(test_run.directory, tmp_path_factory.mktemp("migrating")) as cluster:
        yield cluster


@pytest.mark.databases("postgresql")
async def test_a_killed_postgres_lost_nothing_and_the_server_recovers_by_itself(
    postgres: CrashingPostgres, tmp_path: Path
) -> None:
    dice = random.Random(SEED)  # noqa: S311 - when, not what
    async with running_site(postgres.settings(tmp_path), name="killed", seed=SEED) as site:
        site.exporters.start(site.traffic.exports())
        for _ in range(ROUNDS + 1):
            await site.exporters.acknowledged(1)
            await asyncio.sleep(dice.uniform(0, 0.8))
            await asyncio.to_thread(postgres.kill)
            await asyncio.sleep(dice.uniform(0, 0.8))
            await asyncio.to_thread(postgres.start)
        await site.exporters.acknowledged(1)
        await site.require_all()
        assert site.exporters.answers.keys() == {200, 503}
        assert site.exporters.refused == 0
        assert site.server.is_running


@pytest.mark.databases("postgresql")
async def test_a_server_that_is_there_before_its_database_asks_to_come_again(
    postgres: CrashingPostgres, tmp_path: Path
) -> None:
    async with running_site(postgres.settings(tmp_path), name="early", seed=SEED) as site:
        site.server.kill()
        try:
            await asyncio.to_thread(postgres.kill)
            await asyncio.to_thread(site.server.launch)
            await asyncio.to_thread(site.server.wait, ready=False)
            async with httpx.AsyncClient(base_url=site.server.url, timeout=30) as client:
                health = await client.get("/api/v1/health", params={"ready": 1})
            assert (health.status_code, health.headers["retry-after"].isdigit()) == (503, True)
            site.exporters.start(site.traffic.exports())
            await site.exporters.put_off(6)
            assert site.exporters.answers.keys() == {503}
        finally:
            await asyncio.to_thread(postgres.start)
        await site.exporters.acknowledged(10)
        await asyncio.to_thread(site.server.wait, ready=True)
        await site.require_all()
