"""How good an answer is: a rubric's weighted dimensions, each scored from 0 to 1. Pure."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any, Literal, Protocol, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from spectral.domains.agents.json_values import storable_json
from spectral.domains.evaluations.scorers.base import (
    MAX_TEXT_CHARACTERS,
    Answer,
    ModelScorer,
    ScoredCase,
    Scorer,
    ScorerError,
    Verdict,
    canonical_json,
    printable,
)
from spectral.domains.evaluations.scorers.registry import installed_scorers

MAX_DIMENSIONS = 20
EXPLANATION_CHARACTERS = 500
THRESHOLD_SLACK = 1e-9
"""Weighted sums of exact scores may fall short of a threshold by rounding; this much of it is forgiven."""

MissingReason = Literal["scorer", "provider", "agent_error"]


class Dimension(BaseModel):
    """One thing that a rubric looks at: a scorer with its options, and how much it weighs."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, hide_input_in_errors=True)

    name: str = Field(min_length=1, max_length=64, pattern=r"^[A-Za-z][A-Za-z0-9_.-]*$")
    scorer: str = Field(min_length=1, max_length=64, description="name of an installed scorer")
    weight: float = Field(default=1.0, gt=0, le=1e6, description="relative to the other dimensions' weights")
    options: Annotated[dict[str, Any], AfterValidator(storable_json)] = Field(
        default_factory=dict, description="the scorer's options"
    )

    @model_validator(mode="after")
    def scorer_accepts_options(self) -> Self:
        """Refuses an unknown scorer, and options that the scorer refuses."""
        kind = installed_scorers().get(self.scorer)
        if kind is None:
            message = f"scorer {self.scorer!r} is not installed; there are {', '.join(installed_scorers())}"
            raise ValueError(message)
        try:
            kind.model_validate(self.options)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False, include_context=False)[0]
            place = "".join(f"/{part}" for part in first["loc"])
            message = f"options{place}: {first['msg'].removeprefix('Value error, ')}"
            raise ValueError(message) from error
        return self

    @cached_property
    def built(self) -> Scorer:
        """The scorer with its options."""
        return installed_scorers()[self.scorer].model_validate(self.options)

    @cached_property
    def label(self) -> str:
        """The scorer and its version: `name@version`."""
        return f"{self.scorer}@{self.built.version}"


class RubricSpec(BaseModel):
    """What good means: weighted dimensions, the total from which an answer passes, and what an agent's error counts.

    `on_error`: `zero` scores an agent's error 0 on every dimension; `exclude` leaves the item out as missing.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, hide_input_in_errors=True)

    dimensions: Annotated[Sequence[Dimension], AfterValidator(tuple)] = Field(min_length=1, max_length=MAX_DIMENSIONS)
    threshold: float = Field(default=0.5, ge=0, le=1)
    on_error: Literal["zero", "exclude"] = "zero"

    @model_validator(mode="after")
    def names_differ(self) -> Self:
        """Refuses two dimensions of one name."""
        refuse_twins(self.dimensions)
        return self

    @cached_property
    def weights(self) -> dict[str, float]:
        """Each dimension's share of the total; the shares sum to 1."""
        total = math.fsum(dimension.weight for dimension in self.dimensions)
        return {dimension.name: dimension.weight / total for dimension in self.dimensions}

    @cached_property
    def asking(self) -> tuple[Dimension, ...]:
        """The dimensions whose scorers ask a model."""
        return tuple(dimension for dimension in self.dimensions if isinstance(dimension.built, ModelScorer))

    @property
    def models(self) -> frozenset[str]:
        """The models that scoring by this rubric asks."""
        return frozenset(dimension.built.model for dimension in self.asking if isinstance(dimension.built, ModelScorer))

    def canonical(self) -> dict[str, Any]:
        """The rubric as JSON with every option written out, so that a later default changes no stored rubric."""
        document = self.model_dump(mode="json")
        for written, dimension in zip(document["dimensions"], self.dimensions, strict=True):
            written["options"] = dimension.built.model_dump(mode="json", by_alias=True)
        return document

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical rubric, hexadecimal; two rubrics of one digest score alike."""
        return hashlib.sha256(canonical_json(self.canonical()).encode()).hexdigest()


def refuse_twins(dimensions: Sequence[Dimension]) -> None:
    """Raises ValueError when two dimensions have one name."""
    names = [dimension.name for dimension in dimensions]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        message = f"dimension {twice[0]!r} is there twice"
        raise ValueError(message)


class Fault(Protocol):
    """Why there is no answer. `missing` tells a fault of provider or runtime from the agent's own error."""

    @property
    def type(self) -> str: ...
    @property
    def message(self) -> str: ...
    @property
    def missing(self) -> bool: ...


class Executed(Protocol):
    """What an agent's runtime reports about one execution."""

    @property
    def output(self) -> str | None: ...
    @property
    def error(self) -> Fault | None: ...
    @property
    def cost_nano_usd(self) -> int | None: ...
    @property
    def latency_ms(self) -> float: ...


