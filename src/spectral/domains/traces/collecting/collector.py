"""Samples made of traces: what was asked, what should be answered, and whose session it was."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.agents.runtime import ExecutionMode
from spectral.domains.samples.drafts import Draft, measure, read_draft
from spectral.domains.samples.intake import Newcomer
from spectral.domains.samples.transfer import Receipt, SampleImport
from spectral.domains.traces.collecting.schemas import ExpectedFrom, TraceCollectionIn
from spectral.domains.traces.evaluated import EvaluatedTraces
from spectral.domains.traces.mapping import SpanMapper
from spectral.domains.traces.models import Trace, TraceFeedback
from spectral.domains.traces.repository import FeedbackRepository
from spectral.domains.traces.search.filter_expression import All, Node, is_deep, parse_filter
from spectral.domains.traces.search.trace_filter import NEWEST_FIRST, TraceFilter
from spectral.domains.traces.service import TraceService
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.shared.errors import FieldError, ValidationFailedError
from spectral.platform.shared.pagination import Page

READ_AT_ONCE = 50
CORRECTIONS = frozenset({"expected", "correction"})
CONTENT_SCORE = 0.5
LIVE = cast("Node", parse_filter(f'mode != "{ExecutionMode.EVALUATION}"'))
KEPT = ("session_id", "user_id", "agent_id", "agent_version")


@dataclass(slots=True)
class Collected:
    """What became of the traces: a receipt of their samples, and how many made none, by reason."""

    receipt: Receipt = field(default_factory=Receipt)
    left_out: Counter[str] = field(default_factory=Counter)


class TraceCollector:
    """Makes samples of one workspace's traces; some traces are read, then stored, before the next are read."""

    def __init__(self, database: Database, access: WorkspaceAccess, mapper: SpanMapper) -> None:
        self._database = database
        self._access = access
        self._mapper = mapper
        self._import = SampleImport(database, access)

    async def collect(self, set_id: UUID, wanted: TraceCollectionIn) -> Collected:
        """Traces of evaluations are left out: an agent must not be measured by what it said when it was measured.

        Raises NotFoundError for the set, ValidationFailedError (422), SampleSetFullError (400).
        """
        collected = Collected()
        pages = self._filtered(wanted) if wanted.trace_ids is None else _parts(wanted.trace_ids)
        async for trace_ids in pages:
            drafts = await self._read(trace_ids, wanted.expected_from, collected.left_out)
            measured = await asyncio.to_thread(measure, drafts)
            newcomers = [Newcomer(f"trace {one.draft.source_trace_id}", one) for one in measured]
            await self._import.admit(set_id, newcomers, collected.receipt, split=wanted.split)
        return collected

    async def _filtered(self, wanted: TraceCollectionIn) -> AsyncIterator[list[bytes]]:
        expression = parse_filter(wanted.filter, "/filter")
        if is_deep(expression):
            detail = "searches what was sent, which only the list of traces does; send its trace_ids"
            raise ValidationFailedError("The request is not valid", [FieldError("/filter", detail)])
        asked = TraceFilter(expression=LIVE if expression is None else All((expression, LIVE)))
        cursor: str | None = None
        left = wanted.limit
        while left > 0:
            async with self._database.transaction(self._access, read_only=True) as session:
                service = TraceService(session, self._access, self._mapper)
                page = await service.list_traces(asked, NEWEST_FIRST, Page(limit=min(left, READ_AT_ONCE)), cursor)
            if page.rows:
                yield [trace.trace_id for trace in page.rows]
            left -= len(page.rows)
            cursor = page.next_cursor
            if cursor is None:
                return

    async def _read(
        self, trace_ids: Sequence[bytes], expected_from: ExpectedFrom, left_out: Counter[str]
    ) -> list[Draft]:
        drafts: list[Draft] = []
        async with self._database.transaction(self._access, read_only=True) as session:
            evaluated = EvaluatedTraces(session, self._access, self._mapper)
            traces = await evaluated.find(trace_ids)
            left_out["not_found"] += len(set(trace_ids)) - len(traces)
            for trace in traces:
                members, why_not = await self._members(session, evaluated, trace, expected_from)
                draft = None if members is None else read_draft(members, "")[0]
                if draft is not None:
                    drafts.append(draft)
                else:
                    left_out[why_not or "unusable"] += 1
        return drafts

    async def _members(
        self, session: AsyncSession, evaluated: EvaluatedTraces, trace: Trace, expected_from: ExpectedFrom
    ) -> tuple[dict[str, Any] | None, str | None]:
        """The sample that the trace is, or why it is none."""
        if trace.mode == ExecutionMode.EVALUATION:
            return None, "evaluation"
        content = await evaluated.read_content(trace.trace_id)
        if content.input is None:
            return None, "no_input"
        expected: str | None = None
        if expected_from == "output":
            expected = content.output
        elif expected_from == "feedback":
            repository = FeedbackRepository(session, self._access)
            given = await repository.find_all(TraceFeedback.trace_id == trace.trace_id)
            expected = _said(given, content.output)
        if expected is None and expected_from != "none":
            return None, "no_expected"
        known = {name: getattr(trace, name) for name in KEPT}
        return {
            "input": content.input,
            "expected": expected,
            "metadata": {name: value for name, value in known.items() if value},
            "source_trace_id": trace.trace_id.hex(),
        }, None


def _said(feedback: Sequence[TraceFeedback], output: str | None) -> str | None:
    """What people say is right; feedback: the oldest first."""
    for one in reversed(feedback):
        corrected = (one.comment or one.label) if one.name in CORRECTIONS else None
        if corrected:
            return corrected
    scored = [one.score for one in feedback if one.score is not None]
    return output if scored and scored[-1] >= CONTENT_SCORE else None


async def _parts(trace_ids: Sequence[str]) -> AsyncIterator[list[bytes]]:
    different = list(dict.fromkeys(trace_ids))
    for start in range(0, len(different), READ_AT_ONCE):
        yield [bytes.fromhex(one) for one in different[start : start + READ_AT_ONCE]]
