"""A stored trace as a rubric sees it, and who scores it."""

import asyncio
from dataclasses import dataclass
from typing import Protocol

from spectral.domains.evaluations.previews import ExampleFault
from spectral.domains.evaluations.scorers.base import ScoredCase
from spectral.domains.evaluations.scorers.usage import Cost, Latency, ToolCalled
from spectral.domains.evaluations.scoring import ItemScore, RubricSpec, score_item
from spectral.domains.traces.evaluated import TraceContent
from spectral.domains.traces.models import Trace
from spectral.domains.traces.vocabulary import SpanStatus

NANOSECONDS_A_MILLISECOND = 1_000_000
USAGE_SCORERS = (Cost, Latency, ToolCalled)
NO_CONTENT = "no_content"


@dataclass(frozen=True, slots=True)
class TraceCase:
    """A trace as an execution that can be scored.

    output: None where its spans came without content, which is nobody's answer: it is not scored as one.
    """

    case: ScoredCase
    output: str | None
    error: ExampleFault | None
    latency_ms: float
    cost_nano_usd: int | None
    tool_calls: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ScoredTrace:
    """What came of scoring. cost_nano_usd: None where it is unknown.  asked: whether a scorer was asked at all."""

    score: ItemScore
    missing_reason: str | None
    cost_nano_usd: int | None
    asked: bool = True

    @classmethod
    def failed(cls, reason: str, error_type: str, message: str) -> "ScoredTrace":
        """No score, and no scorer was asked."""
        return cls(ItemScore(None, False, {}, "scorer", error_type, message[:1000]), reason, 0, asked=False)

    def spent_of(self, reserved_nano_usd: int, attempts: int) -> int:
        """What the day's budget has lost for good: all of an attempt that was interrupted or whose cost is unknown.

        attempts: how many were begun, each with an equal part of what is reserved.
        """
        if not attempts:
            return self.cost_nano_usd or 0
        if not self.asked:
            return reserved_nano_usd
        attempt = reserved_nano_usd // attempts
        return reserved_nano_usd - attempt + (attempt if self.cost_nano_usd is None else self.cost_nano_usd)


class ArrivalScorer(Protocol):
    """Scores traces with rubrics."""

    def ceiling(self, rubric: RubricSpec) -> int | None:
        """What scoring one trace costs at most, in nano-USD; None where a price is unknown."""
        ...

    async def score(self, rubric: RubricSpec, case: TraceCase) -> ScoredTrace:
        """One trace scored; with no transaction open."""
        ...


class InProcessScorer:
    """Scores with the installed scorers, which run in this process and cost nothing."""

    def ceiling(self, rubric: RubricSpec) -> int | None:
        del rubric
        return 0

    async def score(self, rubric: RubricSpec, case: TraceCase) -> ScoredTrace:
        if case.output is None and case.error is None:
            return ScoredTrace.failed("content", NO_CONTENT, "the spans came without content")
        score = await asyncio.to_thread(score_item, rubric, case.case, case, tool_calls=case.tool_calls)
        return ScoredTrace(score, score.missing_reason, 0)


def read_case(rubric: RubricSpec, trace: Trace, content: TraceContent) -> TraceCase:
    """The trace as the rubric sees it: a failed root is the agent's own error; latency is the whole trace's."""
    error = None
    if trace.status == SpanStatus.ERROR:
        error = ExampleFault(trace.error_type or "error", "the trace failed")
    output = content.output
    if output is None and all(isinstance(dimension.built, USAGE_SCORERS) for dimension in rubric.dimensions):
        # Time, money and tools can be judged without knowing what was said.
        output = ""
    return TraceCase(
        case=ScoredCase(content.input),
        output=output,
        error=error,
        latency_ms=trace.duration_ns / NANOSECONDS_A_MILLISECOND,
        cost_nano_usd=trace.cost_nano_usd,
        tool_calls=content.tool_calls,
    )
