"""`kill -9` while an experiment is measured: it ends with the rows of an undisturbed twin, and repeats nothing."""

import asyncio
import json
import multiprocessing
import random
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa

from spectral.domains.agents.config import canonical_hash
from spectral.domains.changesets.experiment_launching import ENDED, KIND, ExperimentLauncher
from spectral.domains.changesets.experiment_schemas import ExperimentIn
from spectral.domains.changesets.models import Experiment
from spectral.domains.evaluations.judging import CALLS_IN_FLIGHT
from spectral.domains.evaluations.models import EvaluationResult, Judgement
from spectral.domains.evaluations.service import RubricService
from spectral.domains.workflows.execution.launching import Launcher
from spectral.platform.db.session import Database
from spectral.platform.engine.context import WorkContext
from spectral.platform.engine.engine import Engine
from spectral.settings import Settings
from tests.domains.agents.executing import Always
from tests.domains.changesets.experimenting_process import work
from tests.domains.changesets.workbench import ScriptedRuntime, Workbench, config
from tests.domains.evaluations.judges import JudgeProvider, door_to, judged_rubric
from tests.domains.scans.test_crash import bury, everything
from tests.fixtures.tenants import Tenant, register_tenant

LIVE, TRIED = "0.5", "0.8"
SHARES = {canonical_hash(config(share)): share for share in (LIVE, TRIED)}
KILLS = 2
LIMIT_S = 60.0
# A question that a worker died with is asked once more, and what it may have cost stays spent.
OF_CRASHES = {"judgement": {"attempts", "reserved_nano_usd"}, "experiment": {"cost_nano_usd"}}


@dataclass(frozen=True)
class Recorded:
    """What is written of an experiment. executed, judged: as the worker's logs name them."""

    status: str
    cost_nano_usd: int | None
    executed: frozenset[str]
    judged: frozenset[str]
    judgements: Mapping[str, tuple[str, int, int]]
    """State, attempts and money in doubt, by the digest of the question."""

    def has_come_to(self, answered: int) -> bool:
        return self.status in ENDED or len(self.answered) >= answered

    @property
    def answered(self) -> set[str]:
        return {digest for digest, (state, _, _) in self.judgements.items() if state == "answered"}


@dataclass
class Bench:
    """A workspace with an experiment whose answers a paid judge scores, and the worker that measures it."""

    database: Database
    settings: Settings
    tenant: Tenant
    experiment_id: UUID

    @classmethod
    async def make(cls, database: Database, settings: Settings, tenant: Tenant, engine: Engine) -> "Bench":
        access = tenant.access
        made = await Workbench.make(database, access, items=400)
        async with database.transaction(access) as session:
            rubric = await RubricService(session, access).create_rubric("judged", None, judged_rubric())
            runtimes = Always(ScriptedRuntime())
            launcher = ExperimentLauncher(
                session, access, Launcher(engine), door=door_to(JudgeProvider()), runtimes=runtimes
            )
            asked = {
                "agent_id": str(made.agent_id),
                "arms": [{"label": "live", "version": 1}, {"label": "tried", "config": config(TRIED).as_json()}],
                "sample_set_id": str(made.set_id),
                "rubric_id": str(rubric.rubric.id),
                "seed": 7,
            }
            started = await launcher.start(ExperimentIn.model_validate(asked))
        return cls(database, settings, tenant, started.experiment.id)

    async def measure(self, context: ForkServerContext, log: Path, answered: int) -> Recorded:
        """What is recorded once a worker has been killed: at so many answered questions, or after the end."""
        worker = context.Process(target=work, args=(self.settings.url, str(log)), daemon=True)
        worker.start()
        try:
            async with asyncio.timeout(LIMIT_S):
                while not (await self.read()).has_come_to(answered):  # noqa: ASYNC110 - rows tell nobody
                    await asyncio.sleep(0.01)
        finally:
            worker.kill()
            worker.join()
        await bury(self.database)
        return await self.read()

    async def rows(self) -> dict[str, list[str]]:
        """Everything that the workspace holds, without what only a crash leaves behind."""
        held = await everything(self.database, self.tenant)
        del held["evaluation_reservation"]
        for table, columns in OF_CRASHES.items():
            told = [
                {name: value for name, value in json.loads(row).items() if name not in columns} for row in held[table]
            ]
            held[table] = sorted(json.dumps(row, sort_keys=True) for row in told)
        return held

    async def read(self) -> Recorded:
        access = self.tenant.access
        async with self.database.transaction(access, read_only=True) as session:
            experiment = await session.get_one(Experiment, (access.workspace_id, self.experiment_id))
            results = (await session.scalars(self._of(EvaluationResult))).all()
            judgements = (await session.scalars(self._of(Judgement))).all()
        return Recorded(
            experiment.status,
            experiment.cost_nano_usd,
            frozenset(f"{SHARES[one.config_hash]} {str(one.output).partition(':')[0]}" for one in results),
            frozenset(str(one.output) for one in results if one.total is not None),
            {one.question_digest: (one.state, one.attempts, one.reserved_nano_usd) for one in judgements},
        )

    def _of(self, model: type[Any]) -> sa.Select[Any]:
        return sa.select(model).where(
            model.workspace_id == self.tenant.workspace_id, model.subject_id == self.experiment_id
        )


