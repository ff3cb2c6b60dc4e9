"""A finished run as spans. Pure: the same facts always give the same bytes, so that an export may be repeated.

Source: OpenTelemetry semantic conventions, "Generative AI", "HTTP" and "Exceptions on spans"; what they have no word
for is `spectral.workflow.*`.
"""

import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any, Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from spectral import __version__
from spectral.domains.agents.runtime import MODE_ATTRIBUTE, ExecutionMode
from spectral.domains.traces.otlp.requests import SPAN_ID_BYTES
from spectral.domains.traces.vocabulary import OWN_SERVICE, Kind
from spectral.domains.workflows.definitions.model import CONTAINERS, Definition, Node, NodeKind
from spectral.domains.workflows.execution.scope import Tree, split_prefix
from spectral.domains.workflows.execution.state import NodeStatus, enclosing_of
from spectral.domains.workflows.execution.states import RunStatus
from spectral.platform.shared.money import nano_to_usd, usd_to_nano

SCOPE: Final = "spectral.workflows"
PREFIX: Final = "spectral.workflow"
MODE_LABEL: Final = "mode"
ASKING: Final = frozenset({NodeKind.PROMPT, NodeKind.STRUCTURED_OUTPUT})
"""Kinds whose span is the call of a model itself, however often it was asked."""

KINDS: Final = {
    **dict.fromkeys(ASKING, Kind.LLM),
    **dict.fromkeys(CONTAINERS, Kind.CHAIN),
    NodeKind.SUBFLOW: Kind.CHAIN,
    NodeKind.AGENT: Kind.AGENT,
    NodeKind.TASK: Kind.TOOL,
    NodeKind.REMOTE: Kind.TOOL,
    NodeKind.MEMORY_RECALL: Kind.RETRIEVER,
}
OPERATIONS: Final = {Kind.LLM: "chat", Kind.AGENT: "invoke_agent", Kind.TOOL: "execute_tool"}
CUT: Final = "…"
STATUS_CODE: Final = re.compile(r"[1-9]\d\d", re.ASCII)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Content:
    """A JSON value as text, as much of it as was read. cut: there is more."""

    text: str
    cut: bool = False

    @classmethod
    def of(cls, value: Any, limit: int) -> "Content":
        """The value's text, at most `limit` characters of it."""
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        return cls(text[:limit], len(text) > limit)

    @classmethod
    def beginning(cls, text: str | None, limit: int) -> "Content | None":
        """What was read of a value's text: more than `limit` characters say that it goes on."""
        return None if text is None else cls(text[:limit], len(text) > limit)

    @property
    def value(self) -> Any:
        """The value; None where it was cut."""
        return None if self.cut else json.loads(self.text)

    @property
    def shown(self) -> str:
        """Text as it is, everything else as JSON."""
        if self.cut:
            return self.text + CUT
        value = self.value
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What one generation of a run was. status: final.  steps_left_out: steps beyond those that are told."""

    run_id: str
    name: str
    workflow_name: str | None
    workflow_version: int | None
    generation: int
    adapter: str
    status: str
    started_at: datetime
    ended_at: datetime
    inputs: Content | None = None
    outputs: Content | None = None
    error: Mapping[str, Any] | None = None
    user_id: str | None = None
    conversation_id: str | None = None
    labels: Mapping[str, Any] = field(default_factory=dict)
    tags: Sequence[str] = ()
    parent_run_id: str | None = None
    steps_left_out: int = 0


@dataclass(frozen=True, slots=True)
class StepFacts:
    """What one step was. response_status: of an `http` node's answer."""

    key: str
    iteration: int
    kind: str
    status: str
    attempts: int
    started_at: datetime
    ended_at: datetime
    inputs: Content | None = None
    outputs: Content | None = None
    error: Mapping[str, Any] | None = None
    response_status: str | None = None


