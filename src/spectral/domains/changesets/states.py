"""Where a change set stands and what may be done to it there: one table, nothing else decides it."""

from collections.abc import Mapping
from enum import StrEnum

from spectral.platform.shared.errors import InvalidTransitionError


class ChangesetState(StrEnum):
    """`rolled_back`, `rejected` and `superseded` are final."""

    PROPOSED = "proposed"
    VALIDATING = "validating"
    VALIDATED = "validated"
    REFUTED = "refuted"
    INCONCLUSIVE = "inconclusive"
    ACCEPTED = "accepted"
    APPLIED = "applied"
    ROLLED_BACK = "rolled_back"
    REJECTED = "rejected"
    SUPERSEDED = "superseded"


class Action(StrEnum):
    """What can be done to a change set; the three verdicts are the end of a validation."""

    START_VALIDATION = "start validation"
    VALIDATE = "validate"
    REFUTE = "refute"
    LEAVE_OPEN = "leave open"
    ACCEPT = "accept"
    OVERRIDE = "accept by override"
    APPLY = "apply"
    ROLL_BACK = "roll back"
    REJECT = "reject"
    SUPERSEDE = "supersede"


_CLOSING = {Action.REJECT: ChangesetState.REJECTED, Action.SUPERSEDE: ChangesetState.SUPERSEDED}

TRANSITIONS: Mapping[ChangesetState, Mapping[Action, ChangesetState]] = {
    ChangesetState.PROPOSED: {
        Action.START_VALIDATION: ChangesetState.VALIDATING,
        Action.OVERRIDE: ChangesetState.ACCEPTED,
        **_CLOSING,
    },
    ChangesetState.VALIDATING: {
        Action.VALIDATE: ChangesetState.VALIDATED,
        Action.REFUTE: ChangesetState.REFUTED,
        Action.LEAVE_OPEN: ChangesetState.INCONCLUSIVE,
        **_CLOSING,
    },
    ChangesetState.VALIDATED: {Action.ACCEPT: ChangesetState.ACCEPTED, **_CLOSING},
    ChangesetState.REFUTED: {Action.OVERRIDE: ChangesetState.ACCEPTED, **_CLOSING},
    ChangesetState.INCONCLUSIVE: {
        Action.START_VALIDATION: ChangesetState.VALIDATING,
        Action.OVERRIDE: ChangesetState.ACCEPTED,
        **_CLOSING,
    },
    ChangesetState.ACCEPTED: {
        Action.APPLY: ChangesetState.APPLIED,
        Action.ROLL_BACK: ChangesetState.ROLLED_BACK,
    },
    ChangesetState.APPLIED: {Action.ROLL_BACK: ChangesetState.ROLLED_BACK},
    ChangesetState.ROLLED_BACK: {},
    ChangesetState.REJECTED: {},
    ChangesetState.SUPERSEDED: {},
}

UNDECIDED = frozenset(state for state, actions in TRANSITIONS.items() if Action.SUPERSEDE in actions)
"""Nobody has accepted it yet, and it is not closed."""


def after(state: str, action: Action) -> ChangesetState:
    """The state that the action leads to. Raises InvalidTransitionError (400) where it is not possible."""
    current = ChangesetState(state)
    try:
        return TRANSITIONS[current][action]
    except KeyError:
        possible = sorted(each.value for each in TRANSITIONS[current])
        raise InvalidTransitionError(
            f"A change set that is {current} cannot be changed by: {action}", state=current, possible=possible
        ) from None
