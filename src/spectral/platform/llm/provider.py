"""What a source of models must offer to stand behind the door."""

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from spectral.platform.llm.calls import ModelFault, ModelInfo, ModelReply, ModelRequest


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
