"""Whether a trace fits an expression about what was sent, and which of its spans made it fit."""

from collections.abc import Iterator, Sequence

import sqlalchemy as sa

from spectral.domains.traces.ingestion.chunks import CODEC_ZSTD_OTLP, chunk_message, winners
from spectral.domains.traces.mapping import SpanMapper
from spectral.domains.traces.search.deep_terms import DeepPart, spans_that_fit
from spectral.domains.traces.search.filter_compiler import FilterCompiler
from spectral.domains.traces.search.filter_expression import All, Node, Term, is_deep, terms_of
from spectral.domains.traces.search.trace_batches import Candidate

SHOWN_SPANS = 100
"""So many of a trace's matching spans are named."""

Matched = dict[Term, set[bytes]]


class DeepMatcher:
    """The deep part of one expression: its conjuncts with deep terms. The others are conditions of SQL already."""

    def __init__(self, expression: Node | None, mapper: SpanMapper) -> None:
        self._mapper = mapper
        self._shallow: dict[Term, int] = {}
        nodes = [node for node in _conjuncts(expression) if is_deep(node)]
        for node in nodes:
            for term in terms_of(node):
                if not term.is_deep:
                    self._shallow.setdefault(term, len(self._shallow))
        self._parts = [DeepPart(node, self._shallow.__getitem__) for node in nodes]
        self._terms = {term: deep for part in self._parts for term, deep in part.terms.items()}

    def facts(self, compiler: FilterCompiler) -> list[sa.Label[bool]]:
        """Columns that say of a trace whether each of the terms holds that are not deep."""
        return [compiler.holds(term).label(f"fact_{number}") for term, number in self._shallow.items()]

    def match_all(self, candidates: Sequence[Candidate], limit: int) -> list[list[bytes] | None]:
        """For each trace the spans that made it fit, or None where it does not, until so many fit.

        Takes long: for a thread.
        """
        found: list[list[bytes] | None] = []
        for candidate in candidates:
            found.append(self.match(candidate))
            limit -= found[-1] is not None
            if not limit:
                break
        return found

    def match(self, candidate: Candidate) -> list[bytes] | None:
        """The spans that made a trace fit, 100 at most, or None."""
        matched: Matched = {}
        for payload, codec in candidate.chunks:
            # Chunks of other codecs hold log events; the span that they belong to is not told without its own chunk.
            if self._terms and codec == CODEC_ZSTD_OTLP:
                for term, spans in spans_that_fit(chunk_message(payload, codec), self._terms).items():
                    matched.setdefault(term, set()).update(spans)
        if matched and len(candidate.chunks) > 1:
            matched = self._of_winners(candidate.chunks, matched)
        if not all(part.holds(matched, candidate.facts) for part in self._parts):
            return None
        return sorted({span for spans in matched.values() for span in spans})[:SHOWN_SPANS]

    def _of_winners(self, chunks: list[tuple[bytes, int]], matched: Matched) -> Matched:
        """The same without copies of spans that lost against others: nobody sees those."""
        kept: Matched = {}
        for span_id, (_, raw) in winners(chunks, self._mapper).items():
            for term, spans in matched.items():
                if span_id in spans and self._terms[term].fits(raw.span, raw.resource):
                    kept.setdefault(term, set()).add(span_id)
        return kept


def _conjuncts(node: Node | None) -> Iterator[Node]:
    if isinstance(node, All):
        for part in node.parts:
            yield from _conjuncts(part)
    elif node is not None:
        yield node
