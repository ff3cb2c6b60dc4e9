"""A process that measures, or has a judge measure, until it is done or killed: `python measuring_process.py <json>`."""

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.agents.config import ConfigDocument
from spectral.domains.agents.runtime import Execution
from spectral.domains.evaluations.budget import Budget
from spectral.domains.evaluations.measurement import Measured, Measurement
from spectral.domains.evaluations.scoring import RubricSpec
from spectral.domains.workspaces.models import Workspace
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.llm.calls import ModelFault, ModelReply, ModelRequest
from spectral.platform.llm.door import ModelDoor
from spectral.platform.llm.local.provider import LocalProvider
from tests.domains.evaluations.judges import JudgeProvider, door_to, judged_rubric, verdict

ITEMS = 1600
JUDGED = 120
NAMESPACE = UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8")
RUBRIC = RubricSpec.model_validate({"dimensions": [{"name": "close", "scorer": "levenshtein"}]})
CONFIG = ConfigDocument.model_validate(
    {"prompts": {"main": {"messages": [{"role": "user", "content": "{{text}}"}]}}, "model": "spectral-local/small"}
)


@dataclass(frozen=True)
class Item:
    id: UUID
    input: Any
    expected: Any
    group_key: str | None = None


@dataclass
class LoggingRuntime:
    """Answers from input and seed; writes down what it executes before it answers, and takes its time."""

    log: Path
    in_flight: int = 8
    delay_s: float = 0.2

    async def execute_many(
        self, config: ConfigDocument, inputs: Sequence[Any], seeds: Sequence[int]
    ) -> list[Execution]:
        with self.log.open("a") as out:
            out.write("".join(f"{value}\n" for value in inputs))
        await asyncio.to_thread(time.sleep, self.delay_s)
        return [
            Execution(f"{value}-{seed % 100}", None, 1, 1, 0, 1.0, config.model)
            for value, seed in zip(inputs, seeds, strict=True)
        ]


def items() -> list[Item]:
    return [Item(uuid5(NAMESPACE, str(n)), n, f"{n}-50") for n in range(ITEMS)]


async def nothing() -> None:
    pass


async def owned(_session: AsyncSession) -> None:
    pass


async def measure_all(database: Database, access: WorkspaceAccess, subject: UUID, log: Path) -> list[Measured]:
    measurement = Measurement(
        database,
        access,
        LoggingRuntime(log),
        RUBRIC,
        subject_kind="scan",
        subject_id=subject,
        budget=Budget(ITEMS),
        checkpoint=nothing,
        fence=owned,
        door=ModelDoor([LocalProvider()]),
    )
    return await measurement.measure(CONFIG, items(), purpose="agent")


@dataclass
class SlowJudge(JudgeProvider):
    """Judges by the answer alone; writes down what it is asked before it replies, and takes its time."""

    log: Path = Path()

    async def complete_many(self, requests: Sequence[ModelRequest]) -> list[ModelReply | ModelFault]:
        with self.log.open("a") as out:
            out.write("".join(f"{answer_in(request)}\n" for request in requests))
        await asyncio.sleep(0.05)
        return await super().complete_many(requests)


def answer_in(request: ModelRequest) -> str:
    """The answer that a question shows."""
    return request.messages[-1].content.split("»\n")[1].split("\n")[0]


async def judge_all(database: Database, access: WorkspaceAccess, subject: UUID, log: Path) -> list[Measured]:
    judge = SlowJudge(lambda request: verdict(1 + len(answer_in(request)) % 5), log=log)
    measurement = Measurement(
        database,
        access,
        LoggingRuntime(log.with_suffix(".executed"), delay_s=0.01),
        judged_rubric(),
        subject_kind="scan",
        subject_id=subject,
        budget=Budget(2 * JUDGED, 10**12),
        checkpoint=nothing,
        fence=owned,
        door=door_to(judge),
    )
    return await measurement.measure(CONFIG, items()[:JUDGED], purpose="agent")


async def main() -> None:
    given = json.loads(sys.argv[1])
    assert Workspace.__tablename__ == "workspace"  # what the journal refers to must be known, as in a server
    database = Database(given["url"])
    access = WorkspaceAccess.for_system(UUID(given["workspace_id"]), UUID(given["account_id"]), "test")
    try:
        work = judge_all if given.get("judged") else measure_all
        await work(database, access, UUID(given["subject_id"]), Path(given["log"]))
    finally:
        await database.close()


if __name__ == "__main__":
    asyncio.run(main())
