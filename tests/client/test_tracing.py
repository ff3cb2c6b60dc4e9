"""What a task does joins its trace and says why it was done; nothing else does."""

import asyncio
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from spectral.client import TaskMarks
from spectral.client.runner import _call
from spectral.client.tasks import TaskContext, Work

TRACE, PARENT = "ab" * 16, "cd" * 8


@pytest.mark.parametrize("is_async", [True, False], ids=["coroutine", "thread"])
async def test_spans_of_a_task_join_its_trace_and_carry_its_mode(is_async: bool) -> None:  # noqa: FBT001
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(TaskMarks())  # type: ignore[arg-type]  # it needs nothing of OpenTelemetry
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("tests")

    def answer(config: dict[str, Any], value: Any) -> Any:
        with tracer.start_as_current_span("answer"), tracer.start_as_current_span("search"):
            return [config["k"], value]

    async def answer_later(config: dict[str, Any], value: Any) -> Any:
        await asyncio.sleep(0)
        return answer(config, value)

    work = Work("agent", "Support", answer_later if is_async else answer)
    context = TaskContext("1", 1, "1", traceparent=f"00-{TRACE}-{PARENT}-01", mode="evaluation")
    # A session does each task in one of asyncio's own.
    said = await asyncio.create_task(_call(work, {"config": {"k": 3}, "input": "x"}, context))
    assert said == {"output": [3, "x"]}
    with tracer.start_as_current_span("live"):
        pass
    search, answered, live = exporter.get_finished_spans()
    for span in (search, answered):
        assert span.context is not None
        assert (f"{span.context.trace_id:032x}", dict(span.attributes or {})) == (
            TRACE,
            {"spectral.mode": "evaluation"},
        )
    assert answered.parent is not None
    assert f"{answered.parent.span_id:016x}" == PARENT
    assert live.context is not None
    assert (f"{live.context.trace_id:032x}" == TRACE, dict(live.attributes or {})) == (False, {})
    assert context.reported()["latency_ms"] >= 0
    provider.shutdown()
