"""The one door to language models: every call of the platform goes through `ModelDoor`."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import structlog

from spectral.platform.llm.calls import ModelFault, ModelInfo, ModelReply, ModelRequest
from spectral.platform.llm.errors import ModelRequestError, ModelUnavailableError, UnknownModelError
from spectral.platform.llm.health import HealthRecord, ModelHealth
from spectral.platform.llm.provider import Provider, StreamingProvider

log: Final = structlog.get_logger(__name__)


class ModelDoor:
    """Serves the models of its providers by name and keeps a record of how they behave.

    Lives as long as the application; safe to share between requests of one event loop.
    """

    def __init__(self, providers: Sequence[Provider]) -> None:
        """Raises ValueError where two providers or two models share a name."""
        self._providers: dict[str, Provider] = {}
        self._models: dict[str, ModelInfo] = {}
        for provider in providers:
            if provider.name in self._providers:
                raise ValueError(f"two model providers are named {provider.name!r}")
            self._providers[provider.name] = provider
            for info in provider.models():
                if info.name in self._models:
                    raise ValueError(f"two models are named {info.name!r}")
                self._models[info.name] = info
        self._health = {info.name: HealthRecord(info.name, info.provider) for info in self._models.values()}

    def catalogue(self) -> list[ModelInfo]:
        """Every model that can be called, by name."""
        return [self._models[name] for name in sorted(self._models)]

    def read_model(self, model: str) -> ModelInfo:
        """The catalogue's entry of one model. Raises UnknownModelError (400)."""
        info = self._models.get(model)
        if info is None:
            raise UnknownModelError(model, self._models)
        return info

    async def complete(self, request: ModelRequest) -> ModelReply:
        """One completion.

        Raises UnknownModelError (400), ModelRequestError (400; would fail again), ModelUnavailableError (503).
        """
        (outcome,) = await self.complete_many([request])
        return _reply(request.model, outcome)

    async def complete_streaming(self, request: ModelRequest, on_text: Callable[[str], None]) -> ModelReply:
        """As `complete`; `on_text` gets the text while it is made, or in one piece from a provider that cannot do that.

        A call that fails may have given pieces before.
        """
        info = self.read_model(request.model)
        provider = self._providers[info.provider]
        if not isinstance(provider, StreamingProvider):
            reply = await self.complete(request)
            on_text(reply.text)
            return reply

        async def stream() -> list[ModelReply | ModelFault]:
            return [await provider.complete_streaming(request, on_text)]

        (outcome,) = await self._guarded(info, 1, stream())
        return _reply(request.model, outcome)

    async def complete_many(self, requests: Sequence[ModelRequest]) -> list[ModelReply | ModelFault]:
        """One outcome for each request, in their order; a failed call is a `ModelFault` in its place.

        Raises UnknownModelError (400) before the first call if any request names an unknown model.
        """
        places: dict[str, list[int]] = defaultdict(list)
        for place, request in enumerate(requests):
            places[request.model].append(place)
        groups = [(self.read_model(model), where) for model, where in places.items()]
        outcomes: list[ModelReply | ModelFault | None] = [None] * len(requests)
        for info, where in groups:
            group = await self._call(info, [requests[place] for place in where])
            for place, outcome in zip(where, group, strict=True):
                outcomes[place] = outcome
        return [outcome for outcome in outcomes if outcome is not None]

    def health(self) -> list[ModelHealth]:
        """How each model of the catalogue has behaved in this process, by name."""
        return [self._health[name].read() for name in sorted(self._health)]

    async def _call(self, info: ModelInfo, requests: Sequence[ModelRequest]) -> Sequence[ModelReply | ModelFault]:
        return await self._guarded(info, len(requests), self._providers[info.provider].complete_many(requests))

    async def _guarded(
        self, info: ModelInfo, count: int, call: Awaitable[Sequence[ModelReply | ModelFault]]
    ) -> Sequence[ModelReply | ModelFault]:
        try:
            outcomes = await call
            if len(outcomes) != count:
                raise ValueError(f"{len(outcomes)} outcomes for {count} requests")
        except Exception as error:
            # A provider that breaks its own promise must still look like a fault of the call, so that an evaluation
            # counts it as missing and goes on; the traceback is for the operator only.
            log.exception("model_provider_failed", model=info.name, provider=info.provider, requests=count)
            fault = ModelFault("provider_error", f"provider {info.provider} failed: {type(error).__name__}")
            outcomes = [fault] * count
        self._health[info.name].add(outcomes)
        return outcomes


def _reply(model: str, outcome: ModelReply | ModelFault) -> ModelReply:
    if isinstance(outcome, ModelReply):
        return outcome
    if outcome.type == "invalid_request":
        raise ModelRequestError(model, outcome)
    raise ModelUnavailableError(model, outcome)
