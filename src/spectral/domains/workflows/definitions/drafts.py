"""A definition on its way from a document: its nodes, and where in the document each part of them stands."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from spectral.domains.workflows.definitions.model import Edge, Graph, Node


class Moment(StrEnum):
    """When an expression is evaluated, which decides what it can see.

    before: the node begins.  after: the node is done, `output` is what it gave.  round: a body is done, its steps are
    visible and `output` is its result.
    """

    BEFORE = "before"
    AFTER = "after"
    ROUND = "round"


@dataclass(frozen=True, slots=True)
class Use:
    """A text with expressions. condition: all of it is one expression, with or without `${}`."""

    pointer: str
    text: str
    moment: Moment
    condition: bool = False


@dataclass(slots=True)
class DraftEdge:
    """pointer: what in the document says that it leads there; None for the order of a list."""

    edge: Edge
    pointer: str | None
    uses: list[Use] = field(default_factory=list)


@dataclass(slots=True)
class DraftNode:
    """pointer: of the step.  names: what its body's expressions see besides (`item`, `index`, …)."""

    node: Node
    pointer: str
    written_as: str
    uses: list[Use] = field(default_factory=list)
    bodies: "dict[str, DraftGraph]" = field(default_factory=dict)
    names: tuple[str, ...] = ()


@dataclass(slots=True)
class DraftGraph:
    """pointer: of the list of steps."""

    nodes: list[DraftNode]
    edges: list[DraftEdge]
    pointer: str
    result: Any = None
    uses: list[Use] = field(default_factory=list)

    def graph(self) -> Graph:
        """The graph as it is run."""
        return Graph(tuple(one.node for one in self.nodes), tuple(one.edge for one in self.edges), self.result)

    def walk(self) -> Iterator[DraftNode]:
        """Every node, those of bodies included."""
        for one in self.nodes:
            yield one
            for body in one.bodies.values():
                yield from body.walk()
