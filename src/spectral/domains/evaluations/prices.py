"""The most that one execution of a config can cost, known before it is made."""

from typing import Protocol

from pydantic import JsonValue

from spectral.domains.agents.config import ConfigDocument
from spectral.platform.llm.local.provider import PROVIDER


class PriceCeiling(Protocol):
    """Says beforehand what an execution can cost."""

    def __call__(self, config: ConfigDocument, value: JsonValue) -> int | None:
        """Nano-USD at most; 0 only where an execution is known to cost nothing, None where the price is unknown."""
        ...


def in_process_ceiling(config: ConfigDocument, value: JsonValue) -> int | None:
    """0 for models that run in this process; every other price is unknown here."""
    del value
    return 0 if config.model.startswith(f"{PROVIDER}/") else None
