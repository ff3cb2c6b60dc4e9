"""Rubrics and objectives tried on examples, before or after they are saved. Pure."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from spectral.domains.evaluations.errors import PreviewTooSlowError
from spectral.domains.evaluations.guards import guard_series
from spectral.domains.evaluations.objectives import ObjectiveSpec, objective_value
from spectral.domains.evaluations.scorers.base import ScoredCase
from spectral.domains.evaluations.scoring import DimensionScore, ItemScore, RubricSpec, score_item
from spectral.platform.shared.money import NANO_PER_USD


@dataclass(frozen=True, slots=True)
class ExampleFault:
    """The agent's own error in an example; an example has no provider that could fail."""

    type: str
    message: str
    missing: bool = False


@dataclass(frozen=True, slots=True)
class Example:
    """An answer to score, with what was asked and expected."""

    case: ScoredCase
    output: str | None
    error: ExampleFault | None
    latency_ms: float
    cost_nano_usd: int | None
    tool_calls: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Scores:
    """The scores of examples, in their order. cost_nano_usd: of asking models; None where a price is unknown."""

    cases: Sequence[ItemScore]
    weights: Mapping[str, float]
    threshold: float
    cost_nano_usd: int | None = 0

    @property
    def totals(self) -> list[float]:
        return [case.total for case in self.cases if case.total is not None]

    @property
    def scored(self) -> int:
        return len(self.totals)

    @property
    def missing(self) -> int:
        return len(self.cases) - self.scored

    @property
    def passed(self) -> int:
        return sum(case.passed for case in self.cases)

    @property
    def mean_total(self) -> float | None:
        return sum(self.totals) / len(self.totals) if self.totals else None


@dataclass(frozen=True, slots=True)
class MeasuredExample:
    """One side of a pair, as somebody measured it."""

    total: float | None
    dimensions: Mapping[str, DimensionScore]
    error_type: str | None
    latency_ms: float
    cost_nano_usd: int | None
    feedback: float | None = None

    @property
    def missing(self) -> bool:
        return self.total is None


@dataclass(frozen=True, slots=True)
class PairValue:
    """The objective's value of both sides; None where a side is missing."""

    champion: float | None
    challenger: float | None

    @property
    def difference(self) -> float | None:
        if self.champion is None or self.challenger is None:
            return None
        return self.challenger - self.champion


@dataclass(frozen=True, slots=True)
class GuardPreview:
    """A guard's slack on pairs, as a point estimate."""

    name: str
    unit: Literal["ms", "usd", "score", "error"]
    statistic: Literal["mean", "p95"]
    slack: float | None
    holds: bool
    pairs: int
    missing: int


@dataclass(frozen=True, slots=True)
class ObjectivePreview:
    """What an objective makes of pairs."""

    pairs: Sequence[PairValue]
    weights: Mapping[str, float]
    minimum_effect: float
    guards: Sequence[GuardPreview] = field(default_factory=tuple)

    @property
    def differences(self) -> list[float]:
        return [pair.difference for pair in self.pairs if pair.difference is not None]

    @property
    def missing(self) -> int:
        return len(self.pairs) - len(self.differences)

    @property
    def mean_difference(self) -> float | None:
        return sum(self.differences) / len(self.differences) if self.differences else None


def score_examples(rubric: RubricSpec, examples: Sequence[Example], *, seconds: float) -> Scores:
    """Every example scored. Raises PreviewTooSlowError (400) once it has taken longer than `seconds`."""
    started = time.monotonic()
    cases: list[ItemScore] = []
    for example in examples:
        if time.monotonic() - started > seconds:
            raise PreviewTooSlowError(
                f"Scoring {len(cases)} of {len(examples)} cases took over {seconds:g} s; send fewer or shorter ones"
            )
        cases.append(score_item(rubric, example.case, example, tool_calls=example.tool_calls))
    return Scores(cases, rubric.weights, rubric.threshold)


def preview_objective(
    spec: ObjectiveSpec, pairs: Sequence[tuple[MeasuredExample, MeasuredExample]]
) -> ObjectivePreview:
    """The objective's values and its guards' slack over (champion, challenger) pairs."""
    guards = []
    for guard in spec.guards:
        series = guard_series(guard, pairs)
        slack = float(series.slack()) if series.kept else None
        money = series.unit == "nano_usd"
        guards.append(
            GuardPreview(
                name=series.name,
                unit="usd" if series.unit == "nano_usd" else series.unit,
                statistic=series.statistic,
                slack=slack / NANO_PER_USD if money and slack is not None else slack,
                holds=series.holds(),
                pairs=len(series.kept),
                missing=series.missing,
            )
        )
    return ObjectivePreview(
        pairs=[
            PairValue(
                objective_value(spec, champion, feedback=ours), objective_value(spec, challenger, feedback=theirs)
            )
            for champion, challenger in pairs
            for ours, theirs in [_both(champion.feedback, challenger.feedback)]
        ],
        weights={term.source: weight for term, weight in zip(spec.terms, spec.weights, strict=True)},
        minimum_effect=spec.minimum_effect,
        guards=guards,
    )


def _both(ours: float | None, theirs: float | None) -> tuple[float | None, float | None]:
    """Feedback on both sides or on none: what only one side has would be compared with nothing."""
    return (None, None) if ours is None or theirs is None else (ours, theirs)
