"""Runs that have ended, as their rows say it, for tests of what is made of them."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.workflows.definitions.model import Definition, Edge, Graph, Node, NodeKind
from spectral.domains.workflows.models import WorkflowRun, WorkflowRunEvent, WorkflowStep, WorkflowVersion
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.ids import new_id

BEGAN = utc_now().replace(microsecond=0) - timedelta(minutes=5)


def at(seconds: float) -> datetime:
    """So long after the run began."""
    return BEGAN + timedelta(seconds=seconds)


def graph(*nodes: Node) -> Graph:
    """Nodes one after another."""
    edges = [Edge(first.id, second.id) for first, second in pairwise(nodes)]
    return Graph(nodes, tuple(edges))


DEFINITION = Definition(
    "triage",
    graph(
        Node("fetch", NodeKind.HTTP, params={"method": "get", "url": "https://api.example/${inputs.id}"}),
        Node("sort", NodeKind.PROMPT, label="Sort it", params={"model": "scripted/one", "prompt": "x"}),
        Node(
            "each",
            NodeKind.FOREACH,
            params={"items": "${inputs.items}"},
            bodies={"body": graph(Node("reply", NodeKind.AGENT, params={"agent": "support"}))},
        ),
        Node("store", NodeKind.TASK, params={"function": "store_all"}),
    ),
)


def run_row(access: WorkspaceAccess, version: WorkflowVersion, **changes: Any) -> WorkflowRun:
    """A run that has succeeded."""
    identifier = new_id()
    values: dict[str, Any] = {
        "workspace_id": access.workspace_id,
        "id": identifier,
        "created_at": at(-1),
        "updated_at": at(10),
        "account_id": access.account_id,
        "name": "order-17",
        "version_id": version.id,
        "workflow_name": "triage",
        "workflow_version": 3,
        "adapter": "spectral",
        "status": "succeeded",
        "generation": 1,
        "lease": 1,
        "inbox": 0,
        "last_seq": 0,
        "next_index": 1,
        "segment_no": 1,
        "inputs": {"id": 17, "password": "hunter2"},
        "outputs": {"sorted": True},
        "error": None,
        "current_nodes": [],
        "suspension": None,
        "pause": None,
        "wake_at": None,
        "spent": {},
        "user_id": "ann",
        "conversation_id": "chat-1",
        "context": {},
        "labels": {"team": "billing"},
        "tags": ["nightly"],
        "options": {},
        "parent_run_id": None,
        "parent": None,
        "trace_id": None,
        "created_by": "user:test",
        "started_at": at(0),
        "finished_at": at(10),
    }
    return WorkflowRun(**{**values, **changes})


def version_row(access: WorkspaceAccess, definition: Definition = DEFINITION) -> WorkflowVersion:
    """An inline version of its own."""
    identifier = new_id()
    return WorkflowVersion(
        workspace_id=access.workspace_id,
        id=identifier,
        created_at=at(-2),
        workflow_id=None,
        version=None,
        digest=identifier.hex * 2,
        source="{}",
        source_format="json",
        document=definition.to_document(),
        created_by="user:test",
    )


def step_row(run: WorkflowRun, key: str, kind: NodeKind, ordinal: int, **changes: Any) -> WorkflowStep:
    """A step that succeeded in the second of its ordinal."""
    values: dict[str, Any] = {
        "workspace_id": run.workspace_id,
        "id": new_id(),
        "created_at": at(ordinal),
        "run_id": run.id,
        "generation": run.generation,
        "key": key,
        "iteration": 1,
        "node": key.rpartition("/")[2],
        "kind": kind.value,
        "ordinal": ordinal,
        "status": "succeeded",
        "attempts": 1,
        "max_attempts": 1,
        "inputs": None,
        "outputs": None,
        "error": None,
        "started_at": at(ordinal),
        "finished_at": at(ordinal + 1),
    }
    return WorkflowStep(**{**values, **changes})


def call_row(run: WorkflowRun, seq: int, key: str, **changes: Any) -> WorkflowRunEvent:
    """What a step says of a model that it asked."""
    said: dict[str, Any] = {
        "model": "scripted/one",
        "provider": "scripted",
        "key": key,
        "iteration": 1,
        "attempt": 1,
        "started_at": at(1.25).isoformat(),
        "ended_at": at(1.5).isoformat(),
        "error": None,
        "usage": {"input": 10, "output": 5},
        "cost_usd": "0.002",
    }
    data = {"message": "scripted/one answered", "data": {**said, **changes}}
    return event_row(run, seq, "log", data, node=key, category="model", level="info")


def event_row(run: WorkflowRun, seq: int, type: str, data: dict[str, Any], **changes: Any) -> WorkflowRunEvent:
    """Something that happened in the run."""
    values: dict[str, Any] = {
        "workspace_id": run.workspace_id,
        "id": new_id(),
        "created_at": at(seq),
        "run_id": run.id,
        "seq": seq,
        "generation": run.generation,
        "type": type,
        "started_at": at(seq),
        "data": data,
    }
    return WorkflowRunEvent(**{**values, **changes})


async def store_triage(session: AsyncSession, access: WorkspaceAccess, agent_id: UUID, **changes: Any) -> WorkflowRun:
    """A finished run of the definition above: every kind of step that has words of its own."""
    version = version_row(access)
    run = run_row(access, version, **changes)
    session.add(version)
    await session.flush()
    session.add(run)
    await session.flush()
    agent = {"agent_id": str(agent_id), "agent_version": "2"}
    answered = {"text": "billing", "model": "scripted/one", "usage": {}, "cost_usd": "0.002"}
    session.add_all(
        [
            step_row(run, "fetch", NodeKind.HTTP, 0, outputs={"status": 200, "body": "x" * 200_000}, attempts=2),
            step_row(run, "sort", NodeKind.PROMPT, 1, inputs={"text": "ä?"}, outputs=answered),
            step_row(run, "each", NodeKind.FOREACH, 2, finished_at=at(6)),
            step_row(run, "each[0]/reply", NodeKind.AGENT, 3, outputs={"output": "Dear Ann"}),
            step_row(
                run,
                "each[1]/reply",
                NodeKind.AGENT,
                4,
                status="failed",
                error={"type": "model-unavailable", "message": "overloaded"},
            ),
            step_row(run, "store", NodeKind.TASK, 7, status="skipped", started_at=None),
            call_row(run, 1, "sort"),
            call_row(run, 2, "each[0]/reply", **agent),
            call_row(
                run, 3, "each[1]/reply", **agent, usage={"input": 0, "output": 0}, cost_usd=None, error="overloaded"
            ),
            event_row(run, 4, "log", {"message": "not ours", "data": {"model": 1}}, category="model", level="info"),
            event_row(run, 5, "log", {"message": "no data"}, category="model", level="info"),
            call_row(run, 6, "sort", iteration=[1]),
            call_row(run, 7, "sort", started_at="2026-01-01T00:00:00"),
            call_row(run, 8, "sort", cost_usd="a lot"),
        ]
    )
    return run


def utc(text: str) -> datetime:
    """A moment on the wire."""
    return datetime.fromisoformat(text).astimezone(UTC)
