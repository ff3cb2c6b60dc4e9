"""Golden readings of the conventions: what an instrumentation sends, and what is understood of it."""

from typing import Any

import pytest

from spectral.domains.traces.conventions.registry import load_conventions
from spectral.domains.traces.preview import preview
from spectral.domains.traces.vocabulary import SpanRow
from tests.domains.traces.otlp_samples import make_span, map_span

GEN_AI_CURRENT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.response.model": "gpt-4o-2024-08-06",
    "gen_ai.usage.input_tokens": 1200,
    "gen_ai.usage.output_tokens": 340,
    "gen_ai.usage.cache_read.input_tokens": 1024,
    "gen_ai.usage.cache_creation.input_tokens": 16,
    "gen_ai.usage.reasoning.output_tokens": 128,
    "gen_ai.conversation.id": "conversation-7",
    "gen_ai.input.messages": '[{"role":"user","parts":[{"type":"text","content":"hello"}]}]',
    "gen_ai.output.messages": '[{"role":"assistant","parts":[{"type":"text","content":"hi"}],"finish_reason":"stop"}]',
}

GEN_AI_DEPRECATED = {
    "gen_ai.system": "az.ai.openai",
    "gen_ai.request.model": "gpt-35-turbo",
    "gen_ai.usage.prompt_tokens": 11,
    "gen_ai.usage.completion_tokens": "7",
    "gen_ai.prompt": "hello",
    "gen_ai.completion": "hi",
}

OPENINFERENCE = {
    "openinference.span.kind": "LLM",
    "llm.model_name": "claude-sonnet-4",
    "llm.provider": "anthropic",
    "llm.token_count.prompt": 900,
    "llm.token_count.completion": 80,
    "llm.token_count.total": 980,
    "llm.token_count.prompt_details.cache_read": 512,
    "llm.token_count.prompt_details.cache_write": 64,
    "llm.token_count.completion_details.reasoning": 20,
    "llm.cost.total": 0.0042,
    "session.id": "s-1",
    "user.id": "u-1",
    "tag.tags": ["beta", "alpha"],
    "llm.input_messages.0.message.role": "system",
    "llm.input_messages.0.message.content": "be kind",
    "llm.input_messages.10.message.role": "user",
    "llm.input_messages.10.message.content": "last",
    "llm.input_messages.2.message.role": "user",
    "llm.input_messages.2.message.content": "hello",
    "llm.output_messages.0.message.role": "assistant",
    "llm.output_messages.0.message.contents.0.message_content.type": "text",
    "llm.output_messages.0.message.contents.0.message_content.text": "hi",
    "llm.output_messages.0.message.tool_calls.0.tool_call.function.name": "find",
    "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments": "{}",
    "input.value": "raw input",
}

SPECTRAL = {
    "spectral.agent.id": "0191",
    "spectral.agent.version": 7,
    "spectral.mode": "evaluation",
    "spectral.kind": "guardrail",
    "spectral.cost_usd": "0.000000001",
    "spectral.tags": '["b","a"]',
    "spectral.input": "in",
    "spectral.output": "out",
    "gen_ai.agent.id": "another",
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "gpt-4o",
}

