"""Circuits open after failures in a row, let one probe through, and close when it is answered."""

from spectral.platform.llm import circuits as module
from spectral.platform.llm.circuits import Circuits, Ending


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def broken(clock: Clock) -> Circuits[str]:
    """Five failures in a row."""
    circuits: Circuits[str] = Circuits(clock)
    for _ in range(5):
        assert circuits.admit("a") is None
        circuits.settle("a", Ending.FAILED)
    return circuits


def test_a_circuit_opens_after_failures_in_a_row_only() -> None:
    circuits: Circuits[str] = Circuits(Clock())
    for ending in [Ending.FAILED] * 4 + [Ending.ANSWERED] + [Ending.FAILED] * 4 + [Ending.NEUTRAL]:
        assert circuits.admit("a") is None
        circuits.settle("a", ending)
    assert dict(circuits.states()) == {"a": "closed"}
    circuits.settle("a", Ending.FAILED)
    assert (dict(circuits.states()), circuits.admit("a"), circuits.admit("b")) == ({"a": "open"}, 10.0, None)


def test_one_probe_decides() -> None:
    clock = Clock()
    circuits = broken(clock)
    clock.now += 10
    assert dict(circuits.states()) == {"a": "half_open"}
    assert circuits.admit("a") is None
    assert circuits.admit("a") == 1.0, "one at a time"
    circuits.settle("a", Ending.FAILED)
    assert circuits.admit("a") == 20.0, "twice as long"
    for _ in range(4):
        clock.now += 60
        assert circuits.admit("a") is None
        circuits.settle("a", Ending.FAILED)
    assert circuits.admit("a") == 60.0, "and a minute at most"
    clock.now += 60
    assert circuits.admit("a") is None
    circuits.settle("a", Ending.NEUTRAL)
    assert circuits.admit("a") is None, "a cancelled probe leaves its turn to the next"
    circuits.settle("a", Ending.ANSWERED)
    assert list(circuits.states()) == []


def test_calls_under_way_when_it_opened_change_nothing_more() -> None:
    circuits = broken(Clock())
    for ending in Ending:
        circuits.settle("a", ending)
    assert dict(circuits.states()) == {"a": "open"}


def test_only_so_many_are_remembered() -> None:
    circuits: Circuits[int] = Circuits(Clock())
    for key in range(module.CIRCUITS_KEPT + 5):
        circuits.settle(key, Ending.FAILED)
    kept = dict(circuits.states())
    assert (len(kept), 0 in kept) == (module.CIRCUITS_KEPT, False)
