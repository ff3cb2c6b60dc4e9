"""Who executes an agent's config. A scan knows only this: config and inputs in, executions out."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol, runtime_checkable

from pydantic import JsonValue

from spectral.domains.agents.config import ConfigDocument, MissingVariableError, PromptRenderer
from spectral.domains.agents.models import Agent
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.llm.calls import ModelFault, ModelReply, ModelRequest
from spectral.platform.llm.door import ModelDoor

PROMPT = "prompt"
"""The runtime in which the platform renders the prompt and calls the model."""

WORKFLOW = "workflow"
HTTP = "http"
RUNNER = "runner"
"""A workflow of the workspace, an address of the customer's, and processes of the customer's that fetch the work."""

IN_FLIGHT = 8
"""Executions that a runtime is given at once unless it says otherwise."""

MODE_ATTRIBUTE = "spectral.mode"
"""The span attribute that says why something was executed; its value is an `ExecutionMode`."""


class ExecutionMode(StrEnum):
    """Why something is executed. Evaluations are kept out of live figures and out of the guard.

    live: as a part of a workflow's run, for whoever runs it.
    """

    LIVE = "live"
    EVALUATION = "evaluation"
    PLAYGROUND = "playground"


@dataclass(frozen=True, slots=True)
class ExecutionFault:
    """Why there is no output.

    type: `input_error` (the config cannot be run on this input), `invalid_request` (the model refuses the config) and
    `agent_error` (what the agent's own code says) are the agent's errors, scored by the rubric's `on_error`.
    `provider_error` (of a model) and `runtime_error` (of what executes the agent) are nobody's answer: missing.
    """

    type: Literal["input_error", "invalid_request", "agent_error", "provider_error", "runtime_error"]
    message: str
    retryable: bool = False
    retry_after_s: float | None = None

    @property
    def missing(self) -> bool:
        """Whether nothing was learned about the agent."""
        return self.type in {"provider_error", "runtime_error"}


@dataclass(frozen=True, slots=True)
class Execution:
    """One run of a config on one input: an output or an error, and what it took.

    cost_nano_usd: None where the price is unknown, never 0 for that. latency_ms: measured milliseconds, 0 where no
    call was made.  model: the config's, or what executed the agent where that is no model.
    trace_id: of the agent's own trace, where it told.
    """

    output: str | None
    error: ExecutionFault | None
    input_tokens: int
    output_tokens: int
    cost_nano_usd: int | None
    latency_ms: float
    model: str
    mode: ExecutionMode = ExecutionMode.EVALUATION
    trace_id: str | None = None

    @property
    def attributes(self) -> dict[str, str]:
        """What a span of this execution carries so that it is told from live traffic."""
        return {MODE_ATTRIBUTE: self.mode.value}


class AgentRuntime(Protocol):
    """Executes configs; every execution carries the mode that the runtime was made for."""

    @property
    def in_flight(self) -> int:
        """How many executions it may be given at once."""
        ...

    async def execute_many(
        self, config: ConfigDocument, inputs: Sequence[JsonValue], seeds: Sequence[int]
    ) -> list[Execution]:
        """One execution for each input, in their order; a failed one is an error in its place.

        seeds: one for each input. Raises UnknownModelError (400) before anything is executed.
        """
        ...


@runtime_checkable
class SelfPricedRuntime(AgentRuntime, Protocol):
    """A runtime whose executions do not cost what the config's model costs here."""

    @property
    def ceiling_nano_usd(self) -> int | None:
        """The most that one execution costs; None where nobody has said."""
        ...


@runtime_checkable
class Runtimes(Protocol):
    """What executes the agents of every workspace."""

    def check(self, agent: Agent) -> None:
        """Raises NotExecutableError (400) where the platform cannot execute the agent, and says what is missing."""
        ...

    def of(
        self,
        access: WorkspaceAccess,
        agent: Agent,
        mode: ExecutionMode = ExecutionMode.EVALUATION,
        *,
        subject: str | None = None,
    ) -> AgentRuntime:
        """What executes this agent, paid for by the workspace. Nothing is read or called yet.

        subject: what the executions belong to (`scan:<id>`), None where they stand alone.
        Raises NotExecutableError (400).
        """
        ...


class PromptRuntime:
    """Renders the config's prompt for each input and asks its model."""

    def __init__(
        self,
        door: ModelDoor,
        mode: ExecutionMode = ExecutionMode.EVALUATION,
        *,
        access: WorkspaceAccess | None = None,
        subject: str | None = None,
        in_flight: int = IN_FLIGHT,
    ) -> None:
        """access: whose credentials pay for the calls; None reaches only models that need none."""
        self._door = door
        self._mode = mode
        self._access = access
        self._subject = subject
        self.in_flight = in_flight

    async def execute_many(
        self, config: ConfigDocument, inputs: Sequence[JsonValue], seeds: Sequence[int]
    ) -> list[Execution]:
        """One execution for each input, in their order. Raises UnknownModelError (400)."""
        self._door.read_model(config.model)
        renderer = PromptRenderer(config)
        executions: list[Execution | None] = []
        requests: list[ModelRequest] = []
        for value, seed in zip(inputs, seeds, strict=True):
            try:
                messages = renderer.render(value)
            except MissingVariableError as error:
                executions.append(self._failed(config, ExecutionFault("input_error", str(error)), 0))
                continue
            requests.append(
                ModelRequest(
                    config.model, messages, config.parameters, seed, access=self._access, subject=self._subject
                )
            )
            executions.append(None)
        outcomes = iter(await self._door.complete_many(requests))
        return [self._execution(config, next(outcomes)) if each is None else each for each in executions]

    def _execution(self, config: ConfigDocument, outcome: ModelReply | ModelFault) -> Execution:
        if isinstance(outcome, ModelFault):
            # A call that failed at the provider may have been billed: then its cost is unknown, not nothing.
            cost = 0 if outcome.type == "invalid_request" else outcome.cost_nano_usd
            # Whoever has no key has learned nothing about the agent.
            type = "provider_error" if outcome.type == "credential_error" else outcome.type
            fault = ExecutionFault(type, outcome.message, outcome.retryable, outcome.retry_after_s)
            return self._failed(config, fault, cost)
        return Execution(
            output=outcome.text,
            error=None,
            input_tokens=outcome.input_tokens,
            output_tokens=outcome.output_tokens,
            cost_nano_usd=outcome.cost_nano_usd,
            latency_ms=outcome.latency_ms,
            model=config.model,
            mode=self._mode,
        )

    def _failed(self, config: ConfigDocument, fault: ExecutionFault, cost_nano_usd: int | None) -> Execution:
        return Execution(None, fault, 0, 0, cost_nano_usd, 0.0, config.model, self._mode)


class PromptRuntimes:
    """Prompt agents: every one of them can be executed, whatever its settings."""

    def __init__(self, door: ModelDoor) -> None:
        self._door = door

    def check(self, agent: Agent) -> None:
        """A prompt agent needs nothing but its config."""

    def of(
        self, access: WorkspaceAccess, agent: Agent, mode: ExecutionMode, *, subject: str | None = None
    ) -> PromptRuntime:
        """The door, on the account of the workspace."""
        del agent
        return PromptRuntime(self._door, mode, access=access, subject=subject)
