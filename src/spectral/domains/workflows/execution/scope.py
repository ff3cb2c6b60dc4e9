"""What expressions of a run can see, from where a node stands."""

from collections.abc import Iterator, Mapping
from typing import Any

from spectral.domains.workflows.definitions.model import Definition, Graph, NodeKind
from spectral.domains.workflows.execution.state import State, enclosing_of

MISSING: Any = object()


class Tree:
    """The definition's graphs by the prefix that their nodes have in a run."""

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        self._graphs: dict[str, Graph] = {"": definition.graph}

    def graph(self, prefix: str) -> Graph:
        """The graph whose nodes stand under the prefix; its ordinals do not matter."""
        found = self._graphs.get(prefix)
        if found is None:
            container, name = split_prefix(prefix)
            outer, _, node_id = container.rpartition("/")
            node = self.graph(f"{outer}/" if outer else "").by_id[node_id]
            found = node.bodies.get(name) or node.bodies["body"]
            if name in node.bodies:
                # Ordinals are without end, names are not: only these are remembered.
                self._graphs[prefix] = found
        return found


def split_prefix(prefix: str) -> tuple[str, str]:
    """The container's key and the body's name or ordinal: `("a[1]/each", "3")` of `a[1]/each[3]/`."""
    opened = prefix.rindex("[")
    return prefix[:opened], prefix[opened + 1 : -2]


class Steps(Mapping[str, Any]):
    """`steps` of expressions: by id, the innermost first; outputs, status and error of each."""

    def __init__(self, state: State, prefix: str) -> None:
        self._state = state
        self._prefixes = enclosing_of(prefix)[::-1]

    def __getitem__(self, node_id: str) -> Any:
        for prefix in self._prefixes:
            entry = self._state.nodes.get(prefix + node_id)
            if entry is not None:
                return {
                    "outputs": entry.get("outputs"),
                    "status": entry.get("status"),
                    "error": entry.get("error"),
                    "iteration": entry.get("iteration", 1),
                }
        raise KeyError(node_id)

    def __iter__(self) -> Iterator[str]:
        seen = set()
        for prefix in self._prefixes:
            for key in self._state.nodes:
                node_id = key[len(prefix) :]
                if key.startswith(prefix) and "/" not in node_id and node_id not in seen:
                    seen.add(node_id)
                    yield node_id

    def __len__(self) -> int:
        return sum(1 for _ in self)


class RunScope:
    """The roots of an expression at one place of a run. `input`, `output` and `answer` where there is one."""

    def __init__(
        self,
        tree: Tree,
        state: State,
        facts: Mapping[str, Any],
        prefix: str,
        *,
        input: Any = None,
        output: Any = None,
        iteration: int = 1,
    ) -> None:
        self._tree = tree
        self._state = state
        self._facts = facts
        self._prefix = prefix
        self._own = {"input": input, "output": output, "iteration": iteration}

    def lookup(self, name: str) -> Any:
        """The root of that name; null where there is none."""
        if name == "steps":
            return Steps(self._state, self._prefix)
        if name in {"inputs", "context", "artifacts", "errors"}:
            return self._state.document[name]
        if name == "run":
            return self._facts
        from_body = self._from_bodies(name)
        return self._own.get(name) if from_body is MISSING else from_body

    def _from_bodies(self, name: str) -> Any:
        """What the bodies around give a name to: items of `foreach`, rounds of `loop`; the innermost wins."""
        for prefix in enclosing_of(self._prefix)[:0:-1]:
            container, ordinal = split_prefix(prefix)
            outer, _, node_id = container.rpartition("/")
            node = self._tree.graph(f"{outer}/" if outer else "").by_id[node_id]
            if node.kind is NodeKind.FOREACH:
                if name in {"item", node.params.get("as", "item")}:
                    return self._state.entry(container)["items"][int(ordinal)]
                if name == "index":
                    return int(ordinal)
            elif node.kind is NodeKind.LOOP and name == "iteration":
                return int(ordinal)
        return MISSING
