"""A scan's measurement: one that ends, and can be taken up again, where a provider is away."""

from collections.abc import Sequence
from typing import Any

from spectral.domains.agents.config import ConfigDocument, canonical_hash
from spectral.domains.evaluations.measurement import MeasurableItem, Measured, Measurement
from spectral.domains.evaluations.outages import PROVIDER, forget_unanswered
from spectral.domains.scans.errors import ProviderDownError
from spectral.platform.shared.clock import utc_now

LOST_SHARE = 0.05
"""As of a verdict: what is missing beyond this share is no sample of the agent any more (docs/statistics.md)."""
LOST_LEAST = 2
"""So few unanswered calls are bad luck, however small the batch."""


class ScanMeasurement(Measurement):
    """As `Measurement`; an outage is no result."""

    async def measure(
        self, config: ConfigDocument, items: Sequence[MeasurableItem], *, purpose: str, repeats: int = 1
    ) -> list[Measured]:
        """As `Measurement.measure`; raises ProviderDownError (503) where too much of what was asked was not answered.

        What was not answered is forgotten before anybody has seen it, so that a search that is taken up again meets
        the same results as one that was never interrupted.
        """
        since = utc_now()
        measured = await super().measure(config, items, purpose=purpose, repeats=repeats)
        lost = [one for one in measured if one.missing_reason == PROVIDER]
        if len(lost) <= max(LOST_LEAST, LOST_SHARE * len(measured)):
            return measured
        async with self._database.transaction(self._access) as session:
            await self._fence(session)
            config_hash = canonical_hash(config)
            forgotten = await forget_unanswered(session, self._access, self._subject_id, config_hash, since)
        if not forgotten:
            return measured  # known from before: it has been seen, and what followed from it stands
        self._known.pop(config_hash, None)
        raise ProviderDownError(len(lost), len(measured), _fault_of(lost))


def _fault_of(lost: Sequence[Measured]) -> str:
    """The last word of the provider, in short."""
    last: Any = lost[-1]
    return ": ".join(word for word in (last.error_type, last.error_message) if word)[:300]
