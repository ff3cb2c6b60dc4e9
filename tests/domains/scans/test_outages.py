"""A judge that is away is no result of the agent: the scan's measurement ends, and goes on where it was."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from spectral.domains.evaluations.budget import Budget
from spectral.domains.evaluations.models import EvaluationResult, Judgement
from spectral.domains.scans.errors import ProviderDownError
from spectral.domains.scans.measuring import ScanMeasurement
from spectral.platform.db.session import Database
from spectral.platform.llm.calls import ModelFault, ModelRequest
from tests.domains.evaluations.judges import DOWN, JudgeProvider, door_to, judged_rubric
from tests.domains.evaluations.test_judging import CONFIG, Echo, Item, by_number, items, nothing, owned
from tests.fixtures.tenants import Tenant

ITEMS = 60


@dataclass
class Judged:
    """A scan that measures items with a judge, taken up as often as it is begun."""

    database: Database
    tenant: Tenant
    subject: UUID = field(default_factory=uuid4)
    items: list[Item] = field(default_factory=lambda: items(ITEMS))
    runtime: Echo = field(default_factory=Echo)

    async def measure(self, judge: JudgeProvider, count: int = ITEMS) -> list[float | None]:
        """The totals of the first items, measured by a process that has just begun."""
        measurement = ScanMeasurement(
            self.database,
            self.tenant.access,
            self.runtime,
            judged_rubric(),
            subject_kind="scan",
            subject_id=self.subject,
            budget=Budget(1000, 10**12),
            checkpoint=nothing,
            fence=owned,
            door=door_to(judge),
            ceiling=lambda _config, _value: 10,
        )
        measured = await measurement.measure(CONFIG, self.items[:count], purpose="agent")
        return [one.total for one in measured]

    async def column(self, column: Any, *where: Any) -> list[Any]:
        model = column.class_
        mine = (model.workspace_id == self.tenant.workspace_id, model.subject_id == self.subject)
        async with self.database.transaction(self.tenant.access, read_only=True) as session:
            return list(await session.scalars(sa.select(column).where(*mine, *where)))


def until(replies: int) -> JudgeProvider:
    """Gives so many verdicts, and is away then."""
    judge = JudgeProvider()

    def says(request: ModelRequest) -> str | ModelFault:
        return by_number(request) if len(judge.asked) <= replies else DOWN

    judge.says = says
    return judge


async def test_a_judge_that_goes_away_ends_the_scan_and_is_asked_again_when_it_is_back(
    database: Database, tenant: Tenant
) -> None:
    scan = Judged(database, tenant)
    for replies in (20, 10):
        with pytest.raises(ProviderDownError, match=r"of 60 answers were not judged \(openai/gpt-4o-mini: 503\)"):
            await scan.measure(until(replies))
        # What was answered is kept, and nothing is missing that anybody could take for a result.
        assert set(await scan.column(EvaluationResult.missing_reason)) == {None, "unscored"}
        assert set(await scan.column(Judgement.state)) == {"answered", "asked"}
    assert len(await scan.column(Judgement.id, Judgement.state == "answered")) == 30

    back = JudgeProvider(by_number)
    assert await scan.measure(back) == [one.input % 5 / 4 for one in scan.items]
    assert len(back.asked) == 30, "what it had said is not asked again"
    assert len(scan.runtime.calls) == ITEMS, "no answer is made twice"
    assert set(await scan.column(EvaluationResult.missing_reason)) == {None}


async def test_a_judge_that_answers_garbage_is_not_away_and_a_few_lost_replies_are_bad_luck(
    database: Database, tenant: Tenant
) -> None:
    scan = Judged(database, tenant)
    assert await scan.measure(JudgeProvider(lambda _: "five stars"), 20) == [None] * 20
    lucky = JudgeProvider(lambda request: DOWN if "answer 30" in request.messages[-1].content else by_number(request))
    totals = await scan.measure(lucky)
    assert totals[:20] == [None] * 20, "it is known, and was seen"
    assert [number for number, total in enumerate(totals) if total is None][20:] == [30]
