"""Calls of nodes as an execution makes them: expressions resolved, secrets still named."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import UUID

from spectral.domains.workflows.definitions.expressions import evaluate
from spectral.domains.workflows.definitions.model import Definition, Graph, Node, NodeKind
from spectral.domains.workflows.nodes.calls import NodeCall
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database

NOBODY = WorkspaceAccess.for_system(UUID(int=1), UUID(int=2), "tests")


@dataclass
class Lines:
    """A journal that keeps what was said."""

    said: list[dict[str, Any]] = field(default_factory=list)

    def log(self, message: str, *, level: str = "info", category: str | None = None, data: Any = None) -> None:
        self.said.append({"message": message, "level": level, "category": category, "data": data})

    def token(self, text: str) -> None:
        raise AssertionError(text)


@dataclass(frozen=True)
class Roots:
    """What expressions see."""

    roots: Mapping[str, Any]

    def lookup(self, name: str) -> Any:
        return self.roots.get(name)


def node_call(
    database: Database | None,
    access: WorkspaceAccess,
    kind: NodeKind,
    params: dict[str, Any],
    *,
    inputs: Any = None,
    tools: tuple[str, ...] = (),
    run_inputs: Mapping[str, Any] | None = None,
    memory: str | None = None,
    timeout_s: float | None = None,
    **changes: Any,
) -> NodeCall:
    """An attempt at a node's work.

    database: None for work that needs none.  params: as the definition says them.  run_inputs: `inputs` of expressions.
    """
    node = Node("step", kind, params=params, tools=tools, timeout_s=timeout_s)
    values: dict[str, Any] = {
        "run_id": UUID(int=7),
        "run_name": "run",
        "account_id": access.account_id,
        "trace_id": None,
        "definition": Definition("orders", Graph((node,), ()), memory=memory),
        "node": node,
        "key": "step",
        "iteration": 1,
        "attempt": 1,
        "params": evaluate(params, Roots({"inputs": run_inputs or {}})),
        "inputs": inputs,
        "idempotency_key": "7/1/each[0]/step/1",
        "database": cast("Database", database),
        "access": access,
        "journal": Lines(),
        "fence": unfenced,
    }
    return NodeCall(**{**values, **changes})


async def unfenced(_: Any) -> None:
    """Nobody else has the run."""