READINGS: list[tuple[str, dict[str, Any], dict[str, Any], str | None, str | None]] = [
    (
        "gen_ai",
        GEN_AI_CURRENT,
        {
            "kind": "llm",
            "operation": "chat",
            "provider": "openai",
            "model": "gpt-4o-2024-08-06",
            "input_tokens": 1200,
            "output_tokens": 340,
            "cache_read_tokens": 1024,
            "cache_write_tokens": 16,
            "reasoning_tokens": 128,
            "audio_tokens": None,
            # 176 tokens of input at 2,500, 1,024 cached ones at 1,250, 340 of output at 10,000 nano-USD.
            "cost_nano_usd": 5_120_000,
            "session_id": "conversation-7",
        },
        "hello",
        "hi",
    ),
    (
        "gen_ai deprecated",
        GEN_AI_DEPRECATED,
        {
            "kind": "llm",
            "operation": "llm",
            "provider": "azure.ai.openai",
            "model": "gpt-35-turbo",
            "input_tokens": 11,
            "output_tokens": 7,
            "cost_nano_usd": 16_000,  # Azure: 11 at 500, 7 at 1,500
        },
        "hello",
        "hi",
    ),
    (
        "openinference",
        OPENINFERENCE,
        {
            "kind": "llm",
            "operation": "chat",
            "provider": "anthropic",
            "model": "claude-sonnet-4",
            "input_tokens": 900,
            "output_tokens": 80,
            "cache_read_tokens": 512,
            "cache_write_tokens": 64,
            "reasoning_tokens": 20,
            "cost_nano_usd": 4_200_000,
            "session_id": "s-1",
            "user_id": "u-1",
        },
        "last",
        "hi\nfind({})",
    ),
    (
        "spectral goes first",
        SPECTRAL,
        {
            "kind": "guardrail",
            "operation": "chat",
            "model": "gpt-4o",
            "agent_id": "0191",
            "agent_version": "7",
            "mode": "evaluation",
            "cost_nano_usd": 1,
        },
        "in",
        "out",
    ),
    (
        "a tool",
        {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "find_order",
            "gen_ai.tool.call.arguments": '{"id": 7}',
            "gen_ai.tool.call.result": "found",
        },
        {"kind": "tool", "operation": "execute_tool", "tool_name": "find_order", "model": None, "input_tokens": None},
        '{"id": 7}',
        "found",
    ),
    (
        "an agent",
        {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.name": "support",
            "gen_ai.agent.version": "1.2",
            "gen_ai.request.model": "gpt-4o",
        },
        {"kind": "agent", "agent_id": "support", "agent_version": "1.2"},
        None,
        None,
    ),
    ("nothing known", {"http.method": "GET"}, {"kind": "other", "operation": "other", "mode": "live"}, None, None),
]


@pytest.mark.parametrize(
    ("attributes", "expected", "input_shown", "output_shown"),
    [reading[1:] for reading in READINGS],
    ids=[reading[0] for reading in READINGS],
)
def test_a_convention_is_understood(
    attributes: dict[str, Any], expected: dict[str, Any], input_shown: str | None, output_shown: str | None
) -> None:
    mapped = map_span(make_span(attributes=attributes))
    assert {name: getattr(mapped.row, name) for name in expected} == expected
    assert preview(mapped.input, "input") == input_shown
    assert preview(mapped.output, "output") == output_shown


def test_tags_are_a_sorted_set() -> None:
    assert map_span(make_span(attributes=OPENINFERENCE)).tags == ("alpha", "beta")
    assert map_span(make_span(attributes=SPECTRAL)).tags == ("a", "b")


@pytest.mark.parametrize("value", [-1, "many", 10**12, True, 1e400, None, [1]])
def test_implausible_tokens_are_unknown(value: Any) -> None:
    assert map_span(make_span(attributes={"gen_ai.usage.input_tokens": value})).row.input_tokens is None


@pytest.mark.parametrize(
    ("value", "nano"),
    [("0.1", 100_000_000), (0.1, 100_000_000), (1e-10, 0), (2.5e-9, 2), (-1, None), ("free", None), (1e300, None)],
)
def test_a_reported_cost_is_integer_nano_usd(value: Any, nano: int | None) -> None:
    assert map_span(make_span(attributes={"gen_ai.usage.cost": value})).row.cost_nano_usd == nano


def test_a_resource_speaks_for_its_spans() -> None:
    resource = {"service.name": "shop", "spectral.agent.id": "a-1", "spectral.agent.version": 3, "user.id": "u-9"}
    row = map_span(make_span(), resource).row
    assert (row.service, row.agent_id, row.agent_version, row.user_id) == ("shop", "a-1", "3", "u-9")
    assert map_span(make_span(attributes={"user.id": "u-1"}), resource).row.user_id == "u-1"


