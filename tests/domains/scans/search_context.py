"""A scan as a strategy sees it, held in memory: the real local runtime, the real rendering, an exact label match."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from spectral.domains.agents.config import ConfigDocument, PromptRenderer, apply_changes, canonical_hash
from spectral.domains.scans.strategies.base import (
    Candidate,
    Outcome,
    ReflectItem,
    SearchDimension,
    SearchExhausted,
    SearchStopped,
)
from spectral.platform.llm.calls import ModelReply, ModelRequest
from spectral.platform.llm.local.provider import LocalProvider


class MemoryContext:
    """Counts what is asked for the first time, like a scan's budget does, and keeps a record of every call."""

    def __init__(
        self,
        champion: ConfigDocument,
        items: Sequence[ReflectItem],
        *,
        seed: int = 1,
        evaluations: int = 10_000,
        reflection_model: str | None = None,
        answers: Sequence[str] = (),
    ) -> None:
        self.document = champion
        self.champion: Mapping[str, Any] = champion.as_json()
        self.search_space: Sequence[SearchDimension] = [
            SearchDimension(knob.pointer, knob.kind, knob.bounds.model_dump()) for knob in champion.search_space
        ]
        self.items: Sequence[ReflectItem] = list(items)
        self.seed = seed
        self.options: Mapping[str, Any] = {}
        self.reflection_model = reflection_model
        self.journal: dict[tuple[str, UUID], Outcome] = {}
        self.calls: list[tuple[str, tuple[UUID, ...]]] = []
        self.prompts: list[str] = []
        self.calls_until_stop: int | None = None
        self._answers = list(answers)
        self._limit = evaluations
        self._asked: set[tuple[str, UUID]] = set()
        self._by_id = {item.item_id: item for item in self.items}
        self._provider = LocalProvider()

    def evaluations_left(self) -> int:
        return self._limit - len(self._asked)

    def evaluate(self, candidate: Candidate, sample_ids: Sequence[UUID]) -> list[Outcome]:
        if self.calls_until_stop is not None:
            self.calls_until_stop -= 1
            if self.calls_until_stop <= 0:
                raise SearchStopped
        document = apply_changes(self.document, candidate.changes)
        key = canonical_hash(document)
        for one in sample_ids:
            if one not in self._by_id:
                raise ValueError(one)
        new = {(key, one) for one in sample_ids} - self._asked
        if len(new) > self.evaluations_left():
            raise SearchExhausted
        self._asked |= new
        self.calls.append((key, tuple(sample_ids)))
        self._execute(document, key, [one for one in sample_ids if (key, one) not in self.journal])
        return [self.journal[key, one] for one in sample_ids]

    def ask_model(self, purpose: str, prompt: str) -> str:
        self.prompts.append(f"{purpose}: {prompt}")
        return self._answers[(len(self.prompts) - 1) % len(self._answers)]

    def accuracy(self, changes: Mapping[str, Any], items: Sequence[ReflectItem]) -> float:
        """Share of these items that the changed champion gets right; not part of any budget."""
        document = apply_changes(self.document, changes)
        return sum(outcome.passed for outcome in self._outcomes(document, items)) / len(items)

    def _execute(self, document: ConfigDocument, key: str, missing: Sequence[UUID]) -> None:
        for outcome in self._outcomes(document, [self._by_id[one] for one in missing]):
            self.journal[key, outcome.item_id] = outcome

    def _outcomes(self, document: ConfigDocument, items: Sequence[ReflectItem]) -> list[Outcome]:
        renderer = PromptRenderer(document)
        requests = [ModelRequest(document.model, renderer.render(item.input)) for item in items]
        outcomes = []
        for item, reply in zip(items, self._provider.answer(requests), strict=True):
            assert isinstance(reply, ModelReply), reply
            right = reply.text == item.expected
            feedback = f"label: expected {item.expected!r}, got {reply.text!r}"
            outcomes.append(Outcome(item.item_id, float(right), right, reply.text, feedback))
        return outcomes
