"""What a definition as a whole must be: references lead somewhere, every step can be reached, nothing is circular."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from spectral.domains.workflows.definitions.drafts import DraftGraph, DraftNode, Moment, Use
from spectral.domains.workflows.definitions.expression_terms import SECRETS, STEPS
from spectral.domains.workflows.definitions.expressions import ExpressionError, Reference, references
from spectral.domains.workflows.definitions.language import closest
from spectral.domains.workflows.definitions.model import CONTAINERS, Definition, NodeKind
from spectral.domains.workflows.definitions.reading import OPENING, Reading

ROOTS = ("inputs", "context", "artifacts", "errors", "steps", "run", "input", "iteration", "secrets")
TAKING = CONTAINERS | {NodeKind.TASK, NodeKind.AGENT, NodeKind.SUBFLOW, NodeKind.REMOTE}
"""Kinds that use what comes in even where no expression says so."""
THINKING = frozenset({NodeKind.PROMPT, NodeKind.STRUCTURED_OUTPUT, NodeKind.MEMORY_RECALL})
"""Kinds that do nothing but give outputs."""

BROKEN_ORDER = frozenset({"unknown-node", "duplicate-id", "invalid-id", "missing", "invalid-type", "duplicate-edge"})
"""Findings after which it is not known what leads where."""


@dataclass(frozen=True, slots=True)
class Known:
    """What of a workspace a document may name; None where it is not checked.

    agents: names and ids.  rubrics: name or id → id.  workflows: the latest definition by name, at least those that the
    document names and those that these name.  versions: the number of the latest.  other_workflows: names to suggest.
    """

    agents: Collection[str] | None = None
    tasks: Collection[str] | None = None
    secrets: Collection[str] | None = None
    rubrics: Mapping[str, str] | None = None
    workflows: Mapping[str, Definition] | None = None
    versions: Mapping[str, int] = field(default_factory=dict)
    other_workflows: Collection[str] = ()


class Validation:
    """Adds findings to a reading."""

    def __init__(self, reading: Reading, root: DraftGraph, known: Known, document_uses: list[Use]) -> None:
        self._read = reading
        self._root = root
        self._known = known
        self._document_uses = document_uses
        self._everywhere = {draft.node.id for draft in root.walk()}
        self._referred: set[str] = set()
        self._inputs_used: set[str | None] = set()

    def check(self, definition: Definition) -> None:
        """definition: as far as it could be read."""
        self._properties = definition.inputs.get("properties")
        self._closed = definition.inputs.get("additionalProperties") is False
        self._graph(self._root, frozenset(), (), 0)
        every = frozenset(draft.node.id for draft in self._root.nodes)
        for use in self._document_uses:
            self._use(use, every, ("output",) if use.pointer.startswith("/evaluation") else ())
        for draft in self._root.walk():
            self._names_of(draft, definition)
        self._rubric(definition)
        self._warn()

    # Order -------------------------------------------------------------------------------------------------------

    def _graph(self, graph: DraftGraph, outer: frozenset[str], names: tuple[str, ...], depth: int) -> None:
        before = _ancestors(graph)
        self._cycles(graph)
        if not BROKEN_ORDER & {finding.code for finding in self._read.errors}:
            self._unreachable(graph)
        for draft in graph.nodes:
            node_id = draft.node.id
            visible = before[node_id] | outer
            done = visible | {node_id}
            inside = (*names, *draft.names)
            for use in draft.uses:
                if use.moment is Moment.ROUND:
                    body = {inner.node.id for held in draft.bodies.values() for inner in held.nodes}
                    self._use(use, visible | body, (*inside, "output"))
                elif use.moment is Moment.AFTER:
                    self._use(use, done, (*names, "output"))
                else:
                    self._use(use, visible, names)
            for body_graph in draft.bodies.values():
                self._graph(body_graph, visible, inside, depth + 1)
        for edge in graph.edges:
            for use in edge.uses:
                self._use(use, before[edge.edge.source] | outer | {edge.edge.source}, (*names, "output"))
        own = frozenset(draft.node.id for draft in graph.nodes)
        for use in graph.uses:
            self._use(use, own | outer, names)

    def _cycles(self, graph: DraftGraph) -> None:
        """Forward edges that lead back; each cycle is told once, where its last edge is written."""
        after: dict[str, list[str]] = {draft.node.id: [] for draft in graph.nodes}
        pointers = {}
        for one in graph.edges:
            if not one.edge.is_loopback:
                after[one.edge.source].append(one.edge.target)
                pointers[one.edge.source, one.edge.target] = one.pointer
        done: set[str] = set()
        for start, following in after.items():
            path = [start]
            pending = [iter(following)] if start not in done else []
            while pending:
                target = next(pending[-1], None)
                if target is None:
                    pending.pop()
                    done.add(path.pop())
                elif target in path:
                    circle = " → ".join([*path[path.index(target) :], target])
                    place = pointers[path[-1], target] or graph.pointer
                    self._read.error("cycle", f"steps wait for each other: {circle}; is a loopback meant?", place)
                elif target not in done:
                    path.append(target)
                    pending.append(iter(after[target]))

    def _unreachable(self, graph: DraftGraph) -> None:
        """Steps to which nothing leads: every edge to them can never fire, or only loopbacks of others lead there."""
        ids = {draft.node.id for draft in graph.nodes}
        forward: dict[str, list[str]] = {node_id: [] for node_id in ids}
        back: dict[str, list[str]] = {node_id: [] for node_id in ids}
        waits = set()
        for one in graph.edges:
            edge = one.edge
            if edge.is_loopback:
                back[edge.target].append(edge.source)
            else:
                waits.add(edge.target)
                if not _is_never(edge.condition):
                    forward[edge.source].append(edge.target)
        starts = set()
        for node_id in ids - waits:
            behind = _reached({node_id}, forward)
            if not back[node_id] or any(source in behind for source in back[node_id]):
                starts.add(node_id)
        # Circles, and what comes after them, are told elsewhere.
        circular = {node_id for node_id in ids if node_id in _reached(set(forward[node_id]), forward)}
        told = _reached(starts | circular, forward)
        for draft in graph.nodes:
            if draft.node.id not in told:
                message = f"nothing leads to `{draft.node.id}`: it would never run, or begin before it is asked to"
                self._read.error("unreachable", message, f"{draft.pointer}/id")

    # References --------------------------------------------------------------------------------------------------

    def _use(self, use: Use, visible: Collection[str], names: tuple[str, ...]) -> None:
        try:
            found = references(use.text, condition=use.condition)
        except ExpressionError:
            # Told where it was read.
            return
        for reference in found:
            if reference.root == STEPS:
                self._step(use, reference, visible)
            elif reference.root == "inputs":
                self._input(use, reference)
            elif reference.root == SECRETS:
                self._name("secret", use, reference, self._known.secrets)
            elif reference.root not in ROOTS and reference.root not in names:
                self._root_name(use, reference, names)

    def _root_name(self, use: Use, reference: Reference, names: tuple[str, ...]) -> None:
        root = reference.root
        wish = closest(root, (*ROOTS, *names))
        if root == "output":
            wish = ": there is no output before the step is done"
        elif root in self._everywhere:
            wish = f"; did you mean `steps.{root}`?"
        elif isinstance(self._properties, Mapping) and root in self._properties:
            wish = f"; did you mean `inputs.{root}`?"
        elif root == "answer":
            wish = ": the answer to a question is the output of its step"
        message = f"`{root}` means nothing here{wish}"
        self._read.error("unknown-name", message, use.pointer, offset=reference.position)

    def _step(self, use: Use, reference: Reference, visible: Collection[str]) -> None:
        if len(reference.path) < 2:
            self._referred |= self._everywhere
            return
        node_id = str(reference.path[1])
        self._referred.add(node_id)
        if node_id not in visible:
            if node_id in self._everywhere:
                message = f"the step `{node_id}` is not done before this: it comes later, beside it or in another body"
                code = "not-upstream"
            else:
                message, code = f"there is no step `{node_id}`{closest(node_id, visible)}", "unknown-step"
            self._read.error(code, message, use.pointer, offset=reference.position)
        elif len(reference.path) > 2 and reference.path[2] not in {"outputs", "status", "error", "iteration"}:
            member = str(reference.path[2])
            message = f"a step has outputs, status, error and iteration, no `{member[:80]}`"
            wish = f"; did you mean `steps.{node_id}.outputs.{member[:80]}`?"
            self._read.error("unknown-name", message + wish, use.pointer, offset=reference.position)

    def _input(self, use: Use, reference: Reference) -> None:
        name = str(reference.path[1]) if len(reference.path) > 1 else None
        self._inputs_used.add(name)
        properties = self._properties
        if name is None or not isinstance(properties, Mapping) or name in properties:
            return
        message = f"there is no input `{name[:80]}`{closest(name, properties)}"
        if self._closed:
            self._read.error("unknown-input", message, use.pointer, offset=reference.position)
        else:
            self._read.warn("unknown-input", message, use.pointer)

    def _name(self, what: str, use: Use, reference: Reference, known: Collection[str] | None) -> None:
        name = str(reference.path[1])
        if known is not None and name not in known:
            message = f"there is no {what} `{name[:80]}`{closest(name, known)}"
            self._read.error(f"unknown-{what}", message, use.pointer, offset=reference.position)

    # Names of the workspace --------------------------------------------------------------------------------------

    def _names_of(self, draft: DraftNode, definition: Definition) -> None:
        params, kind = draft.node.params, draft.node.kind
        if draft.written_as == "task":
            self._known_name("task", params.get("function"), f"{draft.pointer}/function", self._known.tasks)
        elif kind in {NodeKind.AGENT, NodeKind.REMOTE}:
            self._known_name("agent", params.get("agent"), f"{draft.pointer}/agent", self._known.agents)
        elif kind is NodeKind.SUBFLOW:
            self._subflow(draft, params, definition)

    def _known_name(self, what: str, name: Any, pointer: str, known: Collection[str] | None) -> None:
        if known is None or not isinstance(name, str) or OPENING in name or name in known:
            return
        self._read.error(f"unknown-{what}", f"there is no {what} `{name[:80]}`{closest(name, known)}", pointer)

    def _subflow(self, draft: DraftNode, params: Mapping[str, Any], definition: Definition) -> None:
        name, known = params.get("workflow"), self._known.workflows
        if not isinstance(name, str):
            return
        place = f"{draft.pointer}/workflow"
        if name == definition.name:
            self._read.error("recursive-workflow", f"the workflow starts itself: {name} → {name}", place)
            return
        if known is None:
            return
        if name not in known:
            message = f"there is no workflow `{name[:80]}`{closest(name, {*known, *self._known.other_workflows})}"
            self._read.error("unknown-workflow", message, place)
            return
        version, latest = params.get("version"), self._known.versions.get(name)
        if isinstance(version, int) and latest is not None and version > latest:
            message = f"`{name}` has no version {version}; the latest is {latest}"
            self._read.error("unknown-workflow", message, f"{draft.pointer}/version")
        path = _path_to(definition.name, name, known)
        if path:
            told = " → ".join([definition.name, *path])
            self._read.error("recursive-workflow", f"the workflow would start itself: {told}", place)

    def _rubric(self, definition: Definition) -> None:
        evaluation, known = definition.evaluation, self._known.rubrics
        if evaluation is not None and evaluation.rubric_id:
            whole = isinstance(self._read.document.value.get("evaluation"), str)
            place = "/evaluation" if whole else "/evaluation/rubric"
            self._known_name("rubric", evaluation.rubric_id, place, known)

    # Warnings ----------------------------------------------------------------------------------------------------

    def _warn(self) -> None:
        self._unused_inputs()
        self._unused_outputs(self._root)
        for draft in self._root.walk():
            node = draft.node
            if node.kind in {NodeKind.INTERRUPT, NodeKind.WAIT_EVENT} and node.params.get("timeout_s") is None:
                self._read.warn(
                    "no-timeout", f"`{node.id}` may wait for ever: it has no `timeout`", f"{draft.pointer}/id"
                )
            for name in ("interrupt_before", "interrupt_after"):
                question = getattr(node, name)
                if question is not None and question.timeout_s is None:
                    message = f"`{name}` of `{node.id}` may wait for ever: it has no `timeout`"
                    self._read.warn("no-timeout", message, f"{draft.pointer}/{name}", key=True)

    def _unused_inputs(self) -> None:
        if None in self._inputs_used or not isinstance(self._properties, Mapping):
            return
        waits = {one.edge.target for one in self._root.edges if not one.edge.is_loopback}
        # What comes into a first step are the run's inputs.
        first = [draft for draft in self._root.nodes if draft.node.id not in waits and draft.node.inputs is None]
        if any(draft.node.kind in TAKING or _refers_to(draft, "input") for draft in first):
            return
        for name in self._properties:
            if name not in self._inputs_used:
                whole = self._read.document.value.get("inputs", {})
                place = f"/inputs/{name}" if name in whole else f"/inputs/properties/{name}"
                self._read.warn("unused-input", f"nothing uses the input `{name}`", place, key=True)

    def _unused_outputs(self, graph: DraftGraph) -> None:
        drafts = {draft.node.id: draft for draft in graph.nodes}
        followers: dict[str, list[DraftNode]] = {node_id: [] for node_id in drafts}
        for one in graph.edges:
            followers[one.edge.source].append(drafts[one.edge.target])
            if one.uses:
                self._referred.add(one.edge.source)
        for draft in graph.nodes:
            node = draft.node
            after = followers[node.id]
            is_map = draft.written_as == "map"
            if (node.kind in THINKING or is_map) and after and node.id not in self._referred and not node.writes:
                taken = [one for one in after if one.node.kind in TAKING or _refers_to(one, "input")]
                if not taken:
                    message = f"nothing uses what `{node.id}` gives"
                    self._read.warn("unused-outputs", message, f"{draft.pointer}/id")
            for body in draft.bodies.values():
                self._unused_outputs(body)


def _ancestors(graph: DraftGraph) -> dict[str, frozenset[str]]:
    """Of each step those that may be done before it begins; what a loopback repeats sees the round before."""
    before: dict[str, list[str]] = {draft.node.id: [] for draft in graph.nodes}
    for one in graph.edges:
        before[one.edge.target].append(one.edge.source)
    return {node_id: frozenset(_reached(set(before[node_id]), before)) for node_id in before}


def _reached(starts: set[str], following: Mapping[str, list[str]]) -> set[str]:
    found: set[str] = set()
    pending = list(starts)
    while pending:
        one = pending.pop()
        if one not in found:
            found.add(one)
            pending.extend(following[one])
    return found


def _path_to(wanted: str, start: str, known: Mapping[str, Definition]) -> list[str]:
    """Names from `start` to `wanted`, each of which starts the next; empty where there is no such way."""
    pending = [[start]]
    seen = {start}
    while pending:
        path = pending.pop()
        definition = known.get(path[-1])
        for name in sorted(subflows_of(definition)) if definition is not None else ():
            if name == wanted:
                return [*path, name]
            if name not in seen:
                seen.add(name)
                pending.append([*path, name])
    return []


def subflows_of(definition: Definition) -> set[str]:
    """Names of the workflows that a definition starts."""
    return {str(node.params["workflow"]) for node in definition.graph.walk() if node.kind is NodeKind.SUBFLOW}


def _is_never(condition: str | None) -> bool:
    return condition is not None and condition.strip().removeprefix("${").removesuffix("}").strip() in {
        "false",
        "False",
    }


def _refers_to(draft: DraftNode, root: str) -> bool:
    for use in draft.uses:
        try:
            if any(one.root == root for one in references(use.text, condition=use.condition)):
                return True
        except ExpressionError:
            continue
    return False
