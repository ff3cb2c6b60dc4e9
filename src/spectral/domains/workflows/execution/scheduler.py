"""What of a run may happen next: a pure function of its definition, its state and the time.

Decides; does nothing. What it decided is in the state, in `events` and in `steps` (rows that are new or different), and
what is to be done is what `advance` answers. The caller makes one transaction of all that.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from spectral.domains.workflows.definitions.expressions import ExpressionError, evaluate, evaluate_condition
from spectral.domains.workflows.definitions.json_schemas import schema_failures
from spectral.domains.workflows.definitions.model import (
    CONTAINERS,
    WAITS,
    Definition,
    Edge,
    FailurePolicy,
    Graph,
    Join,
    Node,
    Question,
)
from spectral.domains.workflows.execution import containers
from spectral.domains.workflows.execution.reducers import write_into
from spectral.domains.workflows.execution.scope import RunScope, Tree, split_prefix
from spectral.domains.workflows.execution.state import ENDED, Entry, NodeStatus, State, node_id_of
from spectral.domains.workflows.execution.store import NewEvent
from spectral.domains.workflows.nodes.calls import NodeError
from spectral.platform.engine.context import Allowance

DEFAULT = NodeError("internal-error", "The node met an error that it was not built for; the server's log has it")


@dataclass(frozen=True, slots=True)
class Ready:
    """A node that may begin now. params, inputs: expressions resolved.

    question: what is asked of a person first (or last); nothing else of the node happens until it is answered.
    """

    key: str
    node: Node
    iteration: int
    attempt: int
    params: Mapping[str, Any]
    inputs: Any
    resume_data: Any = None
    position: str = "node"
    question: Question | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended. error: `{type, message, node}` of one that failed."""

    outputs: Any = None
    error: dict[str, Any] | None = None


