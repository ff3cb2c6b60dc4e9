"""Plain JSON becomes OTLP: one trace, or a list of them, stored like everybody else's."""

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from pydantic import ValidationError

from spectral import __version__
from spectral.domains.traces.ingestion.ingestor import TraceIngestor
from spectral.domains.traces.ingestion.policy import PolicyBook
from spectral.domains.traces.lifecycle.retention import oldest_kept_ns
from spectral.domains.traces.moments import MAXIMUM_NS
from spectral.domains.traces.otlp.requests import SPAN_ID_BYTES, TRACE_ID_BYTES
from spectral.domains.traces.plain.schemas import (
    MAXIMUM_TRACES,
    BatchItem,
    PlainError,
    PlainSpan,
    PlainStep,
    PlainTrace,
    StoredBatch,
    StoredTrace,
    WrongPlace,
)
from spectral.domains.traces.vocabulary import Kind
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.errors import FieldError, ValidationFailedError
from spectral.platform.shared.money import nano_to_usd

SCOPE = "spectral.plain"

_TOKENS = {
    "input_tokens": "gen_ai.usage.input_tokens",
    "output_tokens": "gen_ai.usage.output_tokens",
    "cache_read_tokens": "gen_ai.usage.cache_read.input_tokens",
    "cache_write_tokens": "gen_ai.usage.cache_creation.input_tokens",
    "reasoning_tokens": "gen_ai.usage.reasoning_tokens",
}
_TEXTS = {
    "model": "gen_ai.request.model",
    "provider": "gen_ai.provider.name",
    "tool_name": "gen_ai.tool.name",
    "session_id": "session.id",
    "user_id": "user.id",
    "agent_id": "spectral.agent.id",
    "agent_version": "spectral.agent.version",
    "mode": "spectral.mode",
}


@dataclass(frozen=True, slots=True)
class _Ids:
    """The ids of a trace: fresh ones, or those that follow from what a repeated request repeats."""

    seed: bytes | None
    index: int

    def trace(self) -> bytes:
        return self._id("trace", TRACE_ID_BYTES)

    def span(self, number: int) -> bytes:
        return self._id(f"span {number}", SPAN_ID_BYTES)

    def _id(self, what: str, size: int) -> bytes:
        if self.seed is None:
            return secrets.token_bytes(size)
        return blake2b(self.seed + f"{self.index} {what}".encode(), digest_size=size).digest()


class PlainTraces:
    """Stores traces that came as plain JSON, durably before it answers. One per process."""

    def __init__(self, ingestor: TraceIngestor, policies: PolicyBook) -> None:
        self._ingestor = ingestor
        self._policies = policies

    async def store(
        self, access: WorkspaceAccess, document: Any, received_bytes: int, key: str | None
    ) -> StoredTrace | StoredBatch:
        """Store one trace, or those of a list that can be stored; of these all or none.

        document: the body as read from JSON.  key: with the same key and body come the same ids, so that a repetition
        changes nothing.  Raises ValidationFailedError (422) where nothing can be stored, UnavailableError (503).
        """
        is_list = isinstance(document, list)
        items = document if is_list else [document]
        if not 1 <= len(items) <= MAXIMUM_TRACES:
            detail = f"must be an object, or a list of 1 to {MAXIMUM_TRACES} objects"
            raise ValidationFailedError("The request failed validation", [FieldError("", detail)])
        seed = None if key is None else _seed(access, key, document)
        oldest_ns = await self._oldest_kept(access)
        request = ExportTraceServiceRequest()
        results: list[StoredTrace | list[FieldError]] = []
        for index, item in enumerate(items):
            read = _read(item)
            if isinstance(read, PlainTrace):
                results.append(_add(request, read, _Ids(seed, index), oldest_ns))
            else:
                results.append(read)
        if not is_list and isinstance(results[0], list):
            raise ValidationFailedError("The request failed validation", results[0])
        if not request.resource_spans:
            raise ValidationFailedError("None of the traces can be stored", _errors_of_all(results))
        rejections = await self._ingestor.take(access, request, received_bytes)
        if rejections.count:
            # What OTLP bounds and these shapes do not; some spans may be stored.
            raise ValidationFailedError(rejections.message, [FieldError("", rejections.message)])
        if isinstance(results[0], StoredTrace) and not is_list:
            return results[0]
        return _batch(results)

    async def _oldest_kept(self, access: WorkspaceAccess) -> int:
        days = (await self._policies.policy(access)).retention_days
        return 0 if days is None else oldest_kept_ns(days, utc_now())


