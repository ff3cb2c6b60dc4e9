"""What may happen next in a run, without a database: order, joins, conditions, bodies, failures and loopbacks."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from spectral.domains.workflows.definitions.model import (
    Definition,
    Edge,
    FailurePolicy,
    Graph,
    Join,
    Node,
    NodeKind,
    Question,
    Retries,
)
from spectral.domains.workflows.execution.scheduler import Scheduler
from spectral.domains.workflows.execution.scope import Tree
from spectral.domains.workflows.execution.state import NodeStatus, State
from spectral.domains.workflows.nodes.calls import NodeError

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
Work = Mapping[str, Callable[[Any], Any]]


def task(name: str, **values: Any) -> Node:
    return Node(id=name, kind=NodeKind.TASK, params={"function": name}, **values)


def chain(*nodes: Node, result: Any = None) -> Graph:
    edges = [Edge(one.id, other.id) for one, other in pairwise(nodes)]
    return Graph(nodes, tuple(edges), result)


class Driver:
    """Runs a definition in memory: every node that may begin ends at once with what its work gives."""

    def __init__(
        self, definition: Definition, work: Work | None = None, inputs: Mapping[str, Any] | None = None
    ) -> None:
        self.work = work or {}
        self.order: list[str] = []
        state = State.new(inputs or {})
        self.scheduler = Scheduler(Tree(definition), state, {"id": "r"}, NOW)

    def step(self, room: int = 100) -> list[Any]:
        ready = self.scheduler.advance(room)
        for one in ready:
            self.order.append(one.key)
            if self.scheduler.state.status(one.key) is not NodeStatus.RUNNING:
                continue
            function = self.work.get(one.node.id, lambda inputs: inputs)
            try:
                outputs = function(one.inputs)
            except NodeError as error:
                self.scheduler.fail(one.key, error)
            else:
                self.scheduler.succeed(one.key, outputs)
        return ready

    def run(self, room: int = 100) -> "Driver":
        while self.scheduler.ended is None:
            if not self.step(room) and self.scheduler.ended is None:
                break
        return self

    @property
    def outputs(self) -> Any:
        ended = self.scheduler.ended
        assert ended is not None, self.scheduler.state.document["nodes"]
        assert ended.error is None, ended.error
        return ended.outputs

    @property
    def error(self) -> dict[str, Any]:
        ended = self.scheduler.ended
        assert ended is not None
        assert ended.error is not None
        return ended.error

    def status(self, key: str) -> NodeStatus:
        return self.scheduler.state.status(key)


def fails(type: str = "broken", *, retryable: bool = False) -> Callable[[Any], Any]:
    def work(_: Any) -> Any:
        raise NodeError(type, "it broke", retryable=retryable)

    return work


def test_a_chain_runs_in_order_and_gives_on_what_it_was_given() -> None:
    definition = Definition("x", chain(task("a"), task("b"), task("c")))

    run = Driver(definition, {"b": lambda inputs: inputs["n"] + 1, "c": lambda n: n * 10}, {"n": 1}).run()

    assert run.order == ["a", "b", "c"]
    assert run.outputs == 20


def test_branches_run_side_by_side_and_meet_when_every_edge_is_decided() -> None:
    nodes = (task("a"), task("left"), task("right"), task("end"))
    edges = (Edge("a", "left"), Edge("a", "right"), Edge("left", "end"), Edge("right", "end"))
    driver = Driver(Definition("x", Graph(nodes, edges)), {"left": lambda _: "l", "right": lambda _: "r"})

    assert [one.key for one in driver.step()] == ["a"]
    assert [one.key for one in driver.step()] == ["left", "right"]
    assert driver.run().outputs == {"left": "l", "right": "r"}


def test_no_more_begin_than_there_is_room_for() -> None:
    driver = Driver(Definition("x", Graph(tuple(task(name) for name in "abcde"), ())))

    assert [one.key for one in driver.scheduler.advance(2)] == ["a", "b"]
    assert [one.key for one in driver.scheduler.advance(0)] == []
    assert [one.key for one in driver.scheduler.advance(1)] == ["c"]


def test_a_condition_decides_which_way_a_run_goes_and_what_it_did_not_reach_stays_unreached() -> None:
    nodes = (task("a"), task("yes"), task("no"), task("after_no"), task("end"))
    edges = (
        Edge("a", "yes", "output.ok"),
        Edge("a", "no", "not output.ok"),
        Edge("no", "after_no"),
        Edge("yes", "end"),
        Edge("after_no", "end"),
    )

    run = Driver(Definition("x", Graph(nodes, edges)), {"a": lambda _: {"ok": True}, "yes": lambda _: 1}).run()

    assert run.order == ["a", "yes", "end"]
    assert run.status("after_no") is NodeStatus.UNREACHED
    assert run.outputs == 1


def test_join_any_runs_at_the_first_edge_that_fires_and_only_once() -> None:
    nodes = (task("a"), task("b"), task("end", join=Join.ANY))
    edges = (Edge("a", "end"), Edge("b", "end"))
    driver = Driver(Definition("x", Graph(nodes, edges)))
    first, second = driver.scheduler.advance(100)

    driver.scheduler.succeed(first.key, 1)
    (end,) = driver.scheduler.advance(100)
    driver.scheduler.succeed(second.key, 2)

    assert end.key == "end"
    assert driver.scheduler.advance(100) == []


def test_a_node_skipped_by_its_own_condition_lets_what_follows_run_with_what_came_in() -> None:
    definition = Definition(
        "x", chain(task("a"), task("b", when="inputs.wanted"), task("c")), outputs={"b": "${steps.b.outputs}"}
    )

    run = Driver(definition, {"a": lambda _: 7, "c": lambda given: given}, {"wanted": False}).run()

    assert run.order == ["a", "c"]
    assert run.status("b") is NodeStatus.SKIPPED
    assert run.outputs == {"b": 7}


def test_a_failure_is_tried_again_after_its_delay_and_then_fails_the_run() -> None:
    retries = Retries(limit=2, delay_s=10)
    driver = Driver(Definition("x", chain(task("a", retries=retries))), {"a": fails(retryable=True)})

    driver.step()
    assert driver.scheduler.state.entry("a")["wait"]["wake_at"] == (NOW + timedelta(seconds=10)).isoformat()
    driver.scheduler.again("a")
    driver.step()
    assert driver.scheduler.state.entry("a")["wait"]["wake_at"] == (NOW + timedelta(seconds=20)).isoformat()
    driver.scheduler.again("a")
    driver.step()

    assert driver.error == {"node": "a", "type": "broken", "message": "it broke"}
    assert driver.scheduler.state.entry("a")["attempt"] == 3


def test_a_failure_that_would_come_again_is_not_tried_again() -> None:
    run = Driver(Definition("x", chain(task("a", retries=Retries(limit=5)))), {"a": fails()}).run()

    assert run.order == ["a"]
    assert run.error["type"] == "broken"


def test_with_the_policy_stop_what_is_in_flight_is_not_wanted_any_more() -> None:
    driver = Driver(Definition("x", Graph((task("a"), task("b")), ())))
    driver.scheduler.advance(100)

    driver.scheduler.fail("a", NodeError("broken", "it broke"))

    assert driver.scheduler.cancelled == {"b"}
    assert driver.status("b") is NodeStatus.CANCELLED
    assert driver.error["node"] == "a"


def test_skip_dependents_goes_on_elsewhere_and_fails_in_the_end() -> None:
    nodes = (task("a"), task("after_a"), task("b"), task("after_b"))
    graph = Graph(nodes, (Edge("a", "after_a"), Edge("b", "after_b")))
    definition = Definition("x", graph, failure_policy=FailurePolicy.SKIP_DEPENDENTS)

    run = Driver(definition, {"a": fails()}).run()

    assert run.order == ["a", "b", "after_b"]
    assert run.error["node"] == "a"


def test_continue_goes_on_with_nothing_and_says_so_in_the_errors() -> None:
    definition = Definition("x", chain(task("a", on_error=FailurePolicy.CONTINUE), task("b")))

    run = Driver(definition, {"a": fails(), "b": lambda given: {"given": given}}).run()

    assert run.outputs == {"given": None}
    assert [one["node"] for one in run.scheduler.state.document["errors"]] == ["a"]


def test_when_runs_its_body_or_passes_through_what_came_in() -> None:
    body = {"body": chain(task("inner"))}
    when = Node("check", NodeKind.WHEN, params={"condition": "input.big"}, bodies=body)
    definition = Definition("x", chain(task("a"), when, task("end")))

    big = Driver(definition, {"a": lambda _: {"big": True}, "inner": lambda given: {**given, "seen": 1}}).run()
    small = Driver(definition, {"a": lambda _: {"big": False}}).run()

    assert big.outputs == {"big": True, "seen": 1}
    assert big.order == ["a", "check[body]/inner", "end"]
    assert small.outputs == {"big": False}
    assert small.status("check") is NodeStatus.SKIPPED


def test_all_waits_for_every_branch() -> None:
    both = Node("both", NodeKind.ALL, bodies={"left": chain(task("l1"), task("l2")), "right": chain(task("r"))})

    run = Driver(Definition("x", chain(both)), {"l2": lambda _: 2, "r": lambda _: 3}).run()

    assert run.outputs == {"left": 2, "right": 3}


def test_a_branch_that_fails_ends_the_container_and_its_other_branches() -> None:
    both = Node("both", NodeKind.ALL, bodies={"left": chain(task("l")), "right": chain(task("r"))})
    driver = Driver(Definition("x", chain(both)))
    driver.scheduler.advance(100)

    driver.scheduler.fail("both[left]/l", NodeError("broken", "it broke", retryable=False))

    assert driver.error == {"node": "both", "type": "broken", "message": "it broke"}
    assert "both[right]/r" in driver.scheduler.cancelled


def test_a_race_is_won_by_the_first_branch_and_the_losers_are_cancelled() -> None:
    race = Node("race", NodeKind.RACE, bodies={"slow": chain(task("s")), "fast": chain(task("f"))})
    driver = Driver(Definition("x", chain(race)))
    driver.scheduler.advance(100)

    driver.scheduler.succeed("race[fast]/f", "first")
    driver.scheduler.advance(100)

    assert driver.outputs == {"winner": "fast", "result": "first"}
    assert driver.scheduler.cancelled == {"race[slow]/s"}


def test_a_race_is_lost_only_when_every_branch_failed() -> None:
    race = Node("race", NodeKind.RACE, bodies={"a": chain(task("a1")), "b": chain(task("b1"))})

    one = Driver(Definition("x", chain(race)), {"a1": fails(), "b1": lambda _: 5}).run()
    none = Driver(Definition("x", chain(race)), {"a1": fails(), "b1": fails()}).run()

    assert one.outputs == {"winner": "b", "result": 5}
    assert none.error["node"] == "race"


def test_foreach_gives_results_in_the_order_of_its_items_and_keeps_no_finished_item() -> None:
    each = Node(
        "each",
        NodeKind.FOREACH,
        params={"items": "${inputs.ns}", "max_concurrency": 2},
        bodies={"body": chain(task("t"))},
    )
    driver = Driver(Definition("x", chain(each)), {"t": lambda n: n * n}, {"ns": [1, 2, 3, 4, 5]})

    assert [one.key for one in driver.step()] == ["each[0]/t", "each[1]/t"]
    run = driver.run()

    assert run.outputs == {"results": [1, 4, 9, 16, 25], "count": 5}
    assert set(run.scheduler.state.nodes) == {"each"}


def test_an_item_is_known_by_the_name_that_was_chosen() -> None:
    node = task("t", inputs={"text": "${ticket.title} ${index}", "outer": "${inputs.prefix}"})
    each = Node(
        "each", NodeKind.FOREACH, params={"items": "${inputs.tickets}", "as": "ticket"}, bodies={"body": chain(node)}
    )

    run = Driver(
        Definition("x", chain(each)), inputs={"tickets": [{"title": "a"}, {"title": "b"}], "prefix": "p"}
    ).run()

    assert [one["text"] for one in run.outputs["results"]] == ["a 0", "b 1"]
    assert run.outputs["results"][0]["outer"] == "p"


@pytest.mark.parametrize(("params", "iterations"), [({"do_until": "output >= 3"}, 3), ({"do_while": "output < 2"}, 2)])
def test_a_loop_goes_on_until_its_condition_holds(params: dict[str, Any], iterations: int) -> None:
    loop = Node("loop", NodeKind.LOOP, params={**params, "max_iterations": 9}, bodies={"body": chain(task("n"))})
    counter = iter(range(1, 100))

    run = Driver(Definition("x", chain(loop)), {"n": lambda _: next(counter)}).run()

    assert run.outputs == {"result": iterations, "iterations": iterations, "exhausted": False}


def test_a_loop_ends_at_its_limit_and_says_so() -> None:
    params = {"do_until": "output == 'never'", "max_iterations": 3}
    loop = Node("loop", NodeKind.LOOP, params=params, bodies={"body": chain(task("n"))})

    run = Driver(Definition("x", chain(loop)), {"n": str}).run()

    assert run.outputs["exhausted"]
    assert run.outputs["iterations"] == 3


def test_a_loopback_runs_its_target_again_with_what_was_said_last_time() -> None:
    writer = task("write", inputs={"feedback": "${steps.review.outputs.say}", "n": "${iteration}"})
    graph = Graph(
        (writer, task("review"), task("publish")),
        (
            Edge("write", "review"),
            Edge("review", "write", "not output.good", is_loopback=True),
            Edge("review", "publish"),
        ),
    )
    reviews = iter([{"good": False, "say": "longer"}, {"good": True, "say": "fine"}])
    seen: list[Any] = []

    def write(given: Any) -> Any:
        seen.append(given)
        return given

    run = Driver(Definition("x", graph), {"write": write, "review": lambda _: next(reviews)}).run()

    assert run.order == ["write", "review", "write", "review", "publish"]
    assert seen == [{"feedback": None, "n": 1}, {"feedback": "longer", "n": 2}]
    assert run.scheduler.state.entry("write")["iteration"] == 2


def test_a_loopback_without_end_is_stopped() -> None:
    graph = Graph((task("a"), task("b")), (Edge("a", "b"), Edge("b", "a", is_loopback=True)))

    run = Driver(Definition("x", graph, max_node_iterations=5)).run()

    assert run.error["type"] == "iteration-limit"
    assert run.order.count("a") == 5


def test_what_nodes_write_is_joined_by_the_reducer_of_its_path() -> None:
    a = task("a", writes={"context.total": "${output.n}", "artifacts.names": "${output.name}"})
    b = task("b", writes={"context.total": "${output.n}", "artifacts.names": "${output.name}", "context.deep.x": "1"})
    definition = Definition("x", chain(a, b), reducers={"context.total": "sum", "artifacts.names": "append"})

    run = Driver(definition, {"a": lambda _: {"n": 2, "name": "a"}, "b": lambda _: {"n": 3, "name": "b"}}).run()

    assert run.scheduler.state.document["context"] == {"total": 5, "deep": {"x": "1"}}
    assert run.scheduler.state.document["artifacts"] == {"names": ["a", "b"]}


def test_a_question_before_a_node_holds_it_until_it_is_answered() -> None:
    driver = Driver(
        Definition("x", chain(task("a", interrupt_before=Question("Really run ${inputs.what}?")))),
        inputs={"what": "it"},
    )

    (asked,) = driver.scheduler.advance(100)
    assert asked.question is not None
    assert asked.question.title == "Really run it?"
    assert driver.status("a") is NodeStatus.WAITING
    driver.scheduler.again("a", asked=True)
    (begun,) = driver.scheduler.advance(100)

    assert begun.question is None
    assert begun.key == "a"


def test_an_expression_that_cannot_be_evaluated_fails_its_node_and_not_the_engine() -> None:
    run = Driver(Definition("x", chain(task("a", inputs={"x": "${1 / 0}"})))).run()

    assert run.error["type"] == "expression"
    assert run.error["node"] == "a"


def test_what_was_decided_is_the_same_from_a_stored_state() -> None:
    both = Node("both", NodeKind.ALL, bodies={"left": chain(task("l")), "right": chain(task("r1"), task("r2"))})
    definition = Definition("x", chain(task("a"), both, task("end")))
    driver = Driver(definition)
    driver.step()
    driver.scheduler.advance(100)
    driver.scheduler.succeed("both[left]/l", "L")

    again = Driver(definition)
    again.scheduler = Scheduler(Tree(definition), State(driver.scheduler.state.to_document()).rewound(), {}, NOW)
    again.run()

    assert again.order == ["both[right]/r1", "both[right]/r2", "end"]
    assert again.outputs["left"] == "L"


def test_outputs_that_do_not_fit_their_schema_fail_the_run() -> None:
    schema = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}
    definition = Definition("x", chain(task("a")), outputs={"n": "${steps.a.outputs}"}, outputs_schema=schema)

    assert Driver(definition, {"a": lambda _: 1}).run().outputs == {"n": 1}
    assert Driver(definition, {"a": lambda _: "one"}).run().error["type"] == "invalid-outputs"
