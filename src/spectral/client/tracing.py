"""How what a task does is told from live traffic, and joins the task's trace, in a process that uses OpenTelemetry.

Nothing here needs OpenTelemetry: a process without it has no spans to mark.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from spectral.client.tasks import CURRENT, TaskContext


class TaskMarks:
    """A span processor for the process's tracer provider: spans that are begun in a task carry its attributes.

        provider.add_span_processor(TaskMarks())

    So everything that an evaluation executes carries `spectral.mode=evaluation`, and is kept out of live figures.
    """

    def on_start(self, span: Any, parent_context: Any = None) -> None:  # noqa: ARG002 - OpenTelemetry's signature
        """Called by the provider for every span."""
        task = CURRENT.get(None)
        if task is not None:
            span.set_attributes(task.attributes)

    def _on_ending(self, span: Any) -> None:
        """Nothing is left to be said when a span ends."""

    def on_end(self, span: Any) -> None:
        """Nothing is left to be said when a span has ended."""

    def shutdown(self) -> None:
        """There is nothing to close."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002 - OpenTelemetry's signature
        """Nothing is kept here."""
        return True


@contextmanager
def joined_trace(task: TaskContext) -> Iterator[None]:
    """Spans that are begun in the block belong to the task's trace, unless the function says otherwise."""
    try:
        from opentelemetry import context  # noqa: PLC0415 - a process without it is as good
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415
    except ImportError:
        yield
        return
    if task.traceparent is None:
        yield
        return
    token = context.attach(TraceContextTextMapPropagator().extract({"traceparent": task.traceparent}))
    try:
        yield
    finally:
        context.detach(token)
