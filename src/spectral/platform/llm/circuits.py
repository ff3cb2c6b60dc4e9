"""Circuit breakers: who fails again and again is left alone for a while, then asked once."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, Generic, TypeVar

from spectral.platform.llm.provider import CircuitState

FAILURES: Final = 5
FIRST_PAUSE_S: Final = 10.0
LONGEST_PAUSE_S: Final = 60.0
PROBE_WAIT_S: Final = 1.0
CIRCUITS_KEPT: Final = 10_000

Key = TypeVar("Key", bound=Hashable)


class Ending(Enum):
    """How a call that was admitted ended, as far as the circuit cares.

    NEUTRAL: it says nothing about whether the provider is up (it was cancelled, or never left).
    """

    ANSWERED = auto()
    FAILED = auto()
    NEUTRAL = auto()


@dataclass(slots=True)
class _Circuit:
    failures: int = 0
    pause_s: float = FIRST_PAUSE_S
    opened_at: float | None = None
    probing: bool = False

    def state(self, now: float) -> CircuitState:
        if self.opened_at is None:
            return "closed"
        return "half_open" if self.probing or now - self.opened_at >= self.pause_s else "open"


class Circuits(Generic[Key]):
    """One circuit for each key. Closed it admits everything; after `FAILURES` failures in a row it opens.

    Open it admits nothing for 10 seconds, then one call, the probe: an answer closes the circuit, a failure opens it
    for twice as long (a minute at most). What is admitted must be settled. Used from one event loop.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._circuits: OrderedDict[Key, _Circuit] = OrderedDict()

    def admit(self, key: Key) -> float | None:
        """None where the call may be made; else the seconds after which trying again makes sense."""
        circuit = self._circuits.get(key)
        if circuit is None or circuit.opened_at is None:
            return None
        if circuit.probing:
            return PROBE_WAIT_S
        left = circuit.opened_at + circuit.pause_s - self._clock()
        if left > 0:
            return left
        circuit.probing = True
        return None

    def settle(self, key: Key, ending: Ending) -> None:
        """Say how an admitted call ended. Calls that were under way when the circuit opened change nothing more."""
        circuit = self._circuits.get(key)
        if circuit is None:
            if ending is not Ending.FAILED:
                return
            circuit = self._circuits[key] = _Circuit()
            if len(self._circuits) > CIRCUITS_KEPT:
                self._circuits.popitem(last=False)
        self._circuits.move_to_end(key)
        if circuit.opened_at is not None:
            self._settle_open(key, circuit, ending)
        elif ending is Ending.ANSWERED:
            del self._circuits[key]
        elif ending is Ending.FAILED:
            circuit.failures += 1
            if circuit.failures >= FAILURES:
                circuit.opened_at = self._clock()

    def states(self) -> Iterable[tuple[Key, CircuitState]]:
        """Every circuit that is known to have failed lately."""
        now = self._clock()
        return [(key, circuit.state(now)) for key, circuit in self._circuits.items()]

    def _settle_open(self, key: Key, circuit: _Circuit, ending: Ending) -> None:
        if not circuit.probing:
            return
        circuit.probing = False
        if ending is Ending.ANSWERED:
            del self._circuits[key]
        elif ending is Ending.FAILED:
            circuit.pause_s = min(2 * circuit.pause_s, LONGEST_PAUSE_S)
            circuit.opened_at = self._clock()
