"""What real instrumentation libraries sent (`recorded/README.md`): tokens, cost and content, exact.

Every figure can be checked by hand. The stub providers answer a chat with 1,200 tokens of input, 1,024 of them cached,
and 340 of output, 128 of them reasoning: at the prices of gpt-5-mini 176 · 250 + 1,024 · 25 + 340 · 2,000 = 749,600
nano-USD. Audio is 500 tokens of input, 450 of them audio, and 260 of output, 200 of them audio: at those of gpt-audio
50 · 2,500 + 450 · 32,000 + 60 · 10,000 + 200 · 64,000 = 27,925,000. Anthropic answers with 50 tokens of input beside
1,000 read from and 200 written to its cache, and 300 of output: 50 · 3,000 + 1,000 · 300 + 200 · 3,750 + 300 · 15,000
= 5,700,000. The scenario `tools` makes two calls. Where a library does not report a part, it is not in its figures and
the price is that of what it reports: 1,200 · 250 + 340 · 2,000 = 980,000 without the cached tokens, 500 · 2,500 + 260
· 10,000 = 3,850,000 without those of audio. OpenLLMetry 0.62.4 adds the token of a stream's first event to those of its
last: 301.
"""

from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from spectral.domains.traces.bodies import SpanBody, span_bodies
from spectral.domains.traces.conventions.events import EventContent, content_of_event
from spectral.domains.traces.conventions.gen_ai import AGGREGATING_OPERATIONS
from spectral.domains.traces.ingestion.batch import prepare
from spectral.domains.traces.ingestion.rollup import COUNTER_COLUMNS, TOKEN_COLUMNS, TraceRow
from spectral.domains.traces.mapping import any_value, attributes_of
from spectral.domains.traces.otlp.requests import Rejections
from spectral.domains.traces.preview import preview
from spectral.domains.traces.vocabulary import SpanRow
from tests.domains.traces.otlp_samples import MAPPER

RECORDED = Path(__file__).parent / "recorded"

