"""The compiled form of a workflow: what documents compile to, and all that a run ever looks at.

Immutable. `to_document` and `from_document` are inverses; a version keeps the document, runs keep their version.
"""

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any


class NodeKind(StrEnum):
    """What a node does. `branch`, `map`, `tap` and `sleep_until` of documents compile to these."""

    TASK = "task"
    AGENT = "agent"
    PROMPT = "prompt"
    STRUCTURED_OUTPUT = "structured_output"
    HTTP = "http"
    WAIT_EVENT = "wait_event"
    SLEEP = "sleep"
    INTERRUPT = "interrupt"
    WHEN = "when"
    ALL = "all"
    RACE = "race"
    FOREACH = "foreach"
    LOOP = "loop"
    SUBFLOW = "subflow"
    REMOTE = "remote"
    MEMORY_STORE = "memory.store"
    MEMORY_RECALL = "memory.recall"


CONTAINERS = frozenset({NodeKind.WHEN, NodeKind.ALL, NodeKind.RACE, NodeKind.FOREACH, NodeKind.LOOP})
"""Their work is their bodies'."""
WAITS = frozenset({NodeKind.WAIT_EVENT, NodeKind.SLEEP, NodeKind.INTERRUPT, NodeKind.SUBFLOW, NodeKind.REMOTE})
"""They end by something from outside; until then nothing of the run executes for them."""


class Join(StrEnum):
    """When a node with several incoming edges runs.

    all: when every edge is decided and at least one fired.  any: at the first that fires.
    """

    ALL = "all"
    ANY = "any"


class FailurePolicy(StrEnum):
    """What a node's failure, after its retries, means for the rest.

    stop: the run fails, nodes in flight are cancelled.  skip_dependents: what depends on it is not reached, the rest
    goes on, the run fails in the end.  continue: its outputs are null, `state.errors` says why, the run goes on.
    """

    STOP = "stop"
    SKIP_DEPENDENTS = "skip_dependents"
    CONTINUE = "continue"


class Backoff(StrEnum):
    """How the delay grows: the same, n times, or 2^(n-1) times the first."""

    CONSTANT = "constant"
    LINEAR = "linear"
    EXPONENTIAL = "exponential"


@dataclass(frozen=True, slots=True)
class Retries:
    """limit: tries after the first.  delay_s: before the first of them; never longer than `max_delay_s`."""

    limit: int = 0
    delay_s: float = 1.0
    backoff: Backoff = Backoff.EXPONENTIAL
    max_delay_s: float = 3600.0

    def delay_before(self, retry: int) -> float:
        """Seconds before the n-th retry (n ≥ 1)."""
        factor = {Backoff.CONSTANT: 1.0, Backoff.LINEAR: float(retry), Backoff.EXPONENTIAL: 2.0 ** (retry - 1)}
        return min(self.delay_s * factor[self.backoff], self.max_delay_s)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a person before or after a node. Texts may hold expressions.

    timeout_s: None waits for ever.  on_timeout: `fail`, `approve` or `reject`.
    """

    title: str
    description: str | None = None
    timeout_s: float | None = None
    on_timeout: str = "fail"


@dataclass(frozen=True, slots=True)
class Node:
    """One node of a graph.

    id: unique in its graph and in those around it; letters, digits, `_`, `-`, and no `/`, `[` or `.`.
    when: an expression; false skips the node (its outputs are then what came in), and its edges fire.
    inputs: what the node is given, expressions in any string; None gives it what came in (see `state.incoming`).
    params: what the kind needs, see `docs/workflows.md`; expressions in any string.
    outputs: a mapping over `${output}` that replaces the outputs.
    writes: path in `context` or `artifacts` → expression over `${output}`, joined in by the path's reducer.
    bodies: by name, of containers only. `when`, `foreach` and `loop` have one, named `body`; the others one per branch.
    on_error: None takes the workflow's.  tools: what the node may use; nothing else is allowed.
    """

    id: str
    kind: NodeKind
    label: str = ""
    description: str = ""
    join: Join = Join.ALL
    when: str | None = None
    inputs: Any = None
    params: Mapping[str, Any] = field(default_factory=dict)
    outputs: Any = None
    writes: Mapping[str, str] = field(default_factory=dict)
    retries: Retries = Retries()
    timeout_s: float | None = None
    interrupt_before: Question | None = None
    interrupt_after: Question | None = None
    on_error: FailurePolicy | None = None
    tools: tuple[str, ...] = ()
    bodies: "Mapping[str, Graph]" = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Edge:
    """From one node's end to another's start. condition: an expression over `${output}` and the state.

    A loopback that fires sets its target, and all that follows from it, back for another iteration.
    """

    source: str
    target: str
    condition: str | None = None
    is_loopback: bool = False


@dataclass(frozen=True)
class Graph:
    """Nodes in their document's order, and what leads from one to another.

    result: an expression for what the body gives back; None gives the outputs of its only last node, or of all by id.
    """

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    result: Any = None

    @cached_property
    def by_id(self) -> dict[str, Node]:
        return {node.id: node for node in self.nodes}

    @cached_property
    def incoming(self) -> dict[str, tuple[Edge, ...]]:
        """Edges into each node, loopbacks not among them."""
        return {
            node.id: tuple(edge for edge in self.edges if edge.target == node.id and not edge.is_loopback)
            for node in self.nodes
        }

    @cached_property
    def outgoing(self) -> dict[str, tuple[Edge, ...]]:
        """Edges out of each node, loopbacks first."""
        ordered = sorted(self.edges, key=lambda edge: not edge.is_loopback)
        return {node.id: tuple(edge for edge in ordered if edge.source == node.id) for node in self.nodes}

    @cached_property
    def last(self) -> tuple[str, ...]:
        """Nodes that no forward edge leaves."""
        leaving = {edge.source for edge in self.edges if not edge.is_loopback}
        return tuple(node.id for node in self.nodes if node.id not in leaving)

    def downstream(self, node_id: str) -> set[str]:
        """The node and all that forward edges reach from it."""
        found: set[str] = set()
        waiting = [node_id]
        while waiting:
            one = waiting.pop()
            if one not in found:
                found.add(one)
                waiting.extend(edge.target for edge in self.outgoing[one] if not edge.is_loopback)
        return found

    def walk(self) -> Iterator[Node]:
        """Every node, those of bodies included, in document order."""
        for node in self.nodes:
            yield node
            for body in node.bodies.values():
                yield from body.walk()


@dataclass(frozen=True, slots=True)
class Budget:
    """What a run may spend on language models; None is no limit."""

    max_tokens: int | None = None
    max_cost_nano_usd: int | None = None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A rubric that the run's outputs are scored with before its last event."""

    rubric_id: str
    rubric_version: int | None = None
    expected: Any = None


