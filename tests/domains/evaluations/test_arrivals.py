"""Evaluation on arrival: what is scored, what is not, and what no crash and no second worker changes."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from spectral.domains.evaluations.arrival_scoring import RubricScorer
from spectral.domains.evaluations.models import OnlineEvaluationDay
from spectral.domains.evaluations.sampling import is_sampled
from spectral.domains.traces.lifecycle.models import TraceSettings
from spectral.domains.traces.models import Trace
from spectral.platform.db.session import Database
from spectral.platform.shared.clock import utc_now
from tests.domains.evaluations.arriving import (
    Killed,
    PaidScorer,
    arrive,
    figures,
    online,
    scores,
    send,
    trace_id,
    waiting,
    work,
)
from tests.domains.evaluations.judges import COST, PRICED, JudgeProvider, door_to, verdict
from tests.fixtures.servers import ServerProcess
from tests.fixtures.tenants import Tenant, register_tenant


async def read(client: httpx.AsyncClient, tenant: Tenant, path: str) -> dict[str, Any]:
    answer = await client.get(f"{tenant.url}{path}", headers=tenant.client_headers)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def watches(database: Database, tenant: Tenant) -> bool:
    async with database.transaction(tenant.access, read_only=True) as session:
        statement = sa.select(TraceSettings.watches).where(TraceSettings.workspace_id == tenant.workspace_id)
        return bool((await session.execute(statement)).scalar_one_or_none())


async def scored_within(client: httpx.AsyncClient, tenant: Tenant, online_id: str, count: int) -> None:
    async with asyncio.timeout(30):
        while (await figures(client, tenant, online_id))["evaluated"] < count:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.1)


async def test_new_traces_of_two_tenants_are_scored_by_the_engine(
    engine_client: httpx.AsyncClient, database: Database
) -> None:
    client = engine_client
    ours, theirs = await register_tenant(client, "ours"), await register_tenant(client, "theirs")
    mine, other = await online(client, ours), await online(client, theirs)
    await send(client, theirs, range(1, 151))
    await send(client, ours, range(1, 5))
    await asyncio.gather(scored_within(client, ours, mine["id"], 4), scored_within(client, theirs, other["id"], 150))
    assert (await waiting(database, ours), await waiting(database, theirs)) == (0, 0)
    listed = await read(client, ours, "/traces?limit=10")
    by_id = {trace["trace_id"]: trace["scores"] for trace in listed["results"]}
    assert by_id == {
        trace_id(number).hex(): {"eval/manners": float(number % 2 == 0), "eval/manners/polite": float(number % 2 == 0)}
        for number in range(1, 5)
    }
    (score,) = (await read(client, ours, f"/traces/{trace_id(2).hex()}/scores"))["results"]
    assert (score["total"], score["passed"], score["span_count"], score["cost_usd"]) == (1.0, True, 1, "0")
    assert score["dimensions"]["polite"]["scorer"] == "contains@1"
    first = await read(client, theirs, f"/evaluations/online/{other['id']}/scores?limit=100")
    cursor = first["pagination"]["next_cursor"]
    rest = await read(client, theirs, f"/evaluations/online/{other['id']}/scores?limit=100&cursor={cursor}")
    assert len({score["trace_id"] for score in first["results"] + rest["results"]}) == 150
    told = await figures(client, theirs, other["id"])
    assert (told["evaluated"], told["failed"], told["evaluations_today"], told["cost_usd"]) == (150, 0, 150, "0")
    assert told["last_run_at"] is not None


async def test_people_and_evaluations_score_the_same_trace_beside_each_other(
    client: httpx.AsyncClient, tenant: Tenant, database: Database
) -> None:
    await online(client, tenant)
    await send(client, tenant, [1, 2])
    feedback = f"{tenant.url}/traces/{trace_id(2).hex()}/feedback"
    for score in (0.0, 1.0):
        await client.post(feedback, json={"name": "manners", "score": score}, headers=tenant.client_headers)
    await arrive(database, tenant, [1, 2])
    await work(database, tenant)
    expected = {"manners": 0.5, "eval/manners": 1.0, "eval/manners/polite": 1.0}
    for path in ('filter=score["eval/manners"] >= 1', "filter=score.manners < 1", "sort=-score:eval/manners&limit=1"):
        (first,) = (await read(client, tenant, f"/traces?{path}"))["results"]
        assert first["trace_id"] == trace_id(2).hex()
    assert (await read(client, tenant, f"/traces/{trace_id(2).hex()}"))["scores"] == expected
    await client.post(feedback, json={"name": "manners", "score": 0.5}, headers=tenant.client_headers)
    assert (await read(client, tenant, f"/traces/{trace_id(2).hex()}"))["scores"] == expected
    await client.delete(feedback, headers=tenant.client_headers)
    del expected["manners"]
    assert (await read(client, tenant, f"/traces/{trace_id(2).hex()}"))["scores"] == expected
    async with database.transaction(tenant.access) as session:
        mine = (Trace.workspace_id == tenant.workspace_id, Trace.trace_id == trace_id(2))
        await session.execute(sa.delete(Trace).where(*mine))
    assert [score.trace_id for score in await scores(database, tenant)] == [trace_id(1)]


async def test_the_sample_is_exactly_what_the_rate_says(
    client: httpx.AsyncClient, tenant: Tenant, database: Database
) -> None:
    made = await online(client, tenant, sampling_rate=0.3)
    numbers = range(1, 121)
    await send(client, tenant, numbers)
    await arrive(database, tenant, numbers)
    await work(database, tenant)
    evaluation = (await scores(database, tenant))[0].online_evaluation_id
    chosen = [trace_id(number) for number in numbers if is_sampled(trace_id(number), evaluation, 0.3)]
    assert [score.trace_id for score in await scores(database, tenant)] == chosen
    told = await figures(client, tenant, made["id"])
    assert (told["evaluated"], told["skipped_by_sampling"]) == (len(chosen), 120 - len(chosen))


async def test_two_workers_never_exceed_the_number_of_evaluations(
    client: httpx.AsyncClient, tenant: Tenant, database: Database
) -> None:
    made = await online(client, tenant, budget={"max_evaluations": 7})
    await send(client, tenant, range(1, 41))
    await arrive(database, tenant, range(1, 41))
    await asyncio.gather(work(database, tenant), work(database, tenant))
    assert len(await scores(database, tenant)) == 7
    assert await waiting(database, tenant) == 0
    told = await figures(client, tenant, made["id"])
    assert (told["evaluated"], told["skipped_by_budget"], told["evaluations_today"]) == (7, 33, 7)
    async with database.transaction(tenant.access) as session:
        mine = OnlineEvaluationDay.workspace_id == tenant.workspace_id
        await session.execute(sa.update(OnlineEvaluationDay).where(mine).values(day=utc_now() - timedelta(days=1)))
    await send(client, tenant, [50])
    await arrive(database, tenant, [50])
    await work(database, tenant)
    told = await figures(client, tenant, made["id"])
    assert (told["evaluated"], told["evaluations_today"]) == (8, 1)


@pytest.mark.parametrize("dies_at", [1, 2, 5])
async def test_no_crash_scores_twice_or_spends_more_than_the_budget(
    client: httpx.AsyncClient, tenant: Tenant, database: Database, dies_at: int
) -> None:
    budget = {"max_evaluations": 100, "max_cost_usd": "0.00000005"}  # five calls of ten
    made = await online(client, tenant, budget=budget)
    await send(client, tenant, range(1, 9))
    await arrive(database, tenant, range(1, 9))
    scorer = PaidScorer(dies_at=dies_at)
    with pytest.raises(Killed):
        await work(database, tenant, scorer)
    await work(database, tenant, scorer)
    rows = await scores(database, tenant)
    assert len(rows) == len(scorer.calls) == 5
    assert {row.state for row in rows} <= {"scored", "failed"}
    told = await figures(client, tenant, made["id"])
    # The call that died may have been billed: its part of the budget is gone, and nothing is left for another.
    assert (told["evaluated"], told["failed"], told["skipped_by_budget"]) == (4, 1, 3)
    assert told["spent_today_usd"] == "0.000000046"
    assert told["cost_usd"] == "0.000000046"


async def test_a_crash_before_anything_was_paid_changes_nothing(
    client: httpx.AsyncClient, tenant: Tenant, database: Database
) -> None:
    made = await online(client, tenant)
    await send(client, tenant, range(1, 61))
    await arrive(database, tenant, range(1, 61))
    scorer = PaidScorer(price=0, dies_at=40)
    scorer.price = 1
    scorer.ceiling = lambda rubric: 0  # type: ignore[method-assign]
    with pytest.raises(Killed):
        await work(database, tenant, scorer)
    await work(database, tenant, scorer)
    rows = await scores(database, tenant)
    assert len({row.trace_id for row in rows}) == len(rows) == 60
    assert (await figures(client, tenant, made["id"]))["evaluated"] == 60


async def test_what_is_not_for_evaluation_costs_nothing(
    client: httpx.AsyncClient, tenant: Tenant, database: Database
) -> None:
    only = {"agent_id": "support", "mode": "live", "name": "call 3"}
    made = await online(client, tenant, filter=only)
    await send(client, tenant, [1], **{"spectral.agent.id": "support", "spectral.mode": "evaluation"})
    await send(client, tenant, [2], **{"spectral.agent.id": "other"})
    await send(client, tenant, [3, 4], **{"spectral.agent.id": "support"})
    await arrive(database, tenant, [1, 2, 3, 4, 5])
    await work(database, tenant)
    assert [score.trace_id for score in await scores(database, tenant)] == [trace_id(3)]
    assert await waiting(database, tenant) == 0
    told = await figures(client, tenant, made["id"])
    assert (told["evaluated"], told["skipped_by_sampling"], told["skipped_by_budget"]) == (1, 0, 0)


async def test_evaluations_are_never_evaluated_and_silence_is_not_a_bad_answer(
    client: httpx.AsyncClient, tenant: Tenant, database: Database
) -> None:
    made = await online(client, tenant)
    speed = {"dimensions": [{"name": "fast", "scorer": "latency", "options": {"target_ms": 2000, "limit_ms": 9000}}]}
    fast = await online(client, tenant, name="speed", rubric=speed)
    await send(client, tenant, [1], **{"spectral.mode": "evaluation"})
    await send(client, tenant, [2], **{"input.value": "", "output.value": ""})
    await arrive(database, tenant, [1, 2])
    await work(database, tenant)
    told = await figures(client, tenant, made["id"])
    assert (told["evaluated"], told["failed"]) == (0, 1)
    assert (await figures(client, tenant, fast["id"]))["evaluated"] == 1
    (silent,) = (await read(client, tenant, f"/evaluations/online/{made['id']}/scores"))["results"]
    assert (silent["total"], silent["error_type"], silent["missing_reason"]) == (None, "no_content", "content")
    assert (await read(client, tenant, f"/traces/{trace_id(2).hex()}"))["scores"] == {
        "eval/speed": 1.0,
        "eval/speed/fast": 1.0,
    }


async def test_a_trace_is_scored_once_by_a_version_and_again_by_the_next(
    client: httpx.AsyncClient, tenant: Tenant, database: Database
) -> None:
    made = await online(client, tenant)
    await send(client, tenant, [1])
    for _ in range(2):
        await arrive(database, tenant, [1])
        await work(database, tenant)
    (score,) = await scores(database, tenant)
    assert (score.total, score.rubric_version) == (0.0, 1)
    stricter = {"dimensions": [{"name": "short", "scorer": "regex", "options": {"pattern": "come"}}]}
    changed = await client.patch(
        f"{tenant.url}/evaluations/rubrics/{made['rubric_id']}", json=stricter, headers=tenant.client_headers
    )
    assert changed.status_code == 200
    await arrive(database, tenant, [1])
    await work(database, tenant)
    assert sorted(score.rubric_version for score in await scores(database, tenant)) == [1, 2]
    # What the former version said of the trace has given way.
    assert (await read(client, tenant, f"/traces/{trace_id(1).hex()}"))["scores"] == {
        "eval/manners": 1.0,
        "eval/manners/short": 1.0,
    }


async def test_traces_are_left_alone_until_they_are_settled_and_when_nobody_evaluates(
    client: httpx.AsyncClient, tenant: Tenant, database: Database
) -> None:
    made = await online(client, tenant, settle_s=60)
    await send(client, tenant, [1, 2])
    await arrive(database, tenant, [1], age_s=61)
    await arrive(database, tenant, [2], age_s=30)
    await work(database, tenant)
    assert [score.trace_id for score in await scores(database, tenant)] == [trace_id(1)]
    assert await waiting(database, tenant) == 1
    assert await watches(database, tenant)
    url = f"{tenant.url}/evaluations/online/{made['id']}"
    assert (await client.patch(url, json={"enabled": False}, headers=tenant.client_headers)).status_code == 200
    assert not await watches(database, tenant)
    assert await waiting(database, tenant) == 0
    await send(client, tenant, [3])
    assert await waiting(database, tenant) == 0
    again = await online(client, tenant, name="again")
    assert await watches(database, tenant)
    gone = await client.delete(f"{tenant.url}/evaluations/online/{again['id']}", headers=tenant.client_headers)
    assert gone.status_code == 204
    assert not await watches(database, tenant)


@pytest.mark.slow
async def test_a_killed_server_scores_every_trace_once(
    start_server: Callable[..., ServerProcess], database: Database
) -> None:
    server = start_server()
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
        tenant = await register_tenant(client, "killed")
        made = await online(client, tenant, settle_s=0)
        await send(client, tenant, range(1, 401))
        async with asyncio.timeout(30):
            while len(await scores(database, tenant)) < 60:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.02)
    server.kill()
    server.start()
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
        await scored_within(client, tenant, made["id"], 400)
        told = await figures(client, tenant, made["id"])
    rows = await scores(database, tenant)
    assert len({row.trace_id for row in rows}) == len(rows) == 400
    assert (told["evaluated"], told["failed"], told["evaluations_today"]) == (400, 0, 400)


async def test_a_judge_on_arrival_is_paid_from_the_days_budget_and_a_silent_one_scores_nothing(
    client: httpx.AsyncClient, tenant: Tenant, database: Database
) -> None:
    judge = JudgeProvider(lambda request: verdict(5) if "please" in request.messages[-1].content else "no")
    options = {"model": PRICED, "prompt": "Polite? {output}"}
    rubric = {"dimensions": [{"name": "polite", "scorer": "judge", "options": options}]}
    made = await online(client, tenant, rubric=rubric, budget={"max_evaluations": 10, "max_cost_usd": "1"})
    await send(client, tenant, [2, 3])
    await arrive(database, tenant, [2, 3])
    await work(database, tenant, RubricScorer(door_to(judge)))
    polite, silent = await scores(database, tenant)
    assert (polite.state, polite.total, polite.cost_nano_usd) == ("scored", 1.0, COST)
    assert (silent.state, silent.total, silent.missing_reason) == ("failed", None, "scorer")
    assert {each.subject for each in judge.asked} == {f"online:{made['id']}"}
    told = await figures(client, tenant, made["id"])
    # What both really cost is spent; what was reserved for retries is given back.
    assert (told["cost_usd"], told["spent_today_usd"]) == ("0.000002", "0.000002")
    assert (told["evaluated"], told["failed"]) == (1, 1)
