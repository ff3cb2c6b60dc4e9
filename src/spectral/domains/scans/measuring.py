"""A scan's measurement: one that ends, and can be taken up again, where a provider is away."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from spectral.domains.agents.config import ConfigDocument, canonical_hash
from spectral.domains.evaluations.measurement import Arm, MeasurableItem, Measured, Measurement
from spectral.domains.evaluations.outages import PROVIDER, SCORER, forget_unanswered, forget_unjudged
from spectral.domains.evaluations.scoring import short
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

        What was not answered, or not judged, is forgotten before anybody has seen it, so that a search that is taken up
        again meets the same results as one that was never interrupted.
        """
        since, config_hash, journal = utc_now(), canonical_hash(config), self._journal
        seen = await self._seen(config, purpose)
        answered_before = set(journal.unanswered)
        measured = await super().measure(config, items, purpose=purpose, repeats=repeats)
        lost = [one for one in measured if one.missing_reason == PROVIDER]
        unanswered = {digest: error for digest, error in journal.unanswered.items() if digest not in answered_before}
        faults = {short(error) for error in unanswered.values()}
        fresh = [one for one in measured if (one.item_id, one.repeat) not in seen]
        unjudged = [one for one in fresh if one.missing_reason == SCORER and faults & _errors_of(one)]
        away = _is_too_much(unjudged, measured)
        if not away and not _is_too_much(lost, measured):
            return measured
        async with self._database.transaction(self._access) as session:
            await self._fence(session)
            subject = (session, self._access, self._subject_id, config_hash)
            forgotten = await forget_unanswered(*subject, since) if _is_too_much(lost, measured) else 0
            if unjudged and (away or forgotten):
                keys = [(one.item_id, one.repeat) for one in unjudged]
                await forget_unjudged(*subject, keys, list(unanswered))
        if not away and not forgotten:
            return measured  # known from before: it has been seen, and what followed from it stands
        self._known.pop(config_hash, None)
        for digest in unanswered:
            del journal.unanswered[digest]
        if away:
            fault = min(faults & _errors_of(unjudged[-1]))
            raise ProviderDownError(len(unjudged), len(measured), fault, judge=True)
        raise ProviderDownError(len(lost), len(measured), _fault_of(lost))

    async def _seen(self, config: ConfigDocument, purpose: str) -> set[tuple[UUID, int]]:
        """What is known of a config, by item and repeat."""
        async with self._turn:
            return set(await self._recorded(Arm(config, canonical_hash(config), purpose)))


def _is_too_much(lost: Sequence[Measured], measured: Sequence[Measured]) -> bool:
    return len(lost) > max(LOST_LEAST, LOST_SHARE * len(measured))


def _fault_of(lost: Sequence[Measured]) -> str:
    """The last word of the provider, in short."""
    last: Any = lost[-1]
    return ": ".join(word for word in (last.error_type, last.error_message) if word)[:300]


def _errors_of(one: Measured) -> set[str]:
    return {score.error for score in one.dimensions.values() if score.error is not None}
