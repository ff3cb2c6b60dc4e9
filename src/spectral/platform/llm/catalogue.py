"""What the operations staff has said about models: their tier, their price, whether they may be called."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import structlog

from spectral.platform.llm.errors import ModelDisabledError

FRESH_S: Final = 2.0
"""What was read longer ago is read again: so soon does a change hold in every process."""

log: Final = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """What is said of one model. Prices are nano-USD for a million tokens; None leaves the price table's."""

    tier: str | None = None
    input_price: int | None = None
    output_price: int | None = None
    enabled: bool = True


PLAIN: Final = ModelSettings()
Source = Callable[[], Awaitable[Mapping[str, ModelSettings]]]


@dataclass(slots=True)
class ModelCatalogue:
    """The settings of every model that has some, as they were at most `FRESH_S` seconds ago.

    source: reads them all; None where there are none to read.  Used from one event loop.
    """

    source: Source | None = None
    _settings: Mapping[str, ModelSettings] = field(default_factory=dict)
    _read_at: float | None = None
    _reading: asyncio.Task[None] | None = None

    def settings(self, model: str) -> ModelSettings:
        """As last read; what is too old is read again meanwhile."""
        self._refresh()
        return self._settings.get(model, PLAIN)

    def listed(self) -> Mapping[str, ModelSettings]:
        """Every model that something is said of, as last read."""
        self._refresh()
        return self._settings

    def require_enabled(self, model: str) -> None:
        """Raises ModelDisabledError (400)."""
        if not self.settings(model).enabled:
            raise ModelDisabledError(model)

    async def fresh(self) -> None:
        """Waits until what is known is new enough. A store that is away leaves what was known before."""
        reading = self._refresh()
        if reading is not None:
            await asyncio.shield(reading)

    def forget(self) -> None:
        """What is known is too old from now on."""
        self._read_at = None

    async def close(self) -> None:
        """Waits for a reading that is under way."""
        if self._reading is not None:
            await self._reading

    def _refresh(self) -> asyncio.Task[None] | None:
        if self.source is None or (self._read_at is not None and time.monotonic() - self._read_at < FRESH_S):
            return None
        if self._reading is None:
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:
                return None  # Asked from a thread: the loop's own callers keep it fresh.
            self._reading = loop.create_task(self._read(self.source), name="model-catalogue")
        return self._reading

    async def _read(self, source: Source) -> None:
        started = time.monotonic()
        try:
            self._settings = await source()
        except Exception:
            log.exception("model_catalogue_unreadable")
        finally:
            self._read_at = started
            self._reading = None
