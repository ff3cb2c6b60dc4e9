"""Agents whose runners fetch the work: nothing is executed twice, nothing is waited for for ever, nothing is told."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from pydantic import JsonValue

from spectral.domains.agents.config import ConfigDocument, canonical_hash
from spectral.domains.agents.errors import NotExecutableError
from spectral.domains.agents.models import Agent
from spectral.domains.agents.runtime import Execution, ExecutionMode
from spectral.domains.agents.settings import checked_settings
from spectral.domains.evaluations.prices import ceiling_of
from spectral.domains.workflows.execution.states import RunStatus
from spectral.domains.workflows.models import RemoteTask
from spectral.domains.workflows.remote.answers import Answer
from spectral.domains.workflows.remote.evaluations import RunnerRuntime, RunnerRuntimes
from spectral.domains.workflows.remote.expiry import forget_ended
from spectral.domains.workflows.remote.repository import RemoteTaskRepository
from spectral.domains.workflows.remote.service import RemoteQueue, agent_queue
from spectral.platform.db.session import Database
from spectral.platform.live import LiveChannel
from spectral.platform.llm.door import ModelDoor
from spectral.platform.llm.local.provider import LocalProvider
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.errors import PayloadTooLargeError
from spectral.platform.shared.ids import new_id
from tests.domains.workflows.remote.runs_of_remote import Woken, change_run, waiting_run
from tests.fixtures.tenants import Tenant

CONFIG = ConfigDocument.model_validate(
    {"model": "own", "prompts": {"main": {"messages": [{"role": "user", "content": "{{text}}"}]}}}
)


class Bench:
    """One agent, its runtime, and a runner that the test plays itself."""

    def __init__(self, database: Database, tenant: Tenant) -> None:
        self.database = database
        self.tenant = tenant
        self.live = LiveChannel()
        self.queue = RemoteQueue(self.live, Woken())
        self.agent_id = new_id()

    def runtime(
        self, subject: str | None = "scan:none", mode: ExecutionMode = ExecutionMode.EVALUATION, **settings: Any
    ) -> RunnerRuntime:
        given = checked_settings("runner", {"side_effects": "none", **settings})
        agent = Agent(id=self.agent_id, name="Support", runtime="runner", runtime_settings=given)
        runtimes = RunnerRuntimes(self.database, self.live, self.queue)
        runtimes.check(agent)
        return runtimes.of(self.tenant.access, agent, mode, subject=subject)

    async def lease(self, capacity: int = 64) -> list[tuple[RemoteTask, str]]:
        async with self.database.transaction(self.tenant.access) as session:
            found = await self.queue.lease(session, self.tenant.access, agent_queue(self.agent_id), capacity)
        return [(each.task, each.token) for each in found]

    async def leased(self, count: int) -> list[tuple[RemoteTask, str]]:
        """So many tasks, as soon as they are there."""
        found: list[tuple[RemoteTask, str]] = []
        async with asyncio.timeout(20):
            while len(found) < count:
                found += await self.lease(count - len(found))
                await asyncio.sleep(0.005)
        return found

    async def answer(self, task: RemoteTask, token: str, answer: Answer) -> None:
        async with self.database.transaction(self.tenant.access) as session:
            await self.queue.record(session, self.tenant.access, agent_queue(self.agent_id), task.id, token, answer)

    async def tasks(self) -> list[RemoteTask]:
        async with self.database.transaction(self.tenant.access, read_only=True) as session:
            mine = RemoteTask.workspace_id == self.tenant.workspace_id
            return list(await session.scalars(sa.select(RemoteTask).where(mine).order_by(RemoteTask.created_at)))

    async def end_leases(self) -> None:
        """Every lease has ended long ago."""
        async with self.database.transaction(self.tenant.access) as session:
            mine = RemoteTask.workspace_id == self.tenant.workspace_id
            long_ago = utc_now().replace(year=2020)
            await session.execute(sa.update(RemoteTask).where(mine).values(available_at=long_ago, expires_at=long_ago))


@pytest.fixture
def bench(database: Database, tenant: Tenant) -> Bench:
    return Bench(database, tenant)


@asynccontextmanager
async def running(work: Any) -> AsyncIterator["asyncio.Task[list[Execution]]"]:
    task = asyncio.ensure_future(work)
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await task


async def test_runners_are_told_what_to_do_and_nothing_of_why(bench: Bench) -> None:
    runtime = bench.runtime(in_flight=2, max_cost_usd="0.01", lease_s=30)
    inputs: list[JsonValue] = [{"text": str(n)} for n in range(5)]
    async with running(runtime.execute_many(CONFIG, inputs, [10, 11, 12, 13, 14])) as work:
        seen = []
        for _ in range(5):
            ((task, token),) = await bench.leased(1)
            seen.append(task)
            assert len([each for each in await bench.tasks() if each.status in {"queued", "leased"}]) <= 2
            number = int(task.task["input"]["text"])
            said = (
                Answer(error={"type": "no-ticket", "message": "none", "retryable": True}, cost_nano_usd=1)
                if number == 3
                else Answer(
                    output={"n": number} if number else "zero",
                    usage={"input_tokens": 4, "output_tokens": 1},
                    cost_nano_usd=20_000_000,
                    trace_id="cd" * 16,
                    latency_ms=12.5,
                )
            )
            await bench.answer(task, token, said)
        done = await work
    assert [each.output for each in done] == ["zero", '{"n":1}', '{"n":2}', None, '{"n":4}']
    error = done[3].error
    assert error is not None
    assert (error.type, error.missing, error.message) == ("agent_error", False, "no-ticket: none")
    first = done[0]
    assert (first.input_tokens, first.output_tokens, first.cost_nano_usd, first.latency_ms) == (4, 1, 20_000_000, 12.5)
    assert (first.model, first.trace_id, first.attributes) == ("runner", "cd" * 16, {"spectral.mode": "evaluation"})
    # The second answer told no latency: it is the time from the lease to the answer.
    assert done[3].latency_ms > 0
    assert set(seen[0].task) == {
        "config", "config_hash", "input", "seed", "traceparent", "mode", "max_cost_usd",
    }  # fmt: skip
    assert (seen[0].task["config_hash"], seen[0].task["config"]) == (canonical_hash(CONFIG), CONFIG.as_json())
    assert (seen[0].task["mode"], seen[0].task["max_cost_usd"], seen[0].lease_s) == ("evaluation", "0.01", 30)
    assert sorted(task.task["seed"] for task in seen) == [10, 11, 12, 13, 14]
    assert len({task.task["traceparent"] for task in seen}) == 5


@pytest.mark.parametrize(("said", "ceiling"), [({}, None), ({"max_cost_usd": "0.01"}, 10_000_000)])
async def test_what_an_execution_can_cost_is_what_its_agent_says_whatever_model_it_names(
    bench: Bench, said: dict[str, Any], ceiling: int | None
) -> None:
    free_here = CONFIG.model_copy(update={"model": "spectral-local/small"})
    assert ceiling_of(bench.runtime(**said), ModelDoor([LocalProvider()]))(free_here, {"text": "x"}) == ceiling


async def test_after_a_crash_nothing_that_was_answered_or_is_under_way_is_put_again(bench: Bench) -> None:
    inputs = ["a", "b", "c", "d"]
    run = await waiting_run(bench.database, bench.tenant, RunStatus.RUNNING)
    subject = f"scan:{run.id}"
    async with running(bench.runtime(subject).execute_many(CONFIG, inputs[:3], [1, 2, 3])):
        (first, token), (second, other) = await bench.leased(2)
        await bench.answer(first, token, Answer(output="A"))
    # The server is gone in the midst of it; the second task is with a runner, the third waits for one.
    assert [task.status for task in await bench.tasks()] == ["done", "leased", "queued"]
    async with running(bench.runtime(subject).execute_many(CONFIG, inputs, [1, 2, 3, 4])) as work:
        await bench.answer(second, other, Answer(output="B"))
        for task, held in await bench.leased(2):
            await bench.answer(task, held, Answer(output=str(task.task["input"]).upper()))
        done = await work
    assert [each.output for each in done] == ["A", "B", "C", "D"]
    assert len(await bench.tasks()) == 4
    # Another config, another seed and another subject are other executions.
    changed = CONFIG.model_copy(update={"custom": {"top_k": 2}})
    for runtime, config, seed in (
        (bench.runtime(subject), changed, 1),
        (bench.runtime(subject), CONFIG, 9),
        (bench.runtime("scan:other"), CONFIG, 1),
    ):
        async with running(runtime.execute_many(config, ["a"], [seed])) as work:
            ((task, held),) = await bench.leased(1)
            await bench.answer(task, held, Answer(output="again"))
            assert [each.output for each in await work] == ["again"]


async def test_a_lost_lease_is_offered_again_and_the_last_one_makes_the_item_missing(bench: Bench) -> None:
    runtime = bench.runtime(max_attempts=2, timeout_s=600)
    async with running(runtime.execute_many(CONFIG, ["a"], [1])) as work:
        ((task, _),) = await bench.leased(1)
        await bench.end_leases()
        ((again, _),) = await bench.leased(1)
        assert (again.id, again.attempts) == (task.id, 2)
        await bench.end_leases()
        async with bench.database.transaction(bench.tenant.access) as session:
            assert await bench.queue.expire(session, bench.tenant.access, task.id)
        (done,) = await work
    assert done.error is not None
    assert (done.error.missing, done.error.retryable, done.cost_nano_usd) == (True, True, None)
    assert "in 2 leases" in done.error.message
    # Whoever asks once more has it executed once more.
    async with running(runtime.execute_many(CONFIG, ["a"], [1])) as work:
        ((fresh, token),) = await bench.leased(1)
        assert fresh.id != task.id
        await bench.answer(fresh, token, Answer(output="A"))
        assert [each.output for each in await work] == ["A"]


async def test_without_a_runner_the_items_are_missing_after_a_while(bench: Bench) -> None:
    (done,) = await bench.runtime(timeout_s=1).execute_many(CONFIG, ["a"], [1])
    assert done.error is not None
    assert (done.error.missing, done.error.retryable, done.cost_nano_usd) == (True, False, 0)
    assert "within 1 s" in done.error.message
    assert [task.status for task in await bench.tasks()] == ["cancelled"]


@pytest.mark.parametrize(
    ("ended", "mode", "expected"),
    [
        (False, ExecutionMode.EVALUATION, "queued"),
        (True, ExecutionMode.EVALUATION, "cancelled"),
        (False, ExecutionMode.LIVE, "cancelled"),
    ],
    ids=["paused", "cancelled", "live"],
)
async def test_what_nobody_will_ask_for_again_is_taken_back(
    bench: Bench,
    ended: bool,  # noqa: FBT001
    mode: ExecutionMode,
    expected: str,
) -> None:
    run = await waiting_run(bench.database, bench.tenant, RunStatus.RUNNING)
    async with running(bench.runtime(f"scan:{run.id}", mode).execute_many(CONFIG, ["a"], [1])):
        async with asyncio.timeout(20):
            while not await bench.tasks():  # noqa: ASYNC110 - another task puts it, and tells nobody
                await asyncio.sleep(0.005)
        if ended:
            await change_run(bench.database, run, bench.tenant, status=RunStatus.CANCELLED.value)
    assert [task.status for task in await bench.tasks()] == [expected]
    async with bench.database.transaction(bench.tenant.access) as session:
        tasks = RemoteTaskRepository(session, bench.tenant.access)
        assert await tasks.cancel_subject(f"scan:{run.id}", utc_now()) == (expected == "queued")


async def test_what_cannot_be_put_is_raised_and_leaves_nothing_behind(bench: Bench) -> None:
    runtime = bench.runtime()
    large = "x" * (300 * 1024)
    with pytest.raises(PayloadTooLargeError):
        await runtime.execute_many(CONFIG, ["a", large], [1, 2])
    assert await bench.tasks() == []
    async with running(runtime.execute_many(CONFIG, ["a", "a"], [1, 1])) as work:
        # The same thing twice at once is two executions.
        for task, token in await bench.leased(2):
            await bench.answer(task, token, Answer(output="A"))
        assert [each.output for each in await work] == ["A", "A"]


async def test_a_runner_needs_to_be_told_of_side_effects(bench: Bench) -> None:
    with pytest.raises(NotExecutableError, match="side_effects"):
        bench.runtime(side_effects=None)


async def test_answered_tasks_are_forgotten_in_the_end(bench: Bench) -> None:
    async with running(bench.runtime().execute_many(CONFIG, ["a", "b"], [1, 2])):
        ((task, token), (_, _)) = await bench.leased(2)
        await bench.answer(task, token, Answer(output="A"))
        ids: Callable[[list[RemoteTask]], set[UUID]] = lambda rows: {row.id for row in rows}  # noqa: E731
        assert await forget_ended(bench.database, bench.tenant.access, utc_now().replace(year=2020)) == 0
        assert await forget_ended(bench.database, bench.tenant.access, utc_now()) == 1
        assert task.id not in ids(await bench.tasks())
