"""A stored trace as a rubric sees it, and who scores it."""

from dataclasses import dataclass
from typing import Protocol

from spectral.domains.evaluations.judgements import UnrecordedJudgements
from spectral.domains.evaluations.judging import ATTEMPTS, Judging, judging_ceiling
from spectral.domains.evaluations.previews import ExampleFault
from spectral.domains.evaluations.scorers.base import ScoredCase
from spectral.domains.evaluations.scorers.usage import Cost, Latency, ToolCalled
from spectral.domains.evaluations.scoring import ItemScore, RubricSpec
from spectral.domains.traces.evaluated import TraceContent
from spectral.domains.traces.models import Trace
from spectral.domains.traces.vocabulary import SpanStatus
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.llm.door import ModelDoor
from spectral.platform.llm.errors import UnknownModelError

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

    async def score(self, rubric: RubricSpec, case: TraceCase, *, access: WorkspaceAccess, subject: str) -> ScoredTrace:
        """One trace scored, paid for by the workspace; with no transaction open."""
        ...


class RubricScorer:
    """Scores with the installed scorers, and asks models through the door where a rubric does.

    What models say is not journalled: the trace's score is the row that is claimed before and written once.
    """

    def __init__(self, door: ModelDoor) -> None:
        self._door = door

    def ceiling(self, rubric: RubricSpec) -> int | None:
        try:
            ceiling = judging_ceiling(rubric, self._door)
        except UnknownModelError:
            # It will not be called, and the trace's score says why.
            return 0
        return None if ceiling is None else ATTEMPTS * ceiling

    async def score(self, rubric: RubricSpec, case: TraceCase, *, access: WorkspaceAccess, subject: str) -> ScoredTrace:
        if case.output is None and case.error is None:
            return ScoredTrace.failed("content", NO_CONTENT, "the spans came without content")
        ledger = UnrecordedJudgements()
        judging = Judging(rubric, self._door, access, subject, ledger)
        (score,) = await judging.score_items([case.case], [case], [case.tool_calls])
        return ScoredTrace(score, score.missing_reason, ledger.cost_nano_usd)


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
