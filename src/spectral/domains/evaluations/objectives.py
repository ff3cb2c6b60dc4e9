"""What to optimise for: one number per item out of quality, cost and latency, and the guards a gain must not break.

Pure. The objective of an item is

    value = Σ wᵢ · vᵢ   with Σ wᵢ = 1,   vᵢ ∈ [0, 1],   larger is better

    rubric    v = the rubric's total
    cost      v = scale ÷ (scale + cost)
    latency   v = scale ÷ (scale + latency)
    feedback  v = what people said of the answer, 0 to 1

`scale` is the cost or latency that is worth one half: smooth, never negative, and a change far from the scale counts
little. Where nobody said anything of an answer its value is that of the other terms, with their weights scaled up to 1:
the answers of scans and experiments are made for them and have no feedback, those of live traffic may have some. An
objective is a flat list of terms; it cannot refer to another objective, so there are no cycles. An item that ended in
the agent's own error has the value 0 as a whole, or failing fast and cheaply would pay.
"""

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Annotated, Literal, Protocol, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from spectral.domains.evaluations.guards import Guard, guarded_dimensions
from spectral.domains.evaluations.scorers.base import UsdOption
from spectral.domains.evaluations.unions import UNTAGGED

DEFAULT_MINIMUM_EFFECT = 0.01

Weight = Annotated[float, Field(gt=0, le=1e6, description="relative to the other terms' weights")]


class _Term(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, hide_input_in_errors=True)


class RubricTerm(_Term):
    """The rubric's total counts."""

    source: Literal["rubric"]
    weight: Weight = 1.0


class CostTerm(_Term):
    """Cheap calls count; `scale_usd` is the cost of a call that is worth one half."""

    source: Literal["cost"]
    weight: Weight = 1.0
    scale_usd: Annotated[UsdOption, Field(gt=0)]


class LatencyTerm(_Term):
    """Fast answers count; `scale_ms` is the latency that is worth one half."""

    source: Literal["latency"]
    weight: Weight = 1.0
    scale_ms: float = Field(gt=0, le=1e9)


class FeedbackTerm(_Term):
    """What people say of answers counts, where they said something."""

    source: Literal["feedback"]
    weight: Weight = 1.0


Term = Annotated[RubricTerm | CostTerm | LatencyTerm | FeedbackTerm, Field(discriminator="source"), UNTAGGED]


class ObjectiveSpec(BaseModel):
    """Weighted terms, guards, and the smallest effect that is worth having (on the scale of the objective's value)."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, hide_input_in_errors=True)

    terms: Annotated[Sequence[Term], AfterValidator(tuple)] = Field(
        default_factory=lambda: (RubricTerm(source="rubric"),),
        min_length=1,
        max_length=4,
        description="the rubric's total alone when left out",
    )
    guards: Annotated[Sequence[Guard], AfterValidator(tuple)] = Field(default=(), max_length=20)
    minimum_effect: float = Field(default=DEFAULT_MINIMUM_EFFECT, ge=0, lt=1)

    @model_validator(mode="after")
    def told_apart(self) -> Self:
        """Refuses two terms of one source and two guards of one name."""
        sources = [term.source for term in self.terms]
        if len(set(sources)) < len(sources):
            message = "each source may have one term"
            raise ValueError(message)
        if sources == ["feedback"]:
            message = "feedback alone has no value for an answer that nobody has seen; add another term"
            raise ValueError(message)
        names = [guard.name for guard in self.guards]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            message = f"guard {twice[0]!r} is there twice"
            raise ValueError(message)
        return self

    @cached_property
    def weights(self) -> tuple[float, ...]:
        """Each term's share, in the order of `terms`; the shares sum to 1."""
        total = math.fsum(term.weight for term in self.terms)
        return tuple(term.weight / total for term in self.terms)

    @property
    def dimensions(self) -> frozenset[str]:
        """The rubric dimensions that the guards name."""
        return frozenset(guarded_dimensions(self.guards))

    @property
    def needs_cost(self) -> bool:
        """Whether a call of unknown cost makes an item missing."""
        return any(term.source == "cost" for term in self.terms)


class MeasuredItem(Protocol):
    """What an objective reads of one measured item."""

    @property
    def total(self) -> float | None: ...
    @property
    def missing(self) -> bool: ...
    @property
    def error_type(self) -> str | None: ...
    @property
    def cost_nano_usd(self) -> int | None: ...
    @property
    def latency_ms(self) -> float: ...


def objective_value(spec: ObjectiveSpec, measured: MeasuredItem, *, feedback: float | None = None) -> float | None:
    """The item's value in [0, 1], or None where it is missing: not measured, or a term's cost is unknown.

    feedback: what people said of the answer, 0 to 1; None where nobody did.
    """
    if measured.missing or measured.total is None:
        return None
    if measured.error_type is not None:
        return 0.0
    parts = []
    left_out = 0.0
    for term, weight in zip(spec.terms, spec.weights, strict=True):
        if isinstance(term, FeedbackTerm) and feedback is None:
            left_out = weight
            continue
        value = feedback if isinstance(term, FeedbackTerm) else _term_value(term, measured, measured.total)
        if value is None:
            return None
        parts.append(weight * value)
    return min(1.0, max(0.0, math.fsum(parts) / (1.0 - left_out)))


def _term_value(term: RubricTerm | CostTerm | LatencyTerm, measured: MeasuredItem, total: float) -> float | None:
    if isinstance(term, RubricTerm):
        return total
    if isinstance(term, CostTerm):
        cost = measured.cost_nano_usd
        return None if cost is None else term.scale_usd / (term.scale_usd + cost)
    return term.scale_ms / (term.scale_ms + measured.latency_ms)