GOLDEN: dict[str, tuple[int, int, int, int, int, int, int | None, int, int]] = {
    # input, output, cached read, cached write, reasoning, audio; nano-USD; calls of unknown cost; failed spans
    "ai-5.0.277/chat": (1_200, 340, 0, 0, 0, 0, 980_000, 0, 0),
    "ai-5.0.277/embeddings": (8, 0, 0, 0, 0, 0, 160, 0, 0),
    "ai-5.0.277/error": (0, 0, 0, 0, 0, 0, None, 1, 2),
    "ai-5.0.277/stream": (1_200, 340, 1_024, 0, 128, 0, 749_600, 0, 0),
    "ai-5.0.277/tools": (2_400, 680, 0, 0, 0, 0, 1_960_000, 0, 0),
    "ai-7.0.173/chat": (1_200, 340, 1_024, 0, 0, 0, 749_600, 0, 0),
    "ai-7.0.173/embeddings": (8, 0, 0, 0, 0, 0, 160, 1, 0),
    "ai-7.0.173/error": (0, 0, 0, 0, 0, 0, None, 1, 3),
    "ai-7.0.173/stream": (1_200, 340, 1_024, 0, 0, 0, 749_600, 0, 0),
    "ai-7.0.173/tools": (2_400, 680, 2_048, 0, 0, 0, 1_499_200, 0, 0),
    "langfuse-5.0.4/manual": (1_200, 340, 1_024, 0, 128, 0, 300_000, 0, 0),
    "langfuse-5.0.4/observed": (1_200, 340, 1_024, 0, 128, 0, 749_600, 0, 0),
    "langfuse-5.0.4/tools": (2_400, 680, 2_048, 0, 256, 0, 1_499_200, 0, 0),
    "mlflow-tracing-3.17.2/error": (0, 0, 0, 0, 0, 0, None, 1, 1),
    "mlflow-tracing-3.17.2/tool": (0, 0, 0, 0, 0, 0, None, 0, 0),
    "mlflow-tracing-3.17.2/tools": (2_400, 680, 2_048, 0, 0, 0, 1_499_200, 0, 0),
    "mlflow-tracing-3.17.2/traced": (1_200, 340, 1_024, 0, 0, 0, 749_600, 0, 0),
    "openinference-instrumentation-anthropic-3.1.0/chat": (1_250, 300, 1_000, 200, 0, 0, 5_700_000, 0, 0),
    "openinference-instrumentation-anthropic-3.1.0/error": (0, 0, 0, 0, 0, 0, None, 1, 2),
    "openinference-instrumentation-anthropic-3.1.0/stream": (1_250, 300, 1_000, 200, 0, 0, 5_700_000, 0, 0),
    "openinference-instrumentation-anthropic-3.1.0/tools": (2_500, 600, 2_000, 400, 0, 0, 11_400_000, 0, 0),
    "openinference-instrumentation-openai-0.1.66/audio": (500, 260, 0, 0, 0, 650, 27_925_000, 0, 0),
    "openinference-instrumentation-openai-0.1.66/chat": (1_200, 340, 1_024, 0, 128, 0, 749_600, 0, 0),
    "openinference-instrumentation-openai-0.1.66/embeddings": (8, 0, 0, 0, 0, 0, 160, 0, 0),
    "openinference-instrumentation-openai-0.1.66/error": (0, 0, 0, 0, 0, 0, None, 1, 1),
    "openinference-instrumentation-openai-0.1.66/responses": (1_200, 340, 1_024, 0, 128, 0, 749_600, 0, 0),
    "openinference-instrumentation-openai-0.1.66/stream": (1_200, 340, 1_024, 0, 128, 0, 749_600, 0, 0),
    "openinference-instrumentation-openai-0.1.66/tools": (2_400, 680, 2_048, 0, 256, 0, 1_499_200, 0, 0),
    "opentelemetry-instrumentation-anthropic-0.40.14/chat": (1_250, 300, 1_000, 200, 0, 0, 5_700_000, 0, 0),
    "opentelemetry-instrumentation-anthropic-0.40.14/stream": (0, 0, 0, 0, 0, 0, None, 1, 0),
    "opentelemetry-instrumentation-anthropic-0.40.14/tools": (2_500, 600, 2_000, 400, 0, 0, 11_400_000, 0, 0),
    "opentelemetry-instrumentation-anthropic-0.62.4/chat": (1_250, 300, 1_000, 200, 0, 0, 5_700_000, 0, 0),
    "opentelemetry-instrumentation-anthropic-0.62.4/error": (0, 0, 0, 0, 0, 0, None, 1, 2),
    "opentelemetry-instrumentation-anthropic-0.62.4/stream": (1_250, 301, 1_000, 200, 0, 0, 5_715_000, 0, 0),
    "opentelemetry-instrumentation-anthropic-0.62.4/tools": (2_500, 600, 2_000, 400, 0, 0, 11_400_000, 0, 0),
    "opentelemetry-instrumentation-genai-anthropic-1.3b0-spans/chat": (1_250, 300, 1_000, 200, 0, 0, 5_700_000, 0, 0),
    "opentelemetry-instrumentation-genai-anthropic-1.3b0-spans/error": (0, 0, 0, 0, 0, 0, None, 1, 2),
    "opentelemetry-instrumentation-genai-anthropic-1.3b0-spans/stream": (1_250, 300, 1_000, 200, 0, 0, 5_700_000, 0, 0),
    "opentelemetry-instrumentation-genai-anthropic-1.3b0-spans/tools": (2_500, 600, 2_000, 400, 0, 0, 11_400_000, 0, 0),
    "opentelemetry-instrumentation-genai-openai-1.3b0-events/audio": (500, 260, 0, 0, 0, 650, 27_925_000, 0, 0),
    "opentelemetry-instrumentation-genai-openai-1.3b0-events/chat": (1_200, 340, 1_024, 0, 128, 0, 749_600, 0, 0),
    "opentelemetry-instrumentation-genai-openai-1.3b0-events/embeddings": (8, 0, 0, 0, 0, 0, 160, 0, 0),
    "opentelemetry-instrumentation-genai-openai-1.3b0-events/error": (0, 0, 0, 0, 0, 0, None, 1, 1),
    "opentelemetry-instrumentation-genai-openai-1.3b0-events/responses": (1_200, 340, 1_024, 0, 128, 0, 749_600, 0, 0),
    "opentelemetry-instrumentation-genai-openai-1.3b0-events/stream": (1_200, 340, 1_024, 0, 128, 0, 749_600, 0, 0),
    "opentelemetry-instrumentation-genai-openai-1.3b0-events/tools": (2_400, 680, 2_048, 0, 256, 0, 1_499_200, 0, 0),
    "opentelemetry-instrumentation-genai-openai-1.3b0-spans/audio": (500, 260, 0, 0, 0, 650, 27_925_000, 0, 0),
    "opentelemetry-instrumentation-genai-openai-1.3b0-spans/chat": (1_200, 340, 1_024, 0, 128, 0, 749_600, 0, 0),
    "opentelemetry-instrumentation-genai-openai-1.3b0-spans/embeddings": (8, 0, 0, 0, 0, 0, 160, 0, 0),
    "opentelemetry-instrumentation-genai-openai-1.3b0-spans/error": (0, 0, 0, 0, 0, 0, None, 1, 1),
    "opentelemetry-instrumentation-genai-openai-1.3b0-spans/responses": (1_200, 340, 1_024, 0, 128, 0, 749_600, 0, 0),
    "opentelemetry-instrumentation-genai-openai-1.3b0-spans/stream": (1_200, 340, 1_024, 0, 128, 0, 749_600, 0, 0),
    "opentelemetry-instrumentation-genai-openai-1.3b0-spans/tools": (2_400, 680, 2_048, 0, 256, 0, 1_499_200, 0, 0),
    "opentelemetry-instrumentation-openai-0.40.14/audio": (500, 260, 0, 0, 0, 0, 3_850_000, 0, 0),
    "opentelemetry-instrumentation-openai-0.40.14/chat": (1_200, 340, 1_024, 0, 0, 0, 749_600, 0, 0),
    "opentelemetry-instrumentation-openai-0.40.14/embeddings": (8, 0, 0, 0, 0, 0, 160, 0, 0),
    "opentelemetry-instrumentation-openai-0.40.14/error": (0, 0, 0, 0, 0, 0, None, 1, 1),
    "opentelemetry-instrumentation-openai-0.40.14/stream": (0, 0, 0, 0, 0, 0, None, 1, 0),
    "opentelemetry-instrumentation-openai-0.40.14/tools": (2_400, 680, 2_048, 0, 0, 0, 1_499_200, 0, 0),
    "opentelemetry-instrumentation-openai-0.62.4/audio": (500, 260, 0, 0, 0, 0, 3_850_000, 0, 0),
    "opentelemetry-instrumentation-openai-0.62.4/chat": (1_200, 340, 1_024, 0, 128, 0, 749_600, 0, 0),
    "opentelemetry-instrumentation-openai-0.62.4/embeddings": (8, 0, 0, 0, 0, 0, 160, 0, 0),
    "opentelemetry-instrumentation-openai-0.62.4/error": (0, 0, 0, 0, 0, 0, None, 1, 1),
    "opentelemetry-instrumentation-openai-0.62.4/responses": (1_200, 340, 1_024, 0, 128, 0, 749_600, 0, 0),
    "opentelemetry-instrumentation-openai-0.62.4/stream": (1_200, 340, 1_024, 0, 0, 0, 749_600, 0, 0),
    "opentelemetry-instrumentation-openai-0.62.4/tools": (2_400, 680, 2_048, 0, 256, 0, 1_499_200, 0, 0),
    "opentelemetry-instrumentation-openai-v2-2.3b0/audio": (500, 260, 0, 0, 0, 0, 3_850_000, 0, 0),
    "opentelemetry-instrumentation-openai-v2-2.3b0/chat": (1_200, 340, 0, 0, 0, 0, 980_000, 0, 0),
    "opentelemetry-instrumentation-openai-v2-2.3b0/embeddings": (8, 0, 0, 0, 0, 0, 160, 0, 0),
    "opentelemetry-instrumentation-openai-v2-2.3b0/error": (0, 0, 0, 0, 0, 0, None, 1, 1),
    "opentelemetry-instrumentation-openai-v2-2.3b0/stream": (1_200, 340, 0, 0, 0, 0, 980_000, 0, 0),
    "opentelemetry-instrumentation-openai-v2-2.3b0/tools": (2_400, 680, 0, 0, 0, 0, 1_960_000, 0, 0),
    "pydantic-ai-slim-2.68.0/anthropic": (2_500, 600, 2_000, 400, 0, 0, 11_400_000, 0, 0),
    "pydantic-ai-slim-2.68.0/chat": (2_400, 680, 2_048, 0, 256, 0, 1_499_200, 0, 0),
    "pydantic-ai-slim-2.68.0/error": (0, 0, 0, 0, 0, 0, None, 1, 2),
    "pydantic-ai-slim-2.68.0/responses": (2_400, 680, 2_048, 0, 256, 0, 1_499_200, 0, 0),
}


