"""Whatever happens to a run, in whatever order: what it becomes is what the model says, and its rows agree.

`SPECTRAL_TEST_ROUNDS` makes more and longer histories of it than the few of every run.
"""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast
from uuid import UUID

import hypothesis
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from spectral.domains.workflows.execution import rows as written_rows
from spectral.domains.workflows.execution.launching import Launcher
from spectral.domains.workflows.execution.rows import RunRows
from spectral.domains.workflows.execution.scheduler import Scheduler
from spectral.domains.workflows.execution.states import RunAction, RunStatus
from spectral.domains.workflows.models import (
    WorkflowRun,
)
from spectral.domains.workflows.nodes.calls import NodeError, Suspend
from spectral.domains.workflows.runs.actions import RunActions
from spectral.domains.workflows.runs.authority import ScopedAuthority
from spectral.domains.workflows.runs.interrupts import Answer, InterruptService
from spectral.domains.workflows.runs.signals import SignalService
from spectral.platform.db.session import Database
from spectral.settings import Settings
from tests.domains.workflows.execution.machine_model import Call, Model, RefusedError
from tests.domains.workflows.execution.machine_world import (
    Clock,
    Held,
    World,
    check_rows,
    difference,
    log_status_changes,
)

ROUNDS = int(os.environ.get("SPECTRAL_TEST_ROUNDS", "1"))
SETTLES_WITHIN_S = 15.0

S, A = RunStatus, RunAction

# ---------------------------------------------------------------------------------------------------- what happens


OUTCOMES = ("ok", "ok", "fail", "fail for good", "again", "suspend")
RESULTS: dict[str, Any] = {
    "ok": {"again": False},
    "again": {"again": True},
    "suspend": Suspend("Which?", data={"sizes": [1]}),
    "fail": NodeError("broken", "it broke"),
    "fail for good": NodeError("broken", "it broke", retryable=False),
}


def fits(call: Call, outcome: str) -> str:
    """What this node can give."""
    key = call[1]
    return "ok" if (outcome == "again" and key != "d") or (outcome == "suspend" and key != "b") else outcome