@dataclass(frozen=True, slots=True)
class Spoken:
    """One call of a model, as the step that made it said. error: why there was no answer."""

    key: str
    iteration: int
    attempt: int
    model: str
    provider: str
    started_at: datetime
    ended_at: datetime
    input_tokens: int
    output_tokens: int
    cost_nano_usd: int | None
    error: str | None = None
    agent_id: str | None = None
    agent_version: str | None = None

    @classmethod
    def read(cls, said: Mapping[str, Any]) -> "Spoken":
        """What `ModelCalls.note` wrote.

        Raises AttributeError, KeyError, TypeError, OverflowError or ValueError for anything else.
        """
        cost, error = said["cost_usd"], said["error"]
        agent_id, agent_version = said.get("agent_id"), said.get("agent_version")
        return cls(
            key=str(said["key"]),
            iteration=int(said["iteration"]),
            attempt=int(said["attempt"]),
            model=str(said["model"]),
            provider=str(said["provider"]),
            started_at=_moment(said["started_at"]),
            ended_at=_moment(said["ended_at"]),
            input_tokens=int(said["usage"]["input"]),
            output_tokens=int(said["usage"]["output"]),
            cost_nano_usd=None if cost is None else usd_to_nano(cost),
            error=None if error is None else str(error),
            agent_id=None if agent_id is None else str(agent_id),
            agent_version=None if agent_version is None else str(agent_version),
        )


def build_request(
    trace_id: bytes, run: RunFacts, steps: Sequence[StepFacts], calls: Sequence[Spoken], definition: Definition
) -> ExportTraceServiceRequest:
    """One request with every span of the trace: the run, its steps in it, and the calls of agents in those.

    steps: in order of their first start.  calls: in order of their ends.
    """
    request = ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add()
    _put(resource_spans.resource.attributes.add(key="service.name"), OWN_SERVICE)
    scope_spans = resource_spans.scope_spans.add()
    scope_spans.scope.name, scope_spans.scope.version = SCOPE, __version__
    _Trace(trace_id, scope_spans.spans, run, steps, calls, Tree(definition)).fill()
    return request


