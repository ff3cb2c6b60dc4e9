"""Scorers that read the answer as JSON or as a number."""

import re
from collections.abc import Iterator
from contextvars import ContextVar
from functools import cached_property
from itertools import islice
from typing import Any, ClassVar, Literal, Self

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError
from jsonschema.validators import extend
from pydantic import Field, model_validator
from referencing import Registry
from referencing.exceptions import Unresolvable

from spectral.domains.evaluations.scorers.base import (
    MAX_TEXT_CHARACTERS,
    Answer,
    NotJsonError,
    ScoredCase,
    Scorer,
    ScorerError,
    Verdict,
    canonical_json,
    excerpt,
    expected_text,
    json_depth,
    parse_json,
)
from spectral.domains.evaluations.scorers.patterns import PatternError, linear_pattern

MAX_SCHEMA_DEPTH = 50
MAX_SCHEMA_CHARACTERS = 100_000
MAX_STEPS = 500_000
REFERENCE_PRICE = 8
"""Following a reference takes about as long as eight other keywords."""

UNSUPPORTED_KEYWORDS = frozenset({"unevaluatedProperties", "unevaluatedItems"})

_NUMBER = re.compile(
    r"(?:(?<![\w.)])[-+])?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?(?:[eE][-+]?\d{1,4})?"
    r"|(?:(?<![\w.)])[-+])?\.\d+"
)

_steps_taken: ContextVar[list[int] | None] = ContextVar("steps_taken", default=None)


class NumericTolerance(Scorer):
    """1 when the number in the answer differs from the expected one by no more than the tolerance.

    The allowed difference is the larger of `absolute` and `relative` × |expected|. The number read is the answer's
    `first`, its `last`, or the answer itself (`whole`).
    """

    version: ClassVar[str] = "1"

    absolute: float = Field(default=0.0, ge=0)
    relative: float = Field(default=0.0, ge=0)
    number: Literal["whole", "first", "last"] = "last"

    def score(self, case: ScoredCase, answer: Answer) -> Verdict:
        wanted = _number(expected_text(case), "whole")
        if wanted is None:
            message = "the expected answer is not a finite number"
            raise ScorerError(message)
        got = _number(answer.output, self.number)
        if got is None:
            return Verdict(0.0, f"no finite number in the answer {excerpt(answer.output)}")
        difference, allowed = abs(got - wanted), max(self.absolute, self.relative * abs(wanted))
        return Verdict(
            1.0 if difference <= allowed else 0.0,
            f"expected {wanted:g}, got {got:g}, difference {difference:g} with {allowed:g} allowed",
        )


class JsonSchemaMatch(Scorer):
    """1 when the answer is JSON that is valid against the schema (draft 2020-12).

    References stay inside the schema: nothing is fetched. `pattern` is RE2 syntax, and a validation that takes more
    than `MAX_STEPS` steps is given up as the scorer's failure, so no schema can hang a process. `unevaluatedProperties`
    and `unevaluatedItems` are refused, since the library walks them outside these bounds.
    """

    version: ClassVar[str] = "1"

    schema_: dict[str, Any] | bool = Field(alias="schema")

    @model_validator(mode="after")
    def is_a_schema(self) -> Self:
        """Refuses what is not a usable JSON Schema."""
        check_json_schema(self.schema_)
        return self

    @cached_property
    def _validator(self) -> Any:
        return json_schema_validator(self.schema_)

    def score(self, case: ScoredCase, answer: Answer) -> Verdict:
        del case
        try:
            document = parse_json(answer.output)
        except NotJsonError as error:
            return Verdict(0.0, f"the answer {error}")
        failure = next(iter(json_schema_failures(self._validator, document, 1)), None)
        if failure is None:
            return Verdict(1.0, "valid against the schema")
        return Verdict(0.0, f"at {excerpt(failure.json_path)}: {failure.message[:200]}")


def check_json_schema(schema: Any) -> None:
    """Raises ValueError that says why something is not a JSON Schema (draft 2020-12) that can be used safely."""
    if json_depth(schema) > MAX_SCHEMA_DEPTH:
        message = f"schema is nested more than {MAX_SCHEMA_DEPTH} levels"
        raise ValueError(message)
    if len(canonical_json(schema)) > MAX_SCHEMA_CHARACTERS:
        message = f"schema is longer than {MAX_SCHEMA_CHARACTERS} characters"
        raise ValueError(message)
    try:
        Draft202012Validator.check_schema(schema)
        _check_keywords(schema)
    except SchemaError as error:
        message = f"schema is not a JSON Schema: {error.message[:200]}"
        raise ValueError(message) from error
    except PatternError as error:
        message = f"schema has a pattern that {error}"
        raise ValueError(message) from error