def read(name: str) -> ExportTraceServiceRequest:
    return ExportTraceServiceRequest.FromString((RECORDED / f"{name}.pb").read_bytes())


def rollups(name: str) -> list[TraceRow]:
    return [trace.rollup.row() for trace in prepare(read(name), Rejections(), MAPPER).traces.values()]


def rows(name: str) -> list[SpanRow]:
    batch = prepare(read(name), Rejections(), MAPPER)
    found = [row for trace in batch.traces.values() for row in trace.rows.values()]
    return sorted(found, key=lambda row: row.started_at)


def bodies(name: str) -> dict[str, SpanBody]:
    """By name of the span; of equal names the last to start."""
    found: dict[str, SpanBody] = {}
    for trace in prepare(read(name), Rejections(), MAPPER).traces.values():
        chunks = [(trace.chunk.payload, trace.chunk.codec)]
        of_trace = span_bodies(chunks, frozenset(trace.rows), MAPPER)
        for row in sorted(trace.rows.values(), key=lambda row: row.started_at):
            found[row.name] = of_trace[row.span_id]
    return found


def test_every_recording_has_its_figures() -> None:
    files = {str(path.relative_to(RECORDED))[: -len(".pb")] for path in RECORDED.glob("*/*.pb")}
    assert {name for name in files if not name.endswith(".logs")} == set(GOLDEN)


