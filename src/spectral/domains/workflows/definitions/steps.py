"""Steps of documents become nodes here; `branch`, `map`, `tap` and `sleep_until` become other kinds.

`sleep_until` is a `sleep`. `map` is the task `spectral.pass` with the mapping as its inputs. `branch` is a chain of
`when`, each in the `else` of the one before. `tap` is a `when` that always holds, around another one which may fail:
its outputs are what came in.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

from spectral.domains.agents.pointers import child_pointer
from spectral.domains.workflows.definitions.drafts import DraftGraph, DraftNode, Moment, Use
from spectral.domains.workflows.definitions.language import (
    ID,
    ID_MAXIMUM,
    KINDS,
    ONE_OF,
    QUESTION_MEMBERS,
    RETRY_MEMBERS,
    STATE_PATH,
    STEP_MEMBERS,
    WORD,
    Param,
    closest,
)
from spectral.domains.workflows.definitions.model import (
    Backoff,
    FailurePolicy,
    Join,
    Node,
    NodeKind,
    Question,
    Retries,
)
from spectral.domains.workflows.definitions.reading import OPENING, Reading

KEY_MAXIMUM = 400
"""Characters of the path around a step; with its own id and room for ordinals it fits the column of keys."""
ORDINAL = 8
PASS = "spectral.pass"  # noqa: S105 - the name of a task
TAPPED = "tapped"
NAMELESS = "nameless"
ALWAYS = "true"
ON_TIMEOUT = ("fail", "approve", "reject")
SHAPES: Mapping[str, tuple[Any, str]] = {
    "text": (str, "a text"),
    "boolean": (bool, "true or false"),
    "object": (dict, "an object"),
    "list": (list, "a list"),
    "any": (object, ""),
}


class GraphReader(Protocol):
    """Reads bodies."""

    def __call__(self, value: Any, pointer: str, around: Mapping[str, DraftNode], key_length: int, /) -> DraftGraph: ...


class StepReader:
    """Reads steps, and through `read_graph` the bodies in them."""

    def __init__(self, reading: Reading, read_graph: GraphReader) -> None:
        self._read = reading
        self._read_graph = read_graph

    def step(self, item: Any, pointer: str, around: Mapping[str, Any], key_length: int) -> DraftNode | None:
        """The step, None where it cannot even be named. around: ids that its bodies cannot use."""
        if not isinstance(item, dict):
            self._read.wrong_type(item, "a step: an object with `id` and `kind`", pointer)
            return None
        node_id = self._id(item, pointer)
        kind = self._kind(item, pointer)
        rules = KINDS.get(kind or "", {})
        if kind is not None:
            item = self._read.members(item, pointer, (*STEP_MEMBERS, *rules), f"a step of kind `{kind}`")
        # What has no id is read for its mistakes all the same.
        named = self._named(item, pointer, node_id or NAMELESS, kind, around, key_length)
        return None if node_id is None else named

    def _named(
        self,
        item: dict[str, Any],
        pointer: str,
        node_id: str,
        kind: str | None,
        around: Mapping[str, Any],
        key_length: int,
    ) -> DraftNode:
        rules = KINDS.get(kind or "", {})
        uses: list[Use] = []
        node = self._common(item, pointer, node_id, uses, rules)
        draft = DraftNode(node, pointer, kind or "", uses)
        if kind is None:
            return draft
        params = self._params(kind, rules, item, pointer, uses)
        bodies = self._bodies(kind, rules, item, pointer, around, key_length + len(node_id))
        if kind == "foreach":
            draft.names = ("item", "index", *([params["as"]] if "as" in params else []))
        match kind:
            case "branch":
                return self._branch(draft, item, pointer, bodies, around, key_length)
            case "tap":
                return self._tap(draft, pointer, bodies)
            case "map":
                mapped = params.get("mapping")
                draft.node = replace(node, kind=NodeKind.TASK, params={"function": PASS}, inputs=mapped)
            case "sleep_until":
                draft.node = replace(node, kind=NodeKind.SLEEP, params=params)
            case _:
                draft.node = replace(node, kind=NodeKind(kind), params=params)
        return _with_bodies(draft, bodies)

    def _id(self, item: dict[str, Any], pointer: str) -> str | None:
        given = item.get("id")
        if given is None:
            self._read.error("missing", "`id` is missing", pointer)
            return None
        if not isinstance(given, str) or not ID.fullmatch(given) or len(given) > ID_MAXIMUM:
            message = f"`{str(given)[:80]}` is no id: up to {ID_MAXIMUM} letters, digits, `_` and, between them, `-`"
            self._read.error("invalid-id", message, f"{pointer}/id")
        return given if isinstance(given, str) and given else None

    def _kind(self, item: dict[str, Any], pointer: str) -> str | None:
        name = "kind" if "kind" in item else "type"
        kind = item.get(name)
        if kind is None:
            close = next((one for one in KINDS if one in item), None)
            wish = f"; is it `kind: {close}`?" if close else ""
            self._read.error("missing", f"`kind` is missing{wish}", pointer)
            return None
        if not isinstance(kind, str) or kind not in KINDS:
            message = f"there is no kind `{str(kind)[:80]}`{closest(kind, KINDS)}"
            self._read.error("unknown-kind", message, f"{pointer}/{name}")
            return None
        if "type" in item and name == "kind":
            self._read.error("invalid-value", "`type` is another word for `kind`; write one of them", f"{pointer}/type")
        return kind

    # What all kinds have -----------------------------------------------------------------------------------------

    def _common(
        self, item: dict[str, Any], pointer: str, node_id: str, uses: list[Use], rules: Mapping[str, Param]
    ) -> Node:
        read = self._read
        label = read.text(item.get("name"), f"{pointer}/name", most=200)
        description = item.get("description") if "description" not in rules else None
        uses += read.expressions(item.get("inputs"), f"{pointer}/inputs")
        uses += read.expressions(item.get("outputs"), f"{pointer}/outputs", Moment.AFTER)
        timeout = None if "timeout" in rules else read.duration(item.get("timeout"), f"{pointer}/timeout")
        return Node(
            id=node_id,
            kind=NodeKind.TASK,
            label=label,
            description=read.text(description, f"{pointer}/description"),
            join=read.choice(item.get("join"), f"{pointer}/join", Join) or Join.ALL,
            when=read.condition(item.get("when"), f"{pointer}/when", uses),
            inputs=item.get("inputs"),
            outputs=item.get("outputs"),
            writes=self._writes(item.get("writes"), f"{pointer}/writes", uses),
            retries=self._retries(item.get("retries"), f"{pointer}/retries"),
            timeout_s=timeout,
            interrupt_before=self._question(item, pointer, "interrupt_before", label or node_id, uses),
            interrupt_after=self._question(item, pointer, "interrupt_after", label or node_id, uses),
            on_error=read.choice(item.get("on_error"), f"{pointer}/on_error", FailurePolicy),
            tools=self._tools(item.get("tools"), f"{pointer}/tools"),
        )

    def _writes(self, value: Any, pointer: str, uses: list[Use]) -> dict[str, str]:
        if value is None:
            return {}
        if not isinstance(value, dict):
            self._read.wrong_type(value, "an object", pointer)
            return {}
        for path, one in value.items():
            place = child_pointer(pointer, path)
            if not STATE_PATH.fullmatch(path):
                message = f"`{path[:80]}` is no path like `context.total` or `artifacts.report`"
                self._read.error("invalid-path", message, place, key=True)
            if not isinstance(one, str):
                self._read.wrong_type(one, "an expression", place)
        uses += self._read.expressions(value, pointer, Moment.AFTER)
        return value

    def _retries(self, value: Any, pointer: str) -> Retries:
        if value is None:
            return Retries()
        if isinstance(value, int) and not isinstance(value, bool):
            return Retries(limit=self._read.integer(value, pointer, least=0, most=100) or 0)
        members = self._read.members(value, pointer, RETRY_MEMBERS, "retries")
        plain = Retries()
        delay = self._read.duration(members.get("delay"), f"{pointer}/delay", least=0)
        longest = self._read.duration(members.get("max_delay"), f"{pointer}/max_delay")
        backoff = self._read.choice(members.get("backoff"), f"{pointer}/backoff", Backoff)
        if isinstance(value, dict) and "limit" not in members:
            self._read.error("missing", "`limit` is missing: how often it is tried again", pointer)
        return Retries(
            limit=self._read.integer(members.get("limit"), f"{pointer}/limit", least=0, most=100) or 0,
            delay_s=plain.delay_s if delay is None else delay,
            backoff=backoff or plain.backoff,
            max_delay_s=longest or plain.max_delay_s,
        )

    def _question(
        self, item: dict[str, Any], pointer: str, name: str, subject: str, uses: list[Use]
    ) -> Question | None:
        value, place = item.get(name), f"{pointer}/{name}"
        moment = Moment.BEFORE if name == "interrupt_before" else Moment.AFTER
        if value is None or value is False:
            return None
        if value is True:
            value = {}
        elif isinstance(value, str):
            uses += self._read.expressions(value, place, moment)
            return Question(self._read.text(value, place, most=2_000))
        members = self._read.members(value, place, QUESTION_MEMBERS, "a question")
        texts = {key: members[key] for key in ("title", "description") if key in members}
        uses += self._read.expressions(texts, place, moment)
        on_timeout = members.get("on_timeout", "fail")
        if on_timeout not in ON_TIMEOUT:
            self._read.wrong_choice(on_timeout, f"{place}/on_timeout", ON_TIMEOUT)
        description = self._read.text(members.get("description"), f"{place}/description")
        title = self._read.text(members.get("title"), f"{place}/title", most=2_000)
        verb = "Run" if moment is Moment.BEFORE else "Go on after"
        timeout = self._read.duration(members.get("timeout"), f"{place}/timeout")
        return Question(title or f"{verb} {subject}?", description or None, timeout, str(on_timeout))

    def _tools(self, value: Any, pointer: str) -> tuple[str, ...]:
        if value is None:
            return ()
        if not isinstance(value, list) or any(not isinstance(one, str) for one in value):
            self._read.wrong_type(value, "a list of names", pointer)
            return ()
        return tuple(value)

    # What a kind has ---------------------------------------------------------------------------------------------

    def _params(
        self, kind: str, rules: Mapping[str, Param], item: dict[str, Any], pointer: str, uses: list[Use]
    ) -> dict[str, Any]:
        params: dict[str, Any] = {}
        for name, rule in rules.items():
            if rule.shape in {"steps", "branches", "cases"}:
                continue
            place = f"{pointer}/{name}"
            if name not in item or (item[name] is None and rule.shape != "any"):
                if rule.required:
                    self._read.error("missing-param", f"a step of kind `{kind}` needs `{name}`", pointer)
                continue
            value = self._param(name, rule, item[name], place, uses)
            if value is not None or rule.shape == "any":
                params[rule.becomes or ("lease_s" if name == "lease_s" else name)] = value
        for names, needed in ONE_OF.get(kind, ()):
            given = [name for name in names if item.get(name) is not None]
            if needed and not given:
                self._read.error("missing-param", f"a step of kind `{kind}` needs {_or(names)}", pointer)
            if len(given) > 1:
                message = f"a step of kind `{kind}` has one of {_or(names)}"
                self._read.error("invalid-value", message, f"{pointer}/{given[1]}", key=True)
        if kind == "loop" and not {"do_while", "do_until"} & params.keys():
            params["do_while"] = ALWAYS
            if "max_iterations" not in item:
                message = "a loop needs `do_while`, `do_until` or `max_iterations`"
                self._read.error("missing-param", message, pointer)
        if kind == "loop":
            params.setdefault("max_iterations", 100)
        return params

    def _param(self, name: str, rule: Param, value: Any, pointer: str, uses: list[Use]) -> Any:
        if rule.shape == "condition":
            moment = Moment.ROUND if name in {"do_while", "do_until"} else Moment.BEFORE
            return self._read.condition(value, pointer, uses, moment)
        if isinstance(value, str) and OPENING in value:
            if rule.literal:
                self._read.error("invalid-value", f"`{name}` cannot be an expression", pointer)
                return None
            uses += self._read.expressions(value, pointer)
            return value
        if rule.shape in {"schema", "integer", "duration", "word"}:
            return self._exact(rule, value, pointer)
        wanted, called = SHAPES[rule.shape]
        if not isinstance(value, wanted):
            if rule.shape == "list":
                called = "a list, or an expression like `${inputs.items}`"
            self._read.wrong_type(value, called, pointer)
        elif rule.choices and value not in rule.choices:
            self._read.wrong_choice(value, pointer, rule.choices)
        else:
            uses += self._read.expressions(value, pointer)
            return value
        return None

    def _exact(self, rule: Param, value: Any, pointer: str) -> Any:
        read = self._read
        match rule.shape:
            case "integer":
                return read.integer(value, pointer, least=rule.least, most=rule.most)
            case "duration":
                return read.duration(value, pointer, least=0.001 if rule.least else 0)
            case "schema":
                if OPENING in str(value):
                    read.error("invalid-value", "expressions have no place in a schema", pointer)
                return read.schema(value, pointer)
        if isinstance(value, str) and WORD.fullmatch(value):
            return value
        read.error("invalid-value", f"`{str(value)[:80]}` is no name for expressions", pointer)
        return None

    def _bodies(
        self,
        kind: str,
        rules: Mapping[str, Param],
        item: dict[str, Any],
        pointer: str,
        around: Mapping[str, Any],
        key_length: int,
    ) -> dict[str, DraftGraph]:
        bodies: dict[str, DraftGraph] = {}
        for name, rule in rules.items():
            if rule.shape not in {"steps", "branches"}:
                continue
            place = f"{pointer}/{name}"
            if name not in item:
                if rule.required:
                    self._read.error("missing-param", f"a step of kind `{kind}` needs `{name}`", pointer)
            elif rule.shape == "steps":
                bodies[name] = self._read_graph(item[name], place, around, key_length + ORDINAL)
            else:
                bodies |= self._branches(item[name], place, around, key_length)
        return bodies

    def _branches(self, value: Any, pointer: str, around: Mapping[str, Any], key_length: int) -> dict[str, DraftGraph]:
        if not isinstance(value, dict):
            self._read.wrong_type(value, "an object: the name of each branch and its steps", pointer)
            return {}
        if not value:
            self._read.error("no-nodes", "there are no branches", pointer)
        bodies = {}
        for name, body in value.items():
            place = child_pointer(pointer, name)
            if not ID.fullmatch(name) or len(name) > ID_MAXIMUM:
                self._read.error("invalid-id", f"`{name[:80]}` is no name of a branch", place, key=True)
            bodies[name] = self._read_graph(body, place, around, key_length + max(ORDINAL, len(name) + 3))
        return bodies

    # Kinds that become others ------------------------------------------------------------------------------------

    def _tap(self, draft: DraftNode, pointer: str, bodies: dict[str, DraftGraph]) -> DraftNode:
        node = draft.node
        if node.outputs is not None:
            self._read.error("invalid-value", "a tap gives what came in; it has no `outputs`", f"{pointer}/outputs")
        held = Node(
            id=f"{node.id}-{TAPPED}",
            kind=NodeKind.WHEN,
            label=node.label,
            params={"condition": ALWAYS},
            on_error=FailurePolicy.CONTINUE,
        )
        inner = _with_bodies(DraftNode(held, pointer, "tap"), bodies)
        draft.node = replace(node, kind=NodeKind.WHEN, params={"condition": ALWAYS}, outputs="${input}")
        return _with_bodies(draft, {"body": DraftGraph([inner], [], f"{pointer}/body")})

    def _branch(
        self,
        draft: DraftNode,
        item: dict[str, Any],
        pointer: str,
        bodies: dict[str, DraftGraph],
        around: Mapping[str, Any],
        key_length: int,
    ) -> DraftNode:
        cases, place = item.get("cases"), f"{pointer}/cases"
        if not isinstance(cases, list) or not cases:
            if "cases" not in item:
                self._read.error("missing-param", "a step of kind `branch` needs `cases`", pointer)
            else:
                self._read.wrong_type(cases, "a list of cases", place)
            return draft
        otherwise = bodies.get("else")
        level = len(draft.node.id) + ORDINAL + 3
        for index in reversed(range(len(cases))):
            at = child_pointer(place, index)
            members = self._read.members(cases[index], at, ("condition", "body"), "a case")
            uses: list[Use] = []
            condition = self._read.condition(members.get("condition"), f"{at}/condition", uses)
            for name in ("condition", "body"):
                if isinstance(cases[index], dict) and name not in members:
                    self._read.error("missing", f"`{name}` is missing", at)
            body = DraftGraph([], [], at)
            if "body" in members:
                body = self._read_graph(members["body"], f"{at}/body", around, key_length + level * (index + 1))
            held = {"body": body} if otherwise is None else {"body": body, "else": otherwise}
            params = {"condition": condition or ALWAYS}
            if index:
                node = Node(id=f"{draft.node.id}-{index + 1}", kind=NodeKind.WHEN, params=params)
                inner = _with_bodies(DraftNode(node, at, "branch", uses), held)
                otherwise = DraftGraph([inner], [], at)
            else:
                draft.uses += uses
                draft.node = replace(draft.node, kind=NodeKind.WHEN, params=params)
                return _with_bodies(draft, held)
        return draft


def _with_bodies(draft: DraftNode, bodies: dict[str, DraftGraph]) -> DraftNode:
    draft.bodies = bodies
    draft.node = replace(draft.node, bodies={name: body.graph() for name, body in bodies.items()})
    return draft


def _or(names: tuple[str, ...]) -> str:
    return " or ".join(f"`{name}`" for name in names)