class Machine(RuleBasedStateMachine):
    """Histories of runs on one installation, and the model of each; `run` is the loop's."""

    def __init__(self, world: World, run: Callable[[Any], Any]) -> None:
        super().__init__()
        self.world = world
        self.run = run
        self.model = Model()
        self.sent = 0

    @initialize()
    def start(self) -> None:
        self.model = Model(down=not self.world.is_up)
        if not self.world.is_up:
            self.run(self.world.come_up())
            self.model.recover()
        self.run(self.world.new_run())
        self.sent = 0
        self.settle(self.model)

    # Results ------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.model.in_flight)
    @rule(place=st.integers(0, 3), outcome=st.sampled_from(OUTCOMES))
    def a_node_ends(self, place: int, outcome: str) -> None:
        call = self.model.in_flight[place % len(self.model.in_flight)]
        outcome = fits(call, outcome)
        self.give(call, outcome)
        self.model.result(call, outcome)
        self.settle(self.model)

    @rule()
    def results_come_late(self) -> None:
        """Nothing that was not in flight any more changes anything."""
        self.give_late()
        self.settle(self.model)

    # People ---------------------------------------------------------------------------------------------------

    @rule(action=st.sampled_from(("pause", "pause", "pause_now", "resume", "resume")), here=st.booleans())
    def pause_or_resume(self, action: str, here: bool) -> None:  # noqa: FBT001
        self.do(lambda model: getattr(model, action)(), self.action(action), here=here)

    @rule(action=st.sampled_from(("terminate", "restart", "restart")), here=st.booleans(), unlikely=st.integers(0, 2))
    def end_or_begin_again(self, action: str, here: bool, unlikely: int) -> None:  # noqa: FBT001
        if unlikely == 0 or self.model.is_final:
            self.do(lambda model: getattr(model, action)(), self.action(action), here=here)

    @rule(type=st.sampled_from(("go", "go", "go", "other")), here=st.booleans(), again=st.sampled_from((0, 0, 1, 2)))
    def send(self, type: str, here: bool, again: int) -> None:  # noqa: FBT001
        if not again or not self.sent:
            self.sent += 1
        key, payload = f"s{self.sent}", self.sent + (1000 if again == 2 else 0)

        async def do(session: Any, launcher: Launcher, authority: ScopedAuthority) -> None:
            service = SignalService(session, self.world.access, launcher, authority)
            await service.send(str(self.world.run_id), type, payload, key)

        self.do(lambda model: model.signal(key, type, payload), do, here=here)

    @precondition(lambda self: self.model.steps["q"].answer is not None)
    @rule(status=st.sampled_from(("approved", "rejected")), here=st.booleans())
    def answer(self, status: str, here: bool) -> None:  # noqa: FBT001
        asked = [one for one in self.run(self.world.interrupts()) if one.key == "q"]
        (question,) = [one for one in asked if one.generation == self.model.generation]

        async def do(session: Any, launcher: Launcher, authority: ScopedAuthority) -> None:
            service = InterruptService(session, self.world.access, launcher, authority)
            await service.answer(question.id, Answer(status))

        self.do(lambda model: model.answer(status), do, here=here)

    @rule(here=st.booleans())
    def give_data(self, here: bool) -> None:  # noqa: FBT001
        async def do(session: Any, launcher: Launcher, authority: ScopedAuthority) -> None:
            service = InterruptService(session, self.world.access, launcher, authority)
            # Named, so that it cannot be anything else that waits.
            await service.resume_step(str(self.world.run_id), "b", 1)

        self.do(lambda model: model.give_data(), do, here=here)

    # The self.world ------------------------------------------------------------------------------------------------

    @rule()
    def time_passes(self) -> None:
        self.run(self.world.jump())
        self.model.jump()
        self.settle(self.model)

    @precondition(lambda self: not self.model.down)
    @rule(place=st.integers(0, 3), with_result=st.booleans(), unlikely=st.integers(0, 2))
    def the_process_dies(self, place: int, with_result: bool, unlikely: int) -> None:  # noqa: FBT001
        if unlikely:
            return
        self.race(lambda model: model.crash(), self.world.crash, place, with_result=with_result)

    @precondition(lambda self: self.model.down)
    @rule()
    def a_process_comes(self) -> None:
        self.run(self.world.come_up())
        self.model.recover()
        self.settle(self.model)

    @precondition(lambda self: self.model.in_flight)
    @rule(
        action=st.sampled_from(("pause", "pause_now", "terminate", "restart")),
        place=st.integers(0, 3),
        here=st.booleans(),
    )
    def an_action_meets_a_result(self, action: str, place: int, here: bool) -> None:  # noqa: FBT001
        async def do() -> None:
            assert await self.world.act(self.action(action), here=here) in {None, "InvalidTransitionError"}

        self.race(lambda model: getattr(model, action)(), do, place, with_result=True)

    # So that histories get somewhere.
    @rule()
    def go_on(self) -> None:
        model = self.model
        if model.down:
            self.a_process_comes()
        elif model.status in {"paused", "pausing"}:
            self.pause_or_resume("resume", here=True)
        elif model.in_flight:
            self.a_node_ends(0, "ok")
        elif model.status == "awaiting_input":
            self.give_data(here=True)
        elif model.status == "interrupted":
            self.answer("approved", here=True)
        elif any(step.wait == "event" for step in model.steps.values()):
            self.send("go", here=True, again=0)
        else:
            self.time_passes()

    @rule()
    def go_on_once_more(self) -> None:
        self.go_on()

    @rule()
    def go_on_further(self) -> None:
        self.go_on()
        self.go_on()

    # How ------------------------------------------------------------------------------------------------------

    def action(self, name: str) -> Callable[..., Awaitable[Any]]:
        async def do(session: Any, launcher: Launcher, authority: ScopedAuthority) -> Any:
            actions, run_name = RunActions(session, self.world.access, launcher, authority), str(self.world.run_id)
            if name.startswith("pause"):
                return await actions.pause_run(run_name, reason="why", at_once=name == "pause_now")
            if name == "terminate":
                return await actions.terminate_run(run_name, "enough")
            return await (actions.resume_run(run_name) if name == "resume" else actions.restart_run(run_name))

        return do

    def do(self, change: Callable[[Model], None], act: Callable[..., Awaitable[Any]], *, here: bool) -> None:
        """The action, in reality and in the model: with the same answer, and the same in the end."""
        expected = None
        try:
            change(self.model)
        except RefusedError as refused:
            expected = str(refused)
        assert self.run(self.world.act(act, here=here)) == expected
        # What was in flight under another generation, or before a pause, may answer at this very moment.
        if not here:
            self.give_late()
        self.settle(self.model)

    def race(
        self,
        change: Callable[[Model], None],
        do: Callable[[], Awaitable[None]],
        place: int,
        *,
        with_result: bool,
    ) -> None:
        """The two happen at once: the model may take either for the first."""
        call = self.model.in_flight[place % len(self.model.in_flight)] if self.model.in_flight else None
        first, second = self.model.copy(), self.model.copy()
        if call is None or not with_result:
            change(first)
            self.run(do())
            self.settle(first)
            return
        first.result(call, "ok")
        first.go_on()
        try:
            change(first)
        except RefusedError:
            first = second.copy()
            first.result(call, "ok")
        change(second)
        second.result(call, "ok")
        self.give(call, "ok")
        self.run(do())
        self.settle(first, second)

    def give(self, call: Call, outcome: str) -> None:
        async def give() -> None:
            (held,) = [one for one in self.world.calls if one.name == call and not one.result.done()]
            self.set(held, outcome)

        self.run(give())

    def give_late(self) -> None:
        async def give() -> None:
            for held in self.world.calls:
                if held.name not in self.model.in_flight and not held.result.done():
                    self.set(held, "ok")
            for _ in range(3):
                await asyncio.sleep(0)

        self.run(give())

    def set(self, held: Held, outcome: str) -> None:
        result = RESULTS[outcome]
        if isinstance(result, Exception):
            held.result.set_exception(result)
            held.result.exception()
        else:
            held.result.set_result(result)

    def settle(self, *candidates: Model) -> None:
        for model in candidates:
            model.go_on()
        self.model = self.run(self.settled(candidates))

    async def settled(self, candidates: tuple[Model, ...]) -> Model:
        wrong: list[str | None] = []
        try:
            async with asyncio.timeout(SETTLES_WITHIN_S):
                while True:
                    wrong = [await difference(self.world, model) for model in candidates]
                    if None in wrong:
                        break
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise AssertionError(f"{wrong} instead of {candidates}") from None
        model = candidates[wrong.index(None)]
        await check_rows(self.world, model)
        return model