@dataclass(frozen=True)
class Definition:
    """A whole workflow.

    inputs, outputs_schema: JSON Schema (2020-12) of an object.
    outputs: a mapping of expressions; None gives the outputs of the only last node, or of all of them by id.
    reducers: path in `context` or `artifacts` → `replace`, `append`, `extend`, `merge`, `sum`, `max`, `min` or `union`.
    memory: the namespace, None for the workflow's name.
    """

    name: str
    graph: Graph
    description: str = ""
    inputs: Mapping[str, Any] = field(default_factory=lambda: {"type": "object"})
    outputs: Any = None
    outputs_schema: Mapping[str, Any] | None = None
    max_concurrency: int = 8
    default_timeout_s: float | None = None
    max_node_iterations: int = 100
    failure_policy: FailurePolicy = FailurePolicy.STOP
    budget: Budget = Budget()
    reducers: Mapping[str, str] = field(default_factory=dict)
    evaluation: Evaluation | None = None
    memory: str | None = None

    def to_document(self) -> dict[str, Any]:
        """The definition as JSON; what is as by default is left out."""
        document: dict[str, Any] = _plain(self)
        return document

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Definition":
        """The definition that `to_document` made this of."""
        values = dict(document)
        values["graph"] = _graph(values["graph"])
        if "failure_policy" in values:
            values["failure_policy"] = FailurePolicy(values["failure_policy"])
        if "budget" in values:
            values["budget"] = Budget(**values["budget"])
        if "evaluation" in values:
            values["evaluation"] = Evaluation(**values["evaluation"])
        return cls(**values)


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        kept = {}
        for one in fields(value):
            given = getattr(value, one.name)
            if one.default is not MISSING and given == one.default:
                continue
            if one.default_factory is not MISSING and given == one.default_factory():
                continue
            kept[one.name] = _plain(given)
        return kept
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return value.value if isinstance(value, StrEnum) else value


def _graph(document: Mapping[str, Any]) -> Graph:
    return Graph(
        nodes=tuple(_node(one) for one in document["nodes"]),
        edges=tuple(Edge(**one) for one in document["edges"]),
        result=document.get("result"),
    )


def _node(document: Mapping[str, Any]) -> Node:
    values = dict(document)
    values["kind"] = NodeKind(values["kind"])
    if "join" in values:
        values["join"] = Join(values["join"])
    if "on_error" in values:
        values["on_error"] = FailurePolicy(values["on_error"])
    if "retries" in values:
        retries = dict(values["retries"])
        if "backoff" in retries:
            retries["backoff"] = Backoff(retries["backoff"])
        values["retries"] = Retries(**retries)
    for name in ("interrupt_before", "interrupt_after"):
        if name in values:
            values[name] = Question(**values[name])
    if "tools" in values:
        values["tools"] = tuple(values["tools"])
    if "bodies" in values:
        values["bodies"] = {name: _graph(body) for name, body in values["bodies"].items()}
    return Node(**values)
