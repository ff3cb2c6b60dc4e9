"""A first rubric from what right answers look like, without asking anybody. Pure.

The form of the expected answers decides: JSON is checked against the schema that all of them fit, numbers within a
tolerance, a handful of short texts that come back are labels, everything else is compared word by word.
"""

import json
import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from spectral.domains.evaluations.scorers.base import NotJsonError, parse_json

LABEL_CHARACTERS = 60
MOST_LABELS = 100
LEAST_REPEATED = 3
"""A text that is a label comes back: on average so many times at least."""

MOST_CHOICES = 12
RELATIVE_TOLERANCE = 0.01
SCHEMA_DEPTH = 6
MOST_MEMBERS = 100


@dataclass(frozen=True, slots=True)
class Draft:
    """Dimensions as a rubric takes them, the threshold that fits them, and for each of them why it is there."""

    dimensions: list[dict[str, Any]]
    threshold: float
    reasons: dict[str, str] = field(default_factory=dict)


def draft_of(expected: Sequence[Any], outputs: Sequence[str]) -> Draft:
    """The draft that fits the expected answers; where there is none, what the agent's outputs allow."""
    known = [value for value in expected if value is not None]
    if known:
        return _of_expected(known)
    return _of_outputs(outputs)


def _of_expected(expected: Sequence[Any]) -> Draft:
    count = len(expected)
    documents = _documents(expected)
    if documents is not None:
        return Draft(
            [
                {"name": "form", "scorer": "json_schema", "weight": 1, "options": {"schema": schema_of(documents)}},
                {"name": "content", "scorer": "exact_match", "weight": 3, "options": {}},
            ],
            0.5,
            {
                "form": f"all {count} expected answers are JSON; this schema is what they have in common",
                "content": "an answer of the right form must also say the right thing, member by member",
            },
        )
    texts = [value if isinstance(value, str) else json.dumps(value) for value in expected]
    numbers = [_number(text) for text in texts]
    if all(number is not None for number in numbers):
        whole = all(number is not None and number.is_integer() for number in numbers)
        options: dict[str, Any] = {"absolute": 0} if whole else {"relative": RELATIVE_TOLERANCE}
        said = "whole numbers, so none of them may differ" if whole else "numbers; 1 % may be missing or too much"
        return Draft(
            [{"name": "value", "scorer": "numeric_tolerance", "weight": 1, "options": options}],
            1.0,
            {"value": f"all {count} expected answers are {said}"},
        )
    labels = _labels(texts)
    if labels is not None:
        return Draft(
            [{"name": "label", "scorer": "label", "weight": 1, "options": {"labels": labels}}],
            1.0,
            {"label": f"the {count} expected answers are {len(labels)} short texts that come back: labels"},
        )
    if statistics.median(len(text.split()) for text in texts) <= 1:
        return Draft(
            [{"name": "same", "scorer": "exact_match", "weight": 1, "options": {"case_sensitive": False}}],
            1.0,
            {"same": f"most of the {count} expected answers are one word that does not come back"},
        )
    return Draft(
        [{"name": "words", "scorer": "token_f1", "weight": 1, "options": {}}],
        0.5,
        {"words": f"the {count} expected answers are free text: the words in common are counted, not the meaning"},
    )


def _of_outputs(outputs: Sequence[str]) -> Draft:
    documents = _documents(outputs) if outputs else None
    if documents is not None:
        return Draft(
            [{"name": "form", "scorer": "json_schema", "weight": 1, "options": {"schema": schema_of(documents)}}],
            1.0,
            {"form": f"all {len(outputs)} outputs are JSON of this form; nothing says which content is right"},
        )
    return Draft(
        [{"name": "answered", "scorer": "regex", "weight": 1, "options": {"pattern": r"\S"}}],
        1.0,
        {
            "answered": "there are no expected answers, so nothing says what is right: only silence is wrong here. Add "
            "expected answers to the samples, or name a language model that drafts a judge"
        },
    )


def schema_of(documents: Sequence[Any]) -> dict[str, Any]:
    """A JSON Schema that all documents are valid against, as narrow as they show: types, members that all have.

    A text of few different values that come back becomes an enumeration.
    """
    return _schema(list(documents), SCHEMA_DEPTH)


def _schema(values: list[Any], depth: int) -> dict[str, Any]:
    types = sorted({_type_of(value) for value in values})
    if "integer" in types and "number" in types:
        types.remove("integer")
    schema: dict[str, Any] = {"type": types[0] if len(types) == 1 else types}
    objects = [value for value in values if isinstance(value, Mapping)]
    lists = [value for value in values if isinstance(value, list)]
    texts = [value for value in values if isinstance(value, str)]
    if depth == 0:
        return schema
    if objects:
        names = sorted({name for value in objects for name in value})
        if len(names) <= MOST_MEMBERS:
            schema["properties"] = {
                name: _schema([value[name] for value in objects if name in value], depth - 1) for name in names
            }
            schema["required"] = [name for name in names if all(name in value for value in objects)]
    members = [member for value in lists for member in value]
    if members:
        schema["items"] = _schema(members, depth - 1)
    if texts and len(types) == 1:
        choices = sorted(set(texts))
        if len(choices) <= MOST_CHOICES and len(texts) >= LEAST_REPEATED * len(choices):
            schema["enum"] = choices
    return schema


def _type_of(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return "integer"
    if isinstance(value, float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def _documents(values: Sequence[Any]) -> list[Any] | None:
    """The JSON objects or lists that all the values are, or None."""
    found: list[Any] = []
    for value in values:
        document = value
        if isinstance(value, str):
            try:
                document = parse_json(value)
            except NotJsonError:
                return None
        if not isinstance(document, dict | list):
            return None
        found.append(document)
    return found


def _labels(texts: Sequence[str]) -> list[str] | None:
    """The labels that the texts are, or None. Texts that differ only in case or edges are one label."""
    if any(len(text) > LABEL_CHARACTERS or "\n" in text.strip() or not text.strip(" .,;:!?") for text in texts):
        return None
    spellings: dict[str, Counter[str]] = {}
    for text in texts:
        spellings.setdefault(text.casefold().strip(" .,;:!?\"'"), Counter())[text.strip()] += 1
    if not 2 <= len(spellings) <= MOST_LABELS or len(texts) < LEAST_REPEATED * len(spellings):
        return None
    return sorted(min(counted, key=lambda text: (-counted[text], text)) for counted in spellings.values())


def _number(text: str) -> float | None:
    try:
        number = float(text.strip().replace(",", ""))
    except ValueError:
        return None
    return number if math.isfinite(number) else None
