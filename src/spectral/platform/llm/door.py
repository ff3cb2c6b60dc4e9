"""The one door to language models: every call of the platform goes through `ModelDoor`."""

from collections import OrderedDict, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from typing import Final, TypeVar

import structlog

from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.llm.calls import (
    EmbeddingReply,
    EmbeddingRequest,
    ModelFault,
    ModelInfo,
    ModelReply,
    ModelRequest,
)
from spectral.platform.llm.catalogue import ModelCatalogue
from spectral.platform.llm.errors import (
    ModelCredentialError,
    ModelRequestError,
    ModelUnavailableError,
    UnknownModelError,
)
from spectral.platform.llm.health import HealthRecord, ModelHealth
from spectral.platform.llm.prices import ListPrice, Prices
from spectral.platform.llm.provider import EmbeddingProvider, Provider, RemoteProvider, StreamingProvider

REMOTE_LABEL: Final = "language model called over the network"
HEALTH_KEPT: Final = 500
"""Models over the network whose behaviour is remembered: the ones that were called last."""

log: Final = structlog.get_logger(__name__)

Reply = TypeVar("Reply", ModelReply, EmbeddingReply)


class ModelDoor:
    """Serves models by name and keeps a record of how they behave.

    Two kinds: those of its `providers`, which run in this process, are listed and need no key; and, where there is a
    `remote`, every name `provider/model`, called over the network with the credentials of the request's workspace.

    The door makes one attempt: whoever calls owns the budget, and so the retries. The one exception is a rate limit
    that says to come back within five seconds: nothing was billed, so the door waits and asks again (at most twice).

    Lives as long as the application; safe to share between requests of one event loop.
    """

    def __init__(
        self,
        providers: Sequence[Provider],
        *,
        remote: RemoteProvider | None = None,
        catalogue: ModelCatalogue | None = None,
    ) -> None:
        """catalogue: what the operations staff said of models. Raises ValueError where two share a name."""
        self._providers: dict[str, Provider] = {}
        self._models: dict[str, ModelInfo] = {}
        self._embedders: dict[str, tuple[ModelInfo, EmbeddingProvider]] = {}
        for provider in providers:
            if provider.name in self._providers:
                raise ValueError(f"two model providers are named {provider.name!r}")
            self._providers[provider.name] = provider
            for info in provider.models():
                if info.name in self._models:
                    raise ValueError(f"two models are named {info.name!r}")
                self._models[info.name] = info
            if isinstance(provider, EmbeddingProvider):
                self._embedders |= {info.name: (info, provider) for info in provider.embedding_models()}
        self._remote = remote
        self._settings = catalogue or ModelCatalogue()
        self._prices = Prices(self._settings)
        self._health = {info.name: HealthRecord(info.name, info.provider) for info in self._models.values()}
        self._remote_health: OrderedDict[str, HealthRecord] = OrderedDict()

    def catalogue(self) -> list[ModelInfo]:
        """Every model that runs in this process and is not switched off, by name."""
        return [
            replace(self._models[name], tier=settings.tier)
            for name in sorted(self._models)
            if (settings := self._settings.settings(name)).enabled
        ]

    def built_in(self) -> list[ModelInfo]:
        """Every model that runs in this process, switched off or not, and those that make embeddings; by name."""
        infos = {**self._models, **{name: info for name, (info, _) in self._embedders.items()}}
        return [infos[name] for name in sorted(infos)]

    def describe(self, model: str) -> ModelInfo:
        """As `read_model`, also of a model that is switched off. Raises UnknownModelError (400)."""
        info = self._models.get(model)
        if model in self._embedders:
            info = self._embedders[model][0]
        if info is None:
            provider, slash, name = model.partition("/")
            if self._remote is None or not (slash and provider and name) or provider in self._providers:
                raise UnknownModelError(model, self._models)
            info = ModelInfo(model, provider, REMOTE_LABEL, priced=self._prices.known(model), deterministic=False)
        return replace(info, tier=self._settings.settings(model).tier)

    def read_model(self, model: str) -> ModelInfo:
        """What is known of a model before it is called. Raises UnknownModelError (400), ModelDisabledError (400).

        Of a model over the network that is its price: whether it exists is for its provider to say.
        """
        info = self.describe(model)
        self._settings.require_enabled(model)
        return info

    def list_price(self, model: str) -> ListPrice | None:
        """What a million tokens cost; None where it is not known. Raises UnknownModelError (400)."""
        if self.describe(model).provider in self._providers:
            return ListPrice(0, 0)
        return self._prices.listed(model)

    async def missing_credentials(self, access: WorkspaceAccess, names: Iterable[str]) -> list[str]:
        """Of the providers of these models those that the workspace has no credential for, by name.

        Also waits for what the operations staff changed in the last seconds, so `read_model` after it is up to date.
        """
        await self._settings.fresh()
        wanted = {
            info.provider for name in set(names) if (info := self.read_model(name)).provider not in self._providers
        }
        if not wanted or self._remote is None:
            return sorted(wanted)
        return sorted(wanted - await self._remote.known_providers(access))

    def ceiling(self, model: str, prompt_characters: int, max_output_tokens: int | None) -> int | None:
        """Nano-USD that one call can cost at most; None where the price is not known, 0 where it costs nothing.

        prompt_characters: the prompt's size by `calls.prompt_size` (bytes of UTF-8, no token is smaller).
        max_output_tokens: as the request limits them; None where it does not, then the door's own limit holds.
        Raises UnknownModelError (400).
        """
        if self.describe(model).provider in self._providers:
            return 0
        return self._prices.ceiling(model, prompt_characters, max_output_tokens)

    async def complete(self, request: ModelRequest) -> ModelReply:
        """One completion.

        Raises UnknownModelError (400), ModelRequestError (400; would fail again), its subclass ModelCredentialError,
        ModelUnavailableError (503).
        """
        (outcome,) = await self.complete_many([request])
        return _answered(request.model, outcome)

    async def complete_streaming(self, request: ModelRequest, on_text: Callable[[str], None]) -> ModelReply:
        """As `complete`; `on_text` gets the text while it is made, or in one piece from a provider that cannot do that.

        A call that fails may have given pieces before.
        """
        await self._settings.fresh()
        info = self.read_model(request.model)
        provider = self._provider(info)
        if info.name in self._embedders or not isinstance(provider, StreamingProvider):
            reply = await self.complete(request)
            on_text(reply.text)
            return reply

        async def stream() -> list[ModelReply | ModelFault]:
            return [await provider.complete_streaming(request, on_text)]

        (outcome,) = await self._guarded(info, 1, stream())
        return _answered(request.model, outcome)

    async def complete_many(self, requests: Sequence[ModelRequest]) -> list[ModelReply | ModelFault]:
        """One outcome for each request, in their order; a failed call is a `ModelFault` in its place.

        Raises UnknownModelError (400) before the first call if any request names an unknown model.
        """
        await self._settings.fresh()
        places: dict[str, list[int]] = defaultdict(list)
        for place, request in enumerate(requests):
            places[request.model].append(place)
        groups = [(self.read_model(model), where) for model, where in places.items()]
        outcomes: list[ModelReply | ModelFault | None] = [None] * len(requests)
        for info, where in groups:
            call = self._complete(info, [requests[place] for place in where])
            group = await self._guarded(info, len(where), call)
            for place, outcome in zip(where, group, strict=True):
                outcomes[place] = outcome
        return [outcome for outcome in outcomes if outcome is not None]

    async def embed(self, requests: Sequence[EmbeddingRequest]) -> list[EmbeddingReply | ModelFault]:
        """One outcome for each request, in their order. Raises UnknownModelError (400) before the first call.

        A model that makes no embeddings is a fault `invalid_request`.
        """
        await self._settings.fresh()
        infos = [self.read_model(request.model) for request in requests]
        return [await self._embed(info, request) for info, request in zip(infos, requests, strict=True)]

    async def list_provider_models(self, access: WorkspaceAccess, provider: str) -> list[str] | ModelFault:
        """What the provider says it serves to the workspace, by its own names; costs nothing. A fault where it fails.

        Of many the first 1,000.
        """
        if self._remote is None:
            return ModelFault("invalid_request", f"{provider} is not called over the network", cost_nano_usd=0)
        return await self._remote.list_models(access, provider)

    def health(self) -> list[ModelHealth]:
        """How each model has behaved in this process, by name: its own and those over the network called last."""
        records = {**self._remote_health, **self._health}
        states = {} if self._remote is None else self._remote.circuits()
        return [records[name].read(states.get(name, "closed")) for name in sorted(records)]

    async def close(self) -> None:
        """Let go of connections; nothing may be called afterwards."""
        await self._settings.close()
        if self._remote is not None:
            await self._remote.close()

    def _provider(self, info: ModelInfo) -> Provider:
        provider = self._providers.get(info.provider) or self._remote
        if provider is None:
            raise UnknownModelError(info.name, self._models)
        return provider

    async def _complete(self, info: ModelInfo, requests: Sequence[ModelRequest]) -> Sequence[ModelReply | ModelFault]:
        if info.name in self._embedders:
            detail = f"{info.name} makes embeddings only"
            return [ModelFault("invalid_request", detail, cost_nano_usd=0, code="embeddings_only")] * len(requests)
        return await self._provider(info).complete_many(requests)

    async def _embed(self, info: ModelInfo, request: EmbeddingRequest) -> EmbeddingReply | ModelFault:
        embedder: EmbeddingProvider | RemoteProvider | None = None
        if info.name in self._embedders:
            embedder = self._embedders[info.name][1]
        elif info.provider not in self._providers:
            embedder = self._remote
        if embedder is None:
            detail = f"{info.name} makes no embeddings"
            return ModelFault("invalid_request", detail, cost_nano_usd=0, code="no_embeddings")
        (outcome,) = await self._guarded(info, 1, _alone(embedder.embed(request)))
        return outcome

    async def _guarded(
        self, info: ModelInfo, count: int, call: Awaitable[Sequence[Reply | ModelFault]]
    ) -> Sequence[Reply | ModelFault]:
        outcomes: Sequence[Reply | ModelFault]
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
        self._record(info).add(outcomes)
        return outcomes

    def _record(self, info: ModelInfo) -> HealthRecord:
        record = self._health.get(info.name)
        if record is not None:
            return record
        found = self._remote_health.setdefault(info.name, HealthRecord(info.name, info.provider))
        self._remote_health.move_to_end(info.name)
        if len(self._remote_health) > HEALTH_KEPT:
            self._remote_health.popitem(last=False)
        return found


async def _alone(call: Awaitable[EmbeddingReply | ModelFault]) -> list[EmbeddingReply | ModelFault]:
    return [await call]


def _answered(model: str, outcome: ModelReply | ModelFault) -> ModelReply:
    if isinstance(outcome, ModelReply):
        return outcome
    if outcome.type == "invalid_request":
        raise ModelRequestError(model, outcome)
    if outcome.type == "credential_error":
        raise ModelCredentialError(model, outcome)
    raise ModelUnavailableError(model, outcome)
