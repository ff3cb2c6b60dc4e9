"""What a definition looks like from outside: as a graph, by what it takes and gives, by what it asks. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from spectral.domains.workflows.definitions.expressions import secrets_in
from spectral.domains.workflows.definitions.model import Definition, Graph, Node, NodeKind

ANY = "any"


@dataclass(frozen=True, slots=True)
class PlacedNode:
    """A node and where it stands.

    id: its path with the names of bodies (`each[body]/fetch`); parent: its container's.
    """

    id: str
    node: Node
    parent: str | None
    body: str | None


@dataclass(frozen=True, slots=True)
class PlacedEdge:
    """An edge between placed nodes, by their ids."""

    source: str
    target: str
    condition: str | None
    is_loopback: bool


def placed_nodes(
    graph: Graph, prefix: str = "", parent: str | None = None, body: str | None = None
) -> Iterator[PlacedNode]:
    """Every node in document order, those of a body after their container."""
    for node in graph.nodes:
        path = prefix + node.id
        yield PlacedNode(path, node, parent, body)
        for name, inner in node.bodies.items():
            yield from placed_nodes(inner, f"{path}[{name}]/", path, name)


def placed_edges(graph: Graph, prefix: str = "") -> Iterator[PlacedEdge]:
    """Every edge, those of bodies included."""
    for edge in graph.edges:
        yield PlacedEdge(prefix + edge.source, prefix + edge.target, edge.condition, edge.is_loopback)
    for node in graph.nodes:
        for name, inner in node.bodies.items():
            yield from placed_edges(inner, f"{prefix}{node.id}[{name}]/")


def input_types(definition: Definition) -> dict[str, str]:
    """Name → type of each input."""
    return _types(definition.inputs)


def output_types(definition: Definition) -> dict[str, str]:
    """Name → type of each output, `any` where nothing says more."""
    if definition.outputs_schema is not None:
        return _types(definition.outputs_schema)
    return dict.fromkeys(definition.outputs, ANY) if isinstance(definition.outputs, Mapping) else {}


@dataclass(frozen=True, slots=True)
class Needs:
    """What a definition uses, by name; expressions that stand for names are left out."""

    kinds: list[str]
    agents: list[str]
    workflows: list[str]
    tasks: list[str]
    events: list[str]
    queues: list[str]
    secrets: list[str]
    asks_people: bool


def needs_of(definition: Definition) -> Needs:
    """What the definition uses."""
    nodes = list(definition.graph.walk())
    secrets: frozenset[str] = frozenset()
    for node in nodes:
        secrets |= secrets_in([node.params, node.inputs, node.outputs])
    return Needs(
        kinds=sorted({node.kind.value for node in nodes}),
        agents=_named(nodes, "agent"),
        workflows=_named(nodes, "workflow"),
        tasks=_named(nodes, "function"),
        events=_named(nodes, "event"),
        queues=_named(nodes, "queue"),
        secrets=sorted(secrets),
        asks_people=any(
            node.kind is NodeKind.INTERRUPT or node.interrupt_before or node.interrupt_after for node in nodes
        ),
    )


def asked_schemas(definition: Definition) -> list[tuple[str, Node, Mapping[str, Any]]]:
    """Path, node and JSON Schema of what people answer, signals carry and models give."""
    return [
        (placed.id, placed.node, placed.node.params["schema"])
        for placed in placed_nodes(definition.graph)
        if isinstance(placed.node.params.get("schema"), Mapping)
    ]


def _types(schema: Mapping[str, Any]) -> dict[str, str]:
    properties = schema.get("properties")
    if not isinstance(properties, Mapping):
        return {}
    found = {}
    for name, rule in properties.items():
        wanted = rule.get("type", ANY) if isinstance(rule, Mapping) else ANY
        found[name] = " | ".join(map(str, wanted)) if isinstance(wanted, list) else str(wanted)
    return found


def _named(nodes: list[Node], param: str) -> list[str]:
    values = {node.params.get(param) for node in nodes if isinstance(node.params.get(param), str)}
    return sorted(value for value in values if value and "${" not in value)
