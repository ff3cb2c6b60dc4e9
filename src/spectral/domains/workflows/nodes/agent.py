"""`agent`: an agent of the workspace does a piece of work, or one that the definition itself describes."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.agents.config import ConfigDocument
from spectral.domains.agents.errors import AgentArchivedError
from spectral.domains.agents.lifecycle import refuse_archived
from spectral.domains.agents.models import Agent
from spectral.domains.agents.runtime import PROMPT, AgentRuntime, Execution, ExecutionMode, Runtimes
from spectral.domains.agents.service import PRODUCTION, AgentService
from spectral.domains.evaluations.scorers.base import printable
from spectral.domains.workflows.nodes.calls import NodeCall, NodeError, NodeResult
from spectral.domains.workflows.nodes.model_calls import ModelCalls, Spent, invalid_params, read_question, seed_of
from spectral.platform.llm.door import ModelDoor
from spectral.platform.shared.errors import BusinessRuleViolationError, NotFoundError
from spectral.platform.shared.pagination import Page

FAULTS: Final = {"input_error": "agent-input", "invalid_request": "model-request"}
"""The agent's own errors, which the same input meets again; everything else is the provider's."""


@dataclass(frozen=True, slots=True)
class _Chosen:
    agent: Agent
    document: ConfigDocument
    version: int


class AgentWork:
    """Runs an agent: `{agent: its name or id, version? | environment?, input?}`, or `{model, messages | prompt, …}`.

    Without a version it is what is live in the environment; without that too, what is live in production, else the
    agent's latest version. Its input is what the node is given, unless `input` says otherwise.
    Outputs `{output, agent_id, version, model, usage: {input_tokens, output_tokens}, cost_usd}`; agent_id and version
    are null for an agent that the definition describes, whose other params are those of `prompt`.
    """

    def __init__(self, door: ModelDoor, runtimes: Runtimes) -> None:
        self._door = door
        self._runtimes = runtimes

    async def __call__(self, call: NodeCall) -> NodeResult:
        """Raises NodeError.

        Not retryable: `unknown-agent`, `agent-archived`, `agent-not-executable`, `agent-input`, `invalid-params`.
        Besides what `ModelCalls.ask` raises.
        """
        if call.params.get("agent") is None:
            return await self._ask_inline(call)
        async with call.database.transaction(call.access, read_only=True) as session:
            chosen = await _choose(session, call)
        calls = ModelCalls(self._door, call)
        if chosen.agent.runtime == PROMPT:
            calls.check(chosen.document.model)
        given = call.params.get("input", call.inputs)
        runtime = _runtime(self._runtimes, chosen, call)
        (done,) = await runtime.execute_many(chosen.document, [given], [seed_of(call)])
        output = _output(calls, chosen, done)
        outputs = {"output": output, "agent_id": str(chosen.agent.id), "version": chosen.version, "model": done.model}
        return NodeResult({**outputs, **calls.spent.outputs}, calls.spent.usage)

    async def _ask_inline(self, call: NodeCall) -> NodeResult:
        question = read_question(call)
        calls = ModelCalls(self._door, call)
        text = await calls.ask(question, stream=bool(call.params.get("stream")))
        outputs = {"output": text, "agent_id": None, "version": None, "model": question.model}
        return NodeResult({**outputs, **calls.spent.outputs}, calls.spent.usage)


def _output(calls: ModelCalls, chosen: _Chosen, done: Execution) -> str:
    spent = Spent(done.input_tokens, done.output_tokens, done.cost_nano_usd)
    fault = done.error
    if fault is None or fault.type != "input_error":
        told = None if fault is None else fault.message
        agent = (str(chosen.agent.id), str(chosen.version))
        calls.note(done.model, spent, latency_ms=done.latency_ms, fault=told, agent=agent)
    if fault is not None:
        retryable = fault.type not in FAULTS
        raise calls.failed(FAULTS.get(fault.type, "model-unavailable"), fault.message, retryable=retryable)
    return printable(done.output or "")


def _runtime(runtimes: Runtimes, chosen: _Chosen, call: NodeCall) -> AgentRuntime:
    try:
        return runtimes.of(call.access, chosen.agent, ExecutionMode.LIVE, subject=f"run:{call.run_id}")
    except BusinessRuleViolationError as error:
        raise NodeError("agent-not-executable", error.detail, retryable=False) from error


async def _choose(session: AsyncSession, call: NodeCall) -> _Chosen:
    """Which config of which agent is to run."""
    named, version, environment = (call.params.get(name) for name in ("agent", "version", "environment"))
    if version is not None and (isinstance(version, bool) or not isinstance(version, int) or version < 1):
        raise invalid_params("version must be a whole number of at least 1")
    if environment is not None and not isinstance(environment, str):
        raise invalid_params("environment must be the name of an environment")
    service = AgentService(session, call.access)
    try:
        agent = await _find(service, named)
        refuse_archived(agent)
        if not agent.latest_version:
            raise NodeError("agent-not-executable", f"the agent {agent.name} has no config yet", retryable=False)
        if version is not None:
            config = await service.read_config(agent.id, version)
        elif environment is not None:
            config = await service.current_config(agent.id, environment)
        else:
            try:
                config = await service.current_config(agent.id, PRODUCTION)
            except NotFoundError:
                config = await service.read_config(agent.id, agent.latest_version)
    except NotFoundError as error:
        raise NodeError("unknown-agent", f"agent {named}: {error.detail}", retryable=False) from error
    except AgentArchivedError as error:
        raise NodeError("agent-archived", error.detail, retryable=False) from error
    return _Chosen(agent, config.read_document(), config.version)


async def _find(service: AgentService, named: Any) -> Agent:
    """The agent of this id or name. Raises NotFoundError."""
    with suppress(ValueError, NotFoundError):
        return await service.read_agent(UUID(str(named)))
    for archived in (False, True):
        found, _total = await service.list_agents(Page(limit=1), archived=archived, name=str(named))
        if found:
            return found[0]
    raise NotFoundError("Agent", str(named))
