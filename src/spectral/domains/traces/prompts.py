"""What agents were seen to send to their models, in the caller's transaction."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.traces.bodies import SpanBody, span_bodies
from spectral.domains.traces.mapping import SpanMapper
from spectral.domains.traces.models import SpanRecord, Trace
from spectral.domains.traces.repository import TraceRepository
from spectral.domains.traces.vocabulary import LIVE, Kind
from spectral.platform.access.principal import WorkspaceAccess


@dataclass(frozen=True, slots=True)
class ObservedPrompt:
    """The first model call of a trace.

    messages: as (role, text); None where its content did not come, or is more than text.  model: as the span names it,
    with its provider before it where that is known.  variables: what the instrumentation says was filled in.
    """

    messages: tuple[tuple[str, str], ...] | None
    model: str | None
    variables: Mapping[str, str]


class ObservedPrompts:
    """The prompts of one workspace's traces."""

    def __init__(self, session: AsyncSession, access: WorkspaceAccess, mapper: SpanMapper) -> None:
        self._session = session
        self._access = access
        self._mapper = mapper
        self._traces = TraceRepository(session, access)

    async def latest(self, agent_names: Collection[str], limit: int) -> list[bytes]:
        """The ids of the newest live traces of an agent, whatever of these names they know it by."""
        statement = (
            sa.select(Trace.trace_id)
            .where(
                Trace.workspace_id == self._access.workspace_id,
                Trace.agent_id.in_(agent_names),
                Trace.mode == LIVE,
                Trace.span_count > 0,
            )
            .order_by(Trace.started_at.desc(), Trace.trace_id)
            .limit(limit)
        )
        return list((await self._session.scalars(statement)).all())

    async def existing(self, trace_ids: Collection[bytes]) -> set[bytes]:
        """Those of these traces that the workspace has."""
        statement = sa.select(Trace.trace_id).where(
            Trace.workspace_id == self._access.workspace_id, Trace.trace_id.in_(trace_ids), Trace.span_count > 0
        )
        return set((await self._session.scalars(statement)).all())

    async def read(self, trace_ids: Sequence[bytes]) -> list[ObservedPrompt]:
        """The first model call of each of these traces, in their order; a trace without one is left out."""
        columns = (
            SpanRecord.trace_id,
            SpanRecord.span_id,
            SpanRecord.started_at,
            SpanRecord.model,
            SpanRecord.provider,
        )
        statement = (
            sa.select(*columns)
            .where(
                SpanRecord.workspace_id == self._access.workspace_id,
                SpanRecord.trace_id.in_(trace_ids),
                SpanRecord.kind == Kind.LLM,
            )
            .order_by(SpanRecord.started_at + 0, SpanRecord.span_id)
        )
        first: dict[bytes, Any] = {}
        for row in await self._session.execute(statement):
            first.setdefault(row.trace_id, row)
        prompts = []
        for trace_id in trace_ids:
            if trace_id not in first:
                continue
            call = first[trace_id]
            chunks = await self._traces.list_chunks(trace_id)
            bodies = await asyncio.to_thread(span_bodies, chunks, frozenset({call.span_id}), self._mapper)
            if call.span_id in bodies:
                prompts.append(_prompt(bodies[call.span_id], call.provider, call.model))
        return prompts


def _prompt(body: SpanBody, provider: str | None, model: str | None) -> ObservedPrompt:
    name = model if model is None or provider is None or "/" in model else f"{provider}/{model}"
    said = body.prompt_variables if isinstance(body.prompt_variables, Mapping) else {}
    variables = {str(key): value for key, value in said.items() if isinstance(value, str)}
    return ObservedPrompt(_messages(body.input), name, variables)


def _messages(content: Any) -> tuple[tuple[str, str], ...] | None:
    if isinstance(content, str):
        return (("user", content),)
    if not isinstance(content, list):
        return None
    messages = []
    for each in content:
        if not isinstance(each, Mapping) or not isinstance(each.get("content"), str) or each.get("tool_calls"):
            return None
        messages.append((str(each.get("role")), each["content"]))
    return tuple(messages) or None
