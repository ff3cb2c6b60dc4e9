"""The transition table is what the API's page says, for every state and every action."""

import itertools

import pytest

from spectral.domains.changesets.states import TRANSITIONS, UNDECIDED, Action, ChangesetState, after
from spectral.platform.shared.errors import InvalidTransitionError

# proposed → validating → (validated | refuted | inconclusive) → accepted → applied; rolled_back from accepted and
# applied; inconclusive may go back to validating; reject and supersede until accepted; overrides from three states.
ALLOWED = {
    ("proposed", "start validation", "validating"),
    ("proposed", "accept by override", "accepted"),
    ("validating", "validate", "validated"),
    ("validating", "refute", "refuted"),
    ("validating", "leave open", "inconclusive"),
    ("validated", "accept", "accepted"),
    ("refuted", "accept by override", "accepted"),
    ("inconclusive", "start validation", "validating"),
    ("inconclusive", "accept by override", "accepted"),
    ("accepted", "apply", "applied"),
    ("accepted", "roll back", "rolled_back"),
    ("applied", "roll back", "rolled_back"),
    *(
        (state, action, ended)
        for state in ("proposed", "validating", "validated", "refuted", "inconclusive")
        for action, ended in (("reject", "rejected"), ("supersede", "superseded"))
    ),
}


@pytest.mark.parametrize(("state", "action"), list(itertools.product(ChangesetState, Action)))
def test_every_action_in_every_state(state: ChangesetState, action: Action) -> None:
    target = {ended for start, how, ended in ALLOWED if (start, how) == (state, action)}
    if target:
        assert after(state, action) == target.pop()
    else:
        with pytest.raises(InvalidTransitionError) as refused:
            after(state, action)
        assert refused.value.status == 400
        assert refused.value.extensions["possible"] == sorted(TRANSITIONS[state])


def test_closed_change_sets_stay_closed_and_undecided_ones_can_be_closed() -> None:
    assert {state for state, actions in TRANSITIONS.items() if not actions} == {"rolled_back", "rejected", "superseded"}
    assert {"proposed", "validating", "validated", "refuted", "inconclusive"} == UNDECIDED
    assert set(TRANSITIONS) == set(ChangesetState)
