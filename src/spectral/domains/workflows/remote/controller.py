"""HTTP of remote work: runners lease tasks of an agent or of a named queue, and answer them."""

from typing import Any
from uuid import UUID

from litestar import Controller, Request, Response, get, post
from litestar.datastructures import State
from litestar.openapi.datastructures import ResponseSpec

from spectral.domains.agents.runtime import ExecutionMode
from spectral.domains.agents.service import AgentService
from spectral.domains.workflows.remote.answers import MAX_RESULT_BYTES, Answer, Result
from spectral.domains.workflows.remote.schemas import (
    AgentLeaseOut,
    AgentTaskOut,
    HeartbeatIn,
    LeaseIn,
    ResultIn,
    ResultRefusalOut,
    ResultsIn,
    ResultsOut,
    RunnerOut,
    TaskResultOut,
    WorkLeaseOut,
    WorkTaskOut,
)
from spectral.domains.workflows.remote.service import Leased, RemoteQueue, agent_queue, named_queue
from spectral.domains.workflows.remote.waiting import WorkWaiting
from spectral.platform.access.guards import requires
from spectral.platform.access.principal import Principal, WorkspaceAccess
from spectral.platform.access.scopes import Scope
from spectral.platform.db.session import Database
from spectral.platform.shared.errors import SpectralError

RUNNER = (requires(Scope.READ_AGENTS), requires(Scope.WRITE_TRACES))
RESULT_BODY_BYTES = MAX_RESULT_BYTES + 64 * 1024
"""A result with everything that stands beside its output."""

RESULTS_BODY_BYTES = 4 * RESULT_BODY_BYTES

LEASING = (
    "Answers 204 when there is nothing, at once or after `wait_s` seconds. Each task is the caller's for `lease_s` "
    "seconds, and longer with heartbeats; then it is offered again, until it was leased as often as it may be."
)
NOTHING = {204: ResponseSpec(None, description="There was nothing to lease in time", generate_examples=False)}
ANSWERING = "The same body again is 204 too, so a result whose answer was lost can be sent again."
ANSWERING_TOGETHER = (
    "Up to 64 results in one transaction. Each is taken or refused by itself; `error` says what `…/result` would have "
    "answered. The same body again is answered as the first time."
)


class AgentWorkController(Controller):
    """Runners of an agent: the platform's own evaluations, and `remote` nodes that name the agent."""

    path = "/api/v1/workspaces/{workspace_id:uuid}/agents/{agent_id:uuid}/work"
    tags = ("Remote work",)
    guards = RUNNER

    @post(
        "/lease",
        operation_id="leaseAgentWork",
        summary="Lease work of an agent",
        description=LEASING,
        status_code=200,
        responses=NOTHING,
    )
    async def lease_agent_work(
        self,
        request: Request[Principal, None, State],
        database: Database,
        access: WorkspaceAccess,
        work_waiting: WorkWaiting,
        agent_id: UUID,
        data: LeaseIn,
    ) -> Response[AgentLeaseOut | None]:
        async with database.transaction(access, read_only=True) as session:
            await AgentService(session, access).read_agent(agent_id)
        leased = await _lease(request, access, work_waiting, agent_queue(agent_id), data)
        return _answer(AgentLeaseOut(tasks=[agent_task_out(each) for each in leased]) if leased else None)

    @post(
        "/{task_id:uuid}/heartbeat",
        operation_id="keepAgentWork",
        summary="Keep the lease of a task",
        status_code=204,
    )
    async def keep_agent_work(
        self,
        database: Database,
        access: WorkspaceAccess,
        remote_queue: RemoteQueue,
        agent_id: UUID,
        task_id: UUID,
        data: HeartbeatIn,
    ) -> None:
        async with database.transaction(access) as session:
            await remote_queue.heartbeat(session, access, agent_queue(agent_id), task_id, data.lease_token)

    @post(
        "/{task_id:uuid}/result",
        operation_id="answerAgentWork",
        summary="Answer a task",
        description=ANSWERING,
        status_code=204,
        request_max_body_size=RESULT_BODY_BYTES,
    )
    async def answer_agent_work(
        self,
        database: Database,
        access: WorkspaceAccess,
        remote_queue: RemoteQueue,
        agent_id: UUID,
        task_id: UUID,
        data: ResultIn,
    ) -> None:
        async with database.transaction(access) as session:
            queue = agent_queue(agent_id)
            await remote_queue.record(session, access, queue, task_id, data.lease_token, answer_of(data))

    @post(
        "/results",
        operation_id="answerAgentWorkTogether",
        summary="Answer several tasks",
        description=ANSWERING_TOGETHER,
        status_code=200,
        request_max_body_size=RESULTS_BODY_BYTES,
    )
    async def answer_agent_work_together(
        self, database: Database, access: WorkspaceAccess, remote_queue: RemoteQueue, agent_id: UUID, data: ResultsIn
    ) -> ResultsOut:
        async with database.transaction(access, read_only=True) as session:
            await AgentService(session, access).read_agent(agent_id)
        return await _record_all(database, access, remote_queue, agent_queue(agent_id), data)