def _seed(access: WorkspaceAccess, key: str, document: Any) -> bytes:
    digest = blake2b(json.dumps(document, sort_keys=True).encode(), digest_size=32)
    digest.update(access.workspace_id.bytes + key.encode())
    return digest.digest()


def _read(item: Any) -> PlainTrace | list[FieldError]:
    try:
        # Half of a surrogate pair is no text; neither is what JSON calls infinite.
        json.dumps(item, ensure_ascii=False, allow_nan=False).encode("utf-8")
        return PlainTrace.model_validate(item)
    except ValidationError as error:
        return [
            FieldError(_pointer(found["loc"]), found["msg"].removeprefix("Value error, "))
            for found in error.errors(include_url=False, include_input=False, include_context=False)
        ]
    except (ValueError, RecursionError):
        return [FieldError("", "holds text that is not Unicode, a number that is not finite, or is nested too deeply")]


def _pointer(location: Sequence[str | int]) -> str:
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in location)


def _add(
    request: ExportTraceServiceRequest, trace: PlainTrace, ids: _Ids, oldest_ns: int
) -> StoredTrace | list[FieldError]:
    """The trace joins the request, unless it is older than the workspace keeps."""
    times = _times(trace)
    if min(start for start, _ in times) < oldest_ns:
        return [FieldError("/started_at", "is longer ago than the workspace keeps its traces")]
    resource_spans = request.resource_spans.add()
    if trace.service is not None:
        resource_spans.resource.attributes.append(_text("service.name", trace.service))
    scope_spans = resource_spans.scope_spans.add()
    scope_spans.scope.name, scope_spans.scope.version = SCOPE, __version__
    trace_id = ids.trace() if trace.trace_id is None else bytes.fromhex(trace.trace_id)
    span_ids = [ids.span(number) for number in range(len(trace.spans) + 1)]
    named = {span.id: span_ids[number] for number, span in enumerate(trace.spans, start=1) if span.id is not None}
    for number, step in enumerate([trace, *trace.spans]):
        span = scope_spans.spans.add(trace_id=trace_id, span_id=span_ids[number])
        if isinstance(step, PlainSpan):
            span.parent_span_id = span_ids[0] if step.parent is None else named[step.parent]
        span.start_time_unix_nano, span.end_time_unix_nano = times[number]
        _fill(span, step, has_steps=bool(trace.spans) and step is trace)
    return StoredTrace(trace_id=trace_id.hex(), span_ids=[span_id.hex() for span_id in span_ids])


def _times(trace: PlainTrace) -> list[tuple[int, int]]:
    """Start and end of the trace and of its steps; what does not say begins with its trace."""
    now = int(utc_now().timestamp() * 1_000_000) * 1_000
    given = [_given(span) for span in trace.spans]
    known = [times for times in given if times is not None]
    root = _given(trace)
    if root is None and known and trace.latency_ms is None:
        root = min(start for start, _ in known), max(end for _, end in known)
    if root is None:
        root = now - trace.latency_ns, now
    steps = [
        times if times is not None else (root[0], min(root[0] + span.latency_ns, MAXIMUM_NS))
        for times, span in zip(given, trace.spans, strict=True)
    ]
    return [root, *steps]