class _Trace:
    def __init__(
        self,
        trace_id: bytes,
        spans: Any,
        run: RunFacts,
        steps: Sequence[StepFacts],
        calls: Sequence[Spoken],
        tree: Tree,
    ) -> None:
        self._trace_id = trace_id
        self._spans = spans
        self._run = run
        self._steps = steps
        self._tree = tree
        self._calls: dict[tuple[str, int], list[Spoken]] = defaultdict(list)
        for call in calls:
            self._calls[call.key, call.iteration].append(call)
        self._by_key: dict[str, list[StepFacts]] = defaultdict(list)
        for step in steps:
            self._by_key[step.key].append(step)

    def fill(self) -> None:
        self._add_run()
        for step in self._steps:
            self._add_step(step)

    def _add_run(self) -> None:
        run = self._run
        span = self._begin(self._id("run"), None, run.workflow_name or run.name, (run.started_at, run.ended_at))
        said = {
            "spectral.kind": str(Kind.CHAIN),
            "gen_ai.operation.name": "invoke_workflow",
            f"{PREFIX}.run_id": run.run_id,
            f"{PREFIX}.run_name": run.name,
            f"{PREFIX}.name": run.workflow_name,
            f"{PREFIX}.version": run.workflow_version,
            f"{PREFIX}.generation": run.generation,
            f"{PREFIX}.adapter": run.adapter,
            f"{PREFIX}.status": run.status,
            f"{PREFIX}.parent_run_id": run.parent_run_id,
            f"{PREFIX}.steps_left_out": run.steps_left_out or None,
            "spectral.tags": list(run.tags) or None,
            **{f"metadata.{name}": value for name, value in run.labels.items()},
        }
        self._say(span, said)
        self._tell_content(span, run.inputs, run.outputs)
        if run.status == RunStatus.SUCCEEDED:
            span.status.code = Status.STATUS_CODE_OK
        elif run.status == RunStatus.FAILED:
            _fail(span, run.error)

    def _add_step(self, step: StepFacts) -> None:
        node, kind = self._node_of(step.key), KINDS.get(NodeKind(step.kind), Kind.OTHER)
        name = step.key.rpartition("/")[2] if node is None else node.label or node.id
        step_id = self._step_id(step)
        span = self._begin(step_id, self._parent_of(step), name, (step.started_at, step.ended_at))
        calls = self._calls.get((step.key, step.iteration), [])
        said: dict[str, Any] = {
            "spectral.kind": str(kind),
            "gen_ai.operation.name": OPERATIONS.get(kind),
            f"{PREFIX}.run_id": self._run.run_id,
            f"{PREFIX}.step.key": step.key,
            f"{PREFIX}.step.kind": step.kind,
            f"{PREFIX}.step.iteration": step.iteration,
            f"{PREFIX}.step.attempts": step.attempts,
            f"{PREFIX}.step.status": step.status,
        }
        if step.kind in ASKING:
            span.kind = Span.SPAN_KIND_CLIENT
            said |= _usage(calls) if calls else {"gen_ai.request.model": _plain(node, "model")}
        elif step.kind == NodeKind.AGENT and calls:
            # The tokens are those of the calls below.
            said |= {"gen_ai.request.model": calls[-1].model, **_agent(calls[-1])}
        elif step.kind == NodeKind.HTTP:
            span.kind = Span.SPAN_KIND_CLIENT
            said |= _http(node, step)
        elif step.kind == NodeKind.TASK:
            said["gen_ai.tool.name"] = _plain(node, "function")
        self._say(span, said)
        self._tell_content(span, step.inputs, step.outputs)
        if step.status == NodeStatus.FAILED:
            _fail(span, step.error)
        elif step.status == NodeStatus.SUCCEEDED:
            span.status.code = Status.STATUS_CODE_OK
        if step.kind == NodeKind.AGENT:
            for number, call in enumerate(calls, start=1):
                self._add_call(step, step_id, number, call)

    def _add_call(self, step: StepFacts, step_id: bytes, number: int, call: Spoken) -> None:
        call_id = self._id(f"call {step.key}#{step.iteration} {number}")
        span = self._begin(call_id, step_id, f"chat {call.model}", (call.started_at, call.ended_at))
        span.kind = Span.SPAN_KIND_CLIENT
        said = {
            "spectral.kind": str(Kind.LLM),
            "gen_ai.operation.name": OPERATIONS[Kind.LLM],
            f"{PREFIX}.run_id": self._run.run_id,
            f"{PREFIX}.step.attempt": call.attempt,
            **_usage([call]),
            **_agent(call),
        }
        self._say(span, said)
        if call.error is None:
            span.status.code = Status.STATUS_CODE_OK
        else:
            _fail(span, {"type": "model", "message": call.error})

    def _begin(self, span_id: bytes, parent: bytes | None, name: str, times: tuple[datetime, datetime]) -> Span:
        started, ended = _nanoseconds(times[0]), _nanoseconds(times[1])
        span: Span = self._spans.add(
            trace_id=self._trace_id,
            span_id=span_id,
            name=name,
            kind=Span.SPAN_KIND_INTERNAL,
            start_time_unix_nano=started,
            # Clocks of several processes took part.
            end_time_unix_nano=max(started, ended),
        )
        if parent is not None:
            span.parent_span_id = parent
        return span

    def _say(self, span: Span, attributes: Mapping[str, Any]) -> None:
        run = self._run
        common = {"session.id": run.conversation_id, "user.id": run.user_id}
        if run.labels.get(MODE_LABEL) == ExecutionMode.EVALUATION:
            common[MODE_ATTRIBUTE] = ExecutionMode.EVALUATION.value
        for key, value in {**attributes, **common}.items():
            if value is not None:
                _put(span.attributes.add(key=key), value)

    @staticmethod
    def _tell_content(span: Span, inputs: Content | None, outputs: Content | None) -> None:
        for name, content in (("input", inputs), ("output", outputs)):
            if content is not None:
                _put(span.attributes.add(key=f"spectral.{name}"), content.shown)

    def _parent_of(self, step: StepFacts) -> bytes:
        """The step of the innermost container around it that had begun; the run where there is none."""
        for prefix in enclosing_of(step.key)[:0:-1]:
            around = [one for one in self._by_key.get(split_prefix(prefix)[0], ()) if one.started_at <= step.started_at]
            if around:
                return self._step_id(max(around, key=lambda one: (one.started_at, one.iteration)))
        return self._id("run")

    def _node_of(self, key: str) -> Node | None:
        prefix = enclosing_of(key)[-1]
        try:
            return self._tree.graph(prefix).by_id[key[len(prefix) :]]
        except KeyError:
            return None

    def _step_id(self, step: StepFacts) -> bytes:
        return self._id(f"step {step.key}#{step.iteration}")

    def _id(self, what: str) -> bytes:
        return blake2b(self._trace_id + what.encode(), digest_size=SPAN_ID_BYTES).digest()


