"""Where a scan stands, and where it may go from there: one table, nothing else decides it."""

from collections.abc import Mapping
from enum import StrEnum

from spectral.platform.shared.errors import InvalidTransitionError


class ScanStatus(StrEnum):
    """The last three are ends; only a failed scan can be taken up again.

    paused: nothing new begins; what was in flight is recorded, and then nothing of the scan executes.
    """

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


TRANSITIONS: Mapping[ScanStatus, frozenset[ScanStatus]] = {
    ScanStatus.QUEUED: frozenset({ScanStatus.RUNNING, ScanStatus.PAUSED, ScanStatus.CANCELLED, ScanStatus.FAILED}),
    ScanStatus.RUNNING: frozenset({ScanStatus.PAUSED, ScanStatus.CANCELLED, ScanStatus.COMPLETED, ScanStatus.FAILED}),
    # Failed: the call that was in flight when the pause was asked for may still break.
    ScanStatus.PAUSED: frozenset({ScanStatus.QUEUED, ScanStatus.RUNNING, ScanStatus.CANCELLED, ScanStatus.FAILED}),
    ScanStatus.COMPLETED: frozenset(),
    # Whatever was recorded is still there: the scan goes on with the phase that broke.
    ScanStatus.FAILED: frozenset({ScanStatus.QUEUED}),
    ScanStatus.CANCELLED: frozenset(),
}

FINAL = frozenset({ScanStatus.COMPLETED, ScanStatus.FAILED, ScanStatus.CANCELLED})
"""Nothing happens any more unless somebody asks for it."""


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
