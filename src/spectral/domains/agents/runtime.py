"""Who executes an agent's config. A scan knows only this: config and inputs in, executions out."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol

from pydantic import JsonValue

from spectral.domains.agents.config import ConfigDocument, MissingVariableError, PromptRenderer
from spectral.platform.llm.calls import ModelFault, ModelReply, ModelRequest
from spectral.platform.llm.door import ModelDoor
from spectral.platform.shared.errors import BusinessRuleViolationError

PROMPT = "prompt"
"""The runtime in which the platform renders the prompt and calls the model."""

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

    type: `input_error` (the config cannot be run on this input) and `invalid_request` (the model refuses the config)
    are the agent's own errors, scored by the rubric's `on_error`. `provider_error` is nobody's answer: missing.
    """

    type: Literal["input_error", "invalid_request", "provider_error"]
    message: str
    retryable: bool = False

    @property
    def missing(self) -> bool:
        """Whether nothing was learned about the agent."""
        return self.type == "provider_error"


@dataclass(frozen=True, slots=True)
class Execution:
    """One run of a config on one input: an output or an error, and what it took.

    cost_nano_usd: None where the price is unknown, never 0 for that. latency_ms: measured milliseconds, 0 where no
    call was made.
    """

    output: str | None
    error: ExecutionFault | None
    input_tokens: int
    output_tokens: int
    cost_nano_usd: int | None
    latency_ms: float
    model: str
    mode: ExecutionMode = ExecutionMode.EVALUATION

    @property
    def attributes(self) -> dict[str, str]:
        """What a span of this execution carries so that it is told from live traffic."""
        return {MODE_ATTRIBUTE: self.mode.value}


class AgentRuntime(Protocol):
    """Executes configs; every execution carries the mode that the runtime was made for."""

    @property
    def deterministic(self) -> bool:
        """Whether the same config, input and seed always give the same output."""
        ...

    async def execute_many(
        self, config: ConfigDocument, inputs: Sequence[JsonValue], seeds: Sequence[int]
    ) -> list[Execution]:
        """One execution for each input, in their order; a failed one is an error in its place.

        seeds: one for each input. Raises UnknownModelError (400) before anything is executed.
        """
        ...


class PromptRuntime:
    """Renders the config's prompt for each input and asks its model."""

    def __init__(self, door: ModelDoor, mode: ExecutionMode = ExecutionMode.EVALUATION) -> None:
        self._door = door
        self._mode = mode

    @property
    def deterministic(self) -> bool:
        """Whether every model of the catalogue is: a search may choose any of them."""
        return all(model.deterministic for model in self._door.catalogue())

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
            requests.append(ModelRequest(config.model, messages, config.parameters, seed))
            executions.append(None)
        outcomes = iter(await self._door.complete_many(requests))
        return [self._execution(config, next(outcomes)) if each is None else each for each in executions]

    def _execution(self, config: ConfigDocument, outcome: ModelReply | ModelFault) -> Execution:
        if isinstance(outcome, ModelFault):
            # A call that failed at the provider may have been billed: its cost is unknown, not nothing.
            cost = 0 if outcome.type == "invalid_request" else None
            return self._failed(config, ExecutionFault(outcome.type, outcome.message, outcome.retryable), cost)
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


def runtime_for(runtime: str, door: ModelDoor, mode: ExecutionMode = ExecutionMode.EVALUATION) -> AgentRuntime:
    """The runtime of this name. Raises BusinessRuleViolationError (400) for one that this release does not execute."""
    if runtime == PROMPT:
        return PromptRuntime(door, mode)
    raise BusinessRuleViolationError(f"Agents with the runtime '{runtime}' cannot be executed by the platform")