@pytest.mark.parametrize("name", sorted(GOLDEN))
def test_a_recording_is_counted_once_and_exactly(name: str) -> None:
    traces = rollups(name)
    *tokens, cost, unpriced, errors = GOLDEN[name]
    assert [sum(getattr(trace, column) for trace in traces) for column in TOKEN_COLUMNS] == tokens
    known = [trace.cost_nano_usd for trace in traces if trace.cost_nano_usd is not None]
    assert (sum(known) if known else None) == cost
    assert (sum(trace.unpriced_spans for trace in traces), sum(trace.error_count for trace in traces)) == (
        unpriced,
        errors,
    )
    # The hourly counters say the same when the operations of agents and chains are left out.
    usage = prepare(read(name), Rejections(), MAPPER).usage
    counters = [counted for key, counted in usage.items() if key.operation not in AGGREGATING_OPERATIONS]
    hourly = {column: sum(counted[place] for counted in counters) for place, column in enumerate(COUNTER_COLUMNS)}
    assert [hourly[column] for column in TOKEN_COLUMNS] == tokens
    assert (hourly["cost_nano_usd"], hourly["unpriced_count"]) == (cost or 0, unpriced)


CALLS = [{"id": "call_1", "name": "get_weather", "arguments": {"city": "Paris"}}]
USE = [{"id": "toolu_1", "name": "get_weather", "arguments": {"city": "Paris"}}]
QUESTION = {"role": "user", "content": "What is the weather in Paris?"}
ANSWER = [{"role": "assistant", "content": "It is sunny in Paris."}]


def conversation(calls: list[dict[str, Any]], result: Any = "sunny") -> list[dict[str, Any]]:
    return [
        QUESTION,
        {"role": "assistant", "content": None, "tool_calls": calls},
        {"role": "tool", "content": result, "tool_call_id": calls[0]["id"]},
    ]


SYSTEM = {"role": "system", "content": "Answer briefly."}

TOOLS: list[tuple[str, str, list[dict[str, Any]]]] = [
    ("openinference-instrumentation-openai-0.1.66/tools", "ChatCompletion", conversation(CALLS)),
    ("openinference-instrumentation-anthropic-3.1.0/tools", "messages.create", [SYSTEM, *conversation(USE)]),
    ("opentelemetry-instrumentation-openai-0.62.4/tools", "openai.chat", conversation(CALLS)),
    ("opentelemetry-instrumentation-openai-0.40.14/tools", "openai.chat", conversation(CALLS)),
    ("opentelemetry-instrumentation-anthropic-0.62.4/tools", "anthropic.chat", [SYSTEM, *conversation(USE)]),
    ("opentelemetry-instrumentation-genai-openai-1.3b0-spans/tools", "chat gpt-5-mini", conversation(CALLS)),
    (
        "opentelemetry-instrumentation-genai-anthropic-1.3b0-spans/tools",
        "chat claude-sonnet-4-5",
        [SYSTEM, *conversation(USE)],
    ),
    ("pydantic-ai-slim-2.68.0/chat", "chat gpt-5-mini", [SYSTEM, *conversation(CALLS, "sunny in Paris")]),
    ("pydantic-ai-slim-2.68.0/anthropic", "chat claude-sonnet-4-5", [SYSTEM, *conversation(USE, "sunny in Paris")]),
    ("ai-7.0.173/tools", "chat gpt-5-mini", [SYSTEM, *conversation(CALLS, "sunny in Paris")]),
    ("ai-5.0.277/tools", "ai.generateText.doGenerate", [SYSTEM, *conversation(CALLS, "sunny in Paris")]),
    ("langfuse-5.0.4/tools", "OpenAI-generation", conversation(CALLS)),
    ("mlflow-tracing-3.17.2/tools", "Completions", conversation(CALLS)),
]


