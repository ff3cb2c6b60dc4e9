"""Nodes whose work is their bodies': `when`, `all`, `race`, `foreach`, `loop`.

Functions over the scheduler. Entries of finished items and rounds are taken out; what they gave stays in the
container's own entry.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from spectral.domains.workflows.definitions.expressions import ExpressionError, evaluate, evaluate_condition
from spectral.domains.workflows.definitions.model import Node, NodeKind
from spectral.domains.workflows.execution.scope import RunScope, split_prefix
from spectral.domains.workflows.execution.state import NodeStatus
from spectral.domains.workflows.nodes.calls import NodeError

if TYPE_CHECKING:
    from spectral.domains.workflows.execution.scheduler import Scheduler

ITEMS_MAXIMUM = 10_000


def begin(scheduler: "Scheduler", node: Node, key: str, scope: RunScope) -> None:
    """The container's condition, items or first round are settled. Raises ExpressionError."""
    if node.kind is NodeKind.WHEN:
        holds = evaluate_condition(node.params["condition"], scope)
        branch = "body" if holds else "else" if "else" in node.bodies else None
        if branch is None:
            # What came in passes through.
            inputs = scheduler.state.entry(key).get("inputs")
            scheduler.begin_container(key)
            scheduler.end(key, NodeStatus.SKIPPED, inputs)
        else:
            scheduler.begin_container(key, branch=branch)
    elif node.kind is NodeKind.FOREACH:
        scheduler.begin_container(key, items=_items(node, scope), results={}, next=0, active=[])
    elif node.kind is NodeKind.LOOP:
        scheduler.begin_container(key, round=1)
    else:
        scheduler.begin_container(key, results={})


def advance(scheduler: "Scheduler", node: Node, key: str) -> bool:
    """Whether anything inside the container, or the container itself, moved."""
    try:
        return ADVANCES[node.kind](scheduler, node, key)
    except ExpressionError as error:
        scheduler.fail_container(key, NodeError("expression", str(error), retryable=False))
        return True


def given(scheduler: "Scheduler", container: Node, key: str, prefix: str) -> Any:
    """What comes into a body's first nodes: the item, the result of the round before, or the container's inputs."""
    entry = scheduler.state.entry(key)
    if container.kind is NodeKind.FOREACH:
        return entry["items"][int(split_prefix(prefix)[1])]
    if container.kind is NodeKind.LOOP and entry["round"] > 1:
        return (entry.get("outputs") or {}).get("result")
    return entry.get("inputs")


def body_failed(scheduler: "Scheduler", node: Node, key: str, prefix: str, error: NodeError) -> None:
    """A node of a body failed and its policy stops the body. Only a race goes on, while another branch may win."""
    if node.kind is NodeKind.RACE:
        scheduler.cancel_inside(prefix)
        failed = {**scheduler.state.entry(key).get("failed", {}), split_prefix(prefix)[1]: error.message}
        scheduler.state.put(key, failed=failed)
        if len(failed) < len(node.bodies):
            return
    scheduler.fail_container(key, error)


def _items(node: Node, scope: RunScope) -> list[Any]:
    items = evaluate(node.params["items"], scope)
    if isinstance(items, Mapping):
        items = [{"key": key, "value": value} for key, value in items.items()]
    if items is None:
        items = []
    if not isinstance(items, list):
        raise ExpressionError(f"items of {node.id} are {type(items).__name__}, not a list or an object")
    if len(items) > ITEMS_MAXIMUM:
        raise ExpressionError(f"{len(items)} items of {node.id}; at most {ITEMS_MAXIMUM} are allowed")
    return items


def _advance_when(scheduler: "Scheduler", node: Node, key: str) -> bool:
    del node
    prefix = f"{key}[{scheduler.state.entry(key)['branch']}]/"
    moved = scheduler.advance_graph(prefix)
    if scheduler.state.status(key) is not NodeStatus.RUNNING or not scheduler.is_done(prefix):
        return moved
    if not _failed_inside(scheduler, key, prefix):
        result = scheduler.result_of(prefix)
        scheduler.succeed(key, result)
    return True


def _advance_all(scheduler: "Scheduler", node: Node, key: str) -> bool:
    moved = False
    for name in node.bodies:
        if scheduler.ended is not None or scheduler.state.status(key) is not NodeStatus.RUNNING:
            return True
        if name in scheduler.state.entry(key)["results"]:
            continue
        prefix = f"{key}[{name}]/"
        moved |= scheduler.advance_graph(prefix)
        if scheduler.state.status(key) is NodeStatus.RUNNING and scheduler.is_done(prefix):
            moved = True
            if _failed_inside(scheduler, key, prefix):
                return True
            results = {**scheduler.state.entry(key)["results"], name: scheduler.result_of(prefix)}
            scheduler.state.put(key, results=results)
    if scheduler.state.status(key) is NodeStatus.RUNNING:
        results = scheduler.state.entry(key)["results"]
        if len(results) == len(node.bodies):
            scheduler.state.put(key, results=None)
            scheduler.succeed(key, {name: results[name] for name in node.bodies})
            return True
    return moved