def test_an_error_has_a_type() -> None:
    assert map_span(make_span(status=2, attributes={"error.type": "timeout"})).row.error_type == "timeout"
    assert map_span(make_span(status=2)).row.error_type == "error"
    assert map_span(make_span(attributes={"error.type": "timeout"})).row.error_type is None
    raised = make_span(status=2)
    event = raised.events.add(name="exception")
    event.attributes.extend(make_span(attributes={"exception.type": "ValueError"}).attributes)
    assert map_span(raised).row.error_type == "ValueError"


def test_messages_in_events_are_content() -> None:
    span = make_span(attributes={"gen_ai.operation.name": "chat"})
    for name, content in (("gen_ai.system.message", "be kind"), ("gen_ai.user.message", "hello")):
        span.events.add(name=name).attributes.extend(make_span(attributes={"content": content}).attributes)
    span.events.add(name="gen_ai.choice").attributes.extend(make_span(attributes={"content": "hi"}).attributes)
    mapped = map_span(span)
    assert preview(mapped.input, "input") == "hello"
    assert preview(mapped.output, "output") == "hi"
    details = make_span()
    details.events.add(name="gen_ai.client.inference.operation.details").attributes.extend(
        make_span(attributes={"gen_ai.input.messages": GEN_AI_CURRENT["gen_ai.input.messages"]}).attributes
    )
    assert preview(map_span(details).input, "input") == "hello"


def test_null_characters_are_not_stored() -> None:
    row = map_span(make_span(name="a\x00b", attributes={"session.id": "s\x001", "spectral.tags": ["t\x00"]})).row
    assert (row.name, row.session_id) == ("a\ufffdb", "s\ufffd1")


def test_a_row_has_every_field_in_its_place() -> None:
    span = make_span(parent=b"parent__", status=1, attributes=GEN_AI_CURRENT | {"user.id": "u-1"})
    row = map_span(span, {"service.name": "shop", "spectral.agent.id": "a-1", "spectral.agent.version": 3}).row
    assert row == SpanRow(
        trace_id=span.trace_id,
        span_id=span.span_id,
        started_at=span.start_time_unix_nano,
        ended_at=span.end_time_unix_nano,
        parent_span_id=b"parent__",
        name="chat small",
        kind="llm",
        otel_kind=0,
        status=1,
        operation="chat",
        provider="openai",
        model="gpt-4o-2024-08-06",
        input_tokens=1200,
        output_tokens=340,
        cache_read_tokens=1024,
        cache_write_tokens=16,
        reasoning_tokens=128,
        audio_tokens=None,
        cost_nano_usd=5_120_000,
        session_id="conversation-7",
        user_id="u-1",
        tool_name=None,
        error_type=None,
        agent_id="a-1",
        agent_version="3",
        mode="live",
        service="shop",
        encoded_length=span.ByteSize(),
        digest=row.digest,
    )


def test_the_digest_tells_copies_apart() -> None:
    plain = map_span(make_span()).row
    assert plain.digest == map_span(make_span()).row.digest
    others = [
        map_span(make_span(), {"service.name": "other"}).row,
        map_span(make_span(name="chat large")).row,
        map_span(make_span(attributes={"a": 1})).row,
    ]
    assert len({plain.digest, *(row.digest for row in others)}) == 4
    assert all(isinstance(row, SpanRow) and len(row.digest) == 16 for row in others)


def test_the_conventions_are_loaded_in_their_order() -> None:
    assert [convention.name for convention in load_conventions()] == [
        "spectral",
        "gen_ai",
        "openinference",
        "openllmetry",
        "vercel",
        "langfuse",
        "mlflow",
        "pydantic_ai",
        "anthropic_sdk",
    ]
