"""Scorers of what an answer took: time, money, tools."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from spectral.domains.evaluations.scorers.base import Answer, ScoredCase, Scorer, ScorerError, UsdOption, Verdict
from spectral.platform.shared.money import nano_to_usd

ToolName = Annotated[str, Field(min_length=1, max_length=200)]


class Latency(Scorer):
    """1 up to `target_ms`, 0 from `limit_ms` on, a straight line in between."""

    version: ClassVar[str] = "1"

    target_ms: float = Field(ge=0)
    limit_ms: float = Field(gt=0)

    @model_validator(mode="after")
    def in_order(self) -> Self:
        """Refuses a line that does not fall."""
        if self.limit_ms <= self.target_ms:
            message = "limit_ms must be above target_ms"
            raise ValueError(message)
        return self

    def score(self, case: ScoredCase, answer: Answer) -> Verdict:
        del case
        return Verdict(falling(answer.latency_ms, self.target_ms, self.limit_ms), f"took {answer.latency_ms:.1f} ms")


class Cost(Scorer):
    """1 up to `target_usd`, 0 from `limit_usd` on, a straight line in between; an unknown cost cannot be scored."""

    version: ClassVar[str] = "1"

    target_usd: UsdOption
    limit_usd: UsdOption

    @model_validator(mode="after")
    def in_order(self) -> Self:
        """Refuses a line that does not fall."""
        if self.limit_usd <= self.target_usd:
            message = "limit_usd must be above target_usd"
            raise ValueError(message)
        return self

    def score(self, case: ScoredCase, answer: Answer) -> Verdict:
        del case
        if answer.cost_nano_usd is None:
            message = "the cost of this answer is unknown"
            raise ScorerError(message)
        return Verdict(
            falling(answer.cost_nano_usd, self.target_usd, self.limit_usd),
            f"cost {nano_to_usd(answer.cost_nano_usd)} USD",
        )


class ToolCalled(Scorer):
    """Whether the answer was made with these tools.

    `all`: the share of them that were called; `any`: 1 when one was; `none`: 1 when none was; `sequence`: 1 when they
    were called in this order, other calls in between allowed. Where nobody reported tool calls it cannot be scored.
    """

    version: ClassVar[str] = "1"

    tools: tuple[ToolName, ...] = Field(min_length=1, max_length=50)
    mode: Literal["all", "any", "none", "sequence"] = "all"

    def score(self, case: ScoredCase, answer: Answer) -> Verdict:
        del case
        if answer.tool_calls is None:
            message = "the tool calls of this answer were not reported"
            raise ScorerError(message)
        called = set(answer.tool_calls) & set(self.tools)
        explanation = f"called {len(called)} of {len(set(self.tools))} tools, in {len(answer.tool_calls)} calls"
        if self.mode == "sequence":
            calls = iter(answer.tool_calls)
            in_order = all(tool in calls for tool in self.tools)
            return Verdict(
                1.0 if in_order else 0.0, f"{explanation}, {'in' if in_order else 'not in'} the wanted order"
            )
        if self.mode == "all":
            return Verdict(len(called) / len(set(self.tools)), explanation)
        return Verdict(1.0 if bool(called) == (self.mode == "any") else 0.0, explanation)


def falling(value: float, target: float, limit: float) -> float:
    """1 up to `target`, 0 from `limit` on, linear in between."""
    return min(1.0, max(0.0, (limit - value) / (limit - target)))
