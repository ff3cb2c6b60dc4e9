"""Which instrumentations send model calls without their content: counted at ingestion, so that somebody can be told.

Counts are kept by instrumentation scope: [model calls, of them without content]. Content that comes as log events
lowers the second, in the minute in which it comes.
"""

from collections.abc import Iterable, Mapping

from spectral.domains.traces.vocabulary import Kind, MappedSpan

MAXIMUM_SCOPES = 64
"""Kept apart in one minute of one workspace; further ones are not counted."""

MAXIMUM_SCOPE_NAME = 128

MODEL_CALL = Kind.LLM.value
"""The kind of spans that are counted. Not embeddings: no instrumentation records what it embeds, told to or not."""

ContentCounts = dict[str, list[int]]


def count_content(counts: ContentCounts, scope: str, span: MappedSpan) -> None:
    """Count a model call."""
    _add(counts, scope, 1, 1 if span.input is None and span.output is None else 0)


def count_events(counts: ContentCounts, spans_by_scope: Mapping[str, int]) -> None:
    """Count log events, by how many spans each scope brought content for."""
    for scope, spans in spans_by_scope.items():
        _add(counts, scope, 0, -spans)


def add_content(counts: ContentCounts, others: Mapping[str, Iterable[int]]) -> None:
    """Add counts to counts."""
    for scope, (calls, without) in others.items():
        _add(counts, scope, calls, without)


def _add(counts: ContentCounts, scope: str, calls: int, without: int) -> None:
    known = counts.get(scope)
    if known is None:
        name = scope[:MAXIMUM_SCOPE_NAME].replace("\x00", "\ufffd")
        known = counts.get(name)
        if known is None:
            if len(counts) >= MAXIMUM_SCOPES:
                return
            known = counts[name] = [0, 0]
    known[0] += calls
    known[1] += without
