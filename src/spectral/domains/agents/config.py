"""An agent's configuration is one immutable JSON document; what may change in it is listed in its search space.

Pure: nothing here reads a database, a clock or a model.
"""

import copy
import difflib
import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    SerializerFunctionWrapHandler,
    StringConstraints,
    ValidationError,
    model_serializer,
    model_validator,
)

from spectral.domains.agents.errors import SearchSpaceViolationError
from spectral.domains.agents.json_values import STORABLE, Problems, json_text, plain_number, pointer_of, storable_json
from spectral.domains.agents.placeholders import bind, fill, text_of, variable_problems, variables_in
from spectral.domains.agents.pointers import PointerError, child_pointer, exists_at, parse_pointer, put_at, value_at
from spectral.platform.llm.calls import ModelMessage

ENTRY_PROMPT = "main"
MAXIMUM_BYTES = 1024 * 1024
MAXIMUM_TEXT = 100_000
LONG_TEXT = 80
"""From this many characters on (or with a line break) a changed text is also shown as a unified diff."""

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
"""The name of a prompt or template: letters, digits, `_`, `.`, `-`; 64 characters at most."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class PromptMessage(_Part):
    """One message of a prompt; its content may hold `{{variable}}` placeholders."""

    role: Literal["system", "user", "assistant"]
    content: Annotated[str, StringConstraints(max_length=MAXIMUM_TEXT), STORABLE]


class PromptTemplate(_Part):
    """Messages and the variables they use. Variables that are left out are read off the placeholders."""

    messages: Annotated[list[PromptMessage], Field(min_length=1, max_length=100)]
    variables: Annotated[list[str], Field(max_length=100)] = []

    @model_validator(mode="before")
    @classmethod
    def _infer_variables(cls, raw: Any) -> Any:
        if not isinstance(raw, dict) or raw.get("variables") is not None or not isinstance(raw.get("messages"), list):
            return raw
        contents = [message.get("content") for message in raw["messages"] if isinstance(message, dict)]
        text = "\n".join(content for content in contents if isinstance(content, str))
        return {**raw, "variables": variables_in(text)}

    @model_validator(mode="after")
    def _check_variables(self) -> Self:
        problems = Problems("PromptTemplate")
        variable_problems(self.variables, (message.content for message in self.messages), problems.report)
        problems.raise_any()
        return self

    @property
    def question(self) -> int | None:
        """Where the last user message with a variable stands, the one that asks about the input; None without one."""
        asking = [
            index for index, each in enumerate(self.messages) if each.role == "user" and variables_in(each.content)
        ]
        return asking[-1] if asking else None


class FewShotExample(_Part):
    """One worked example: an input of the agent and the output that is right for it."""

    input: JsonValue
    output: JsonValue


class KnobKind(StrEnum):
    """What kind of value a knob takes."""

    INT = "int"
    NUMBER = "number"
    ENUM = "enum"
    TEXT = "text"
    EXAMPLES = "examples"


class KnobBounds(_Part):
    """How far a knob may be turned. Which members are needed and allowed depends on the knob's kind.

    int, number: `min` and `max`, optionally `step` counted from `min`. enum: `values`. text: `min_length`,
    `max_length`. examples: `min_items`, `max_items`.
    """

    min: float | None = None
    max: float | None = None
    step: float | None = Field(default=None, gt=0)
    values: Annotated[list[str | bool | int | float | None], Field(min_length=1, max_length=1000)] | None = None
    min_length: int | None = Field(default=None, ge=0)
    max_length: int | None = Field(default=None, ge=1, le=MAXIMUM_TEXT)
    min_items: int | None = Field(default=None, ge=0)
    max_items: int | None = Field(default=None, ge=1, le=1000)

    @model_serializer(mode="wrap")
    def _only_given(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: plain_number(value) for name, value in handler(self).items() if value is not None}


_BOUNDS: dict[KnobKind, tuple[frozenset[str], frozenset[str]]] = {
    KnobKind.INT: (frozenset({"min", "max"}), frozenset({"step"})),
    KnobKind.NUMBER: (frozenset({"min", "max"}), frozenset({"step"})),
    KnobKind.ENUM: (frozenset({"values"}), frozenset()),
    KnobKind.TEXT: (frozenset(), frozenset({"min_length", "max_length"})),
    KnobKind.EXAMPLES: (frozenset(), frozenset({"min_items", "max_items"})),
}
"""Per kind: the bounds it needs, and those it may have besides."""


class SearchKnob(_Part):
    """One place of the document that a strategy may change, and within which bounds.

    The place must exist in the document and hold a legal value, unless the knob is `creatable`: then its object must
    exist and the member itself may be missing.
    """

    pointer: Annotated[str, StringConstraints(min_length=1, max_length=500)]
    kind: KnobKind
    bounds: KnobBounds = KnobBounds()
    creatable: bool = False

    @model_validator(mode="after")
    def _check_bounds(self) -> Self:
        problems = Problems("SearchKnob")
        needed, allowed = _BOUNDS[self.kind]
        given = set(self.bounds.model_dump())
        for name in sorted(needed - given):
            problems.report(("bounds", name), f"is needed by a knob of kind '{self.kind}'")
        for name in sorted(given - needed - allowed):
            problems.report(("bounds", name), f"means nothing to a knob of kind '{self.kind}'")
        for low, high in (("min", "max"), ("min_length", "max_length"), ("min_items", "max_items")):
            least, most = getattr(self.bounds, low), getattr(self.bounds, high)
            if least is not None and most is not None and least > most:
                problems.report(("bounds", low), f"is larger than {high}")
        try:
            tokens = parse_pointer(self.pointer)
        except PointerError as error:
            problems.report(("pointer",), str(error))
        else:
            if tokens and tokens[0] == "search_space":
                problems.report(("pointer",), "the search space cannot list itself")
        problems.raise_any()
        return self

    def refusal(self, value: JsonValue) -> str | None:
        """Why the knob cannot be turned to this value, or None when it can."""
        if self.kind in {KnobKind.INT, KnobKind.NUMBER}:
            return self._number_refusal(value)
        if self.kind is KnobKind.ENUM:
            # Compared as JSON: Python holds True == 1.
            allowed = [json_text(each) for each in self.bounds.values or []]
            return None if json_text(value) in allowed else f"{json_text(value)} is not one of {', '.join(allowed)}"
        if self.kind is KnobKind.TEXT:
            if not isinstance(value, str):
                return "is not a text"
            return self._size_refusal(len(value), self.bounds.min_length, self.bounds.max_length, "characters")
        if not isinstance(value, list):
            return "is not a list of examples"
        for index, example in enumerate(value):
            if not isinstance(example, dict) or set(example) != {"input", "output"}:
                return f"example {index} is not an object of 'input' and 'output'"
        return self._size_refusal(len(value), self.bounds.min_items, self.bounds.max_items, "examples")

    def _number_refusal(self, value: JsonValue) -> str | None:
        number = plain_number(value)
        if isinstance(number, bool) or not isinstance(number, int | float):
            return "is not a number"
        if self.kind is KnobKind.INT and not isinstance(number, int):
            return f"{number} is not a whole number"
        low, high = self.bounds.min, self.bounds.max
        if low is None or high is None or not low <= number <= high:
            return f"{number} is not within {text_of(plain_number(low))} and {text_of(plain_number(high))}"
        if self.bounds.step is not None:
            steps = (number - low) / self.bounds.step
            if not math.isclose(steps, round(steps), rel_tol=0, abs_tol=1e-6):
                return (
                    f"{number} is not a whole number of steps of {self.bounds.step} from {text_of(plain_number(low))}"
                )
        return None

    @staticmethod
    def _size_refusal(size: int, least: int | None, most: int | None, unit: str) -> str | None:
        if least is not None and size < least:
            return f"has {size} {unit}, fewer than {least}"
        if most is not None and size > most:
            return f"has {size} {unit}, more than {most}"
        return None


class ConfigDocument(_Part):
    """What an agent runs with. A document that exists is sound: variables, examples and search space were checked.

    prompts: the one named `main` is executed, or the only one; others are there for the agent's own code.
    few_shot: shown as user and assistant messages before the last user message.
    Numbers are held as JSON numbers without a difference between 1 and 1.0, so that both databases give back the
    same document. Raises pydantic.ValidationError that names every wrong place.
    """

    prompts: Annotated[dict[Name, PromptTemplate], Field(min_length=1, max_length=50)]
    model: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    parameters: dict[str, JsonValue] = {}
    few_shot: Annotated[list[FewShotExample], Field(max_length=1000)] = []
    tools: Annotated[list[dict[str, JsonValue]], Field(max_length=200)] = []
    custom: dict[str, JsonValue] = {}
    search_space: Annotated[list[SearchKnob], Field(max_length=200)] = []

    @model_validator(mode="before")
    @classmethod
    def _read_plainjson_text(cls, raw: Any) -> Any:
        return storable_json(raw)

    @model_validator(mode="after")
    def _check_parts_together(self) -> Self:
        problems = Problems("ConfigDocument")
        if len(self.prompts) > 1 and ENTRY_PROMPT not in self.prompts:
            problems.report(("prompts",), f"one of several prompts must be named '{ENTRY_PROMPT}': it is executed")
        else:
            self._check_examples(problems)
        self._check_search_space(problems)
        if len(_canonical_bytes(self)) > MAXIMUM_BYTES:
            problems.report((), f"the document has more than {MAXIMUM_BYTES} bytes")
        problems.raise_any()
        return self

    def _check_examples(self, problems: Problems) -> None:
        template = self.entry
        if template.question is None:
            return
        variables = variables_in(template.messages[template.question].content)
        for index, example in enumerate(self.few_shot):
            bound = bind(variables, example.input)
            missing = [name for name in variables if name not in bound]
            if missing:
                problems.report(("few_shot", index, "input"), f"gives no value for {_listed(missing)}")

    def _check_search_space(self, problems: Problems) -> None:
        raw: JsonValue = self.model_dump(mode="json", exclude={"search_space"})
        seen: list[list[str]] = []
        for index, knob in enumerate(self.search_space):
            place = ("search_space", index, "pointer")
            tokens = parse_pointer(knob.pointer)
            if any(tokens[: len(other)] == other or other[: len(tokens)] == tokens for other in seen):
                problems.report(place, "names the same place as an earlier knob, or one inside of the other")
            seen.append(tokens)
            if exists_at(raw, knob.pointer):
                refusal = knob.refusal(value_at(raw, knob.pointer))
                if refusal is not None:
                    problems.report(place, f"the document's own value is outside of the knob: {refusal}")
            elif not knob.creatable:
                problems.report(place, "names nothing in the document (set 'creatable' if a strategy may add it)")
            elif not _can_be_created(raw, knob.pointer):
                problems.report(place, "cannot be created: its parent is not an object of the document")

    @property
    def entry(self) -> PromptTemplate:
        """The prompt that is executed."""
        return self.prompts[ENTRY_PROMPT] if ENTRY_PROMPT in self.prompts else next(iter(self.prompts.values()))

    def as_json(self) -> dict[str, Any]:
        """The document as plain JSON values, every member present."""
        return self.model_dump(mode="json")


def _can_be_created(raw: JsonValue, pointer: str) -> bool:
    tokens = parse_pointer(pointer)
    parent = pointer.rpartition("/")[0]
    # The document's own members are fixed; only inside of them is there room for something new.
    return len(tokens) > 1 and exists_at(raw, parent) and isinstance(value_at(raw, parent), dict)


def _listed(names: list[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


def _canonical_bytes(document: ConfigDocument) -> bytes:
    # Without the defaults, so that a member which a later release adds does not change the hash of older documents.
    raw = document.model_dump(mode="json", exclude_defaults=True)
    return json_text(raw).encode()


def canonical_hash(document: ConfigDocument) -> str:
    """SHA-256, in hex, of the document as sorted JSON without defaults: equal exactly for equal documents."""
    return hashlib.sha256(_canonical_bytes(document)).hexdigest()


def apply_changes(document: ConfigDocument, changes: Mapping[str, JsonValue]) -> ConfigDocument:
    """The document with these places changed; the one way in which a strategy makes a candidate.

    changes: JSON pointer → new value. Raises SearchSpaceViolationError (400) when the search space does not list a
    pointer, a value leaves its bounds, or the result would be no sound document (say, a prompt that lost a variable).
    """
    knobs = {knob.pointer: knob for knob in document.search_space}
    raw: JsonValue = document.as_json()
    for pointer, value in changes.items():
        knob = knobs.get(pointer)
        if knob is None:
            raise SearchSpaceViolationError(pointer, "the search space does not list it")
        refusal = knob.refusal(value)
        if refusal is not None:
            raise SearchSpaceViolationError(pointer, refusal)
        put_at(raw, pointer, copy.deepcopy(value))
    try:
        return ConfigDocument.model_validate(raw)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise SearchSpaceViolationError(pointer_of(first["loc"]), first["msg"]) from error


def check_derived(base: ConfigDocument, candidate: ConfigDocument) -> None:
    """Raises SearchSpaceViolationError unless the base's search space can turn the base into the candidate."""
    before, after = base.as_json(), candidate.as_json()
    changes = {
        knob.pointer: value_at(after, knob.pointer)
        for knob in base.search_space
        if exists_at(after, knob.pointer)
        and not (
            exists_at(before, knob.pointer)
            and json_text(value_at(before, knob.pointer)) == json_text(value_at(after, knob.pointer))
        )
    }
    stray = diff_documents(apply_changes(base, changes), candidate)
    if stray:
        raise SearchSpaceViolationError(stray[0].pointer, "the search space does not list it")


