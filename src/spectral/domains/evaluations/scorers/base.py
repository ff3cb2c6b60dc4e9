"""What a scorer sees and what it answers; a scorer of your own is a subclass of `Scorer` behind an entry point."""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, PlainSerializer

from spectral.platform.shared.money import UsdAmountIn, nano_to_usd

MAX_TEXT_CHARACTERS = 100_000
"""Outputs and expected answers beyond this are not scored: every scorer's time is bounded by it."""

MAX_JSON_DEPTH = 100
EXCERPT_CHARACTERS = 80

UsdOption = Annotated[UsdAmountIn, PlainSerializer(nano_to_usd, return_type=str, when_used="json")]
"""US dollars in a scorer's options: decimal string in JSON both ways, integer nano-USD in Python."""


class ScorerError(Exception):
    """This item cannot be scored on this dimension (no expected answer, unknown cost): missing, not a score of 0."""


class NotJsonError(ValueError):
    """A text is not one JSON document of bounded depth; the message says why."""


@dataclass(frozen=True, slots=True)
class ScoredCase:
    """What was asked and what a right answer is. `expected` is None where a case has none."""

    input: Any = None
    expected: Any = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """What an agent answered and used up; `tool_calls` and `cost_nano_usd` are None where nobody reported them."""

    output: str
    latency_ms: float
    cost_nano_usd: int | None = None
    tool_calls: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """A score from 0 (wrong) to 1 (right), and in one sentence why."""

    score: float
    explanation: str


class Scorer(BaseModel, ABC):
    """One way to score an answer; its fields are its options, validated when a rubric is saved.

    `version` changes whenever the same answer may get another score. `score` is pure and its time is bounded for
    texts of at most `MAX_TEXT_CHARACTERS`. Raises ScorerError where the item cannot be scored; any other exception
    counts as the scorer's own failure and makes the item missing as well.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, hide_input_in_errors=True)

    version: ClassVar[str]

    @abstractmethod
    def score(self, case: ScoredCase, answer: Answer) -> Verdict:
        """The verdict on one answer."""


class ModelScorer(Scorer, ABC):
    """A scorer that asks a model: what it asks and how it reads the answer is pure, the asking is `judging`'s.

    model: the name of the model that is asked.  purpose: what its calls are for in the cost reports.
    """

    purpose: ClassVar[str]

    model: str

    def score(self, case: ScoredCase, answer: Answer) -> Verdict:
        """Raises ScorerError: nobody asked the model."""
        del case, answer
        message = f"the model {self.model!r} was not asked"
        raise ScorerError(message)

    def digest(self, name: str) -> str:
        """SHA-256 in hexadecimal of this scorer, its version and options; equal digests score alike.

        name: what the scorer is registered as.
        """
        document = {"scorer": name, "version": self.version, "options": self.model_dump(mode="json", by_alias=True)}
        return hashlib.sha256(canonical_json(document).encode()).hexdigest()


def printable(text: str) -> str:
    """The text with U+FFFD for what no database and no UTF-8 answer can hold: NUL and halves of surrogate pairs."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def excerpt(text: str) -> str:
    """The text in quotes, cut to one short line, for an explanation."""
    line = " ".join(text.split())
    return json.dumps(line if len(line) <= EXCERPT_CHARACTERS else f"{line[:EXCERPT_CHARACTERS]}…", ensure_ascii=False)


def expected_text(case: ScoredCase) -> str:
    """The expected answer as text; numbers and booleans as JSON writes them.

    Raises ScorerError when there is none, when it is an object or a list, or when it is too long.
    """
    expected = case.expected
    if expected is None:
        message = "the item has no expected answer"
        raise ScorerError(message)
    if isinstance(expected, dict | list):
        message = "the expected answer is not a text"
        raise ScorerError(message)
    text = expected if isinstance(expected, str) else json.dumps(expected)
    if len(text) > MAX_TEXT_CHARACTERS:
        message = f"the expected answer is longer than {MAX_TEXT_CHARACTERS} characters"
        raise ScorerError(message)
    return text


def parse_json(text: str) -> Any:
    """The JSON document that a text is (a fenced code block around it is taken off). Raises NotJsonError."""
    try:
        document = json.loads(without_fence(text), parse_constant=_refuse_constant)
    except RecursionError as error:
        message = "is nested too deeply"
        raise NotJsonError(message) from error
    except ValueError as error:
        message = f"is not JSON: {error}"
        raise NotJsonError(message) from error
    if json_depth(document) > MAX_JSON_DEPTH:
        message = "is nested too deeply"
        raise NotJsonError(message)
    return document


def json_depth(document: Any) -> int:
    """How deeply objects and lists are nested: 0 for a plain value."""
    deepest = 0
    pending = [(document, 0)]
    while pending:
        value, depth = pending.pop()
        deepest = max(deepest, depth)
        if isinstance(value, dict):
            pending.extend((child, depth + 1) for child in value.values())
        elif isinstance(value, list):
            pending.extend((child, depth + 1) for child in value)
    return deepest


def canonical_json(document: Any) -> str:
    """One text per JSON value: sorted keys, no spaces, `1.0` as `1`; `true` and `1` differ."""
    return json.dumps(_plain(document), sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(child) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(child) for child in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def without_fence(text: str) -> str:
    """The text without the fence of a code block around it and without spaces at its ends."""
    stripped = text.strip()
    if stripped.startswith("```") and stripped.endswith("```") and "\n" in stripped:
        return stripped[stripped.index("\n") : -3]
    return stripped


def _refuse_constant(name: str) -> Any:
    message = f"{name} is not a JSON value"
    raise ValueError(message)
