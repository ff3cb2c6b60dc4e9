"""Realistic GenAI traces, encoded before anything is measured: an agent, its tools, its model calls with messages.

The attributes of a span weigh 1.65 kB on average.

Encoding costs more than storing, so a few request bodies are encoded once; `restamped` gives each copy ids and times
of its own by writing them over the old ones, which protobuf encodes in a fixed number of bytes.
"""

import gzip
import json
import os
import random
import time
from dataclasses import dataclass
from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans

SPANS_A_TRACE = 10
RARE_WORD = "xylographer"
"""Stands in no body unless it is put there."""

SECOND_NS = 10**9
_WORDS = sorted({word for word in Path(__file__).read_text().split() if word.isalpha()})
_TAG_TRACE_ID = b"\x0a\x10"
_TAG_START = b"\x39"
_TAG_END = b"\x41"


@dataclass(frozen=True)
class Template:
    """An encoded request and where its ids and times stand. `traces`: the positions of each trace's id."""

    body: bytes
    spans: int
    traces: tuple[tuple[int, ...], ...]
    times: tuple[tuple[int, int], ...]
    started_at: int

    def restamped(self, started_at: int) -> bytes:
        """The same request with new trace ids, every time moved so that the first is `started_at` (nanoseconds)."""
        body = bytearray(self.body)
        for positions in self.traces:
            # Not from a seed: two loads of one run would send copies of each other's spans, which cost far more.
            trace_id = os.urandom(16)
            for position in positions:
                body[position : position + 16] = trace_id
        shift = started_at - self.started_at
        for position, value in self.times:
            body[position : position + 8] = (value + shift).to_bytes(8, "little")
        return bytes(body)


def templates(count: int, spans_a_request: int, seed: int = 7) -> list[Template]:
    """So many different requests; the same ones for the same seed."""
    dice = random.Random(seed)  # noqa: S311 - the same traces every time
    return [_template(dice, spans_a_request) for _ in range(count)]


def bodies(count: int, spans_a_request: int, *, compressed: bool, seed: int = 7) -> list[bytes]:
    """So many requests of traces of the last hour, no two with the same ids, whenever they are made."""
    dice = random.Random(seed)  # noqa: S311
    made = templates(min(count, 16), spans_a_request, seed)
    found = []
    for number in range(count):
        start = time.time_ns() - dice.randrange(3_600) * SECOND_NS
        body = made[number % len(made)].restamped(start)
        found.append(gzip.compress(body, 6) if compressed else body)
    return found


def request_with(text: str) -> bytes:
    """One span of now whose input says `text`."""
    dice = random.Random(text)  # noqa: S311
    request = ExportTraceServiceRequest()
    scope_spans = request.resource_spans.add().scope_spans.add()
    span = scope_spans.spans.add(name="chat small", trace_id=dice.randbytes(16), span_id=dice.randbytes(8))
    span.start_time_unix_nano = time.time_ns() - 60 * SECOND_NS
    span.end_time_unix_nano = span.start_time_unix_nano + SECOND_NS
    filler = _text(dice, 200)
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.input.messages": _messages("user", f"{filler} {text}")}
    span.attributes.extend(_pair(key, value) for key, value in attributes.items())
    return request.SerializeToString()


def _template(dice: random.Random, spans: int) -> Template:
    request = ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add()
    resource_spans.resource.attributes.extend(
        [_pair("service.name", "shop"), _pair("telemetry.sdk.language", "python")]
    )
    scope_spans = resource_spans.scope_spans.add()
    scope_spans.scope.name = "benchmarks"
    started_at = time.time_ns()
    left = spans
    while left:
        size = min(SPANS_A_TRACE, left)
        _add_trace(dice, scope_spans, size, started_at)
        left -= size
    body = request.SerializeToString()
    ids = sorted({span.trace_id for span in scope_spans.spans})
    times = set()
    for span in scope_spans.spans:
        times |= {(_TAG_START, span.start_time_unix_nano), (_TAG_END, span.end_time_unix_nano)}
    return Template(
        body,
        spans,
        tuple(tuple(_positions(body, _TAG_TRACE_ID + trace_id, 2)) for trace_id in ids),
        tuple(
            (position, value)
            for tag, value in sorted(times)
            for position in _positions(body, tag + value.to_bytes(8, "little"), 1)
        ),
        started_at,
    )


def _positions(body: bytes, field: bytes, offset: int) -> list[int]:
    found, position = [], body.find(field)
    while position >= 0:
        found.append(position + offset)
        position = body.find(field, position + 1)
    return found


def _add_trace(dice: random.Random, scope_spans: ScopeSpans, size: int, start: int) -> None:
    trace_id, root_id = dice.randbytes(16), dice.randbytes(8)
    for number in range(size):
        span = scope_spans.spans.add(trace_id=trace_id, span_id=root_id if number == 0 else dice.randbytes(8))
        # Odd nanoseconds, so that no two spans share a time.
        span.start_time_unix_nano = start + number * 10**8 + dice.randrange(10**6)
        span.end_time_unix_nano = span.start_time_unix_nano + dice.randrange(10**8, 5 * 10**9)
        if number:
            span.parent_span_id = root_id
        if number == 0:
            span.name = "invoke_agent support"
            attributes: dict[str, str | int] = {
                "gen_ai.operation.name": "invoke_agent",
                "spectral.agent.id": f"support-{dice.randrange(5)}",
                "spectral.agent.version": "7",
                "session.id": f"session-{dice.randrange(10_000)}",
                "user.id": f"user-{dice.randrange(1_000)}",
                "spectral.input": _text(dice, 100),
                "spectral.output": _text(dice, 100),
            }
        elif number % 3 == 0:
            span.name = "execute_tool find_order"
            attributes = {
                "gen_ai.operation.name": "execute_tool",
                "gen_ai.tool.name": "find_order",
                "gen_ai.tool.call.arguments": json.dumps({"query": _text(dice, 12)}),
                "gen_ai.tool.call.result": _text(dice, 222),
            }
        else:
            span.name = "chat small"
            attributes = {
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": "openai",
                "gen_ai.request.model": "gpt-4o-mini",
                "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
                "gen_ai.request.temperature": 1,
                "gen_ai.usage.input_tokens": dice.randrange(1_000, 4_000),
                "gen_ai.usage.cache_read.input_tokens": dice.randrange(900),
                "gen_ai.usage.output_tokens": dice.randrange(10, 900),
                "gen_ai.response.id": f"reply-{dice.randrange(10**9)}",
                "gen_ai.input.messages": _messages("user", _text(dice, 144)),
                "gen_ai.output.messages": _messages("assistant", _text(dice, 72)),
            }
        span.attributes.extend(_pair(key, value) for key, value in attributes.items())


def _messages(role: str, content: str) -> str:
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": content}]}])


def _text(dice: random.Random, words: int) -> str:
    return " ".join(dice.choices(_WORDS, k=words))


def _pair(key: str, value: str | int) -> KeyValue:
    return KeyValue(
        key=key, value=AnyValue(string_value=value) if isinstance(value, str) else AnyValue(int_value=value)
    )
