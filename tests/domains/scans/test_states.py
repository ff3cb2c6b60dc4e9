"""Every transition that the table allows is possible, and no other."""

from itertools import product

import pytest

from spectral.domains.scans.states import FINAL, PHASES, TRANSITIONS, ScanStatus, check_transition
from spectral.platform.shared.errors import InvalidTransitionError

ALLOWED = {
    ("queued", "running"),
    ("queued", "paused"),
    ("queued", "cancelled"),
    ("queued", "failed"),
    ("running", "paused"),
    ("running", "cancelled"),
    ("running", "completed"),
    ("running", "failed"),
    ("paused", "queued"),
    ("paused", "running"),
    ("paused", "cancelled"),
    ("paused", "failed"),
    ("failed", "queued"),
}


@pytest.mark.parametrize(("current", "wanted"), list(product(ScanStatus, ScanStatus)))
def test_transitions(current: ScanStatus, wanted: ScanStatus) -> None:
    if (current.value, wanted.value) in ALLOWED:
        assert check_transition(current, wanted) is wanted
    else:
        with pytest.raises(InvalidTransitionError, match=f"{current} cannot become {wanted}"):
            check_transition(current, wanted)


def test_the_table_is_whole() -> None:
    assert set(TRANSITIONS) == set(ScanStatus)
    assert {"completed", "failed", "cancelled"} == FINAL
    assert [phase.value for phase in PHASES] == [
        "observe",
        "detect",
        "cluster",
        "generate",
        "evaluate",
        "diagnose",
        "safety",
    ]
