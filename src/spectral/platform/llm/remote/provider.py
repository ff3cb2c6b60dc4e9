"""Calls of models over the network: credential, circuit, one attempt, its cost, and a record of it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.llm.calls import (
    EmbeddingReply,
    EmbeddingRequest,
    ModelFault,
    ModelInfo,
    ModelReply,
    ModelRequest,
)
from spectral.platform.llm.circuits import Circuits, Ending
from spectral.platform.llm.credentials import Credential, CredentialSource
from spectral.platform.llm.prices import Prices, TokenCounts
from spectral.platform.llm.provider import CircuitState
from spectral.platform.llm.records import CallLog, CallRecord
from spectral.platform.llm.remote.clients import Answer, Clients, InvalidRequestError, ProviderClient, Vectors
from spectral.platform.llm.remote.faults import RATE_LIMITED, fault_of, invalid, timed_out
from spectral.platform.shared.clock import utc_now

PARALLEL: Final = 64
"""Calls of one batch that are under way at once."""
SHORT_WAIT_S: Final = 5.0
SHORT_WAITS: Final = 2
TEXTS_MAXIMUM: Final = 256
LISTING_TIMEOUT_S: Final = 20.0
NOT_SENT: Final = "not_sent"
_WORST: Final[Mapping[CircuitState, int]] = {"closed": 0, "half_open": 1, "open": 2}

CircuitKey = tuple[UUID, UUID, str]
Attempt = Callable[[ProviderClient, str], Awaitable[Answer | Vectors]]


@dataclass(frozen=True, slots=True)
class _Call:
    """One call that has its credential."""

    request: ModelRequest | EmbeddingRequest
    access: WorkspaceAccess
    credential: Credential
    attempt: Attempt

    @property
    def circuit(self) -> CircuitKey:
        return self.access.workspace_id, self.credential.id, self.request.model

    @property
    def model(self) -> str:
        """The provider's own name of the model."""
        return self.request.model.partition("/")[2]


class RemoteModels:
    """Every model over the network. One attempt for each request, besides short waits that a rate limit asks for."""

    name = "remote"

    def __init__(
        self, credentials: CredentialSource, clients: Clients, prices: Prices, calls: CallLog, *, timeout_s: float
    ) -> None:
        """timeout_s: for one attempt, from the first byte sent to the last one read."""
        self._credentials = credentials
        self._clients = clients
        self._prices = prices
        self._calls = calls
        self._timeout_s = timeout_s
        self._circuits: Circuits[CircuitKey] = Circuits()

    def models(self) -> list[ModelInfo]:
        """None that could be listed: what there is, is for the providers to say."""
        return []

    async def complete_many(self, requests: Sequence[ModelRequest]) -> list[ModelReply | ModelFault]:
        """One outcome for each request, in order; up to 64 of them are under way at once."""
        turn = asyncio.Semaphore(PARALLEL)

        async def one(request: ModelRequest) -> ModelReply | ModelFault:
            async with turn:
                return await self._complete(request, lambda client, model: client.complete(model, request))

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(request)) for request in requests]
        return [task.result() for task in tasks]

    async def complete_streaming(
        self, request: ModelRequest, on_text: Callable[[str], None]
    ) -> ModelReply | ModelFault:
        """As `complete_many` for one request; `on_text` gets the pieces."""
        return await self._complete(request, lambda client, model: client.stream(model, request, on_text))

    async def embed(self, request: EmbeddingRequest) -> EmbeddingReply | ModelFault:
        """One call for at most 256 texts."""
        if not 1 <= len(request.texts) <= TEXTS_MAXIMUM:
            return invalid(f"an embedding takes 1 to {TEXTS_MAXIMUM} texts at once")
        outcome = await self._make(request, lambda client, model: client.embed(model, request))
        if isinstance(outcome, ModelFault):
            return outcome
        answer, cost, latency_ms = outcome
        counts = answer.counts or TokenCounts(0)
        vectors = answer.vectors if isinstance(answer, Vectors) else ()
        return EmbeddingReply(vectors, counts.input, cost, latency_ms)

    async def list_models(self, access: WorkspaceAccess, provider: str) -> list[str] | ModelFault:
        """No model is called, so it is no row and changes no circuit."""
        credential = (await self._credentials.credentials(access)).get(provider)
        if credential is None:
            return _no_credential(provider)
        async with self._clients.client(access.workspace_id, credential) as client:
            try:
                async with asyncio.timeout(min(self._timeout_s, LISTING_TIMEOUT_S)):
                    return await client.list_models()
            except TimeoutError:
                return timed_out(LISTING_TIMEOUT_S)
            except Exception as error:  # noqa: BLE001 - whatever a library raises is a fault of this call
                return fault_of(error, self._timeout_s, credential.api_key)

    async def known_providers(self, access: WorkspaceAccess) -> frozenset[str]:
        """The prefixes of the workspace's credentials."""
        return frozenset(await self._credentials.credentials(access))

    def circuits(self) -> dict[str, CircuitState]:
        """By model, the worst of its circuits."""
        worst: dict[str, CircuitState] = {}
        for (_, _, model), state in self._circuits.states():
            if _WORST[state] >= _WORST[worst.get(model, "closed")]:
                worst[model] = state
        return worst

    async def close(self) -> None:
        """Let go of connections and store what is recorded."""
        await self._clients.close()
        await self._calls.close()

    async def _complete(self, request: ModelRequest, attempt: Attempt) -> ModelReply | ModelFault:
        outcome = await self._make(request, attempt)
        if isinstance(outcome, ModelFault):
            return outcome
        answer, cost, latency_ms = outcome
        counts = answer.counts or TokenCounts(0)
        text, finished = (answer.text, answer.finish_reason) if isinstance(answer, Answer) else ("", None)
        return ModelReply(
            text,
            counts.input,
            counts.output,
            cost,
            latency_ms,
            cached_tokens=counts.cache_read,
            reasoning_tokens=counts.reasoning,
            finish_reason=finished,
        )

    async def _make(
        self, request: ModelRequest | EmbeddingRequest, attempt: Attempt
    ) -> tuple[Answer | Vectors, int | None, float] | ModelFault:
        """The answer with its cost and latency."""
        provider = request.model.partition("/")[0]
        access = request.access
        credential = None if access is None else (await self._credentials.credentials(access)).get(provider)
        if access is None or credential is None:
            return _no_credential(provider)
        call = _Call(request, access, credential, attempt)
        for waits_left in reversed(range(SHORT_WAITS + 1)):
            outcome = await self._admitted(call)
            if not isinstance(outcome, ModelFault) or not waits_left or not _is_short_wait(outcome):
                return outcome
            await asyncio.sleep(outcome.retry_after_s or 0)
        raise AssertionError("the last attempt returns")

    async def _admitted(self, call: _Call) -> tuple[Answer | Vectors, int | None, float] | ModelFault:
        """One attempt that the circuit allows."""
        pause_s = self._circuits.admit(call.circuit)
        if pause_s is not None:
            detail = f"{call.request.model} has failed again and again; it is left alone for a while"
            return ModelFault(
                "provider_error", detail, retryable=True, retry_after_s=pause_s, cost_nano_usd=0, code="circuit_open"
            )
        ending = Ending.NEUTRAL
        try:
            outcome, latency_ms = await self._attempt(call)
            ending = _ending(outcome)
        finally:
            self._circuits.settle(call.circuit, ending)
        cost = _cost(self._prices, call.request.model, outcome)
        if isinstance(outcome, ModelFault) and outcome.code == NOT_SENT:
            return outcome
        await self._calls.record(_record(call, outcome, cost, latency_ms))
        return outcome if isinstance(outcome, ModelFault) else (outcome, cost, latency_ms)

    async def _attempt(self, call: _Call) -> tuple[Answer | Vectors | ModelFault, float]:
        using: AbstractAsyncContextManager[ProviderClient] = self._clients.client(
            call.access.workspace_id, call.credential
        )
        async with using as client:
            started = time.perf_counter()
            outcome: Answer | Vectors | ModelFault
            try:
                async with asyncio.timeout(self._timeout_s):
                    outcome = await call.attempt(client, call.model)
            except TimeoutError:
                outcome = timed_out(self._timeout_s)
            except InvalidRequestError as error:
                outcome = invalid(str(error), code=NOT_SENT)
            except Exception as error:  # noqa: BLE001 - whatever a library raises is a fault of this call
                outcome = fault_of(error, self._timeout_s, call.credential.api_key)
            return outcome, 1000 * (time.perf_counter() - started)