@contextmanager
def patched(world_clock: Clock, truth: dict[tuple[UUID, int], str], patch: pytest.MonkeyPatch) -> Iterator[None]:
    """Workflows ask our clock, keep whole states often, and tell us what they are about to keep."""
    for name, module in list(sys.modules.items()):
        if name.startswith("spectral.domains.workflows") and hasattr(module, "utc_now"):
            patch.setattr(module, "utc_now", world_clock.now)
    patch.setattr(written_rows, "FULL_EVERY", 4)
    write = RunRows._checkpoint

    def write_and_tell(self: RunRows, run: WorkflowRun, scheduler: Scheduler) -> Any:
        index, document = run.next_index, json.dumps(scheduler.state.to_document())
        statements = write(self, run, scheduler)
        if run.next_index > index:
            truth[run.id, index] = document
        return statements

    patch.setattr(RunRows, "_checkpoint", write_and_tell)
    yield


@pytest.mark.slow
def test_a_run_is_what_the_model_says_whatever_happens_to_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with asyncio.Runner() as runner:
        runner.run(log_status_changes(settings))
        database = Database(settings.url, pool_size=settings.database_pool_size)
        clock = Clock()
        world = World(database, clock)
        with patched(clock, world.truth, monkeypatch):
            runner.run(world.open())
            try:
                run_state_machine_as_test(
                    cast("Any", lambda: Machine(world, runner.run)),
                    settings=hypothesis.settings(
                        max_examples=6 * ROUNDS,
                        stateful_step_count=25 if ROUNDS == 1 else 50,
                        derandomize=ROUNDS == 1,
                        database=None,
                        deadline=None,
                        # A history that fails is told as it was: making it shorter takes longer than reading it.
                        phases=(hypothesis.Phase.generate,),
                        suppress_health_check=list(hypothesis.HealthCheck),
                        print_blob=False,
                    ),
                )
            finally:
                runner.run(world.close())
        runner.run(database.close())
