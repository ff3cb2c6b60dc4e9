"""A worker that measures experiments until it is killed, and writes down what it pays for."""

import asyncio
import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from spectral.app import CONTROLLERS
from spectral.domains.agents.config import ConfigDocument
from spectral.domains.agents.runtime import AgentRuntime, Execution
from spectral.domains.changesets.experiment_launching import KIND, TASK
from spectral.domains.changesets.experiment_runs import ExperimentEnding, experiment_task
from spectral.domains.workflows.definitions.model import NodeKind
from spectral.domains.workflows.execution.children import Subflows
from spectral.domains.workflows.execution.launching import Launcher
from spectral.domains.workflows.execution.scoring import RunScoring
from spectral.domains.workflows.execution.segment import Workshop, workflow_handler
from spectral.domains.workflows.nodes.standard_tasks import standard_registry
from spectral.domains.workflows.nodes.tasks import TaskWork
from spectral.domains.workflows.remote.service import RemoteQueue
from spectral.domains.workflows.remote.steps import RemoteSteps
from spectral.domains.workflows.runs.surroundings import RunSurroundings
from spectral.platform.db.session import Database
from spectral.platform.engine.engine import Engine
from spectral.platform.live import LiveChannel
from spectral.platform.llm.door import ModelDoor
from tests.domains.agents.executing import Always
from tests.domains.evaluations.judges import door_to, verdict
from tests.domains.evaluations.measuring_process import SlowJudge, answer_in


@dataclass
class WrittenRuntime:
    """Answers by the config's share; writes down config and case before it answers, and takes its time."""

    log: Path
    in_flight: int = 8

    async def execute_many(
        self, config: ConfigDocument, inputs: Sequence[Any], seeds: Sequence[int]
    ) -> list[Execution]:
        del seeds
        share = config.prompts["main"].messages[0].content
        with self.log.open("a") as out:
            out.write("".join(f"{share} {value['case']}\n" for value in inputs))
        await asyncio.to_thread(time.sleep, 0.05)
        return [Execution(answer(share, value["case"]), None, 5, 1, 0, 10.0, config.model) for value in inputs]


def answer(share: str, case: str) -> str:
    """The luck of a case is the same for every share."""
    luck = int(hashlib.sha256(case.encode()).hexdigest()[:8], 16) / 16**8
    return f"{case}: {'right' if luck < float(share) else 'wrong'}"


def work(url: str, log: str) -> None:
    """Executes for ever."""
    asyncio.run(_work(url, Path(log)))


async def _work(url: str, log: Path) -> None:
    assert CONTROLLERS  # with the application every table is known, as in a server
    judge = SlowJudge(lambda request: verdict(5 if answer_in(request).endswith("right") else 2), log=log)
    await experimenting(Database(url), door_to(judge), WrittenRuntime(log.with_suffix(".executed"))).start()
    await asyncio.Event().wait()


def experimenting(database: Database, door: ModelDoor, runtime: AgentRuntime) -> Engine:
    """An engine that measures experiments, and nothing else."""
    engine = Engine(database)
    launcher = Launcher(engine)
    tasks = standard_registry()
    tasks.register(TASK, experiment_task(door, Always(runtime)), public=False)
    launcher.listen(KIND, ExperimentEnding())
    workshop = Workshop(
        launcher=launcher,
        works={NodeKind.TASK: TaskWork(tasks)},
        children=Subflows(launcher),
        remote=partial(RemoteSteps, RemoteQueue(LiveChannel(database), launcher)),
        surroundings=RunSurroundings(launcher),
        scoring=RunScoring(door),
    )
    engine.register(KIND, workflow_handler(workshop))
    return engine
