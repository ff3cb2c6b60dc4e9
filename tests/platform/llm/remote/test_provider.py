"""The providers' real client libraries against a server that speaks their protocols."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from spectral.platform.llm.calls import EmbeddingReply, EmbeddingRequest, ModelFault, ModelReply, ModelRequest
from spectral.platform.llm.catalogue import ModelSettings
from spectral.platform.llm.errors import (
    ModelCredentialError,
    ModelDisabledError,
    ModelRequestError,
    ModelUnavailableError,
    UnknownModelError,
)
from spectral.platform.llm.remote import provider as remote_provider
from spectral.platform.llm.remote.faults import retry_after
from tests.fixtures.model_stub import ModelStub, model_stub
from tests.platform.llm.remote.calling import ACCESS, KEY, OTHER, Bench, ask

GPT, CLAUDE, MINE = "openai/gpt-4o-mini", "anthropic/claude-haiku-4-5", "mine/llama-3"
MODELS = (GPT, CLAUDE, MINE)


@pytest.fixture
def stub() -> Iterator[ModelStub]:
    with model_stub() as running:
        yield running


@pytest.fixture
async def bench(stub: ModelStub) -> AsyncIterator[Bench]:
    made = Bench(stub)
    yield made
    await made.door.close()


async def outcome_of(bench: Bench, request: ModelRequest) -> ModelReply | ModelFault:
    (outcome,) = await bench.door.complete_many([request])
    return outcome


async def fault_of(bench: Bench, request: ModelRequest) -> ModelFault:
    outcome = await outcome_of(bench, request)
    assert isinstance(outcome, ModelFault)
    return outcome


# ---------------------------------------------------------------------------------------------------------- answers


async def test_each_protocol_completes_and_costs_what_the_table_says(bench: Bench) -> None:
    replies = {model: await bench.door.complete(ask(model, temperature=0.5, stop="X")) for model in MODELS}

    assert {reply.text for reply in replies.values()} == {"HELLO"}
    # 12 tokens in and 3 out: 0.15 and 0.60 US dollars for a million, 1.00 and 5.00, and nobody knows.
    assert {model: reply.cost_nano_usd for model, reply in replies.items()} == {GPT: 3_600, CLAUDE: 27_000, MINE: None}
    assert all((reply.input_tokens, reply.output_tokens) == (12, 3) for reply in replies.values())
    gpt, claude, mine = bench.stub.bodies
    said = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hello"}]
    common = {"messages": said, "temperature": 0.5, "stop": "X", "seed": 7}
    assert gpt == {"model": "gpt-4o-mini", "max_completion_tokens": 4096, **common}
    assert mine == {"model": "llama-3", "max_tokens": 4096, **common}
    assert claude == {
        "model": "claude-haiku-4-5",
        "system": "Be brief.",
        "messages": said[1:],
        "max_tokens": 4096,
        "temperature": 0.5,
        "stop_sequences": ["X"],
    }
    assert [(call.provider, call.purpose, call.subject, call.error_type) for call in bench.records] == [
        ("openai", "judge", "scan:1", None),
        ("anthropic", "judge", "scan:1", None),
        ("mine", "judge", "scan:1", None),
    ]


async def test_cached_and_reasoning_tokens_have_prices_of_their_own(bench: Bench) -> None:
    bench.stub.openai_usage = {
        "prompt_tokens": 1000,
        "completion_tokens": 500,
        "total_tokens": 1500,
        "prompt_tokens_details": {"cached_tokens": 600},
        "completion_tokens_details": {"reasoning_tokens": 400},
    }
    bench.stub.anthropic_usage = {
        "input_tokens": 400,
        "cache_read_input_tokens": 500,
        "cache_creation_input_tokens": 100,
        "output_tokens": 500,
    }

    gpt, claude = await bench.door.complete(ask(GPT)), await bench.door.complete(ask(CLAUDE))

    assert (gpt.input_tokens, gpt.cached_tokens, gpt.reasoning_tokens) == (1000, 600, 400)
    assert gpt.cost_nano_usd == 400 * 150 + 600 * 75 + 500 * 600
    assert (claude.input_tokens, claude.cached_tokens, claude.output_tokens) == (1000, 500, 500)
    assert claude.cost_nano_usd == 400 * 1000 + 500 * 100 + 100 * 1250 + 500 * 5000
    assert [(call.cached_tokens, call.reasoning_tokens) for call in bench.records] == [(600, 400), (500, 0)]


@pytest.mark.parametrize("model", MODELS)
async def test_a_text_streams(bench: Bench, model: str) -> None:
    pieces: list[str] = []

    reply = await bench.door.complete_streaming(ask(model), pieces.append)

    assert (reply.text, pieces) == ("HELLO", list("HELLO"))
    assert (reply.input_tokens, reply.output_tokens) == (12, 3)
    assert reply.finish_reason in {"stop", "end_turn"}


async def test_a_stream_that_breaks_off_is_no_answer(bench: Bench) -> None:
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    chunk["choices"] = [{"index": 0, "delta": {"content": "HEL"}, "finish_reason": None}]
    bench.stub.answer(f"data: {json.dumps(chunk)}\n\n".encode(), {"content-type": "text/event-stream"})

    with pytest.raises(ModelUnavailableError, match="cannot be read"):
        await bench.door.complete_streaming(ask(GPT), lambda _: None)
    assert bench.records[0].cost_nano_usd is None


async def test_json_is_asked_for_in_each_providers_way(bench: Bench) -> None:
    schema = {"type": "object", "properties": {"score": {"type": "number"}}}
    wanted = {"type": "json_schema", "json_schema": {"name": "verdict", "schema": schema}}
    for model in (GPT, CLAUDE):
        await bench.door.complete(ask(model, response_format=wanted))
        await bench.door.complete(ask(model, response_format={"type": "json_object"}))

    gpt, gpt_plain, claude, claude_plain = bench.stub.bodies
    assert (gpt["response_format"], gpt_plain["response_format"]) == (wanted, {"type": "json_object"})
    assert claude["output_config"] == {"format": {"type": "json_schema", "schema": schema}}
    assert claude_plain["system"] == "Be brief.\n\nAnswer with one JSON object and nothing else."


async def test_embeddings_come_in_the_order_of_the_texts(bench: Bench) -> None:
    small = "openai/text-embedding-3-small"
    known, unpriced, none, local = await bench.door.embed(
        [
            EmbeddingRequest(small, ["a", "bcd"], ACCESS, "scan:1"),
            EmbeddingRequest("mine/any", ["a"], ACCESS),
            EmbeddingRequest(CLAUDE, ["a"], ACCESS),
            EmbeddingRequest("spectral-local-embedding", ["a", "b"], None),
        ]
    )

    assert isinstance(known, EmbeddingReply)
    assert isinstance(unpriced, EmbeddingReply)
    assert isinstance(local, EmbeddingReply)
    assert ([list(vector) for vector in known.vectors], known.input_tokens) == ([[1.0, 1.0], [3.0, 1.0]], 7)
    assert (known.cost_nano_usd, unpriced.cost_nano_usd, local.cost_nano_usd) == (140, None, 0)
    assert isinstance(none, ModelFault)
    assert (none.type, none.message) == ("invalid_request", "Anthropic makes no embeddings")
    assert [call.kind for call in bench.records if call.error_type is None] == ["embedding", "embedding"]
    assert bench.records[0].purpose == "embedding"


async def test_a_call_without_usage_has_an_unknown_cost(bench: Bench) -> None:
    bench.stub.openai_usage = None

    reply = await bench.door.complete(ask(GPT))

    assert (reply.text, reply.cost_nano_usd, reply.input_tokens) == ("HELLO", None, 0)


# ----------------------------------------------------------------------------------------------------------- faults


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("status", "type", "retryable"),
    [
        (400, "invalid_request", False),
        (401, "credential_error", False),
        (403, "credential_error", False),
        (404, "invalid_request", False),
        (429, "provider_error", True),
        (500, "provider_error", True),
        (529, "provider_error", True),
    ],
)
async def test_a_refusal_says_whose_fault_it_is(
    bench: Bench, model: str, status: int, type: str, *, retryable: bool
) -> None:
    bench.stub.fail(status, f"something {KEY}\nis wrong", retry_after="9")

    fault = await fault_of(bench, ask(model))

    assert (fault.type, fault.retryable, fault.code) == (type, retryable, f"http_{status}")
    assert fault.message == f"the provider answered {status}: something … is wrong"
    assert fault.retry_after_s == (9 if retryable else None)
    assert fault.cost_nano_usd == 0
    assert len(bench.stub.bodies) == 1, "one attempt: the caller owns the retries"
    assert [(call.error_type, call.cost_nano_usd) for call in bench.records] == [(f"http_{status}", 0)]
    error = bench.health_of(model).last_error
    assert error is not None
    assert error.message == f"http_{status}", "what a provider says about a customer's request is not the operator's"


async def test_no_credit_is_not_a_rate_limit(bench: Bench) -> None:
    bench.stub.fail(429, "pay first", code="insufficient_quota", retry_after="1")

    fault = await fault_of(bench, ask(GPT))

    assert (fault.type, fault.retryable, len(bench.stub.bodies)) == ("credential_error", False, 1)


@pytest.mark.parametrize("model", MODELS)
async def test_a_short_rate_limit_is_waited_out_twice_at_most(bench: Bench, model: str) -> None:
    for _ in range(2):
        bench.stub.fail(429, retry_after="0")
    assert (await bench.door.complete(ask(model))).text == "HELLO"
    for _ in range(3):
        bench.stub.fail(429, retry_after="0")
    assert (await fault_of(bench, ask(model))).code == "http_429"
    assert len(bench.stub.bodies) == 6
    assert bench.remote.circuits() == {}, "a provider that limits is up"


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("body", [b"{", b"[]", b"{}", b"nonsense", b'{"choices": [{}], "content": 3}'], ids=range(5))
async def test_an_answer_that_is_none_is_a_fault(bench: Bench, model: str, body: bytes) -> None:
    bench.stub.answer(body)

    fault = await fault_of(bench, ask(model))

    assert (fault.type, fault.retryable, fault.code, fault.cost_nano_usd) == (
        "provider_error",
        True,
        "unreadable",
        None,
    )


async def test_a_slow_answer_and_a_closed_port_are_faults(stub: ModelStub) -> None:
    bench = Bench(stub, timeout_s=0.1)
    stub.delay_s = 0.3

    slow = [await fault_of(bench, ask(model)) for model in (GPT, CLAUDE)]
    stub.delay_s = 0
    for prefix in ("openai", "anthropic"):
        closed = bench.known[prefix]
        bench.known[prefix] = type(closed)(closed.id, closed.kind, prefix, "http://127.0.0.1:9/v1", KEY, "2")
    away = [await fault_of(bench, ask(model)) for model in (GPT, CLAUDE)]

    assert {(fault.code, fault.retryable, fault.cost_nano_usd) for fault in slow} == {("timeout", True, None)}
    assert {(fault.code, fault.retryable, fault.cost_nano_usd) for fault in away} == {("connection", True, 0)}
    await bench.door.close()


async def test_redirects_and_private_addresses_are_not_followed(stub: ModelStub) -> None:
    bench = Bench(stub)
    for model in (GPT, CLAUDE):
        stub.fail(307, location=f"{stub.openai_url}/elsewhere")
        fault = await fault_of(bench, ask(model))
        assert (fault.type, fault.code) == ("credential_error", "http_307")
    assert len(stub.bodies) == 2
    await bench.door.close()

    closed = Bench(stub, admitted=False)
    for model in MODELS:
        fault = await fault_of(closed, ask(model))
        assert (fault.type, fault.code, fault.retryable) == ("credential_error", "endpoint_refused", False)
    assert len(stub.bodies) == 2
    await closed.door.close()


async def test_only_what_a_provider_needs_leaves(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY"):
        monkeypatch.setenv(name, "the-operators-own")
    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", "x-secret: the-operators-own")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/")
    for model in MODELS:
        await bench.door.complete(ask(model))

    for request in bench.stub.receiver.received:
        assert "the-operators-own" not in repr(request)
        assert KEY in {request.headers.get("authorization", "")[7:], request.headers.get("x-api-key")}
        assert not any(name.startswith("x-stainless") for name in request.headers)


# ------------------------------------------------------------------------------------------------------- credentials


async def test_a_call_needs_its_workspaces_own_key(bench: Bench) -> None:
    for request in (ask(GPT, access=None), ask(GPT, access=OTHER), ask("nobody/x")):
        fault = await fault_of(bench, request)
        assert (fault.type, fault.code, fault.retryable) == ("credential_error", "no_credential", False)
    with pytest.raises(ModelCredentialError, match="the workspace has no credential for openai") as refused:
        await bench.door.complete(ask(GPT, access=OTHER))

    assert (refused.value.status, isinstance(refused.value, ModelRequestError)) == (400, True)
    assert (bench.stub.bodies, bench.records) == ([], [])
    assert bench.health_of(GPT).calls == 0
    names = [GPT, CLAUDE, "spectral-local/small", "nobody/x", "spectral-local-embedding"]
    assert await bench.door.missing_credentials(ACCESS, names) == ["nobody"]
    assert await bench.door.missing_credentials(OTHER, names) == ["anthropic", "nobody", "openai"]


async def test_a_changed_key_is_used_at_once(bench: Bench) -> None:
    await bench.door.complete(ask(MINE))
    old = bench.known["mine"]
    bench.known["mine"] = type(old)(old.id, old.kind, "mine", old.base_url, "sk-new", "2")
    await bench.door.complete(ask(MINE))

    assert [request.headers["authorization"] for request in bench.stub.receiver.received] == [
        f"Bearer {KEY}",
        "Bearer sk-new",
    ]


# ------------------------------------------------------------------------------------------- names, prices, parameters


async def test_names_prices_and_switches(bench: Bench) -> None:
    info = bench.door.read_model(GPT)
    assert (info.provider, info.priced, info.deterministic, info.tier) == ("openai", True, False, None)
    assert not bench.door.read_model("openai/gpt-of-next-year").priced
    assert not bench.door.read_model("mine/gpt-4o-mini").priced, "whoever serves it, it is not OpenAI"
    for name in ("spectral-local/huge", "gpt-4o", "/x", "x/"):
        with pytest.raises(UnknownModelError):
            bench.door.read_model(name)
    assert bench.door.ceiling("spectral-local/small", 10**6, None) == 0
    assert bench.door.ceiling(GPT, 1000, 100) == 1000 * 150 + 100 * 600
    assert bench.door.ceiling(GPT, 1000, None) == 1000 * 150 + 4096 * 600
    assert bench.door.ceiling(MINE, 1000, 100) is None

    bench.settings[MINE] = ModelSettings("premium", 1_000_000_000, 2_000_000_000)
    bench.settings[GPT] = ModelSettings(enabled=False)
    bench.catalogue.forget()
    assert (await bench.door.complete(ask(MINE))).cost_nano_usd == 12 * 1000 + 3 * 2000
    assert bench.door.read_model(MINE).tier == "premium"
    assert bench.door.ceiling(MINE, 10, 1) == 12_000
    with pytest.raises(ModelDisabledError, match="switched off"):
        await bench.door.complete(ask(GPT))


@pytest.mark.parametrize(
    ("model", "parameters", "told"),
    [
        (GPT, {"n": 3}, "the parameter n is not supported"),
        (GPT, {"service_tier": "priority"}, "the parameter service_tier is not supported"),
        (MINE, {"messages": []}, "the parameter messages is not supported"),
        (CLAUDE, {"logit_bias": {}}, "the parameter logit_bias is not supported"),
        (CLAUDE, {"response_format": {"type": "xml"}}, "response_format must be"),
        (GPT, {"max_tokens": 0}, "max_tokens must be a whole number of at least 1"),
    ],
    ids=["copies", "tier", "messages", "unknown", "format", "limit"],
)
async def test_a_parameter_that_must_not_be_sent_is_a_fault(
    bench: Bench, model: str, parameters: dict[str, Any], told: str
) -> None:
    fault = await fault_of(bench, ask(model, **parameters))

    assert (fault.type, fault.cost_nano_usd) == ("invalid_request", 0)
    assert told in fault.message
    assert (bench.stub.bodies, bench.records) == ([], [])


async def test_other_endpoints_get_parameters_of_their_own(bench: Bench) -> None:
    await bench.door.complete(ask(MINE, min_p=0.1, seed=None, max_tokens=5))

    (body,) = bench.stub.bodies
    assert (body["min_p"], body["max_tokens"], "seed" in body) == (0.1, 5, False)


def test_a_wait_is_read_in_every_form() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    assert retry_after({"retry-after-ms": "1500", "retry-after": "9"}) == 1.5
    assert retry_after({"retry-after": "2.5"}) == 2.5
    assert 90 < (retry_after({"retry-after": later}) or 0) <= 100
    assert [retry_after({"retry-after": text}) for text in ("soon", "", "-5")] == [None, None, None]
    assert retry_after({}) is None


# --------------------------------------------------------------------------------------------- circuits and concurrency


async def test_who_fails_again_and_again_is_left_alone(bench: Bench) -> None:
    for _ in range(5):
        bench.stub.fail(500)
        assert (await fault_of(bench, ask(GPT))).code == "http_500"

    refused = await fault_of(bench, ask(GPT))

    assert (refused.type, refused.retryable, refused.code) == ("provider_error", True, "circuit_open")
    assert 0 < (refused.retry_after_s or 0) <= 10
    assert len(bench.stub.bodies) == len(bench.records) == 5, "an open circuit calls nobody"
    health = bench.health_of(GPT)
    assert (health.circuit, health.calls, health.failures, health.success_rate) == ("open", 5, 5, 0.0)
    assert (await bench.door.complete(ask(CLAUDE))).text == "HELLO", "other models go on"
    assert {one.model: one.circuit for one in bench.door.health()}[CLAUDE] == "closed"


async def test_calls_of_a_batch_run_side_by_side(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_provider, "PARALLEL", 4)
    under_way = most = 0
    complete = bench.remote._attempt

    async def counted(call: object) -> object:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        try:
            return await complete(call)  # type: ignore[arg-type]
        finally:
            under_way -= 1

    monkeypatch.setattr(bench.remote, "_attempt", counted)
    outcomes = await bench.door.complete_many([ask(GPT, f"text {place}") for place in range(12)])

    assert [one.text for one in outcomes if isinstance(one, ModelReply)] == [f"TEXT {place}" for place in range(12)]
    assert most == 4


async def test_a_cancelled_call_leaves_nothing_behind(bench: Bench) -> None:
    bench.stub.delay_s = 0.2
    call = asyncio.create_task(bench.door.complete(ask(GPT)))
    await asyncio.to_thread(bench.stub.receiver.wait_for, 1)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    bench.stub.delay_s = 0
    assert (await bench.door.complete(ask(GPT))).text == "HELLO"


def test_starting_loads_no_client_library() -> None:
    code = "import sys, spectral.app; print([n for n in ('openai', 'anthropic') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
