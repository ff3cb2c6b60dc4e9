"""The words of workflow documents: members, kinds of steps and their parameters. `docs/workflows.md` explains them."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
RESERVED_NAMES = frozenset({"validate", "examples"})
ID = re.compile(r"[A-Za-z0-9_]+(?:-+[A-Za-z0-9_]+)*")
WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
STATE_PATH = re.compile(r"(?:context|artifacts)(?:\.[A-Za-z_][A-Za-z0-9_-]{0,63}){1,8}")
ID_MAXIMUM = 64
NODES_MAXIMUM = 500
BODIES_MAXIMUM = 6
"""Bodies in bodies; with ids of 64 characters a node's key still fits its column."""
DURATION_MAXIMUM_S = 366 * 86_400.0

WORKFLOW_MEMBERS = (
    "name",
    "description",
    "inputs",
    "outputs",
    "outputs_schema",
    "steps",
    "nodes",
    "edges",
    "max_concurrency",
    "default_timeout",
    "max_node_iterations",
    "failure_policy",
    "budget",
    "state",
    "memory",
    "evaluation",
)
GRAPH_MEMBERS = ("steps", "nodes", "edges", "result")
STEP_MEMBERS = (
    "id",
    "kind",
    "type",
    "name",
    "description",
    "needs",
    "join",
    "when",
    "inputs",
    "outputs",
    "writes",
    "retries",
    "timeout",
    "interrupt_before",
    "interrupt_after",
    "on_error",
    "tools",
)
EDGE_MEMBERS = ("from", "to", "condition", "loopback")
RETRY_MEMBERS = ("limit", "delay", "backoff", "max_delay")
QUESTION_MEMBERS = ("title", "description", "timeout", "on_timeout")
BUDGET_MEMBERS = ("max_tokens", "max_cost_usd")
EVALUATION_MEMBERS = ("rubric", "version", "expected")
REDUCERS = ("replace", "append", "extend", "merge", "sum", "max", "min", "union")
INPUT_TYPES = ("string", "number", "integer", "boolean", "object", "array", "any")


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter of a kind.

    shape: `text`, `integer`, `boolean`, `object`, `list`, `any`, `condition`, `duration`, `schema`, `word`, `steps`,
    `branches` or `cases`.  literal: an expression cannot stand for it.  becomes: its name in the compiled form.
    least, most: of integers.
    """

    shape: str
    required: bool = False
    literal: bool = False
    becomes: str | None = None
    choices: tuple[str, ...] = ()
    least: int = 1
    most: int = 2**31 - 1


_ASKED: Mapping[str, Param] = {
    "model": Param("text", required=True),
    "prompt": Param("text"),
    "messages": Param("list"),
    "system": Param("text"),
    "parameters": Param("object"),
    "stream": Param("boolean"),
}
_TIMEOUT = Param("duration", literal=True, becomes="timeout_s")
_BODY = Param("steps", required=True, literal=True)
_SCHEMA = Param("schema", literal=True)

KINDS: Mapping[str, Mapping[str, Param]] = {
    "task": {"function": Param("text", required=True, literal=True)},
    "agent": {
        "agent": Param("text"),
        "version": Param("integer"),
        "environment": Param("text"),
        "input": Param("any"),
        **_ASKED,
        "model": Param("text"),
    },
    "prompt": _ASKED,
    "structured_output": {
        **_ASKED,
        "schema": Param("schema", required=True, literal=True),
        "max_repairs": Param("integer", least=0, most=3),
    },
    "http": {
        "method": Param("text", choices=("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")),
        "url": Param("text", required=True),
        "headers": Param("object"),
        "query": Param("object"),
        "json": Param("any"),
        "body": Param("text"),
        "expect_status": Param("any"),
        "max_bytes": Param("integer"),
        "follow_redirects": Param("boolean"),
    },
    "wait_event": {
        "event": Param("text", required=True),
        "timeout": _TIMEOUT,
        "on_timeout": Param("text", literal=True, choices=("fail", "continue")),
        "schema": _SCHEMA,
    },
    "sleep": {"seconds": Param("duration", least=0), "until": Param("text")},
    "interrupt": {
        "title": Param("text", required=True),
        "description": Param("text"),
        "reason": Param("text"),
        "payload": Param("any"),
        "schema": _SCHEMA,
        "timeout": _TIMEOUT,
        "on_timeout": Param("text", literal=True, choices=("fail", "approve", "reject", "continue")),
    },
    "when": {
        "condition": Param("condition", required=True),
        "body": _BODY,
        "else": Param("steps", literal=True),
    },
    "all": {"branches": Param("branches", required=True, literal=True)},
    "race": {"branches": Param("branches", required=True, literal=True)},
    "foreach": {
        "items": Param("list", required=True),
        "as": Param("word", literal=True),
        "max_concurrency": Param("integer", literal=True, most=256),
        "body": _BODY,
    },
    "loop": {
        "do_while": Param("condition"),
        "do_until": Param("condition"),
        "max_iterations": Param("integer", literal=True, most=10_000),
        "delay": Param("duration", literal=True, becomes="delay_s", least=0),
        "body": _BODY,
    },
    "subflow": {
        "workflow": Param("text", required=True, literal=True),
        "version": Param("integer", literal=True),
        "timeout": _TIMEOUT,
    },
    "remote": {
        "queue": Param("text"),
        "agent": Param("text"),
        "task": Param("text"),
        "lease": Param("duration", literal=True, becomes="lease_s"),
        "lease_s": Param("duration", literal=True),
        "max_attempts": Param("integer", most=100),
    },
    "memory.store": {
        "key": Param("text", required=True),
        "value": Param("any", required=True),
        "namespace": Param("text"),
    },
    "memory.recall": {"key": Param("text", required=True), "default": Param("any"), "namespace": Param("text")},
    # These compile to the others.
    "branch": {"cases": Param("cases", required=True, literal=True), "else": Param("steps", literal=True)},
    "map": {"mapping": Param("any", required=True)},
    "tap": {"body": _BODY},
    "sleep_until": {"until": Param("text", required=True)},
}
ONE_OF: Mapping[str, tuple[tuple[tuple[str, ...], bool], ...]] = {
    "agent": ((("agent", "model"), True), (("prompt", "messages"), False)),
    "prompt": ((("prompt", "messages"), True),),
    "structured_output": ((("prompt", "messages"), True),),
    "http": ((("json", "body"), False),),
    "sleep": ((("seconds", "until"), True),),
    "loop": ((("do_while", "do_until"), False),),
    "remote": ((("queue", "agent"), True), (("lease", "lease_s"), False)),
}
"""Parameters that exclude each other, and whether one of them is needed."""

_DURATION = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?(?:ms|s|m|h|d)\s*)+")
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}


def seconds_of(value: Any) -> float | None:
    """`90`, `1.5`, "250ms", "30s", "5m", "1h30m" or "1d" as seconds; None for what is no duration."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value)
    if not isinstance(value, str) or len(value) > 40 or not _DURATION.fullmatch(value.strip()):
        return None
    return round(sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(value)), 6)


def closest(name: object, known: Iterable[str]) -> str:
    """`; did you mean …?` where something known is like it, else nothing."""
    found = get_close_matches(str(name)[:128], list(known)[:2000], n=1, cutoff=0.6)
    return f"; did you mean `{found[0]}`?" if found else ""