@dataclass(frozen=True, slots=True)
class Change:
    """One place at which two documents differ.

    pointer: into the newer document, or into the older one where something was removed. `before` is None for "add",
    `after` is None for "remove". text_diff: a unified diff where both sides are long texts, else None.
    """

    pointer: str
    operation: Literal["add", "remove", "replace"]
    before: JsonValue
    after: JsonValue
    text_diff: str | None = None


def diff_documents(before: ConfigDocument, after: ConfigDocument) -> list[Change]:
    """Where two documents differ, in document order; empty exactly when their hashes are equal."""
    return list(_differences(before.as_json(), after.as_json(), ""))


def _differences(before: JsonValue, after: JsonValue, pointer: str) -> Iterator[Change]:
    if isinstance(before, dict) and isinstance(after, dict):
        for name in dict.fromkeys((*before, *after)):
            place = child_pointer(pointer, name)
            if name not in after:
                yield Change(place, "remove", before[name], None)
            elif name not in before:
                yield Change(place, "add", None, after[name])
            else:
                yield from _differences(before[name], after[name], place)
    elif isinstance(before, list) and isinstance(after, list):
        shared = min(len(before), len(after))
        for index in range(shared):
            yield from _differences(before[index], after[index], child_pointer(pointer, index))
        for index in range(shared, len(before)):
            yield Change(child_pointer(pointer, index), "remove", before[index], None)
        for index in range(shared, len(after)):
            yield Change(child_pointer(pointer, index), "add", None, after[index])
    # Python holds True == 1, JSON does not.
    elif before != after or isinstance(before, bool) != isinstance(after, bool):
        yield Change(pointer, "replace", before, after, _text_diff(before, after))