def _usage(calls: Sequence[Spoken]) -> dict[str, Any]:
    """What calls of one model took together; the cost only where it is known of all."""
    costs = [call.cost_nano_usd for call in calls]
    known = [cost for cost in costs if cost is not None]
    return {
        "gen_ai.request.model": calls[-1].model,
        "gen_ai.provider.name": calls[-1].provider,
        "gen_ai.usage.input_tokens": sum(call.input_tokens for call in calls),
        "gen_ai.usage.output_tokens": sum(call.output_tokens for call in calls),
        "spectral.cost_usd": nano_to_usd(sum(known)) if len(known) == len(costs) else None,
        f"{PREFIX}.step.calls": len(calls),
    }


def _agent(call: Spoken) -> dict[str, Any]:
    return {"spectral.agent.id": call.agent_id, "spectral.agent.version": call.agent_version}


def _http(node: Node | None, step: StepFacts) -> dict[str, Any]:
    method, url = _plain(node, "method"), None if node is None else node.params.get("url")
    status = step.response_status
    return {
        "http.request.method": method.upper() if isinstance(method, str) else None,
        # As the definition has it: what expressions made of it may hold what nobody should keep.
        "url.template": url if isinstance(url, str) else None,
        "http.response.status_code": int(status) if status is not None and STATUS_CODE.fullmatch(status) else None,
    }


def _plain(node: Node | None, param: str) -> Any:
    """A param of the definition that is the same in every run."""
    value = None if node is None else node.params.get(param)
    return value if isinstance(value, str) and "${" not in value else None


def _fail(span: Span, error: Mapping[str, Any] | None) -> None:
    told = {"type": str((error or {}).get("type") or "error"), "message": str((error or {}).get("message") or "")}
    span.status.code, span.status.message = Status.STATUS_CODE_ERROR, told["message"]
    _put(span.attributes.add(key="error.type"), told["type"])
    event = span.events.add(name="exception", time_unix_nano=span.end_time_unix_nano)
    for name, value in told.items():
        _put(event.attributes.add(key=f"exception.{name}"), value)


def _put(attribute: KeyValue, value: Any) -> None:
    """Numbers, booleans and lists of text as themselves, everything else as text."""
    form = attribute.value
    if isinstance(value, bool):
        form.bool_value = value
    elif isinstance(value, int) and -(2**63) <= value < 2**63:
        form.int_value = value
    elif isinstance(value, float):
        form.double_value = value
    elif isinstance(value, list) and all(isinstance(one, str) for one in value):
        for one in value:
            form.array_value.values.add(string_value=one)
    else:
        form.string_value = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None or moment < _EPOCH:
        raise ValueError("a time without a zone, or before 1970")
    return moment


def _nanoseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1_000