def json_schema_validator(schema: Any) -> Any:
    """The validator of a schema that `check_json_schema` let pass; references stay inside, nothing is fetched."""
    return _BoundedValidator(schema, registry=Registry())


def json_schema_failures(validator: Any, document: Any, most: int) -> list[ValidationError]:
    """Up to `most` places where the document is not valid.

    Raises ScorerError where that takes more than `MAX_STEPS` steps or leads outside of the schema.
    """
    token = _steps_taken.set([0])
    try:
        return list(islice(validator.iter_errors(document), most))
    except Unresolvable as error:
        message = f"the schema refers to something outside itself: {error.ref}"
        raise ScorerError(message) from error
    finally:
        _steps_taken.reset(token)


def _number(text: str, which: str) -> float | None:
    if which == "whole":
        match = _NUMBER.fullmatch(text.strip())
        found = match.group(0) if match else None
    else:
        numbers = _NUMBER.findall(text[:MAX_TEXT_CHARACTERS])
        found = (numbers[0] if which == "first" else numbers[-1]) if numbers else None
    if found is None:
        return None
    value = float(found.replace(",", ""))
    return value if abs(value) < float("inf") else None


def _check_keywords(schema: Any) -> None:
    """Raises PatternError or ValueError for a keyword that cannot be run safely, wherever in the document it stands."""
    pending = [schema]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            if isinstance(value.get("pattern"), str):
                linear_pattern(value["pattern"])
            if isinstance(value.get("patternProperties"), dict):
                for pattern in value["patternProperties"]:
                    linear_pattern(pattern)
            refused = sorted(UNSUPPORTED_KEYWORDS & value.keys())
            if refused:
                message = f"schema uses {refused[0]}, which is not supported"
                raise ValueError(message)
            pending.extend(value.values())
        elif isinstance(value, list):
            pending.extend(value)


def _spend(steps: int) -> None:
    taken = _steps_taken.get()
    if taken is not None:
        taken[0] += steps
        if taken[0] > MAX_STEPS:
            message = f"checking this answer against the schema takes more than {MAX_STEPS} steps"
            raise ScorerError(message)


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[ValidationError]:
    del schema
    if validator.is_type(instance, "string") and linear_pattern(pattern).search(instance) is None:
        yield ValidationError(f"{excerpt(instance)} does not match the pattern {excerpt(pattern)}")


def _pattern_properties(validator: Any, properties: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    del schema
    if not validator.is_type(instance, "object"):
        return
    for pattern, subschema in properties.items():
        compiled = linear_pattern(pattern)
        for key, value in instance.items():
            if compiled.search(key) is not None:
                yield from validator.descend(value, subschema, path=key, schema_path=pattern)


def _additional_properties(validator: Any, rule: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if not validator.is_type(instance, "object"):
        return
    patterns = [linear_pattern(pattern) for pattern in schema.get("patternProperties", {})]
    named = schema.get("properties", {})
    extra = [key for key in instance if key not in named and all(pattern.search(key) is None for pattern in patterns)]
    if validator.is_type(rule, "object"):
        for key in extra:
            yield from validator.descend(instance[key], rule, path=key)
    elif rule is False and extra:
        yield ValidationError(f"additional property {excerpt(extra[0])} is not allowed")


def _unique_items(validator: Any, unique: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    del schema
    if not unique or not validator.is_type(instance, "array"):
        return
    # By canonical text: the library's own comparison is quadratic for objects.
    seen = set()
    for entry in instance:
        text = canonical_json(entry)
        _spend(len(text) // 16)
        if text in seen:
            yield ValidationError("the list has non-unique elements")
            return
        seen.add(text)


def _counted(follow: Any, price: int) -> Any:
    """The keyword's check, charged by its price and the sizes of its rule and of the instance it looks at."""

    def counted(validator: Any, rule: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        rule_size = len(rule) if isinstance(rule, dict | list) else 0
        instance_size = len(instance) // 16 if isinstance(instance, dict | list | str) else 0
        _spend(price + rule_size + instance_size)
        yield from follow(validator, rule, instance, schema) or ()

    return counted


_BoundedValidator: Any = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    {
        keyword: _counted(follow, REFERENCE_PRICE if keyword in {"$ref", "$dynamicRef"} else 1)
        for keyword, follow in {
            **Draft202012Validator.VALIDATORS,
            "pattern": _pattern,
            "patternProperties": _pattern_properties,
            "additionalProperties": _additional_properties,
            "uniqueItems": _unique_items,
        }.items()
    },
)