def _text_diff(before: JsonValue, after: JsonValue) -> str | None:
    if not isinstance(before, str) or not isinstance(after, str):
        return None
    if max(len(before), len(after)) < LONG_TEXT and "\n" not in before and "\n" not in after:
        return None
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), "before", "after", n=2, lineterm="")
    return "\n".join(lines)


class MissingVariableError(ValueError):
    """The input gives no value for a variable of the prompt; `names` lists them."""

    def __init__(self, names: list[str]) -> None:
        super().__init__(f"the input gives no value for {_listed(names)}")
        self.names = names


class PromptRenderer:
    """Renders one document for many inputs; what does not depend on the input is prepared once.

    Variables are replaced in one pass. Each example stands before the question (the last user message with a
    variable) as that same message with the example's input, and an assistant message with its output. Where no user
    message has a variable, the input follows the prompt as a user message of its own and is the question.
    """

    def __init__(self, document: ConfigDocument) -> None:
        template = document.entry
        self._template = template
        self._place = len(template.messages) if template.question is None else template.question
        self._examples: list[ModelMessage] = []
        asked = None if template.question is None else template.messages[template.question].content
        for example in document.few_shot:
            value = example.input
            shown = text_of(value) if asked is None else fill(asked, bind(variables_in(asked), value))
            self._examples += [ModelMessage("user", shown), ModelMessage("assistant", text_of(example.output))]

    def render(self, value: JsonValue) -> list[ModelMessage]:
        """The messages for one input. Raises MissingVariableError."""
        template = self._template
        values = bind(template.variables, value)
        missing = [name for name in template.variables if name not in values]
        if missing:
            raise MissingVariableError(missing)
        messages = [ModelMessage(each.role, fill(each.content, values)) for each in template.messages]
        if template.question is None:
            messages.append(ModelMessage("user", text_of(value)))
        return [*messages[: self._place], *self._examples, *messages[self._place :]]


def render(document: ConfigDocument, value: JsonValue) -> list[ModelMessage]:
    """The messages that a model gets for one input; see `PromptRenderer`. Raises MissingVariableError."""
    return PromptRenderer(document).render(value)