@dataclass(frozen=True, slots=True)
class DimensionScore:
    """One dimension's score, or the reason why there is none. `scorer` is `name@version`."""

    score: float | None
    explanation: str
    scorer: str
    error: str | None = None


@dataclass(frozen=True, slots=True)
class ItemScore:
    """An item's score. `total` is None exactly when it is missing; `missing_reason` says whose doing that is."""

    total: float | None
    passed: bool
    dimensions: dict[str, DimensionScore] = field(default_factory=dict)
    missing_reason: MissingReason | None = None
    error_type: str | None = None
    error_message: str | None = None

    @property
    def missing(self) -> bool:
        return self.missing_reason is not None


def score_item(
    rubric: RubricSpec,
    case: ScoredCase,
    execution: Executed,
    *,
    tool_calls: tuple[str, ...] | None = None,
    asked: Mapping[str, DimensionScore] | None = None,
) -> ItemScore:
    """The weighted total over all dimensions, in [0, 1].

    A fault of provider or runtime, or a scorer that fails on any dimension, makes the item missing: never 0. The
    agent's own error (no output and an output over `MAX_TEXT_CHARACTERS` count as one) is scored by `on_error`.
    tool_calls: the names of the tools called, in order; None where nobody reported them.
    asked: the scores of the dimensions that ask a model (see `judging`); one that is not there was not asked.
    """
    answer = answer_of(execution, tool_calls)
    if answer is None:
        return _unanswered(rubric, execution)
    given = asked or {}
    scores = {
        dimension.name: given.get(dimension.name) or _score_dimension(dimension, case, answer)
        for dimension in rubric.dimensions
    }
    parts = [
        rubric.weights[name] * dimension.score for name, dimension in scores.items() if dimension.score is not None
    ]
    if len(parts) < len(scores):
        failed = next(name for name, dimension in scores.items() if dimension.score is None)
        return ItemScore(None, False, scores, "scorer", "scorer_failed", f"{failed}: {scores[failed].error}")
    total = min(1.0, max(0.0, math.fsum(parts)))
    return ItemScore(total, passes(rubric, total), scores)


def answer_of(execution: Executed, tool_calls: tuple[str, ...] | None = None) -> Answer | None:
    """What scorers look at; None where there is no answer to look at."""
    if execution.error is not None or execution.output is None or len(execution.output) > MAX_TEXT_CHARACTERS:
        return None
    return Answer(execution.output, execution.latency_ms, execution.cost_nano_usd, tool_calls)


def scored(dimension: Dimension, verdict: Verdict) -> DimensionScore:
    """A dimension's score; a verdict outside of [0, 1] is the scorer's failure."""
    if not isinstance(verdict.score, int | float) or not 0.0 <= verdict.score <= 1.0:
        return failed_score(dimension, f"score {verdict.score!r} is not in [0, 1]")
    return DimensionScore(float(verdict.score), short(verdict.explanation), dimension.label)


def failed_score(dimension: Dimension, error: str) -> DimensionScore:
    """No score, and why."""
    return DimensionScore(None, "the scorer failed", dimension.label, short(error))


def passes(rubric: RubricSpec, total: float) -> bool:
    """Whether a total reaches the rubric's threshold."""
    return total >= rubric.threshold - THRESHOLD_SLACK


def _score_dimension(dimension: Dimension, case: ScoredCase, answer: Answer) -> DimensionScore:
    try:
        verdict = dimension.built.score(case, answer)
    except ScorerError as error:
        return DimensionScore(None, "could not be scored", dimension.label, short(str(error)))
    except Exception as error:  # noqa: BLE001 - an installed package's scorer may raise anything; the item is missing
        return failed_score(dimension, f"{type(error).__name__}: {error}")
    return scored(dimension, verdict)


def _unanswered(rubric: RubricSpec, execution: Executed) -> ItemScore:
    fault = execution.error
    if fault is not None and fault.missing:
        return _missing("provider", fault.type, fault.message)
    if fault is not None:
        return _agent_error(rubric, fault.type, fault.message)
    if execution.output is None:
        return _agent_error(rubric, "no_output", "the agent answered nothing")
    return _agent_error(rubric, "output_too_long", f"the output is longer than {MAX_TEXT_CHARACTERS} characters")


def _agent_error(rubric: RubricSpec, error_type: str, message: str) -> ItemScore:
    if rubric.on_error == "exclude":
        return _missing("agent_error", error_type, message)
    explanation = short(f"agent error {error_type}: {message}")
    scores = {dimension.name: DimensionScore(0.0, explanation, dimension.label) for dimension in rubric.dimensions}
    # A threshold of 0 must not turn an error into a success.
    return ItemScore(0.0, False, scores, None, error_type, short(message))


def _missing(reason: MissingReason, error_type: str, message: str) -> ItemScore:
    return ItemScore(None, False, {}, reason, error_type, short(message))


def short(text: str) -> str:
    """As much of an explanation, or of an error, as a score keeps."""
    cut = text if len(text) <= EXPLANATION_CHARACTERS else f"{text[: EXPLANATION_CHARACTERS - 1]}…"
    return printable(cut)