def _advance_race(scheduler: "Scheduler", node: Node, key: str) -> bool:
    moved = False
    for name in node.bodies:
        if scheduler.ended is not None or scheduler.state.status(key) is not NodeStatus.RUNNING:
            return True
        if name in scheduler.state.entry(key).get("failed", {}):
            continue
        prefix = f"{key}[{name}]/"
        moved |= scheduler.advance_graph(prefix)
        if scheduler.state.status(key) is not NodeStatus.RUNNING or not scheduler.is_done(prefix):
            continue
        failure = scheduler.failure_in(prefix)
        if failure is not None:
            body_failed(scheduler, node, key, prefix, _error_of(failure))
            return True
        result = scheduler.result_of(prefix)
        # The losers: what they have in flight is not wanted any more.
        for other in node.bodies:
            if other != name:
                scheduler.cancel_inside(f"{key}[{other}]/")
        scheduler.state.put(key, results=None, failed=None)
        scheduler.succeed(key, {"winner": name, "result": result})
        return True
    return moved


def _advance_foreach(scheduler: "Scheduler", node: Node, key: str) -> bool:
    moved = False
    at_once = node.params.get("max_concurrency") or scheduler.definition.max_concurrency
    entry = scheduler.state.entry(key)
    active, following, results = list(entry["active"]), entry["next"], dict(entry["results"])
    while True:
        while len(active) < at_once and following < len(entry["items"]):
            active.append(following)
            following += 1
        if active != scheduler.state.entry(key)["active"]:
            scheduler.state.put(key, active=list(active), next=following)
            moved = True
        finished = []
        for index in active:
            prefix = f"{key}[{index}]/"
            moved |= scheduler.advance_graph(prefix)
            if scheduler.ended is not None or scheduler.state.status(key) is not NodeStatus.RUNNING:
                return True
            if scheduler.is_done(prefix):
                if _failed_inside(scheduler, key, prefix):
                    return True
                results[str(index)] = scheduler.result_of(prefix)
                scheduler.state.forget(scheduler.state.inside(prefix))
                finished.append(index)
        if not finished:
            break
        moved = True
        active = [index for index in active if index not in finished]
        scheduler.state.put(key, results=dict(results))
    if not active:
        ordered = [results[str(index)] for index in range(len(entry["items"]))]
        scheduler.state.put(key, items=None, results=None, active=None, next=None)
        scheduler.succeed(key, {"results": ordered, "count": len(ordered)})
        return True
    return moved


def _advance_loop(scheduler: "Scheduler", node: Node, key: str) -> bool:
    entry = scheduler.state.entry(key)
    rests_until = entry.get("rests_until")
    if rests_until is not None:
        if scheduler.now < datetime.fromisoformat(rests_until):
            return False
        scheduler.state.put(key, rests_until=None)
    number = entry["round"]
    prefix = f"{key}[{number}]/"
    moved = scheduler.advance_graph(prefix)
    if scheduler.ended is not None or scheduler.state.status(key) is not NodeStatus.RUNNING:
        return True
    if not scheduler.is_done(prefix):
        return moved
    if _failed_inside(scheduler, key, prefix):
        return True
    result = scheduler.result_of(prefix)
    goes_on = _goes_on(scheduler, node, prefix, result)
    scheduler.state.forget(scheduler.state.inside(prefix))
    outputs = {"result": result, "iterations": number, "exhausted": False}
    if goes_on and number >= node.params["max_iterations"]:
        outputs["exhausted"] = True
        goes_on = False
    if not goes_on:
        scheduler.succeed(key, outputs)
        return True
    delay_s = node.params.get("delay_s") or 0.0
    rests = (scheduler.now + timedelta(seconds=delay_s)).isoformat() if delay_s else None
    scheduler.state.put(key, outputs=outputs, round=number + 1, rests_until=rests)
    return True


def _goes_on(scheduler: "Scheduler", node: Node, prefix: str, result: Any) -> bool:
    scope = RunScope(scheduler.tree, scheduler.state, scheduler.facts, prefix, output=result)
    if "do_until" in node.params:
        return not evaluate_condition(node.params["do_until"], scope)
    return evaluate_condition(node.params["do_while"], scope)


def _failed_inside(scheduler: "Scheduler", key: str, prefix: str) -> bool:
    """Whether the finished body has a failure that its policy kept until now; then the container has failed."""
    failure = scheduler.failure_in(prefix)
    if failure is None:
        return False
    scheduler.fail_container(key, _error_of(failure))
    return True


def _error_of(failure: Mapping[str, Any]) -> NodeError:
    return NodeError(failure["type"], failure["message"], retryable=False)


ADVANCES = {
    NodeKind.WHEN: _advance_when,
    NodeKind.ALL: _advance_all,
    NodeKind.RACE: _advance_race,
    NodeKind.FOREACH: _advance_foreach,
    NodeKind.LOOP: _advance_loop,
}
