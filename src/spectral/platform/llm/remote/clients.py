"""What a client of one provider must offer, and the clients that are open, one for each credential in use."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final, Protocol
from uuid import UUID

from spectral.platform.llm.calls import EmbeddingRequest, ModelRequest
from spectral.platform.llm.credentials import Credential, ProviderKind
from spectral.platform.llm.prices import TokenCounts
from spectral.platform.outbound import Network, OutboundCalls

CLIENTS_KEPT: Final = 64
IDLE_S: Final = 300.0
MODELS_MAXIMUM: Final = 1000
RESPONSE_LIMIT_BYTES: Final = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """A completion as the provider gave it. counts: None where it did not say what the call took."""

    text: str
    counts: TokenCounts | None
    finish_reason: str | None


@dataclass(frozen=True, slots=True)
class Vectors:
    """Embeddings as the provider gave them."""

    vectors: Sequence[Sequence[float]]
    counts: TokenCounts | None


class InvalidRequestError(Exception):
    """The request cannot be said in the provider's protocol, or must not be; nothing was sent."""


class ProviderClient(Protocol):
    """One credential's connection to its provider. Raises what the provider's library raises; makes one attempt."""

    async def complete(self, model: str, request: ModelRequest) -> Answer:
        """One completion. model: the provider's own name of it. Raises InvalidRequestError before anything is sent."""
        ...

    async def stream(self, model: str, request: ModelRequest, on_text: Callable[[str], None]) -> Answer:
        """As `complete`; `on_text` gets the pieces."""
        ...

    async def embed(self, model: str, request: EmbeddingRequest) -> Vectors:
        """One vector for each text. Raises InvalidRequestError where the provider makes none."""
        ...

    async def list_models(self) -> list[str]:
        """The provider's names of what it serves, `MODELS_MAXIMUM` at most."""
        ...

    async def close(self) -> None: ...


@dataclass(slots=True)
class _Open:
    client: ProviderClient
    version: str
    in_flight: int = 0
    used_at: float = 0.0


class Clients:
    """Clients by workspace and credential: nobody's connection is ever used for somebody else's call.

    At most 64 stay open, none for longer than five minutes without a call; one that is in use is closed afterwards.
    """

    def __init__(self, outbound: OutboundCalls, admitted: Sequence[Network], timeout_s: float) -> None:
        """admitted: private networks that workspaces may call."""
        self._outbound = outbound
        self._admitted = tuple(admitted)
        self._timeout_s = timeout_s
        self._open: OrderedDict[tuple[UUID, UUID], _Open] = OrderedDict()
        self._retired: set[int] = set()
        self._loaded: dict[str, Any] = {}

    @asynccontextmanager
    async def client(self, workspace_id: UUID, credential: Credential) -> AsyncIterator[ProviderClient]:
        """The credential's client, for one call."""
        key = (workspace_id, credential.id)
        # The libraries take a second or two to load: not on the event loop, and not before somebody needs them.
        module = await self._load(credential.kind)
        found = self._open.get(key)
        if found is not None and found.version != credential.version:
            await self._retire(self._open.pop(key))
            found = self._open.get(key)
        if found is None:
            found = self._open[key] = _Open(self._make(module, credential), credential.version)
        self._open.move_to_end(key)
        found.in_flight += 1
        try:
            yield found.client
        finally:
            found.in_flight -= 1
            found.used_at = time.monotonic()
            if id(found) in self._retired and not found.in_flight:
                self._retired.discard(id(found))
                await found.client.close()
            await self._close_idle()

    async def close(self) -> None:
        while self._open:
            _, found = self._open.popitem()
            await found.client.close()

    def _make(self, module: Any, credential: Credential) -> ProviderClient:
        http = self._outbound.client(
            self._admitted, timeout_s=self._timeout_s, response_limit_bytes=RESPONSE_LIMIT_BYTES
        )
        made: ProviderClient = module.connect(credential, http, self._timeout_s)
        return made

    async def _load(self, kind: ProviderKind) -> Any:
        name = MODULES[kind]
        if name not in self._loaded:
            self._loaded[name] = await asyncio.to_thread(import_module, name)
        return self._loaded[name]

    async def _retire(self, found: _Open) -> None:
        if found.in_flight:
            self._retired.add(id(found))
        else:
            await found.client.close()

    async def _close_idle(self) -> None:
        now = time.monotonic()
        for key, found in list(self._open.items()):
            too_many = len(self._open) > CLIENTS_KEPT
            if not too_many and now - found.used_at < IDLE_S:
                break  # The oldest comes first.
            if not found.in_flight:
                del self._open[key]
                await found.client.close()


MODULES: Final[Mapping[ProviderKind, str]] = {
    ProviderKind.OPENAI: "spectral.platform.llm.remote.openai_client",
    ProviderKind.OPENAI_COMPATIBLE: "spectral.platform.llm.remote.openai_client",
    ProviderKind.ANTHROPIC: "spectral.platform.llm.remote.anthropic_client",
}