def plain(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without members that are empty, which some libraries write and some do not."""
    return [{key: value for key, value in message.items() if value not in (None, "", [])} for message in messages]


@pytest.mark.parametrize(("name", "span", "received"), TOOLS, ids=[tools[0] for tools in TOOLS])
def test_messages_read_the_same_from_every_library(name: str, span: str, received: list[dict[str, Any]]) -> None:
    body = bodies(name)[span]
    assert plain(body.input) == plain(received)
    # The AI SDK's older versions write the text alone.
    assert body.output == ANSWER[0]["content"] or plain(body.output) == ANSWER
    assert body.tool_calls == []
    calls = [row for row in rows(name) if row.kind == "llm"]
    assert len(calls) == 2
    assert all(row.cost_nano_usd and row.model and row.operation in {"chat", "text_completion"} for row in calls)
    assert body.cost_source == ("reported" if name.startswith("pydantic") else "computed")


@pytest.mark.parametrize(("name", "span"), [tools[:2] for tools in TOOLS], ids=[tools[0] for tools in TOOLS])
def test_a_call_of_a_tool_is_an_answer(name: str, span: str) -> None:
    trace = next(iter(prepare(read(name), Rejections(), MAPPER).traces.values()))
    found = span_bodies([(trace.chunk.payload, trace.chunk.codec)], frozenset(trace.rows), MAPPER)
    first = min((row for row in trace.rows.values() if row.name == span), key=lambda row: row.started_at)
    expected = USE if "claude" in (first.model or "") else CALLS
    assert found[first.span_id].tool_calls == expected
    assert preview(found[first.span_id].output, "output") == 'get_weather({"city":"Paris"})'


def test_agents_tools_and_people_are_named() -> None:
    def named(name: str) -> set[tuple[str, str | None, str | None, str | None, str | None]]:
        return {(row.kind, row.agent_id, row.tool_name, row.session_id, row.user_id) for row in rows(name)}

    tool = ("tool", "weather", "get_weather", "session-1", "user-1")
    assert {tool, ("agent", "weather", None, "session-1", "user-1")} <= named("ai-5.0.277/tools")
    assert {("tool", None, "get_weather", None, None), ("agent", "weather", None, None, None)} <= named(
        "ai-7.0.173/tools"
    )
    assert ("agent", "answer", None, "session-1", "user-1") in named("langfuse-5.0.4/observed")
    assert rollups("langfuse-5.0.4/observed")[0].tags == ["beta"]
    assert ("tool", None, "get_weather", None, None) in named("mlflow-tracing-3.17.2/tool")
    assert ("agent", "answer", None, None, None) in named("mlflow-tracing-3.17.2/traced")
    found = {(kind, agent, tool) for kind, agent, tool, _, _ in named("pydantic-ai-slim-2.68.0/chat")}
    assert {("tool", "weather_agent", "get_weather"), ("agent", "weather_agent", None)} <= found


def test_errors_have_their_type() -> None:
    errors = {name: {row.error_type for row in rows(name) if row.failed} for name in GOLDEN if name.endswith("/error")}
    assert all(found and "error" not in found for name, found in errors.items() if "0.40.14" not in name), errors
    assert errors["mlflow-tracing-3.17.2/error"] == {"RateLimitError"}


def test_log_events_carry_the_content_of_their_spans() -> None:
    for library, span_name in (
        ("opentelemetry-instrumentation-openai-v2-2.3b0", "chat gpt-5-mini"),
        ("opentelemetry-instrumentation-genai-openai-1.3b0-events", "chat gpt-5-mini"),
    ):
        logs = ExportLogsServiceRequest.FromString((RECORDED / library / "tools.logs.pb").read_bytes())
        said: dict[bytes, list[EventContent]] = {}
        for record in logs.resource_logs[0].scope_logs[0].log_records:
            event = content_of_event(record.event_name, attributes_of(record.attributes), any_value(record.body))
            said.setdefault(record.span_id, []).append(event)
        shown = set()
        for scope_spans in read(f"{library}/tools").resource_spans[0].scope_spans:
            for span in scope_spans.spans:
                if span.name == span_name:
                    source = MAPPER.source(None, scope_spans.scope)
                    alone = MAPPER.map(span, span.SerializeToString(), source)
                    joined = MAPPER.map(span, span.SerializeToString(), source, said[span.span_id])
                    assert (alone.input, alone.output) == (None, None)
                    assert joined.row == alone.row
                    shown.add((preview(joined.input, "input"), preview(joined.output, "output")))
        assert shown == {
            ("What is the weather in Paris?", 'get_weather({"city":"Paris"})'),
            ("What is the weather in Paris?", "It is sunny in Paris."),
        }
