"""What a source of models must offer to stand behind the door."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, Protocol, runtime_checkable

from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.llm.calls import (
    EmbeddingReply,
    EmbeddingRequest,
    ModelFault,
    ModelInfo,
    ModelReply,
    ModelRequest,
)

CircuitState = Literal["closed", "half_open", "open"]


class Provider(Protocol):
    """A source of models; the door calls it with requests for its own models only."""

    @property
    def name(self) -> str:
        """The provider's name, unique in the door."""
        ...

    def models(self) -> Sequence[ModelInfo]:
        """The models that it serves; names are unique in the door and do not change while it runs."""
        ...

    async def complete_many(self, requests: Sequence[ModelRequest]) -> Sequence[ModelReply | ModelFault]:
        """One outcome for each request, in the order of the requests.

        A call that fails is a `ModelFault` in its place: one bad request must not cost the others their answers.
        Must not block the event loop and must not retry (retries belong to the caller, who owns the budget).
        """
        ...


@runtime_checkable
class StreamingProvider(Provider, Protocol):
    """A provider that can give the text of a completion while it is made."""

    async def complete_streaming(
        self, request: ModelRequest, on_text: Callable[[str], None]
    ) -> ModelReply | ModelFault:
        """As `complete_many` for one request. `on_text` gets the pieces in order; together they are the reply's text.

        A call that fails may have given pieces before.
        """
        ...


@runtime_checkable
class EmbeddingProvider(Provider, Protocol):
    """A provider in this process that also makes embeddings, by models of their own."""

    def embedding_models(self) -> Sequence[ModelInfo]:
        """The models that `embed` serves; they complete nothing."""
        ...

    async def embed(self, request: EmbeddingRequest) -> EmbeddingReply | ModelFault:
        """One call; must not block the event loop."""
        ...


class RemoteProvider(StreamingProvider, Protocol):
    """Models over the network: any name `provider/model`, with the credentials of the request's workspace."""

    async def embed(self, request: EmbeddingRequest) -> EmbeddingReply | ModelFault:
        """One call; a fault where it fails."""
        ...

    async def list_models(self, access: WorkspaceAccess, provider: str) -> list[str] | ModelFault:
        """The provider's own names of what it serves to the workspace."""
        ...

    async def known_providers(self, access: WorkspaceAccess) -> frozenset[str]:
        """The providers that the workspace has a credential for."""
        ...

    def circuits(self) -> Mapping[str, CircuitState]:
        """The worst state of the circuits of each model that has one."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...