def _given(step: PlainStep) -> tuple[int, int] | None:
    start, end = step.start_ns, step.end_ns
    if start is not None:
        return start, end if end is not None else min(start + step.latency_ns, MAXIMUM_NS)
    return None if end is None else (max(1, end - step.latency_ns), end)


def _fill(span: Span, step: PlainStep, *, has_steps: bool) -> None:
    kind = step.kind or _kind(step, has_steps=has_steps)
    span.name = step.name or step.tool_name or step.model or str(kind)
    span.kind = Span.SPAN_KIND_CLIENT if kind in {Kind.LLM, Kind.EMBEDDING} else Span.SPAN_KIND_INTERNAL
    attributes = span.attributes
    attributes.append(_text("spectral.kind", str(kind)))
    for name, key in _TEXTS.items():
        value = getattr(step, name, None)
        if value is not None:
            attributes.append(_text(key, value))
    for name, key in _TOKENS.items():
        count = getattr(step, name)
        if count is not None:
            attributes.add(key=key).value.int_value = count
    if step.cost_usd is not None:
        attributes.append(_text("spectral.cost_usd", nano_to_usd(step.cost_usd)))
    for name, value in (("input", step.input), ("output", step.output)):
        if value is not None:
            attributes.append(_text(f"spectral.{name}", _content(value)))
    tags = getattr(step, "tags", ())
    if tags:
        listed = attributes.add(key="spectral.tags").value.array_value
        for tag in tags:
            listed.values.add(string_value=tag)
    for key, value in step.metadata.items():
        _put(attributes.add(key=f"metadata.{key}"), value)
    _say_outcome(span, step)


def _say_outcome(span: Span, step: PlainStep) -> None:
    if step.status is not None:
        span.status.code = Status.STATUS_CODE_OK if step.status == "ok" else Status.STATUS_CODE_ERROR
    if step.error is not None:
        error = PlainError(message=step.error) if isinstance(step.error, str) else step.error
        span.status.code, span.status.message = Status.STATUS_CODE_ERROR, error.message
        span.attributes.append(_text("error.type", error.type))


def _kind(step: PlainStep, *, has_steps: bool) -> Kind:
    if step.tool_name is not None:
        return Kind.TOOL
    if has_steps:
        return Kind.CHAIN
    counted = step.input_tokens is not None or step.output_tokens is not None or step.cost_usd is not None
    if step.model is not None or counted:
        return Kind.LLM
    return Kind.CHAIN if isinstance(step, PlainTrace) else Kind.OTHER


def _text(key: str, value: str) -> KeyValue:
    attribute = KeyValue(key=key)
    attribute.value.string_value = value
    return attribute


def _content(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _put(attribute: KeyValue, value: Any) -> None:
    """Numbers and booleans as themselves, everything else as text."""
    if isinstance(value, bool):
        attribute.value.bool_value = value
    elif isinstance(value, int) and -(2**63) <= value < 2**63:
        attribute.value.int_value = value
    elif isinstance(value, float):
        attribute.value.double_value = value
    elif value is not None:
        attribute.value.string_value = _content(value)


def _errors_of_all(results: Sequence[StoredTrace | list[FieldError]]) -> list[FieldError]:
    return [
        FieldError(f"/{index}{error.pointer}", error.detail)
        for index, errors in enumerate(results)
        if isinstance(errors, list)
        for error in errors
    ]


def _batch(results: Sequence[StoredTrace | list[FieldError]]) -> StoredBatch:
    items = []
    for index, result in enumerate(results):
        if isinstance(result, StoredTrace):
            items.append(BatchItem(index=index, trace_id=result.trace_id, span_ids=result.span_ids))
        else:
            errors = [WrongPlace(pointer=error.pointer, detail=error.detail) for error in result]
            items.append(BatchItem(index=index, errors=errors))
    accepted = sum(1 for item in items if item.trace_id is not None)
    return StoredBatch(accepted=accepted, rejected=len(items) - accepted, results=items)
