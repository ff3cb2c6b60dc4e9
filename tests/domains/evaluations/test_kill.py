"""`kill -9` in the middle of a measurement repeats nothing that was recorded and changes no result."""

import asyncio
import json
import os
import random
import sys
from asyncio.subprocess import Process
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from spectral.domains.evaluations.judging import CALLS_IN_FLIGHT
from spectral.domains.evaluations.models import EvaluationResult, Judgement
from spectral.domains.evaluations.repository import JudgementRepository, ResultRepository
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.settings import Settings
from tests.domains.evaluations.measuring_process import ITEMS, JUDGED, items, judge_all, measure_all
from tests.fixtures.project import ROOT
from tests.fixtures.tenants import Tenant

KILLS = 2


async def recorded(database: Database, access: WorkspaceAccess, subject: UUID) -> set[UUID]:
    async with database.transaction(access, read_only=True) as session:
        rows = await ResultRepository(session, access).find_all(EvaluationResult.subject_id == subject)
    return {row.item_id for row in rows}


async def start(given: dict[str, Any]) -> Process:
    script = Path(__file__).with_name("measuring_process.py")
    surroundings = {**os.environ, "PYTHONPATH": str(ROOT)}
    return await asyncio.create_subprocess_exec(sys.executable, str(script), json.dumps(given), env=surroundings)


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
        process = await start(given)
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


@pytest.mark.slow
async def test_a_killed_process_asks_again_only_what_its_judge_was_asked_when_it_died(
    database: Database, settings: Settings, tenant: Tenant, tmp_path: Path
) -> None:
    subject = uuid4()
    logs = [tmp_path / "first", tmp_path / "second"]
    given = {
        "url": settings.url,
        "workspace_id": str(tenant.workspace_id),
        "account_id": str(tenant.account_id),
        "subject_id": str(subject),
        "log": str(logs[0]),
        "judged": True,
    }

    async def judged() -> list[Judgement]:
        async with database.transaction(tenant.access, read_only=True) as session:
            return await JudgementRepository(session, tenant.access).find_all(Judgement.subject_id == subject)

    process = await start(given)
    try:
        async with asyncio.timeout(60):
            while sum(row.state == "answered" for row in await judged()) < 20:
                assert process.returncode is None, "the process ended before it was killed"
                await asyncio.sleep(0.03)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
    before = await judged()
    answers = {row.question_digest: str((row.shown or {})["output"]) for row in before}
    told = {answers[row.question_digest] for row in before if row.state == "answered"}
    executed = await recorded(database, tenant.access, subject)
    assert 20 <= len(told) < JUDGED
    resumed = await judge_all(database, tenant.access, subject, logs[1])
    assert [each.total for each in resumed] == [len(str(each.output)) % 5 / 4 for each in resumed]
    asked_again = logs[1].read_text().split()
    assert told.isdisjoint(asked_again), "repeated a verdict that was recorded"
    assert len(asked_again) == JUDGED - len(told)
    executed_again = set(logs[1].with_suffix(".executed").read_text().split())
    input_of = {item.id: str(item.input) for item in items()}
    assert executed_again.isdisjoint(input_of[one] for one in executed), "repeated an answer that was recorded"
    # What was in flight is paid for twice, and no more than the judge's slots.
    held = [row for row in await judged() if row.reserved_nano_usd]
    assert len(held) == sum(row.state == "asked" for row in before) <= CALLS_IN_FLIGHT