def _no_credential(provider: str) -> ModelFault:
    detail = f"the workspace has no credential for {provider}"
    return ModelFault("credential_error", detail, cost_nano_usd=0, code="no_credential")


def _is_short_wait(fault: ModelFault) -> bool:
    return (
        fault.code == f"http_{RATE_LIMITED}"
        and fault.retryable
        and fault.retry_after_s is not None
        and fault.retry_after_s <= SHORT_WAIT_S
    )


def _ending(outcome: Answer | Vectors | ModelFault) -> Ending:
    """A rate limit is a provider at work, and so is a refusal."""
    if not isinstance(outcome, ModelFault):
        return Ending.ANSWERED
    if outcome.code == NOT_SENT:
        return Ending.NEUTRAL
    is_down = outcome.type == "provider_error" and outcome.code != f"http_{RATE_LIMITED}"
    return Ending.FAILED if is_down else Ending.ANSWERED


def _cost(prices: Prices, model: str, outcome: Answer | Vectors | ModelFault) -> int | None:
    if isinstance(outcome, ModelFault):
        return outcome.cost_nano_usd
    return None if outcome.counts is None else prices.cost(model, outcome.counts)


def _record(call: _Call, outcome: Answer | Vectors | ModelFault, cost: int | None, latency_ms: float) -> CallRecord:
    failed = isinstance(outcome, ModelFault)
    counts = TokenCounts(0) if isinstance(outcome, ModelFault) else outcome.counts or TokenCounts(0)
    request = call.request
    return CallRecord(
        access=call.access,
        kind="embedding" if isinstance(request, EmbeddingRequest) else "completion",
        purpose=request.purpose,
        subject=request.subject,
        provider=call.credential.prefix,
        model=request.model,
        input_tokens=counts.input,
        output_tokens=counts.output,
        cached_tokens=counts.cache_read,
        reasoning_tokens=counts.reasoning,
        cost_nano_usd=cost,
        latency_ms=latency_ms,
        error_type=outcome.code or outcome.type if failed and isinstance(outcome, ModelFault) else None,
        ended_at=utc_now(),
    )
