"""The live guard on simulated traffic: how often it raises a false alarm, and after how many sessions it is right.

Every guard looks after every session, which is the most that anybody can look. The product's own `Comparison` decides;
only who comes and how well they are answered is simulated.
"""

import random
import statistics
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

from scipy import stats

from benchmarks.figures import Figure
from spectral.domains.changesets.guarding import MARGIN, Comparison, Finding

GUARDS = 2_000
SESSIONS = 4_000
POWER_GUARDS = 400
POWER_SESSIONS = 20_000
DECIDING = (-MARGIN, 0.0)
PROCESSES = 2

Quality = Callable[[random.Random, int], float]
"""How likely the n-th session is answered well, whichever version answers it."""


def level(dice: random.Random, n: int) -> float:
    """Always the same."""
    del dice, n
    return 0.7


def ceiling(dice: random.Random, n: int) -> float:
    """Nearly always right."""
    del dice, n
    return 0.98


def drift(dice: random.Random, n: int) -> float:
    """Ten points up and ten points down, again and again."""
    del dice
    return 0.7 + (0.1 if n // 250 % 2 else -0.1)


def slide(dice: random.Random, n: int) -> float:
    """Ten points better than it was at first, then worse and worse to ten points below."""
    del dice
    return 0.8 - 0.2 * min(n / SESSIONS, 1.0)


def mix(dice: random.Random, n: int) -> float:
    """Hard questions, a tenth of the traffic at first, are half of it later."""
    return 0.4 if dice.random() < (0.1 if n < SESSIONS // 4 else 0.5) else 0.9


QUALITIES: tuple[Quality, ...] = (level, ceiling, drift, slide, mix)


@dataclass(frozen=True)
class Outcome:
    """What one guard said, and after how many sessions."""

    finding: Finding
    sessions: int


def simulate(seed: int, quality: Quality, effect: float, sessions: int, share: float, *, graded: bool) -> Outcome:
    """One guard. effect: what the new version adds to the quality.  graded: scores between 0 and 1 instead of both."""
    dice = random.Random(seed)  # noqa: S311 - simulated sessions
    comparison = Comparison(share, effects=DECIDING)
    for n in range(sessions):
        is_new = dice.random() >= share
        right = min(1.0, max(0.0, quality(dice, n) + (effect if is_new else 0.0)))
        score = dice.betavariate(4 * right, 4 * (1 - right)) if graded else float(dice.random() < right)
        comparison.observe(score, is_new=is_new)
        if (finding := comparison.finding(horizon=sessions)) is not Finding.OPEN:
            return Outcome(finding, n + 1)
    return Outcome(Finding.HORIZON, sessions)


def measure_guard(scale: float = 1.0) -> list[Figure]:
    """False alarms of equal arms, and power. scale: of the number of guards."""
    guards, power = max(50, int(GUARDS * scale)), max(20, int(POWER_GUARDS * scale))
    with ProcessPoolExecutor(PROCESSES) as pool:
        return [
            *(_alarms(pool, f"false alarms, {_name(each)}", each, guards, 0.1) for each in QUALITIES),
            _alarms(pool, "false alarms, level, half held back", level, guards, 0.5),
            _alarms(pool, "false alarms, drift, graded scores", drift, guards, 0.1, graded=True),
            *(_power(pool, drop, share, level, power) for drop in (0.2, 0.1) for share in (0.1, 0.5)),
            *(_power(pool, drop, 0.1, drift, power) for drop in (0.2, 0.1)),
            _missed(pool, power),
        ]


def _name(quality: Quality) -> str:
    return str(getattr(quality, "__name__", "traffic"))


def _run(pool: ProcessPoolExecutor, guards: int, one: Callable[[int], Outcome]) -> list[Outcome]:
    return list(pool.map(one, range(guards), chunksize=max(1, guards // (8 * PROCESSES))))


def _alarms(
    pool: ProcessPoolExecutor, name: str, quality: Quality, guards: int, share: float, *, graded: bool = False
) -> Figure:
    one = partial(simulate, quality=quality, effect=0.0, sessions=SESSIONS, share=share, graded=graded)
    found = _run(pool, guards, one)
    alarms = sum(outcome.finding is Finding.REGRESSION for outcome in found)
    upper = stats.binomtest(alarms, guards).proportion_ci(0.95, method="exact").high
    released = sum(outcome.finding is Finding.NO_REGRESSION for outcome in found)
    detail = (
        f"of {guards:,} guards, {SESSIONS:,} looks each; 95 % upper bound {100 * upper:.1f} %; "
        f"{100 * released / guards:.0f} % released as no regression"
    )
    return Figure(name, 100 * alarms / guards, "%", detail)


def _power(pool: ProcessPoolExecutor, drop: float, share: float, quality: Quality, guards: int) -> Figure:
    one = partial(simulate, quality=quality, effect=-drop, sessions=POWER_SESSIONS, share=share, graded=False)
    found = _run(pool, guards, one)
    right = sorted(outcome.sessions for outcome in found if outcome.finding is Finding.REGRESSION)
    high = right[int(0.9 * len(right))] if right else POWER_SESSIONS
    name = f"a loss of {100 * drop:.0f} points, {100 * share:.0f} % held back, {_name(quality)}"
    detail = f"median of {guards:,} guards; 90 % within {high:,}; found by {100 * len(right) / guards:.1f} %"
    return Figure(name, statistics.median(right) if right else float("nan"), "sessions", detail)


def _missed(pool: ProcessPoolExecutor, guards: int) -> Figure:
    one = partial(simulate, quality=level, effect=-0.1, sessions=POWER_SESSIONS, share=0.1, graded=False)
    found = _run(pool, guards, one)
    missed = sum(outcome.finding is Finding.NO_REGRESSION for outcome in found)
    detail = f"of {guards:,} guards: a loss of 10 points was released as no regression"
    return Figure("regressions released", 100 * missed / guards, "%", detail)
