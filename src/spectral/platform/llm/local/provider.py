"""The provider `spectral-local`: two deterministic models that run in this process and need no key."""

import asyncio
from collections import OrderedDict, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from threading import Lock
from time import perf_counter
from typing import Final

from spectral.platform.llm.calls import (
    EmbeddingReply,
    EmbeddingRequest,
    ModelFault,
    ModelInfo,
    ModelMessage,
    ModelReply,
    ModelRequest,
)
from spectral.platform.llm.local import embedding
from spectral.platform.llm.local.classifier import PromptClassifier, Weighing
from spectral.platform.llm.local.features import count_tokens, first_tokens, plain_features, rich_features
from spectral.platform.llm.local.reading import PromptParts, read_prompt, split_input

PROVIDER: Final = "spectral-local"
LABEL: Final = "built-in local runtime, not a language model; gains here do not predict gains on yours"
NO_ANSWER: Final = "I cannot answer: the prompt has no label lines and no examples."
CONTEXT_TOKENS: Final = 32_768
_CHUNK: Final = 256
_PROMPTS_KEPT: Final = 128
_NOT_ASKED: Final = ModelFault("provider_error", "the request was not reached")

_VARIANTS: Final = {
    f"{PROVIDER}/small": Weighing(plain_features, parts=1.0, nearest=0.3, support=0.0, neighbours=1, counter=0.5),
    f"{PROVIDER}/large": Weighing(rich_features, parts=0.5, nearest=0.3, support=0.3, neighbours=3, counter=0.5),
}

Prompt = tuple[ModelMessage, ...]


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request that can be answered: its place in the batch, its input and its parameters."""

    place: int
    given: str
    tokens: int
    temperature: float
    seed: int
    max_tokens: int | None


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A prompt that has been read once: its classifier (None where it offers no answer) and its tokens."""

    classifier: PromptClassifier | None
    tokens: int


class LocalProvider:
    """Answers from the rendered prompt alone, deterministically, for nothing.

    Not a language model: it compares the input with the label lines and examples that `reading` finds in the prompt
    (see `classifier`), so a better description or a better example makes a better answer, and instructions that are
    neither change nothing. A prompt that offers no answer gets `NO_ANSWER`, as text.

    Parameters that it knows: `temperature` (0–2; 0 when absent) and `max_tokens` (≥ 1; cuts the answer). Others have no
    meaning here and are ignored. A request without a user message, above 32,768 tokens or with a wrong parameter is a
    fault `invalid_request`.

    Its cost is known to be 0. Latency is this completion's share of its batch, measured, rounded up to a whole
    millisecond: below that it says more about the machine's other work than about the prompt.
    """

    name = PROVIDER

    def __init__(self) -> None:
        """Start with no prompt read."""
        self._prepared: OrderedDict[tuple[str, Prompt], _Prepared] = OrderedDict()
        self._lock = Lock()

    def models(self) -> list[ModelInfo]:
        """`small` compares whole words; `large` also stems, parts of words and more than one example."""
        return [ModelInfo(model, PROVIDER, LABEL, priced=True, deterministic=True) for model in _VARIANTS]

    def embedding_models(self) -> list[ModelInfo]:
        """One, that sees which words texts share."""
        return [ModelInfo(embedding.MODEL, PROVIDER, embedding.LABEL, priced=True, deterministic=True)]

    async def embed(self, request: EmbeddingRequest) -> EmbeddingReply:
        """One vector for each text, worked out in a thread, for nothing."""
        started = perf_counter()
        vectors = await asyncio.to_thread(embedding.embed_texts, request.texts)
        tokens = sum(count_tokens(text) for text in request.texts)
        return EmbeddingReply(vectors, tokens, 0, float(ceil(1000 * (perf_counter() - started))))

    async def complete_many(self, requests: Sequence[ModelRequest]) -> list[ModelReply | ModelFault]:
        """One outcome for each request, in order, worked out in a thread."""
        outcomes: list[ModelReply | ModelFault] = []
        for start in range(0, len(requests), _CHUNK):
            # Chunk by chunk, so that a cancelled caller stops within milliseconds.
            outcomes.extend(await asyncio.to_thread(self.answer, requests[start : start + _CHUNK]))
        return outcomes

    def answer(self, requests: Sequence[ModelRequest]) -> list[ModelReply | ModelFault]:
        """The same as `complete_many`, at once and in the caller's thread."""
        started = perf_counter()
        outcomes: list[tuple[str, int] | ModelFault] = [_NOT_ASKED] * len(requests)
        groups: dict[tuple[str, Prompt], list[_Asked]] = defaultdict(list)
        for place, request in enumerate(requests):
            prompt, given = split_input(request.messages)
            asked = _check(place, request, given)
            if isinstance(asked, ModelFault):
                outcomes[place] = asked
            else:
                groups[request.model, prompt].append(asked)
        for (model, prompt), group in groups.items():
            prepared = self._prepare(model, prompt)
            fitting: list[_Asked] = []
            for asked in group:
                tokens = prepared.tokens + asked.tokens
                if tokens > CONTEXT_TOKENS:
                    outcomes[asked.place] = ModelFault(
                        "invalid_request", f"the prompt has {tokens} tokens; at most {CONTEXT_TOKENS} fit"
                    )
                else:
                    fitting.append(asked)
            for asked, answer in zip(fitting, _answers(prepared, fitting), strict=True):
                text = answer if asked.max_tokens is None else first_tokens(answer, asked.max_tokens)
                outcomes[asked.place] = (text, prepared.tokens + asked.tokens)
        latency_ms = float(ceil(1000 * (perf_counter() - started) / max(len(requests), 1)))
        return [
            one if isinstance(one, ModelFault) else ModelReply(one[0], one[1], count_tokens(one[0]), 0, latency_ms)
            for one in outcomes
        ]

    def _prepare(self, model: str, prompt: Prompt) -> _Prepared:
        key = (model, prompt)
        with self._lock:
            prepared = self._prepared.get(key)
            if prepared is not None:
                self._prepared.move_to_end(key)
                return prepared
        tokens = sum(count_tokens(message.content) for message in prompt)
        parts = read_prompt(prompt) if tokens <= CONTEXT_TOKENS else PromptParts((), ())
        classifier = PromptClassifier(parts, _VARIANTS[model]) if parts.labels or parts.examples else None
        prepared = _Prepared(classifier, tokens)
        with self._lock:
            self._prepared[key] = prepared
            while len(self._prepared) > _PROMPTS_KEPT:
                self._prepared.popitem(last=False)
        return prepared


def _answers(prepared: _Prepared, group: Sequence[_Asked]) -> list[str]:
    if prepared.classifier is None or not group:
        return [NO_ANSWER] * len(group)
    return prepared.classifier.answer_many(
        [asked.given for asked in group], [asked.temperature for asked in group], [asked.seed for asked in group]
    )


def _check(place: int, request: ModelRequest, given: str | None) -> _Asked | ModelFault:
    if given is None:
        return ModelFault("invalid_request", "the prompt has no user message to answer")
    temperature = request.parameters.get("temperature")
    temperature = 0.0 if temperature is None else temperature
    if isinstance(temperature, bool) or not isinstance(temperature, int | float) or not 0 <= temperature <= 2:
        return ModelFault("invalid_request", "temperature must be a number from 0 to 2")
    limit = request.parameters.get("max_tokens")
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
        return ModelFault("invalid_request", "max_tokens must be a whole number of at least 1")
    return _Asked(place, given, count_tokens(given), float(temperature), request.seed, limit)