async def _elsewhere(_: WorkContext) -> None:
    """A worker does it."""


@pytest.fixture(scope="module")
def context() -> ForkServerContext:
    made = multiprocessing.get_context("forkserver")
    made.set_forkserver_preload([work.__module__])
    return made


@pytest.fixture
async def engine(database: Database) -> AsyncIterator[Engine]:
    """Takes experiments for the workers."""
    engine = Engine(database, executes=False)
    engine.register(KIND, _elsewhere)
    yield engine
    await engine.stop()


@pytest.mark.slow
async def test_a_killed_experiment_ends_like_an_undisturbed_one_and_repeats_nothing_recorded(
    context: ForkServerContext,
    client: httpx.AsyncClient,
    database: Database,
    settings: Settings,
    tenant: Tenant,
    engine: Engine,
    tmp_path: Path,
) -> None:
    twin = await Bench.make(database, settings, await register_tenant(client, "twin"), engine)
    undisturbed = await twin.measure(context, tmp_path / "twin", 10**9)
    assert undisturbed.status == "completed"
    questions = len(undisturbed.judgements)
    assert questions > 4 * CALLS_IN_FLIGHT

    seed = time.time_ns() % 10**6
    rng = random.Random(seed)  # noqa: S311 - where to kill
    points = sorted(rng.sample(range(1, questions - CALLS_IN_FLIGHT), KILLS))
    ours = await Bench.make(database, settings, tenant, engine)
    logs = [tmp_path / f"run-{number}" for number in range(KILLS + 1)]
    kept = [await ours.measure(context, log, at) for log, at in zip(logs, points, strict=False)]
    assert {one.status for one in kept} == {"running"}, f"seed {seed}: it was quicker than we"
    ended = await ours.measure(context, logs[-1], 10**9)

    for before, log in zip(kept, logs[1:], strict=True):
        later = [line for each in logs[logs.index(log) :] for line in lines(each)]
        executed_later = [line for each in logs[logs.index(log) :] for line in lines(each.with_suffix(".executed"))]
        assert before.judged.isdisjoint(later), f"seed {seed}: asked again what was recorded"
        assert before.executed.isdisjoint(executed_later), f"seed {seed}: executed again what was recorded"
        for digest in before.answered:
            assert ended.judgements[digest] == before.judgements[digest], f"seed {seed}"
    assert ended.status == "completed", f"seed {seed}"
    asked = sum(len(lines(log)) for log in logs)
    assert questions <= asked <= questions + KILLS * CALLS_IN_FLIGHT, f"seed {seed}"
    in_doubt = sum(money for _, _, money in ended.judgements.values())
    assert undisturbed.cost_nano_usd is not None
    assert ended.cost_nano_usd == undisturbed.cost_nano_usd + in_doubt
    wanted, found = await twin.rows(), await ours.rows()
    assert len(wanted["evaluation_result"]) == len(undisturbed.executed)
    for table, rows in wanted.items():
        assert found[table] == rows, f"{table}, seed {seed}"


def lines(log: Path) -> list[str]:
    return log.read_text().splitlines() if log.exists() else []
