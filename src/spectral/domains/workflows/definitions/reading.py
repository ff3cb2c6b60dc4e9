"""Values of a document as the types that a definition needs. What does not fit becomes a finding; reading goes on."""

from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum
from typing import Any, TypeVar

from spectral.domains.agents.pointers import child_pointer
from spectral.domains.workflows.definitions.documents import Document, Finding
from spectral.domains.workflows.definitions.drafts import Moment, Use
from spectral.domains.workflows.definitions.expressions import ExpressionError, references
from spectral.domains.workflows.definitions.json_schemas import schema_failures, schema_problem
from spectral.domains.workflows.definitions.language import DURATION_MAXIMUM_S, INPUT_TYPES, closest, seconds_of

E = TypeVar("E", bound=StrEnum)

MAXIMUM_FINDINGS = 200
OPENING = "${"
_TYPE_NAMES = {str: "a text", bool: "true or false", int: "a whole number", list: "a list", dict: "an object"}


class Reading:
    """One document being read. Findings come in any order; `sorted_errors` has them as the text has."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.errors: list[Finding] = list(document.mistakes)
        self.warnings: list[Finding] = []

    def error(self, code: str, message: str, pointer: str, *, offset: int | None = None, key: bool = False) -> None:
        """Something that keeps the document from being a definition."""
        if len(self.errors) < MAXIMUM_FINDINGS:
            self.errors.append(self.document.finding(code, message, pointer, offset=offset, key=key))

    def warn(self, code: str, message: str, pointer: str, *, key: bool = False) -> None:
        """Something that is likely not meant."""
        if len(self.warnings) < MAXIMUM_FINDINGS:
            self.warnings.append(self.document.finding(code, message, pointer, key=key))

    def members(self, value: Any, pointer: str, known: Collection[str], what: str) -> dict[str, Any]:
        """The object, without members that are not known."""
        if not isinstance(value, dict):
            self._wrong(value, dict, pointer)
            return {}
        for name in value:
            if name not in known:
                place = child_pointer(pointer, name)
                self.error("unknown-key", f"{what} has no `{name[:80]}`{closest(name, known)}", place, key=True)
        return {name: one for name, one in value.items() if name in known}

    def text(self, value: Any, pointer: str, *, most: int = 10_000, default: str = "") -> str:
        if value is None:
            return default
        if not isinstance(value, str):
            return self._wrong(value, str, pointer, default)
        if len(value) > most:
            self.error("too-large", f"the text is longer than {most} characters", pointer)
        return value

    def integer(self, value: Any, pointer: str, *, least: int = 1, most: int = 2**31 - 1) -> int | None:
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            self._wrong(value, int, pointer)
            return None
        if not least <= value <= most:
            self.error("invalid-value", f"{value} is not between {least} and {most}", pointer)
            return None
        return value

    def boolean(self, value: Any, pointer: str) -> bool:
        if value is not None and not isinstance(value, bool):
            self._wrong(value, bool, pointer)
        return value is True

    def duration(self, value: Any, pointer: str, *, least: float = 0.001) -> float | None:
        """Seconds."""
        if value is None:
            return None
        seconds = seconds_of(value)
        if seconds is None:
            message = f'{_shown(value)} is no duration: write seconds, or text like "250ms", "30s", "5m", "2h" or "1d"'
            self.error("invalid-duration", message, pointer)
        elif not least <= seconds <= DURATION_MAXIMUM_S:
            self.error("invalid-duration", f"{_shown(value)} is not between {least:g} seconds and 366 days", pointer)
            seconds = None
        return seconds

    def choice(self, value: Any, pointer: str, choices: type[E]) -> E | None:
        if value is None:
            return None
        if isinstance(value, str) and value in list(choices):
            return choices(value)
        self.wrong_choice(value, pointer, list(choices))
        return None

    def wrong_choice(self, value: Any, pointer: str, choices: Iterable[str]) -> None:
        """None of the choices."""
        known = list(choices)
        message = f"{_shown(value)} is not one of {', '.join(known)}{closest(value, known)}"
        self.error("invalid-value", message, pointer)

    def schema(self, value: Any, pointer: str) -> dict[str, Any] | None:
        """A JSON Schema of any value."""
        problem = schema_problem(value) if isinstance(value, dict) else "a JSON Schema is an object"
        if problem is not None:
            self.error("invalid-schema", problem, pointer)
            return None
        schema: dict[str, Any] = value
        return schema

    def object_schema(self, value: Any, pointer: str) -> dict[str, Any] | None:
        """A whole JSON Schema of an object, or a short one: `name: type` or `name: {type, default?, required?, …}`."""
        if value is None:
            return {"type": "object"}
        if not isinstance(value, dict):
            self._wrong(value, dict, pointer)
            return None
        if value.get("type") == "object" or isinstance(value.get("$schema"), str):
            return self.schema(value, pointer)
        before = len(self.errors)
        properties, required = {}, []
        for name, rule in value.items():
            place = child_pointer(pointer, name)
            short = {"type": rule} if isinstance(rule, str) else rule
            if not isinstance(short, dict):
                self.error("invalid-type", f"`{name}` is a type or an object with a type", place)
                continue
            properties[name] = self._property(name, short, place)
            needed = short.get("required", "default" not in short)
            if needed is True:
                required.append(name)
        if len(self.errors) > before:
            return None
        schema: dict[str, Any] = {"type": "object", "properties": properties}
        if required:
            schema["required"] = required
        if properties:
            schema["additionalProperties"] = False
        return self.schema(schema, pointer)

    def _property(self, name: str, rule: dict[str, Any], pointer: str) -> dict[str, Any]:
        # `required: [names]` is JSON Schema's own, of objects; true and false are ours.
        kept = {key: one for key, one in rule.items() if key != "required" or isinstance(one, list)}
        typed = kept.get("type")
        typed_at = child_pointer(pointer, "type")
        place = typed_at if typed_at in self.document.places else pointer
        if isinstance(typed, str) and typed not in (*INPUT_TYPES, "null"):
            message = f"`{typed[:40]}` is not one of {', '.join(INPUT_TYPES)}{closest(typed, INPUT_TYPES)}"
            self.error("invalid-schema", message, place)
            return {}
        if typed == "any":
            kept.pop("type")
        problem = schema_problem(kept)
        if problem is not None:
            self.error("invalid-schema", f"`{name}`: {problem}", pointer)
            return {}
        if "default" in kept and (wrong := schema_failures(kept, kept["default"])):
            self.error(
                "invalid-value", f"the default does not fit: {wrong[0].detail}", child_pointer(pointer, "default")
            )
        return kept

    def expressions(self, value: Any, pointer: str, moment: Moment = Moment.BEFORE) -> list[Use]:
        """Every text with `${` in a value, each of them checked."""
        found = []
        if isinstance(value, str):
            if OPENING in value:
                found.append(Use(pointer, value, moment))
                self._check(found[0])
        elif isinstance(value, Mapping):
            for name, one in value.items():
                found += self.expressions(one, child_pointer(pointer, name), moment)
        elif isinstance(value, list):
            for index, one in enumerate(value):
                found += self.expressions(one, child_pointer(pointer, index), moment)
        return found

    def condition(self, value: Any, pointer: str, uses: list[Use], moment: Moment = Moment.BEFORE) -> str | None:
        """A condition's text; what it refers to goes into `uses`."""
        if value is None:
            return None
        if isinstance(value, bool):
            return "true" if value else "false"
        if not isinstance(value, str):
            self._wrong(value, str, pointer)
            return None
        use = Use(pointer, value, moment, condition=True)
        if self._check(use):
            uses.append(use)
        return value

    def _check(self, use: Use) -> bool:
        try:
            references(use.text, condition=use.condition)
        except ExpressionError as error:
            self.error("invalid-expression", error.message, use.pointer, offset=error.position)
            return False
        return True

    def wrong_type(self, value: Any, wanted: str, pointer: str) -> None:
        """The value is of another type."""
        self.error("invalid-type", f"{_shown(value)} is not {wanted}", pointer)

    def _wrong(self, value: Any, wanted: type, pointer: str, default: str = "") -> str:
        self.wrong_type(value, _TYPE_NAMES[wanted], pointer)
        return default

    @property
    def sorted_errors(self) -> list[Finding]:
        return sorted(dict.fromkeys(self.errors), key=_position)

    @property
    def sorted_warnings(self) -> list[Finding]:
        return sorted(dict.fromkeys(self.warnings), key=_position)


def _position(finding: Finding) -> tuple[int, int, str]:
    return finding.line, finding.column, finding.code


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    return f"`{str(value)[:60]}`"
