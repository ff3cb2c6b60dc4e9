"""Documents become definitions here: the workflow itself and its graphs. Steps are read in `steps.py`."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from spectral.domains.agents.pointers import child_pointer
from spectral.domains.workflows.definitions.documents import Document, DocumentError, Finding, read_document
from spectral.domains.workflows.definitions.drafts import DraftEdge, DraftGraph, DraftNode, Moment, Use
from spectral.domains.workflows.definitions.language import (
    BUDGET_MEMBERS,
    EDGE_MEMBERS,
    EVALUATION_MEMBERS,
    GRAPH_MEMBERS,
    NAME,
    NODES_MAXIMUM,
    REDUCERS,
    RESERVED_NAMES,
    STATE_PATH,
    WORKFLOW_MEMBERS,
    closest,
)
from spectral.domains.workflows.definitions.model import Budget, Definition, Edge, Evaluation, FailurePolicy
from spectral.domains.workflows.definitions.reading import Reading
from spectral.domains.workflows.definitions.steps import KEY_MAXIMUM, StepReader
from spectral.domains.workflows.definitions.validation import Known, Validation

NANO = 1_000_000_000
DEFAULTS = Definition("", DraftGraph([], [], "").graph())


@dataclass(frozen=True, slots=True)
class Compiled:
    """definition: None where there are errors.  errors, warnings: in the order of the text."""

    definition: Definition | None
    errors: list[Finding]
    warnings: list[Finding]
    source_format: str


def compile_document(
    source: str, source_format: str | None, known: Known | None = None, *, name: str | None = None
) -> Compiled:
    """The definition that a document means, or everything that is wrong with it.

    source_format: `yaml`, `json`, or None to find out.  known: what of the workspace a document may name, None checks
    no names.  name: what the workflow must be called; then the document need not say it. Takes up to a second for the
    largest documents, so not for the event loop.
    """
    try:
        document = read_document(source, source_format)
    except DocumentError as error:
        return Compiled(None, [error.finding], [], source_format or "yaml")
    known = known or Known()
    compiler = Compiler(document)
    definition = compiler.workflow(name)
    Validation(compiler.reading, compiler.root, known, compiler.document_uses).check(definition)
    errors, warnings = compiler.reading.sorted_errors, compiler.reading.sorted_warnings
    if errors:
        return Compiled(None, errors, warnings, document.format)
    evaluation = definition.evaluation
    if evaluation is not None and known.rubrics is not None:
        # Runs know rubrics by their ids, which outlive their names.
        evaluation = replace(evaluation, rubric_id=known.rubrics[evaluation.rubric_id])
    return Compiled(replace(definition, evaluation=evaluation), errors, warnings, document.format)


class Compiler:
    """One document. `root` and `document_uses` are there once `workflow` has answered."""

    def __init__(self, document: Document) -> None:
        self.reading = Reading(document)
        self.root = DraftGraph([], [], "")
        self.document_uses: list[Use] = []
        self._count = 0
        self._steps = StepReader(self.reading, self.graph)

    def workflow(self, name: str | None) -> Definition:
        """The definition, to be used only if there are no errors."""
        read = self.reading
        members = read.members(read.document.value, "", WORKFLOW_MEMBERS, "a workflow")
        title = self._name(members, name)
        self.root = self._graph_of(members, "", around={}, key_length=0)
        outputs = members.get("outputs")
        self.document_uses += read.expressions(outputs, "/outputs")
        inputs = read.object_schema(members.get("inputs"), "/inputs")
        schema = members.get("outputs_schema")
        policy = read.choice(members.get("failure_policy"), "/failure_policy", FailurePolicy)
        rounds = read.integer(members.get("max_node_iterations"), "/max_node_iterations", most=10_000)
        return Definition(
            name=title,
            graph=self.root.graph(),
            description=read.text(members.get("description"), "/description"),
            inputs={"type": "object"} if inputs is None else inputs,
            outputs=outputs,
            outputs_schema=None if schema is None else read.object_schema(schema, "/outputs_schema"),
            max_concurrency=read.integer(members.get("max_concurrency"), "/max_concurrency", most=256)
            or DEFAULTS.max_concurrency,
            default_timeout_s=read.duration(members.get("default_timeout"), "/default_timeout"),
            max_node_iterations=rounds or DEFAULTS.max_node_iterations,
            failure_policy=policy or FailurePolicy.STOP,
            budget=self._budget(members.get("budget")),
            reducers=self._reducers(members.get("state")),
            evaluation=self._evaluation(members.get("evaluation")),
            memory=read.text(members.get("memory"), "/memory", most=128) or None,
        )

    def graph(self, value: Any, pointer: str, around: Mapping[str, DraftNode], key_length: int) -> DraftGraph:
        """A body: a list of steps, or an object as a workflow's with `result`."""
        if isinstance(value, list):
            return self._listed(value, pointer, around, key_length, in_order=True)
        members = self.reading.members(value, pointer, GRAPH_MEMBERS, "a body")
        if not isinstance(value, dict):
            return DraftGraph([], [], pointer)
        return self._graph_of(members, pointer, around, key_length)

    def _name(self, members: Mapping[str, Any], wanted: str | None) -> str:
        given = members.get("name")
        name = self.reading.text(given, "/name")
        if not name and wanted is None:
            if given is None or given == "":
                self.reading.error("missing", "`name` is missing", "/name" if "name" in members else "")
            return ""
        place = "/name" if name else ""
        told = name or wanted or ""
        if told in RESERVED_NAMES:
            self.reading.error("invalid-name", f"`{told}` is a name that the interface uses itself", place)
        elif not NAME.fullmatch(told):
            message = f"`{told[:80]}` is no name: up to 128 letters, digits, `_`, `-` and `.`, a letter or digit first"
            self.reading.error("invalid-name", message, place)
        elif wanted is not None and told != wanted:
            self.reading.error("name-mismatch", f"the document is named `{told}`, not `{wanted}`", place)
        return told

    def _budget(self, value: Any) -> Budget:
        if value is None:
            return Budget()
        members = self.reading.members(value, "/budget", BUDGET_MEMBERS, "a budget")
        usd = members.get("max_cost_usd")
        if usd is not None and (isinstance(usd, bool) or not isinstance(usd, int | float) or not 0 < usd <= 1e6):
            self.reading.error("invalid-value", "a cost is a number of dollars above 0", "/budget/max_cost_usd")
            usd = None
        return Budget(
            max_tokens=self.reading.integer(members.get("max_tokens"), "/budget/max_tokens"),
            max_cost_nano_usd=None if usd is None else round(Decimal(str(usd)) * NANO),
        )

    def _reducers(self, value: Any) -> dict[str, str]:
        if value is None:
            return {}
        given = self.reading.members(value, "/state", ("reducers",), "state").get("reducers")
        if given is not None and not isinstance(given, dict):
            self.reading.wrong_type(given, "an object", "/state/reducers")
        found = {}
        for path, reducer in given.items() if isinstance(given, dict) else ():
            place = child_pointer("/state/reducers", path)
            if not STATE_PATH.fullmatch(path):
                message = f"`{path[:80]}` is no path like `context.total` or `artifacts.report`"
                self.reading.error("invalid-path", message, place, key=True)
            if reducer in REDUCERS:
                found[path] = reducer
            else:
                self.reading.wrong_choice(reducer, place, REDUCERS)
        return found

    def _evaluation(self, value: Any) -> Evaluation | None:
        if value is None:
            return None
        if isinstance(value, str):
            return Evaluation(value)
        members = self.reading.members(value, "/evaluation", EVALUATION_MEMBERS, "an evaluation")
        rubric = self.reading.text(members.get("rubric"), "/evaluation/rubric", most=200)
        if not rubric and "rubric" not in members:
            self.reading.error("missing", "`rubric` is missing", "/evaluation")
        expected = members.get("expected")
        self.document_uses += self.reading.expressions(expected, "/evaluation/expected")
        version = self.reading.integer(members.get("version"), "/evaluation/version")
        return Evaluation(rubric, version, expected)

    def _graph_of(
        self, members: Mapping[str, Any], pointer: str, around: Mapping[str, DraftNode], key_length: int
    ) -> DraftGraph:
        names = [name for name in ("steps", "nodes") if name in members]
        if len(names) == 2:
            self.reading.error(
                "invalid-value", "there are `steps` and `nodes`; one of them is read", f"{pointer}/nodes"
            )
        name = names[0] if names else "steps"
        place = f"{pointer}/{name}" if names else pointer
        listed = members.get(name)
        if listed is not None and not isinstance(listed, list):
            self.reading.wrong_type(listed, "a list", place)
            return DraftGraph([], [], place)
        graph = self._listed(listed or [], place, around, key_length, in_order=name == "steps")
        self._join_edges(graph, members.get("edges"), f"{pointer}/edges")
        if "result" in members:
            graph.result = members["result"]
            graph.uses = self.reading.expressions(graph.result, f"{pointer}/result", Moment.ROUND)
        return graph

    def _listed(
        self,
        value: list[Any],
        pointer: str,
        around: Mapping[str, DraftNode],
        key_length: int,
        *,
        in_order: bool,
    ) -> DraftGraph:
        graph = DraftGraph([], [], pointer)
        if not value:
            self.reading.error("no-nodes", "there are no steps", pointer)
        if key_length > KEY_MAXIMUM:
            self.reading.error("too-deep", "the bodies lie too deep in each other", pointer)
            return graph
        self._count += len(value)
        if self._count > NODES_MAXIMUM:
            self.reading.error("too-many-nodes", f"there are more than {NODES_MAXIMUM} steps", pointer)
            return graph
        ids = self._ids(value, pointer, around)
        previous: DraftNode | None = None
        needs: list[tuple[DraftNode, str, Any]] = []
        for index, item in enumerate(value):
            place = child_pointer(pointer, index)
            draft = self._steps.step(item, place, {**around, **ids}, key_length)
            if draft is None:
                continue
            if any(one.node.id == draft.node.id for one in graph.nodes):
                # Told already; a second one would only make circles.
                continue
            graph.nodes.append(draft)
            if "needs" in item:
                needs.append((draft, f"{place}/needs", item["needs"]))
            elif in_order and previous is not None:
                graph.edges.append(DraftEdge(Edge(previous.node.id, draft.node.id), None))
            previous = draft
        for draft, place, wanted in needs:
            self._needs(graph, draft, place, wanted)
        return graph

    def _ids(self, value: list[Any], pointer: str, around: Mapping[str, DraftNode]) -> dict[str, Any]:
        """The ids of the list, which its steps' bodies may not use again."""
        ids: dict[str, Any] = {}
        for index, item in enumerate(value):
            given = item.get("id") if isinstance(item, dict) else None
            if not isinstance(given, str):
                continue
            if given in ids or given in around:
                message = f"there is another step `{given[:80]}`, in this list or around it"
                self.reading.error("duplicate-id", message, f"{child_pointer(pointer, index)}/id")
            ids[given] = item
        return ids

    def _needs(self, graph: DraftGraph, draft: DraftNode, pointer: str, value: Any) -> None:
        wanted = [value] if isinstance(value, str) else value
        if wanted is None:
            return
        if not isinstance(wanted, list):
            self.reading.wrong_type(value, "a list of ids", pointer)
            return
        for index, one in enumerate(wanted):
            place = pointer if isinstance(value, str) else child_pointer(pointer, index)
            if self._is_here(graph, one, place):
                graph.edges.append(DraftEdge(Edge(one, draft.node.id), place))

    def _is_here(self, graph: DraftGraph, node_id: Any, pointer: str) -> bool:
        ids = [one.node.id for one in graph.nodes]
        if not isinstance(node_id, str):
            self.reading.wrong_type(node_id, "the id of a step", pointer)
            return False
        if node_id not in ids:
            message = f"there is no step `{node_id[:80]}` in this list{closest(node_id, ids)}"
            self.reading.error("unknown-node", message, pointer)
            return False
        return True

    def _join_edges(self, graph: DraftGraph, value: Any, pointer: str) -> None:
        if value is None:
            return
        if not isinstance(value, list):
            self.reading.wrong_type(value, "a list", pointer)
            return
        written: set[tuple[str, str, bool]] = set()
        for index, item in enumerate(value):
            place = child_pointer(pointer, index)
            draft = self._edge(graph, item, place)
            if draft is None:
                continue
            edge = draft.edge
            if (edge.source, edge.target, edge.is_loopback) in written:
                self.reading.error("duplicate-edge", f"`{edge.source}` leads to `{edge.target}` already", place)
                continue
            written.add((edge.source, edge.target, edge.is_loopback))
            if not edge.is_loopback:
                # What is written out replaces what order or `needs` say about the same two steps.
                ends = (edge.source, edge.target)
                graph.edges = [
                    one for one in graph.edges if (one.edge.source, one.edge.target) != ends or one.edge.is_loopback
                ]
            graph.edges.append(draft)

    def _edge(self, graph: DraftGraph, item: Any, pointer: str) -> DraftEdge | None:
        members = self.reading.members(item, pointer, EDGE_MEMBERS, "an edge")
        if not isinstance(item, dict):
            return None
        missing = [name for name in ("from", "to") if name not in members]
        for name in missing:
            self.reading.error("missing", f"`{name}` is missing", pointer)
        ends = [self._is_here(graph, members[name], f"{pointer}/{name}") for name in ("from", "to") if name in members]
        uses: list[Use] = []
        condition = self.reading.condition(members.get("condition"), f"{pointer}/condition", uses, Moment.AFTER)
        loopback = self.reading.boolean(members.get("loopback"), f"{pointer}/loopback")
        if missing or not all(ends):
            return None
        return DraftEdge(Edge(members["from"], members["to"], condition, loopback), pointer, uses)
