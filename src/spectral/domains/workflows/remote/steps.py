"""What a `remote` node gives a runner."""

import hashlib
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.agents.service import AgentService
from spectral.domains.workflows.errors import InvalidRemoteTaskError
from spectral.domains.workflows.execution.scheduler import Ready
from spectral.domains.workflows.models import WorkflowRun
from spectral.domains.workflows.remote.service import LEASE_S, MAX_ATTEMPTS, QUEUE_NAME, RemoteQueue, agent_queue
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.shared.errors import NotFoundError, SpectralError
from spectral.platform.shared.pagination import Page


class RemoteSteps:
    """The way of one run's `remote` nodes into the queues; the engine's `RemotePort`."""

    def __init__(self, queue: RemoteQueue, access: WorkspaceAccess) -> None:
        self._queue = queue
        self._access = access

    async def put(
        self, session: AsyncSession, run: WorkflowRun, ready: Ready, *, queue: str, options: Mapping[str, Any]
    ) -> None:
        """The task waits for a runner if the transaction commits. The run is held.

        options: `{queue | agent, task?, lease_s?, max_attempts?}`, resolved.  agent: an id or a name; its runner is
        given the config that is live in production.  What cannot be put is a task that has failed: the node finds that,
        and no error of one node ends the transaction of all.
        """
        key, iteration = ready.key, ready.iteration
        try:
            task: dict[str, Any] = {"traceparent": traceparent_of(run, key, iteration)}
            if options.get("agent") is not None:
                queue, given = await self._agent_task(session, str(options["agent"]))
                task |= given | {"input": ready.inputs}
            else:
                if not QUEUE_NAME.fullmatch(queue):
                    raise InvalidRemoteTaskError(f"{queue!r} cannot be the name of a queue")
                task |= {"task": str(options.get("task") or ready.node.id), "inputs": ready.inputs}
            await self._queue.put(
                session,
                self._access,
                queue=queue,
                task=task,
                run=run,
                step_key=key,
                iteration=iteration,
                lease_s=_number(options, "lease_s", LEASE_S),
                max_attempts=int(_number(options, "max_attempts", MAX_ATTEMPTS)),
            )
        except SpectralError as error:
            await self._queue.refuse(
                session, self._access, run, queue=queue, step_key=key, iteration=iteration, error=error
            )

    async def _agent_task(self, session: AsyncSession, agent: str) -> tuple[str, dict[str, Any]]:
        agents = AgentService(session, self._access)
        try:
            agent_id = await _find_agent(agents, agent)
            config = await agents.current_config(agent_id)
        except NotFoundError as error:
            raise InvalidRemoteTaskError(f"There is nothing to run for the agent {agent}: {error.detail}") from error
        return agent_queue(agent_id), {"config": config.document, "config_hash": config.config_hash}


async def _find_agent(agents: AgentService, agent: str) -> UUID:
    try:
        identifier = UUID(agent)
    except ValueError:
        found, _ = await agents.list_agents(Page(limit=1), name=agent)
        if not found:
            raise NotFoundError("Agent", agent) from None
        return found[0].id
    return (await agents.read_agent(identifier)).id


def _number(options: Mapping[str, Any], name: str, default: float) -> float:
    value = options.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidRemoteTaskError(f"{name} is not a number")
    return value


def traceparent_of(run: WorkflowRun, step_key: str, iteration: int) -> str | None:
    """What joins the runner's spans to the run's trace.  Source: W3C Trace Context, "traceparent Header"."""
    if run.trace_id is None:
        return None
    place = f"{run.id}:{run.generation}:{step_key}:{iteration}"
    return f"00-{run.trace_id}-{hashlib.sha256(place.encode()).hexdigest()[:16]}-01"