class Scheduler:
    """One execution's view of a run. Every method leaves the state consistent."""

    def __init__(
        self,
        tree: Tree,
        state: State,
        facts: Mapping[str, Any],
        now: datetime,
        allowance: Allowance | None = None,
    ) -> None:
        """facts: what expressions see as `run`.  now: moved on by the caller with every transaction.

        allowance: how many steps may begin, those included that wait, hold others or are skipped; None for any number.
        """
        self.tree = tree
        self.state = state
        self.facts = facts
        self.now = now
        self.ended: Ended | None = None
        self.events: list[NewEvent] = []
        self.steps: dict[tuple[str, int], Entry] = {}
        """Steps whose rows are new or different: key and iteration, and the entry as it was last."""
        self.cancelled: set[str] = set()
        """Keys whose work, if any is in flight, is not wanted any more."""
        self.released: list[tuple[str, Mapping[str, Any]]] = []
        """Waits that ended without what they waited for: key and wait. Whoever works for them may stop."""
        self.last_node: str | None = None
        self.held_back = False
        """Whether something could begin, as of the last `advance`, and may not."""
        self._ready: list[Ready] = []
        self._room = 0
        self._allowance = allowance

    @property
    def definition(self) -> Definition:
        return self.tree.definition

    # What happened -----------------------------------------------------------------------------------------------

    def succeed(self, key: str, outputs: Any) -> None:
        """The node's work is done; its outputs are mapped and written where it says so."""
        node, prefix = self.node_at(key), self.prefix_of(key)
        try:
            if node.outputs is not None:
                outputs = evaluate(node.outputs, self.scope(prefix, key, output=outputs))
            write_into(self.state, self.definition.reducers, node.writes, self.scope(prefix, key, output=outputs))
        except ExpressionError as error:
            self.fail(key, NodeError("expression", str(error), retryable=False))
            return
        if node.interrupt_after is not None:
            self.state.put(key, outputs=outputs, resume=None)
            self._ask(key, node, node.interrupt_after, "after")
            return
        self.end(key, NodeStatus.SUCCEEDED, outputs)

    def end(self, key: str, status: NodeStatus, outputs: Any) -> None:
        """The node has ended with these outputs, and its edges are decided."""
        node, prefix = self.node_at(key), self.prefix_of(key)
        self.state.put(
            key, status=status.value, outputs=outputs, wait=None, resume=None, finished_at=self.now.isoformat()
        )
        self.last_node = key
        if status is NodeStatus.SUCCEEDED:
            self.touch(key)
            self._tell("step.completed", key, status, output=outputs)
        elif status is NodeStatus.SKIPPED:
            self.touch(key)
            self._tell("step.skipped", key, status)
        try:
            self._decide_edges(prefix, node, key, outputs)
        except ExpressionError as error:
            failure = NodeError("expression", f"A condition after {node.id}: {error}", retryable=False)
            self._fail_for_good(key, failure)

    def fail(self, key: str, error: NodeError) -> None:
        """The node's work failed: it waits for its next try, or has failed for good."""
        node, entry = self.node_at(key), self.state.entry(key)
        failures = entry.get("failures", 0) + 1
        self.state.put(key, failures=failures, resume=None)
        if error.retryable and failures <= node.retries.limit:
            asked_s: float = getattr(error, "retry_after_s", None) or 0.0
            delay_s = max(node.retries.delay_before(failures), min(asked_s, node.retries.max_delay_s))
            wake_at = self.now + timedelta(seconds=delay_s)
            self.wait(key, {"type": "retry", "wake_at": wake_at.isoformat()})
            self.state.put(key, error=_told(error))
            self._tell("step.retrying", key, NodeStatus.WAITING, error=_told(error), at=wake_at.isoformat())
            return
        self._fail_for_good(key, error)

    def wait(self, key: str, wait: Mapping[str, Any]) -> None:
        """The node waits for what `wait` says: `{type, wake_at?, …}`."""
        self.state.put(key, status=NodeStatus.WAITING.value, wait={**wait, "since": self.now.isoformat()})
        self.touch(key)

    def again(self, key: str, **values: Any) -> None:
        """The node is pending once more, in the same iteration; `values` go into its entry."""
        self.state.put(key, status=NodeStatus.PENDING.value, wait=None, **values)
        # It need not begin in this turn: the run may be about to pause.
        self.touch(key)

    def touch(self, key: str) -> None:
        """The step's row will say what its entry says now."""
        entry = self.state.entry(key)
        if "ordinal" not in entry:
            ordinal = self.state.document.get("steps", 0)
            self.state.document["steps"] = ordinal + 1
            self.state.put(key, ordinal=ordinal)
            entry = self.state.entry(key)
        self.steps[key, entry.get("iteration", 1)] = entry

    def fail_run(self, error: dict[str, Any]) -> None:
        """Nothing else of the run happens."""
        self.ended = Ended(error=error)
        self._cancel_open("")

    # What is next ------------------------------------------------------------------------------------------------

    def advance(self, room: int) -> list[Ready]:
        """Decide everything that can be decided now; the nodes that may begin, at most `room` of those that execute.

        Sets `ended` once nothing is left to be done.
        """
        self._ready, self._room, self.held_back = [], room, False
        while self.ended is None and self.advance_graph(""):
            pass
        if self.ended is None and self.is_done(""):
            self._end_run()
        return self._ready

    def advance_graph(self, prefix: str) -> bool:
        """Whether anything was decided among the nodes of one graph and the bodies inside them."""
        moved = False
        graph = self.tree.graph(prefix)
        for node in graph.nodes:
            if self.ended is not None:
                return False
            key = prefix + node.id
            status = self.state.status(key)
            if status is NodeStatus.PENDING:
                moved |= self._consider(prefix, graph, node, key)
            elif status is NodeStatus.RUNNING and node.kind in CONTAINERS:
                moved |= containers.advance(self, node, key)
        return moved

    def is_done(self, prefix: str) -> bool:
        """Whether every node of a graph has ended."""
        return all(self.state.status(prefix + node.id) in ENDED for node in self.tree.graph(prefix).nodes)

    def failure_in(self, prefix: str) -> dict[str, Any] | None:
        """The first failure of a finished graph that its policy does not let pass."""
        for node in self.tree.graph(prefix).nodes:
            entry = self.state.entry(prefix + node.id)
            if entry.get("status") == NodeStatus.FAILED and self._policy(node) is not FailurePolicy.CONTINUE:
                return {"node": prefix + node.id, **entry["error"]}
        return None

    def result_of(self, prefix: str) -> Any:
        """What a finished graph gives back. Raises ExpressionError."""
        graph = self.tree.graph(prefix)
        if graph.result is not None:
            return evaluate(graph.result, RunScope(self.tree, self.state, self.facts, prefix))
        outputs = {node_id: self.state.entry(prefix + node_id).get("outputs") for node_id in graph.last}
        return next(iter(outputs.values())) if len(outputs) == 1 else outputs

    def begin_container(self, key: str, **values: Any) -> None:
        """The container's bodies may run; `values` are its own book-keeping."""
        iteration = self.state.entry(key).get("iteration", 1)
        self.state.put(
            key,
            status=NodeStatus.RUNNING.value,
            container=True,
            iteration=iteration,
            attempt=1,
            started_at=self.now.isoformat(),
            **values,
        )
        self._spend()
        self.touch(key)
        self._tell("step.started", key, NodeStatus.RUNNING)

    def cancel_inside(self, prefix: str) -> None:
        """Everything open under the prefix is cancelled, and its entries go."""
        self._cancel_open(prefix)
        self.state.forget(self.state.inside(prefix))

    def incoming(self, prefix: str, node: Node) -> Any:
        """What comes into a node: its predecessors' outputs, or what its graph was given."""
        fired = [edge.source for edge in self.tree.graph(prefix).incoming[node.id] if self._fired(prefix, edge)]
        outputs = {source: self.state.entry(prefix + source).get("outputs") for source in fired}
        if outputs:
            return next(iter(outputs.values())) if len(outputs) == 1 else outputs
        if not prefix:
            return self.state.document["inputs"]
        container, _ = split_prefix(prefix)
        return containers.given(self, self.node_at(container), container, prefix)

    def scope(self, prefix: str, key: str, *, input: Any = None, output: Any = None) -> RunScope:
        """What the node's expressions see."""
        entry = self.state.entry(key)
        given = entry.get("inputs") if input is None else input
        return RunScope(
            self.tree,
            self.state,
            self.facts,
            prefix,
            input=given,
            output=output,
            iteration=entry.get("iteration", 1),
        )

    def node_at(self, key: str) -> Node:
        """The definition's node at a key."""
        return self.tree.graph(self.prefix_of(key)).by_id[node_id_of(key)]

    @staticmethod
    def prefix_of(key: str) -> str:
        """Where the node's graph stands: `each[3]/` of `each[3]/fetch`."""
        return key[: len(key) - len(node_id_of(key))]

    def next_nodes(self) -> list[str]:
        """Keys of what is in flight, waits, or may begin when there is room."""
        open_keys = [
            key
            for key, entry in self.state.nodes.items()
            if entry.get("status") in {NodeStatus.RUNNING, NodeStatus.WAITING, NodeStatus.PENDING}
            and "container" not in entry
        ]
        return open_keys or [node.id for node in self.definition.graph.nodes if not self.state.entry(node.id)][:1]

    # Inside ------------------------------------------------------------------------------------------------------

    def _consider(self, prefix: str, graph: Graph, node: Node, key: str) -> bool:
        verdict = self._verdict(prefix, graph, node)
        if verdict is None:
            return False
        if not verdict:
            self.state.put(key, status=NodeStatus.UNREACHED.value, outputs=None)
            self.state.put(key, edges={edge.target: False for edge in graph.outgoing[node.id] if not edge.is_loopback})
            return True
        try:
            return self._begin(prefix, node, key)
        except ExpressionError as error:
            self._started(key)
            self._fail_for_good(key, NodeError("expression", str(error), retryable=False))
            return True

    def _verdict(self, prefix: str, graph: Graph, node: Node) -> bool | None:
        """Whether the node is reached: None while that is not decided."""
        incoming = graph.incoming[node.id]
        if not incoming:
            return True
        decided = [self._decided(prefix, edge) for edge in incoming]
        if node.join is Join.ANY and True in decided:
            return True
        return None if None in decided else True in decided

    def _decided(self, prefix: str, edge: Edge) -> bool | None:
        """Whether the edge fired: None while its source has not ended."""
        if self.state.status(prefix + edge.source) not in ENDED:
            return None
        return self._fired(prefix, edge)

    def _fired(self, prefix: str, edge: Edge) -> bool:
        edges: Mapping[str, bool] = self.state.entry(prefix + edge.source).get("edges", {})
        return edges.get(edge.target, False)

    def _begin(self, prefix: str, node: Node, key: str) -> bool:
        if self._allowance is not None and self._allowance.left <= 0:
            self.held_back = True
            return False
        entry = self.state.entry(key)
        inputs = entry["inputs"] if "inputs" in entry else self._inputs(prefix, node, key)
        scope = self.scope(prefix, key, input=inputs)
        if node.when is not None and "asked" not in entry and not evaluate_condition(node.when, scope):
            self._started(key)
            self.end(key, NodeStatus.SKIPPED, self.incoming(prefix, node))
            return True
        if node.interrupt_before is not None and not entry.get("asked"):
            self._started(key, inputs)
            self._ask(key, node, node.interrupt_before, "before")
            return True
        if node.kind in CONTAINERS:
            self.state.put(key, inputs=inputs)
            containers.begin(self, node, key, scope)
            return True
        waits = node.kind in WAITS
        if not waits and self._room <= 0:
            return False
        params = evaluate(dict(node.params), scope)
        resume_data = entry.get("resume")
        self._started(key, inputs, attempt=entry.get("attempt", 0) + 1)
        attempt = self.state.entry(key)["attempt"]
        iteration = self.state.entry(key)["iteration"]
        if not waits:
            self._room -= 1
        self._ready.append(Ready(key, node, iteration, attempt, params, inputs, resume_data))
        self._tell("step.started", key, NodeStatus.RUNNING, attempt=attempt)
        return True

    def _inputs(self, prefix: str, node: Node, key: str) -> Any:
        incoming = self.incoming(prefix, node)
        return incoming if node.inputs is None else evaluate(node.inputs, self.scope(prefix, key, input=incoming))

    def _spend(self) -> None:
        if self._allowance is not None:
            self._allowance.take()

    def _started(self, key: str, inputs: Any = None, attempt: int = 1) -> None:
        self._spend()
        entry = self.state.entry(key)
        self.state.put(
            key,
            status=NodeStatus.RUNNING.value,
            iteration=entry.get("iteration", 1),
            attempt=attempt,
            inputs=inputs,
            started_at=entry.get("started_at") or self.now.isoformat(),
        )
        self.touch(key)

    def _ask(self, key: str, node: Node, question: Question, position: str) -> None:
        entry = self.state.entry(key)
        self.wait(key, {"type": "interrupt", "position": position})
        scope = self.scope(self.prefix_of(key), key, output=entry.get("outputs"))
        try:
            title = str(evaluate(question.title, scope))
            description = None if question.description is None else str(evaluate(question.description, scope))
        except ExpressionError as error:
            self._fail_for_good(key, NodeError("expression", str(error), retryable=False))
            return
        asked = Question(title, description, question.timeout_s, question.on_timeout)
        self._ready.append(
            Ready(key, node, entry["iteration"], entry.get("attempt", 1), {}, None, position=position, question=asked)
        )

    def _decide_edges(self, prefix: str, node: Node, key: str, outputs: Any) -> None:
        fired: dict[str, bool] = {}
        scope = self.scope(prefix, key, output=outputs)
        for edge in self.tree.graph(prefix).outgoing[node.id]:
            holds = edge.condition is None or evaluate_condition(edge.condition, scope)
            if edge.is_loopback:
                if holds:
                    self._go_back(prefix, edge)
                    return
            else:
                fired[edge.target] = fired.get(edge.target, False) or holds
        self.state.put(key, edges=fired, inputs=None, failures=None)

    def _go_back(self, prefix: str, edge: Edge) -> None:
        """The loopback's target and all that follows are pending again; what they gave last time stays readable."""
        graph = self.tree.graph(prefix)
        target = self.state.entry(prefix + edge.target)
        if target.get("iteration", 1) >= self.definition.max_node_iterations:
            message = f"{edge.target} ran {self.definition.max_node_iterations} times"
            self.fail_run({"type": "iteration-limit", "message": message, "node": prefix + edge.target})
            return
        for node_id in sorted(graph.downstream(edge.target)):
            key = prefix + node_id
            entry = self.state.entry(key)
            if not entry:
                continue
            self.cancel_inside(f"{key}[")
            if self.state.status(key) in {NodeStatus.RUNNING, NodeStatus.WAITING}:
                self._cancel(key)
            began = entry.get("status") not in {NodeStatus.UNREACHED, NodeStatus.PENDING}
            self.state.nodes[key] = {
                "status": NodeStatus.PENDING.value,
                "iteration": entry.get("iteration", 1) + (1 if began else 0),
                "outputs": entry.get("outputs"),
            }
        self._tell("edge.looped", prefix + edge.source, None, target=prefix + edge.target)

    def _fail_for_good(self, key: str, error: NodeError) -> None:
        node, prefix = self.node_at(key), self.prefix_of(key)
        told = _told(error)
        policy = self._policy(node)
        self._cancel_open(f"{key}[")
        self.state.forget(self.state.inside(f"{key}["))
        self.state.put(
            key,
            status=NodeStatus.FAILED.value,
            outputs=None,
            error=told,
            wait=None,
            resume=None,
            finished_at=self.now.isoformat(),
        )
        self.touch(key)
        self.last_node = key
        self._tell("step.failed", key, NodeStatus.FAILED, error=told)
        listed = {"node": key, **told, "at": self.now.isoformat()}
        self.state.document["errors"] = [*self.state.document["errors"], listed]
        outgoing = self.tree.graph(prefix).outgoing[node.id]
        if policy is FailurePolicy.CONTINUE:
            try:
                self._decide_edges(prefix, node, key, None)
            except ExpressionError as wrong:
                self.fail_run({"type": "expression", "message": str(wrong), "node": key})
            return
        self.state.put(key, edges={edge.target: False for edge in outgoing if not edge.is_loopback})
        if policy is FailurePolicy.SKIP_DEPENDENTS:
            return
        if not prefix:
            self.fail_run({"node": key, **told})
            return
        container, _ = split_prefix(prefix)
        containers.body_failed(self, self.node_at(container), container, prefix, NodeError(**told, retryable=False))

    def fail_container(self, key: str, error: NodeError) -> None:
        """What happened inside ends the container as failed; its own policy decides what that means."""
        self._fail_for_good(key, error)

    def _policy(self, node: Node) -> FailurePolicy:
        return node.on_error or self.definition.failure_policy

    def _end_run(self) -> None:
        failure = self.failure_in("")
        if failure is not None:
            self.ended = Ended(error=failure)
            return
        try:
            if self.definition.outputs is None:
                outputs = self.result_of("")
            else:
                outputs = evaluate(self.definition.outputs, RunScope(self.tree, self.state, self.facts, ""))
        except ExpressionError as error:
            self.ended = Ended(error={"type": "expression", "message": f"outputs: {error}"})
            return
        schema = self.definition.outputs_schema
        failures = [] if schema is None else schema_failures(schema, outputs)
        if failures:
            message = f"outputs{failures[0].pointer}: {failures[0].detail}"
            self.ended = Ended(error={"type": "invalid-outputs", "message": message})
            return
        self.ended = Ended(outputs=outputs)

    def _cancel_open(self, prefix: str) -> None:
        for key in self.state.inside(prefix):
            if self.state.status(key) in {NodeStatus.RUNNING, NodeStatus.WAITING}:
                self._cancel(key)

    def release(self, key: str) -> None:
        """What the node waits for, if it does, is not wanted any more."""
        wait = self.state.entry(key).get("wait")
        if wait is not None:
            self.released.append((key, wait))
            if "interrupt_id" in wait:
                self._tell("interrupt.cancelled", key, NodeStatus.CANCELLED, interrupt_id=wait["interrupt_id"])

    def _cancel(self, key: str) -> None:
        self.release(key)
        self.state.put(key, status=NodeStatus.CANCELLED.value, wait=None, finished_at=self.now.isoformat())
        self.cancelled.add(key)
        self.touch(key)
        self._tell("step.cancelled", key, NodeStatus.CANCELLED)

    def _tell(self, type: str, key: str, status: NodeStatus | None, **told: Any) -> None:
        output, error = told.pop("output", None), told.pop("error", None)
        entry = self.state.entry(key)
        started = entry.get("started_at")
        self.events.append(
            NewEvent(
                type,
                node=key,
                status=None if status is None else status.value,
                output=output,
                error=error,
                data={"iteration": entry.get("iteration", 1), **told},
                started_at=datetime.fromisoformat(started) if started else None,
                ended_at=self.now if status in ENDED else None,
            )
        )


def _told(error: NodeError) -> dict[str, Any]:
    return {"type": error.type, "message": error.message}
