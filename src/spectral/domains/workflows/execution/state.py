"""The state of a run: one JSON document, changed by copies, kept as checkpoints of what changed.

    {"inputs", "context", "artifacts", "errors": [{node, type, message, at}], "nodes": {key: entry}}

A key is a node's path: `fetch`, `each[3]/fetch`, `loop[2]/check`, `both[left]/x`. An entry is never changed in place,
so that what changed between two states is found by identity.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Protocol

FULL_EVERY = 32
"""A checkpoint in so many is whole, so that at most so many rows make a state."""
GONE = "$gone"
"""Marks a change that is no plain value: a member that is gone, or one that replaces instead of merging."""

ENCLOSING = re.compile(r"\[[^\]]*\]/")


class NodeStatus(StrEnum):
    """Where a node of a run stands; a key without an entry is pending. The last five are final."""

    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"
    UNREACHED = "unreached"
    CANCELLED = "cancelled"


ENDED = frozenset(
    {NodeStatus.SUCCEEDED, NodeStatus.FAILED, NodeStatus.SKIPPED, NodeStatus.UNREACHED, NodeStatus.CANCELLED}
)

Entry = Mapping[str, Any]


class Checkpoint(Protocol):
    """What of a checkpoint's row a state is made of."""

    full: bool
    state: dict[str, Any]


class State:
    """A run's state. `document` is the whole of it; entries are replaced, never changed."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document: dict[str, Any] = dict(document)
        self.document["nodes"] = dict(document["nodes"])

    @classmethod
    def new(cls, inputs: Mapping[str, Any]) -> "State":
        """Of a run that nobody has begun."""
        return cls({"inputs": dict(inputs), "context": {}, "artifacts": {}, "errors": [], "nodes": {}})

    @classmethod
    def load(cls, checkpoints: Sequence[Checkpoint]) -> "State":
        """The state after the last of them; the first is a whole one, the others are what changed."""
        document: Any = checkpoints[0].state
        for checkpoint in checkpoints[1:]:
            document = _merged(document, checkpoint.state)
        return cls(document)

    def to_document(self) -> dict[str, Any]:
        """The whole state; later changes of this object do not show in it."""
        return {**self.document, "nodes": dict(self.nodes)}

    @property
    def nodes(self) -> dict[str, Entry]:
        """Entries by key."""
        nodes: dict[str, Entry] = self.document["nodes"]
        return nodes

    def entry(self, key: str) -> Entry:
        """The node's entry, `{}` while there is none."""
        return self.nodes.get(key, {})

    def status(self, key: str) -> NodeStatus:
        """Pending where there is no entry."""
        return NodeStatus(self.entry(key).get("status", NodeStatus.PENDING))

    def put(self, key: str, **values: Any) -> None:
        """Replace members of an entry; None takes a member out, except `outputs`."""
        entry = {**self.entry(key), **values}
        self.nodes[key] = {name: one for name, one in entry.items() if one is not None or name == "outputs"}

    def forget(self, keys: Iterable[str]) -> None:
        """These nodes are pending, as if never begun."""
        for key in list(keys):
            self.nodes.pop(key, None)

    def inside(self, prefix: str) -> list[str]:
        """Keys of entries in the bodies under a prefix (`each[3]/`, or `each[` for every one of them)."""
        return [key for key in self.nodes if key.startswith(prefix)]

    def with_status(self, *statuses: NodeStatus) -> list[str]:
        """Keys of the nodes that stand there."""
        return [key for key, entry in self.nodes.items() if entry.get("status") in statuses]

    def rewound(self) -> "State":
        """The same with every node that was in flight or waiting pending again; for a run that begins from here.

        Containers stay begun: what their bodies have done is kept.
        """
        state = State(self.document)
        for key, entry in self.nodes.items():
            if entry.get("status") in {NodeStatus.RUNNING, NodeStatus.WAITING} and "container" not in entry:
                kept = {name: entry[name] for name in ("iteration", "inputs") if name in entry}
                # What came in is computed again, unless somebody gave it.
                if not entry.get("given"):
                    kept.pop("inputs", None)
                state.nodes[key] = {"status": NodeStatus.PENDING.value, **kept}
        return state


def node_id_of(key: str) -> str:
    """The last part of a path: the node's own id."""
    return key.rsplit("/", 1)[-1]


def enclosing_of(key: str) -> list[str]:
    """Prefixes from the outermost to the node's own: `["", "each[3]/"]` for `each[3]/fetch`."""
    return ["", *(key[: found.end()] for found in ENCLOSING.finditer(key))]


def changes_between(old: Any, new: Any) -> dict[str, Any]:
    """What `_merged(old, …)` needs to give `new`: members that differ, `{GONE: true}` for those that are gone.

    Members that are the same object are the same, so it costs what changed and not what there is.
    """
    changes: dict[str, Any] = {}
    for name, value in new.items():
        if name not in old:
            changes[name] = _whole(value)
        elif not _is_same(old[name], value):
            before = old[name]
            changes[name] = changes_between(before, value) if _can_merge(before, value) else _whole(value)
    for name in old:
        if name not in new:
            changes[name] = {GONE: True}
    return changes


def _is_same(one: Any, other: Any) -> bool:
    """Equal as JSON: 1, 1.0 and true are three values."""
    if one is other:
        return True
    if type(one) is not type(other) or one != other:
        return False
    if isinstance(one, dict):
        return all(_is_same(value, other[name]) for name, value in one.items())
    return not isinstance(one, list) or all(map(_is_same, one, other))


def _can_merge(before: Any, value: Any) -> bool:
    # A member that somebody named as our mark goes whole.
    both = isinstance(before, dict) and isinstance(value, dict)
    return both and bool(value) and GONE not in before and GONE not in value


def _whole(value: Any) -> Any:
    """A value that replaces, not merges. Lists and texts do so anyway."""
    return {GONE: False, "value": value} if isinstance(value, dict) else value


def _merged(old: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(old)
    for name, change in changes.items():
        if isinstance(change, dict):
            if GONE in change:
                if change[GONE]:
                    merged.pop(name, None)
                else:
                    merged[name] = change["value"]
            else:
                merged[name] = _merged(merged[name], change)
        else:
            merged[name] = change
    return merged