class WorkController(Controller):
    """Runners of a named queue: `remote` nodes of workflows."""

    path = "/api/v1/workspaces/{workspace_id:uuid}/queues/{queue:str}"
    tags = ("Remote work",)
    guards = RUNNER

    @post(
        "/lease",
        operation_id="leaseWork",
        summary="Lease work of a queue",
        description=LEASING,
        status_code=200,
        responses=NOTHING,
    )
    async def lease_work(
        self,
        request: Request[Principal, None, State],
        access: WorkspaceAccess,
        work_waiting: WorkWaiting,
        queue: str,
        data: LeaseIn,
    ) -> Response[WorkLeaseOut | None]:
        leased = await _lease(request, access, work_waiting, named_queue(queue), data)
        return _answer(WorkLeaseOut(tasks=[work_task_out(each) for each in leased]) if leased else None)

    @post("/{task_id:uuid}/heartbeat", operation_id="keepWork", summary="Keep the lease of a task", status_code=204)
    async def keep_work(
        self,
        database: Database,
        access: WorkspaceAccess,
        remote_queue: RemoteQueue,
        queue: str,
        task_id: UUID,
        data: HeartbeatIn,
    ) -> None:
        async with database.transaction(access) as session:
            await remote_queue.heartbeat(session, access, named_queue(queue), task_id, data.lease_token)

    @post(
        "/{task_id:uuid}/result",
        operation_id="answerWork",
        summary="Answer a task",
        description=ANSWERING,
        status_code=204,
        request_max_body_size=RESULT_BODY_BYTES,
    )
    async def answer_work(
        self,
        database: Database,
        access: WorkspaceAccess,
        remote_queue: RemoteQueue,
        queue: str,
        task_id: UUID,
        data: ResultIn,
    ) -> None:
        async with database.transaction(access) as session:
            await remote_queue.record(session, access, named_queue(queue), task_id, data.lease_token, answer_of(data))

    @post(
        "/results",
        operation_id="answerWorkTogether",
        summary="Answer several tasks",
        description=ANSWERING_TOGETHER,
        status_code=200,
        request_max_body_size=RESULTS_BODY_BYTES,
    )
    async def answer_work_together(
        self, database: Database, access: WorkspaceAccess, remote_queue: RemoteQueue, queue: str, data: ResultsIn
    ) -> ResultsOut:
        return await _record_all(database, access, remote_queue, named_queue(queue), data)


@get(
    "/api/v1/runner",
    operation_id="readRunner",
    summary="Read which workspace the key belongs to",
    description="What `spectral runner` and `spectral.client` ask first; a person names the workspace in a header.",
    tags=["Remote work"],
    guards=[requires(Scope.READ_AGENTS)],
)
async def read_runner(access: WorkspaceAccess) -> RunnerOut:
    return RunnerOut(workspace_id=access.workspace_id, scopes=sorted(access.scopes))


def answer_of(data: ResultIn) -> Answer:
    """What the runner said, without its token."""
    return Answer(
        output=data.output,
        error=None if data.error is None else data.error.model_dump(),
        usage=data.usage,
        cost_nano_usd=data.cost_usd,
        trace_id=data.trace_id,
        latency_ms=data.latency_ms,
    )


async def _record_all(
    database: Database, access: WorkspaceAccess, remote_queue: RemoteQueue, queue: str, data: ResultsIn
) -> ResultsOut:
    results = [Result(each.task_id, each.lease_token, answer_of(each)) for each in data.results]
    async with database.transaction(access) as session:
        refusals = await remote_queue.record_all(session, access, queue, results)
    return ResultsOut(
        results=[
            TaskResultOut(task_id=result.task_id, error=None if refusal is None else _refusal_out(refusal))
            for result, refusal in zip(results, refusals, strict=True)
        ]
    )


def _refusal_out(error: SpectralError) -> ResultRefusalOut:
    return ResultRefusalOut(status=error.status, type=error.slug, detail=error.detail)


def agent_task_out(leased: Leased) -> AgentTaskOut:
    task = leased.task.task
    names = ("config", "config_hash", "input", "seed", "traceparent", "max_cost_usd")
    given: dict[str, Any] = {name: task.get(name) for name in names}
    return AgentTaskOut(**_lease_out(leased), **given, mode=task.get("mode") or ExecutionMode.LIVE.value)


def work_task_out(leased: Leased) -> WorkTaskOut:
    row = leased.task
    key = f"{row.run_id}:{row.generation}:{row.step_key}:{row.iteration}" if row.run_id else str(row.id)
    return WorkTaskOut(
        **_lease_out(leased),
        task=row.task.get("task") or row.queue,
        inputs=row.task.get("inputs"),
        idempotency_key=row.task.get("idempotency_key") or key,
        traceparent=row.task.get("traceparent"),
    )


def _lease_out(leased: Leased) -> dict[str, Any]:
    row = leased.task
    return {
        "task_id": row.id,
        "lease_token": leased.token,
        "expires_at": row.expires_at,
        "lease_s": row.lease_s,
        "attempt": row.attempts,
    }


def _answer(lease: Any) -> Response[Any]:
    return Response(lease, status_code=204 if lease is None else 200, headers={"Cache-Control": "no-store"})


async def _lease(
    request: Request[Principal, None, State], access: WorkspaceAccess, waiting: WorkWaiting, queue: str, data: LeaseIn
) -> list[Leased]:
    async def disconnected() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    return await waiting.lease(access, queue, data.capacity, data.wait_s, disconnected)
