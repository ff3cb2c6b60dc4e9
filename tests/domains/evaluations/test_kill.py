"""`kill -9` in the middle of a measurement repeats nothing that was recorded and changes no result."""

import asyncio
import json
import random
import sys
from asyncio.subprocess import Process
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from spectral.domains.evaluations.models import EvaluationResult
from spectral.domains.evaluations.repository import ResultRepository
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.settings import Settings
from tests.domains.evaluations.measuring_process import ITEMS, items, measure_all
from tests.fixtures.tenants import Tenant

KILLS = 2


async def recorded(database: Database, access: WorkspaceAccess, subject: UUID) -> set[UUID]:
    async with database.transaction(access, read_only=True) as session:
        rows = await ResultRepository(session, access).find_all(EvaluationResult.subject_id == subject)
    return {row.item_id for row in rows}


async def recorded_at_least(count: int, process: Process, database: Database, tenant: Tenant, subject: UUID) -> None:
    async with asyncio.timeout(60):
        while True:
            async with database.transaction(tenant.access, read_only=True) as session:
                results, _ = await ResultRepository(session, tenant.access).spending(subject)
            if results >= count:
                return
            assert process.returncode is None, "the process ended before it was killed"
            await asyncio.sleep(0.03)


@pytest.mark.slow
async def test_killed_processes_repeat_nothing_recorded(
    database: Database, settings: Settings, tenant: Tenant, tmp_path: Path
) -> None:
    subject = uuid4()
    input_of = {item.id: str(item.input) for item in items()}
    done: list[set[str]] = []
    logs = [tmp_path / f"run-{number}" for number in range(KILLS + 1)]
    points = sorted(random.sample(range(1, ITEMS // 2), KILLS))
    for log, at in zip(logs, points, strict=False):
        given = {
            "url": settings.url,
            "workspace_id": str(tenant.workspace_id),
            "account_id": str(tenant.account_id),
            "subject_id": str(subject),
            "log": str(log),
        }
        script = Path(__file__).with_name("measuring_process.py")
        process = await asyncio.create_subprocess_exec(sys.executable, str(script), json.dumps(given))
        try:
            await recorded_at_least(max(at, 1 + len(done[-1] if done else ())), process, database, tenant, subject)
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()
        found = await recorded(database, tenant.access, subject)
        assert at <= len(found) < ITEMS
        done.append({input_of[item_id] for item_id in found})
    resumed = await measure_all(database, tenant.access, subject, logs[-1])
    for before, log in zip(done, logs[1:], strict=True):
        assert before.isdisjoint(log.read_text().split()), f"repeated what was recorded; kills at {points}"
    assert len(await recorded(database, tenant.access, subject)) == ITEMS
    # Everything of the journal, answers and scores, is what one undisturbed run gives: they depend on nothing else.
    async with database.transaction(tenant.access) as session:
        journal = ResultRepository(session, tenant.access)
        await journal.execute(journal.delete(EvaluationResult.subject_id == subject))
    assert await measure_all(database, tenant.access, subject, tmp_path / "whole") == resumed
