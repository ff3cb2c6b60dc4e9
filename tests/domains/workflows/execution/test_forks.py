"""Forks of every checkpoint and replays of every step of made-up graphs: nothing that came before is done again."""

import asyncio
import os
import random
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from spectral.domains.workflows.definitions.model import Definition, Edge, Graph, Node, NodeKind
from spectral.domains.workflows.models import WorkflowCheckpoint, WorkflowRun, WorkflowRunEvent, WorkflowStep
from spectral.domains.workflows.nodes.calls import NodeCall
from spectral.domains.workflows.runs.authority import ScopedAuthority
from spectral.domains.workflows.runs.forking import Changes, RunForking
from tests.domains.workflows.execution.conftest import Runs
from tests.domains.workflows.execution.test_scheduler import chain, task

ROUNDS = int(os.environ.get("SPECTRAL_TEST_ROUNDS", "1"))

Done = set[tuple[str, int]]
"""Steps, by key and iteration."""


def made_up(dice: random.Random) -> Graph:
    """Tasks and containers that lead forward to each other, and at the end two of which the second leads back once."""
    nodes = [made_up_node(dice, f"n{number}") for number in range(dice.randint(3, 5))]
    edges = [
        Edge(one.id, other.id)
        for place, one in enumerate(nodes)
        for other in nodes[place + 1 :]
        if dice.random() < 0.45
    ]
    edges += [Edge(one.id, "x") for one in nodes]
    edges += [Edge("x", "y"), Edge("y", "x", "iteration < 2", is_loopback=True)]
    return Graph((*nodes, task("x"), task("y")), tuple(edges))


def made_up_node(dice: random.Random, name: str) -> Node:
    kind = dice.choice(
        [NodeKind.TASK] * 4 + [NodeKind.FOREACH, NodeKind.ALL, NodeKind.LOOP, NodeKind.WHEN, NodeKind.SLEEP]
    )
    body = {"body": chain(task(f"{name}a"), task(f"{name}b"))}
    if kind is NodeKind.TASK:
        return task(name)
    if kind is NodeKind.SLEEP:
        return Node(name, kind, params={"seconds": 0.02})
    if kind is NodeKind.FOREACH:
        return Node(name, kind, params={"items": [1, 2, 3], "max_concurrency": 2}, bodies=body)
    if kind is NodeKind.ALL:
        return Node(
            name, kind, bodies={"left": chain(task(f"{name}a"), task(f"{name}b")), "right": chain(task(f"{name}c"))}
        )
    if kind is NodeKind.LOOP:
        return Node(name, kind, params={"do_while": "iteration < 2", "max_iterations": 5}, bodies=body)
    return Node(name, kind, params={"condition": "true"}, bodies=body)


class Observed:
    """Which steps' work was done in which run."""

    def __init__(self, runs: Runs, definition: Definition) -> None:
        self.runs = runs
        self.calls: dict[UUID, list[tuple[str, int]]] = {}
        for node in definition.graph.walk():
            runs.functions[node.id] = self.work

    async def work(self, call: NodeCall) -> Any:
        self.calls.setdefault(call.run_id, []).append((call.key, call.iteration))
        await asyncio.sleep(len(call.key) % 3 * 0.002)
        return f"{call.key}#{call.iteration}"

    async def rows(self, run_id: UUID) -> list[Any]:
        """Everything that is kept of a run, as plain values."""
        found = []
        async with self.runs.database.transaction(self.runs.access, read_only=True) as session:
            for model, column in (
                (WorkflowRun, WorkflowRun.id),
                (WorkflowStep, WorkflowStep.run_id),
                (WorkflowRunEvent, WorkflowRunEvent.run_id),
                (WorkflowCheckpoint, WorkflowCheckpoint.run_id),
            ):
                mine = sa.select(model.__table__).where(
                    model.workspace_id == self.runs.access.workspace_id, column == run_id
                )
                found.append([tuple(row) for row in await session.execute(mine.order_by(model.id))])
        return found


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2 * ROUNDS))
async def test_nothing_that_came_before_is_done_again(runs: Runs, seed: int) -> None:
    definition = Definition("made-up", made_up(random.Random(seed)))  # noqa: S311
    observed = Observed(runs, definition)
    source = await runs.until(await runs.start(definition))
    assert source.status == "succeeded", source.error
    steps = await runs.steps(source.id)
    async with runs.database.transaction(runs.access, read_only=True) as session:
        kept = list(
            await session.scalars(
                sa.select(WorkflowCheckpoint)
                .where(
                    WorkflowCheckpoint.workspace_id == runs.access.workspace_id, WorkflowCheckpoint.run_id == source.id
                )
                .order_by(WorkflowCheckpoint.index)
            )
        )
    whole = set(observed.calls[source.id])
    assert len(observed.calls[source.id]) == len(whole)
    before = await observed.rows(source.id)

    def done_by(moment: datetime) -> Done:
        return {(step.key, step.iteration) for step in steps if step.finished_at and step.finished_at <= moment}

    async with runs.database.transaction(runs.access) as session:
        forking = RunForking(session, runs.access, runs.launcher, ScopedAuthority(runs.access))
        forks = [
            await forking.fork_run(source.name, one.index, name=None, inputs=None, changes=Changes()) for one in kept
        ]
        keys = sorted({step.key for step in steps})
        replays = [await forking.replay_run(source.name, key, name=None, given=None, changes=Changes()) for key in keys]
    for checkpoint, begun in zip(kept, forks, strict=True):
        run = await runs.until(begun.id, within_s=60)
        assert (run.status, run.outputs) == ("succeeded", source.outputs), (checkpoint.index, run.error)
        called = observed.calls.get(run.id, [])
        # Exactly what was left, each once.
        assert sorted(called) == sorted(whole - done_by(checkpoint.created_at)), checkpoint.index
    for key, begun in zip(keys, replays, strict=True):
        run = await runs.until(begun.id, within_s=60)
        assert (run.status, run.outputs) == ("succeeded", source.outputs), (key, run.error)
        last = max((step for step in steps if step.key == key), key=lambda step: step.iteration)
        assert last.started_at is not None
        called = observed.calls.get(run.id, [])
        assert len(set(called)) == len(called)
        assert not set(called) & done_by(last.started_at), key
        if (key, last.iteration) in whole:
            assert (key, last.iteration) in called
        await check_order(runs, run.id)
    assert await observed.rows(source.id) == before


async def check_order(runs: Runs, run_id: UUID) -> None:
    events = await runs.events(run_id)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert sum(event.type == "run.succeeded" for event in events) == 1
