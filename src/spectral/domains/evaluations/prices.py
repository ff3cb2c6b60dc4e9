"""The most that one execution of a config can cost, known before it is made."""

from typing import Protocol

from pydantic import JsonValue

from spectral.domains.agents.config import ConfigDocument, MissingVariableError, PromptRenderer
from spectral.domains.agents.runtime import AgentRuntime, SelfPricedRuntime
from spectral.platform.llm.calls import prompt_size
from spectral.platform.llm.door import ModelDoor
from spectral.platform.llm.errors import UnknownModelError
from spectral.platform.llm.local.provider import PROVIDER
from spectral.platform.llm.prices import output_limit


class PriceCeiling(Protocol):
    """Says beforehand what an execution can cost."""

    def __call__(self, config: ConfigDocument, value: JsonValue) -> int | None:
        """Nano-USD at most; 0 only where an execution is known to cost nothing, None where the price is unknown."""
        ...


class FixedCeiling:
    """The same for every execution. ceiling_nano_usd: None where the price is unknown."""

    def __init__(self, ceiling_nano_usd: int | None) -> None:
        self._ceiling_nano_usd = ceiling_nano_usd

    def __call__(self, config: ConfigDocument, value: JsonValue) -> int | None:
        """Nano-USD at most."""
        del config, value
        return self._ceiling_nano_usd


def ceiling_of(runtime: AgentRuntime, door: ModelDoor) -> PriceCeiling:
    """By what the runtime says of itself; by the door's prices where it calls the config's model."""
    return FixedCeiling(runtime.ceiling_nano_usd) if isinstance(runtime, SelfPricedRuntime) else DoorCeiling(door)


class DoorCeiling:
    """By the prices of the door: every byte of the rendered prompt a token, every answer as long as it may be.

    0 for models that run in this process, and where the input does not fit the prompt, so that nothing is called.
    """

    def __init__(self, door: ModelDoor) -> None:
        self._door = door

    def __call__(self, config: ConfigDocument, value: JsonValue) -> int | None:
        """Nano-USD at most; None where the price is unknown, also of a name that is no model of ours."""
        if config.model.startswith(f"{PROVIDER}/"):
            return 0
        try:
            messages = PromptRenderer(config).render(value)
        except MissingVariableError:
            return 0
        try:
            return self._door.ceiling(config.model, prompt_size(messages), output_limit(config.parameters))
        except UnknownModelError:
            return None
