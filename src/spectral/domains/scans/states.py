"""Where a scan stands, and where it may go from there: one table, nothing else decides it."""

from collections.abc import Mapping
from enum import StrEnum

from spectral.platform.shared.errors import InvalidTransitionError


class ScanStatus(StrEnum):
    """The last three are final."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


TRANSITIONS: Mapping[ScanStatus, frozenset[ScanStatus]] = {
    ScanStatus.QUEUED: frozenset({ScanStatus.RUNNING, ScanStatus.CANCELLED, ScanStatus.FAILED}),
    ScanStatus.RUNNING: frozenset({ScanStatus.CANCELLED, ScanStatus.COMPLETED, ScanStatus.FAILED}),
    ScanStatus.COMPLETED: frozenset(),
    ScanStatus.FAILED: frozenset(),
    ScanStatus.CANCELLED: frozenset(),
}

FINAL = frozenset(status for status, following in TRANSITIONS.items() if not following)


class Phase(StrEnum):
    """The seven phases, in their order."""

    OBSERVE = "observe"
    DETECT = "detect"
    CLUSTER = "cluster"
    GENERATE = "generate"
    EVALUATE = "evaluate"
    DIAGNOSE = "diagnose"
    SAFETY = "safety"


PHASES = tuple(Phase)


class Outcome(StrEnum):
    """How a completed scan ended; the last three are the verdict of the look at the holdout."""

    NO_IMPROVEMENT = "no_improvement"
    VALIDATED = "validated"
    REFUTED = "refuted"
    INCONCLUSIVE = "inconclusive"


def check_transition(current: str, wanted: ScanStatus) -> ScanStatus:
    """The wanted status. Raises InvalidTransitionError (400) when the scan cannot get there from where it is."""
    if wanted not in TRANSITIONS[ScanStatus(current)]:
        raise InvalidTransitionError(f"A scan that is {current} cannot become {wanted}", current=current, wanted=wanted)
    return wanted
