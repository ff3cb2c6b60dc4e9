"""The door sends each request to its provider, keeps the order and remembers how the models behaved."""

from collections.abc import Callable, Sequence

import pytest

from spectral.platform.llm.calls import ModelFault, ModelInfo, ModelMessage, ModelReply, ModelRequest
from spectral.platform.llm.door import ModelDoor
from spectral.platform.llm.errors import ModelRequestError, ModelUnavailableError, UnknownModelError
from spectral.platform.llm.health import nearest_rank
from spectral.platform.llm.local.provider import LocalProvider


class Scripted:
    """Answers as its script says: a text, a fault, or an exception for the whole batch."""

    def __init__(self, name: str, *models: str) -> None:
        self.name = name
        self._models = models
        self.batches: list[list[str]] = []

    def models(self) -> Sequence[ModelInfo]:
        return [ModelInfo(model, self.name, "scripted", priced=False, deterministic=False) for model in self._models]

    async def complete_many(self, requests: Sequence[ModelRequest]) -> Sequence[ModelReply | ModelFault]:
        asked = [request.messages[-1].content for request in requests]
        self.batches.append(asked)
        if "explode" in asked:
            raise RuntimeError("a secret of ours")
        if "forget" in asked:
            return []
        return [_outcome(text, place) for place, text in enumerate(asked)]


def _outcome(text: str, place: int) -> ModelReply | ModelFault:
    if text == "refuse":
        return ModelFault("invalid_request", "no such parameter")
    if text == "break":
        return ModelFault("provider_error", "overloaded", retryable=True)
    return ModelReply(text.upper(), 1, 1, None, 10.0 * (place + 1))


def ask(model: str, text: str) -> ModelRequest:
    return ModelRequest(model, [ModelMessage("user", text)])


@pytest.fixture
def door() -> ModelDoor:
    return ModelDoor([Scripted("first", "a", "b"), Scripted("second", "c")])


async def test_requests_go_to_their_models_and_answers_come_in_order(door: ModelDoor) -> None:
    outcomes = await door.complete_many([ask("c", "one"), ask("a", "two"), ask("c", "refuse"), ask("b", "three")])

    assert [one.text if isinstance(one, ModelReply) else one.type for one in outcomes] == [
        "ONE",
        "TWO",
        "invalid_request",
        "THREE",
    ]
    assert await door.complete_many([]) == []


async def test_an_unknown_model_is_refused_before_anything_is_called() -> None:
    provider = Scripted("first", "a")
    door = ModelDoor([provider])

    with pytest.raises(UnknownModelError) as refused:
        await door.complete_many([ask("a", "one"), ask("x", "two")])

    assert (refused.value.status, refused.value.slug) == (400, "unknown-model")
    assert refused.value.extensions == {"models": ["a"]}
    assert provider.batches == []
    assert door.health()[0].calls == 0


async def test_a_single_completion_raises_its_fault(door: ModelDoor) -> None:
    assert (await door.complete(ask("a", "one"))).text == "ONE"
    with pytest.raises(ModelRequestError) as refused:
        await door.complete(ask("a", "refuse"))
    with pytest.raises(ModelUnavailableError) as broken:
        await door.complete(ask("a", "break"))

    assert (refused.value.status, refused.value.detail) == (400, "a: no such parameter")
    assert (broken.value.status, broken.value.headers) == (503, {"Retry-After": "5"})


@pytest.mark.parametrize("text", ["explode", "forget"])
async def test_a_provider_that_breaks_its_promise_is_a_fault_of_each_call(door: ModelDoor, text: str) -> None:
    outcomes = await door.complete_many([ask("a", text), ask("a", "one"), ask("c", "two")])

    assert [one.type if isinstance(one, ModelFault) else one.text for one in outcomes] == [
        "provider_error",
        "provider_error",
        "TWO",
    ]
    assert all("secret" not in one.message for one in outcomes if isinstance(one, ModelFault))


async def test_health_counts_calls_failures_and_latencies(door: ModelDoor) -> None:
    await door.complete_many([ask("a", "one")] * 3 + [ask("a", "break")])

    health = {one.model: one for one in door.health()}

    assert (health["a"].calls, health["a"].failures, health["a"].success_rate) == (4, 1, 0.75)
    assert (health["a"].latency_p50_ms, health["a"].latency_p95_ms, health["a"].latency_p99_ms) == (20.0, 30.0, 30.0)
    error = health["a"].last_error
    assert error is not None
    assert (error.type, error.message) == ("provider_error", "overloaded")
    assert health["a"].last_call_at is not None
    assert (health["b"].calls, health["b"].success_rate, health["b"].latency_p50_ms) == (0, None, None)


def test_the_catalogue_lists_every_model_by_name(door: ModelDoor) -> None:
    assert [one.name for one in door.catalogue()] == ["a", "b", "c"]
    assert door.read_model("c").provider == "second"
    with pytest.raises(UnknownModelError):
        door.read_model("d")


def test_names_are_unique() -> None:
    with pytest.raises(ValueError, match="two model providers"):
        ModelDoor([LocalProvider(), LocalProvider()])
    with pytest.raises(ValueError, match="two models"):
        ModelDoor([Scripted("first", "a"), Scripted("second", "a")])


def test_percentiles_are_nearest_ranks() -> None:
    assert nearest_rank([], 0.5) is None
    assert nearest_rank([7.0], 0.99) == 7.0
    assert [nearest_rank(list(range(1, 101)), quantile) for quantile in (0.5, 0.95, 0.99)] == [50, 95, 99]


class Streaming(Scripted):
    """As its script says, letter by letter."""

    async def complete_streaming(
        self, request: ModelRequest, on_text: Callable[[str], None]
    ) -> ModelReply | ModelFault:
        text = request.messages[-1].content
        if text == "explode":
            raise RuntimeError("a secret of ours")
        outcome = _outcome(text, 0)
        for letter in outcome.text if isinstance(outcome, ModelReply) else "b":
            on_text(letter)
        return outcome


async def test_a_text_comes_in_pieces_from_who_can_and_whole_from_who_cannot() -> None:
    door = ModelDoor([Streaming("first", "a"), Scripted("second", "b")])
    pieces: dict[str, list[str]] = {"a": [], "b": []}
    for model, said in pieces.items():
        assert (await door.complete_streaming(ask(model, "one"), said.append)).text == "ONE"
    assert pieces == {"a": ["O", "N", "E"], "b": ["ONE"]}
    assert [(one.calls, one.failures) for one in door.health()] == [(1, 0), (1, 0)]


@pytest.mark.parametrize("model", ["a", "b"])
async def test_a_call_that_was_to_stream_fails_like_any_other(model: str) -> None:
    door = ModelDoor([Streaming("first", "a"), Scripted("second", "b")])
    said: list[str] = []
    with pytest.raises(ModelRequestError, match="no such parameter"):
        await door.complete_streaming(ask(model, "refuse"), said.append)
    with pytest.raises(ModelUnavailableError, match="failed: RuntimeError"):
        await door.complete_streaming(ask(model, "explode"), said.append)
    with pytest.raises(UnknownModelError):
        await door.complete_streaming(ask("c", "one"), said.append)
    assert said == (["b"] if model == "a" else [])
    health = next(one for one in door.health() if one.model == model)
    assert (health.calls, health.failures) == (2, 2)
