"""Rows of runs as the wire shows them. Pure."""

from datetime import datetime, timedelta
from typing import Any

from spectral.domains.workflows.execution.states import RunStatus
from spectral.domains.workflows.models import (
    WorkflowCheckpoint,
    WorkflowInterrupt,
    WorkflowRun,
    WorkflowRunEvent,
    WorkflowSignal,
    WorkflowStep,
)
from spectral.domains.workflows.runs.reading import History, RunView, StateView, Summary
from spectral.domains.workflows.runs.reading_schemas import (
    CheckpointDetail,
    CheckpointOut,
    CurrentStepOut,
    EventOut,
    HistoryOut,
    HistoryPart,
    InterruptOut,
    LogOut,
    RunOut,
    RunParentOut,
    RunsOfWorkflow,
    RunsSummary,
    RunStateOut,
    RunSummary,
    SignalOut,
    SpentOut,
    StepOut,
)

MILLISECOND = timedelta(milliseconds=1)
TOLD = ("status", "input", "output", "error")
OF_COLUMNS = frozenset(WorkflowRun.__table__.columns.keys())


def run_summary(run: WorkflowRun, step_count: int) -> RunSummary:
    """A run as lists show it; its large columns need not be loaded."""
    return RunSummary.model_validate(_members(run, RunSummary, step_count))


def run_out(view: RunView) -> RunOut:
    """The whole of a run."""
    run = view.run
    step = view.current_step
    return RunOut.model_validate(
        _members(run, RunOut, view.figures.steps)
        | {
            "current_step": None if step is None else CurrentStepOut.model_validate(step),
            "pending_interrupts": view.figures.pending_interrupts,
            "children": view.figures.children,
            "checkpoints": run.next_index,
        }
    )


def _members(run: WorkflowRun, shape: type[RunSummary], step_count: int) -> dict[str, Any]:
    members = {name: getattr(run, name) for name in shape.model_fields if name in OF_COLUMNS}
    spent = run.spent
    return members | {
        "workflow": run.workflow_name,
        "metadata": run.labels,
        "parent": parent_out(run),
        "step_count": step_count,
        "spent": SpentOut(
            tokens=spent.get("tokens", 0),
            cost_usd=spent.get("cost_nano_usd", 0),
            unknown_cost_calls=spent.get("unknown_cost_calls", 0),
        ),
        "duration_ms": milliseconds(run.started_at, run.finished_at),
    }


def parent_out(run: WorkflowRun) -> RunParentOut | None:
    """Where the run came from."""
    if run.parent_run_id is None:
        return None
    told = run.parent or {}
    return RunParentOut(
        run_id=run.parent_run_id, kind=told.get("kind", "subflow"), step=told.get("step"), index=told.get("index")
    )


def step_out(step: WorkflowStep) -> StepOut:
    """A step."""
    members = {name: getattr(step, name) for name in StepOut.model_fields if name != "duration_ms"}
    return StepOut.model_validate(members | {"duration_ms": milliseconds(step.started_at, step.finished_at)})


def event_out(event: WorkflowRunEvent) -> EventOut:
    """An event; what every type has is taken out of its data."""
    members = {name: getattr(event, name) for name in EventOut.model_fields if name not in {*TOLD, "data"}}
    told = {name: event.data.get(name) for name in TOLD}
    rest = {name: value for name, value in event.data.items() if name not in TOLD}
    return EventOut.model_validate({**members, **told, "data": rest})


def log_out(event: WorkflowRunEvent) -> LogOut:
    """An event of type `log` as a line."""
    return LogOut(
        seq=event.seq,
        generation=event.generation,
        node=event.node,
        level=event.level or "info",
        category=event.category,
        message=str(event.data.get("message", "")),
        data=event.data.get("data"),
        at=event.started_at,
    )


def checkpoint_out(checkpoint: WorkflowCheckpoint) -> CheckpointOut:
    """A checkpoint without its state."""
    return CheckpointOut.model_validate(checkpoint)


def checkpoint_detail(view: StateView) -> CheckpointDetail:
    """A checkpoint with the whole state."""
    return CheckpointDetail(**checkpoint_out(view.checkpoint).model_dump(), state=view.document)


def run_state_out(view: StateView) -> RunStateOut:
    """Where a run stands."""
    run, last = view.run, view.checkpoint
    return RunStateOut(
        run_id=run.id,
        name=run.name,
        workflow=run.workflow_name,
        status=RunStatus(run.status),
        generation=run.generation,
        index=last.index,
        steps_completed=last.steps_completed,
        last_completed_node=last.last_node,
        next_nodes=last.next_nodes,
        suspension=run.suspension,
        updated_at=run.updated_at,
        state=view.document,
    )


def history_out(history: History) -> HistoryOut:
    """What one generation did."""
    run, logs = history.run, history.logs
    return HistoryOut(
        run_id=run.id,
        name=run.name,
        status=RunStatus(run.status),
        generation=history.generation,
        generations=run.generation,
        steps=HistoryPart(
            results=[step_out(step) for step in history.steps.rows], next_cursor=history.steps.next_cursor
        ),
        events=HistoryPart(
            results=[event_out(event) for event in history.events.rows], next_cursor=history.events.next_cursor
        ),
        logs=None
        if logs is None
        else HistoryPart(results=[log_out(event) for event in logs.rows], next_cursor=logs.next_cursor),
    )


def summary_out(summary: Summary) -> RunsSummary:
    """Counts and durations."""
    durations = summary.durations
    return RunsSummary(
        total=summary.total,
        by_status=summary.by_status,
        success_rate=summary.success_rate,
        avg_duration_ms=durations.average,
        p50_duration_ms=durations.p50,
        p95_duration_ms=durations.p95,
        workflows=[RunsOfWorkflow.model_validate(each) for each in summary.workflows],
    )


def interrupt_out(interrupt: WorkflowInterrupt, run: WorkflowRun) -> InterruptOut:
    """A question, with the run that asks it."""
    made = {"run_name": run.name, "workflow": run.workflow_name, "step": interrupt.key}
    members = {name: getattr(interrupt, name) for name in InterruptOut.model_fields if name not in made}
    return InterruptOut.model_validate(members | made)


def signal_out(signal: WorkflowSignal) -> SignalOut:
    """A signal under the id that its sender knows."""
    members = {name: getattr(signal, name) for name in SignalOut.model_fields if name != "id"}
    return SignalOut.model_validate(members | {"id": signal.signal_key})


def milliseconds(start: datetime | None, end: datetime | None) -> int | None:
    """How long it took; None unless it has begun and ended."""
    return None if start is None or end is None else (end - start) // MILLISECOND
