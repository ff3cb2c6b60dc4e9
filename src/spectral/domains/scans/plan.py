"""What a scan will need and what it can show, known before anything is spent. Pure.

The evaluations of a scan are divided before it starts: the champion on the reflect and select splits, the finalists on
select, the winner on reflect (diagnosis), both arms on the first stage of the holdout. What is left is the search's.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, Final, Literal, Self

import numpy as np

from spectral.domains.changesets.ledger import MINIMUM_ITEMS, RECOMMENDED_ITEMS, LookPlan
from spectral.domains.scans.comparison import SELECT_LEVEL
from spectral.domains.scans.errors import BudgetTooSmallError, NotReadyError

ASSUMED_DISCORDANCE = 0.2
POWER = 0.8
FINALISTS_MINIMUM = 1
FINALISTS_MAXIMUM = 4
ABLATIONS = 2
DEFAULT_SEARCH_ROUNDS = 30
MAXIMUM_EVALUATIONS = 1_000_000
Mode = Literal["full", "synthetic_only"]
FULL: Final = "full"
SYNTHETIC_ONLY: Final = "synthetic_only"


@dataclass(frozen=True, slots=True)
class Samples:
    """How many items each split holds that a scan can use."""

    reflect: int
    select: int
    holdout: int


@dataclass(frozen=True, slots=True)
class DetectableEffect:
    """The smallest true gain that a whole scan finds with this power, as a share of the objective's scale.

    Found means: the candidate is chosen among the finalists on `selected_on` items, and the look at `items` pairs of
    the holdout, which costs `alpha`, validates it. It supposes right-or-wrong scores that differ on `discordance` of
    the items.
    """

    items: int
    selected_on: int
    alpha: float
    power: float
    discordance: float
    effect: float

    def sentence(self) -> str:
        """What a person should know before spending."""
        return (
            f"{self.items} pairs detect a gain of {100 * self.effect:.0f} points with {100 * self.power:.0f} % "
            f"probability, if the two configurations differ on {100 * self.discordance:.0f} % of the items"
        )


@lru_cache(maxsize=1024)
def detectable_effect(select: int, holdout: int, alpha: float, minimum_effect: float) -> DetectableEffect:
    """The gain at which both tests that a candidate must pass are passed together with probability `POWER`.

    Both are exact McNemar tests: one-sided at the screening level on select, Holm-corrected for the finalists that a
    scan has, two-sided at alpha on the holdout. 1.0 is the ceiling: nothing less is detectable.
    """
    screening = 2 * SELECT_LEVEL / FINALISTS_MAXIMUM
    low, high = 0.0, 1.0
    for _ in range(12):
        middle = (low + high) / 2
        power = exact_power(select, middle, screening) * exact_power(holdout, middle, alpha)
        low, high = (middle, high) if power < POWER else (low, middle)
    effect = round(min(1.0, high + minimum_effect), 6)
    return DetectableEffect(holdout, select, alpha, POWER, ASSUMED_DISCORDANCE, effect)


def exact_power(n: int, gain: float, alpha: float) -> float:
    """How likely an exact two-sided McNemar test of `n` pairs at `alpha` sees a true gain.

    The number of discordant pairs is binomial, and given it the number of wins is.
    """
    # As scikit-learn in a scan's clustering: a server that answers requests starts without.
    from scipy import stats  # noqa: PLC0415

    discordance = max(ASSUMED_DISCORDANCE, gain)
    discordant = np.arange(n + 1)
    # The fewest wins that are significant among this many discordant pairs; more than all of them if none are.
    needed = stats.binom.isf(alpha / 2, discordant, 0.5) + 1
    wins = stats.binom.sf(needed - 1, discordant, (discordance + gain) / (2 * discordance))
    return float((stats.binom.pmf(discordant, n, discordance) * wins).sum())


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether a scan can be decided with this data. `problems` forbid it, `warnings` do not.

    mode: `full`, or `synthetic_only` where there is no holdout, or none is asked: such a scan searches and proposes,
    and validates nothing.
    """

    mode: Mode
    samples: Samples
    holdout_available: bool
    detectable: DetectableEffect | None
    problems: tuple[str, ...]
    warnings: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self) | {"problems": list(self.problems), "warnings": list(self.warnings)}

    def require(self) -> None:
        """Raises NotReadyError (400) naming everything that is missing."""
        if self.problems:
            raise NotReadyError("; ".join(self.problems), missing=list(self.problems))


def assess(
    samples: Samples,
    *,
    holdout_available: bool,
    minimum_effect: float,
    look: int = 1,
    mode: Mode = FULL,
    holdout_spent: bool = False,
) -> Readiness:
    """What this data allows. look: the number of the next look at the holdout, which decides what it costs.

    mode: what is asked for.  holdout_spent: there was a holdout, and all its looks are taken.
    """
    problems: list[str] = []
    warnings: list[str] = []
    searches_only = mode == SYNTHETIC_ONLY
    if samples.reflect == 0:
        problems.append("the reflect split is empty: there is nothing to learn from")
    if searches_only:
        warnings.append("the scan only searches: what it proposes is not validated, and cannot be accepted without it")
    elif holdout_spent:
        problems.append("all planned looks at the holdout are taken; refresh it from new traffic")
    elif not holdout_available:
        problems.append(
            f'there is no frozen holdout: nothing found could be validated; freeze one, or ask for "{SYNTHETIC_ONLY}"'
        )
    for split, count in (("select", samples.select), ("holdout", samples.holdout)):
        if split == "holdout" and (searches_only or not holdout_available):
            continue
        if count < MINIMUM_ITEMS:
            problems.append(
                f"the {split} split has {count} items and needs {MINIMUM_ITEMS} to compare two configurations; "
                f"add {MINIMUM_ITEMS - count}"
            )
        elif count < RECOMMENDED_ITEMS:
            warnings.append(f"the {split} split has {count} items; below {RECOMMENDED_ITEMS} only large gains show")
    detectable = None
    if not searches_only and holdout_available and samples.holdout >= MINIMUM_ITEMS:
        looks = LookPlan.for_holdout(samples.holdout)
        alpha = looks.alpha_of(min(look, looks.looks))
        items = looks.stage_items(1)
        detectable = detectable_effect(max(1, samples.select), items, alpha, minimum_effect)
        if look > looks.looks:
            problems.append(f"all {looks.looks} planned looks at this holdout are taken; refresh it from new traffic")
        else:
            warnings.append(detectable.sentence())
    reached: Mode = FULL if holdout_available and not searches_only else SYNTHETIC_ONLY
    return Readiness(reached, samples, holdout_available, detectable, tuple(problems), tuple(warnings))


@dataclass(frozen=True, slots=True)
class ScanPlan:
    """How the evaluations are divided; every number is an upper bound of what that part may ask for.

    detect: the champion on reflect and select.  finalists: how many candidates go to select.  validate: both arms on
    the holdout's first stage.  search: what the strategies may use together.  ablations: how many changes of the winner
    are taken back one at a time.  diagnose: the winner on reflect, and the ablations.
    """

    max_evaluations: int
    repeats: int
    detect: int
    search: int
    finalists: int
    evaluate: int
    ablations: int
    diagnose: int
    validate: int

    @classmethod
    def divide(
        cls, samples: Samples, max_evaluations: int | None, *, repeats: int, given: int | None = None
    ) -> "ScanPlan":
        """The division of a budget (of a sensible one where None is given).

        given: how many candidates a person brought, where nothing is searched: each of them must be a finalist.
        Raises BudgetTooSmallError (400) that says the least that would do.
        """
        fixed = _Fixed.of(samples, repeats)
        one = samples.select * repeats
        if given is not None:
            least = fixed.total + given * one
            allowed = least if max_evaluations is None else max_evaluations
            _require(allowed, least)
            ablations = min(ABLATIONS, (allowed - least) // one)
            return fixed.plan(allowed, repeats, one, search=0, finalists=given, ablations=ablations)
        # The search must at least see the champion's failures once more with something changed.
        smallest_search = samples.reflect * repeats
        least = fixed.total + one * FINALISTS_MINIMUM + smallest_search
        if max_evaluations is None:
            ample = DEFAULT_SEARCH_ROUNDS * smallest_search
            max_evaluations = min(MAXIMUM_EVALUATIONS, fixed.total + one * FINALISTS_MAXIMUM + ample)
        _require(max_evaluations, least)
        free = max_evaluations - fixed.total
        finalists = max(FINALISTS_MINIMUM, min(FINALISTS_MAXIMUM, (free - smallest_search) // one, free // (2 * one)))
        free -= finalists * one
        ablations = max(0, min(ABLATIONS, (free - smallest_search) // (2 * one)))
        free -= ablations * one
        return fixed.plan(max_evaluations, repeats, one, search=free, finalists=finalists, ablations=ablations)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """The plan as it was stored."""
        return cls(**{name: int(document[name]) for name in cls.__dataclass_fields__})

    def document(self) -> dict[str, int]:
        """As JSON."""
        return asdict(self)

    @property
    def reserved(self) -> int:
        """What the search must leave for the phases after it."""
        return self.evaluate + self.diagnose + self.validate


@dataclass(frozen=True, slots=True)
class _Fixed:
    detect: int
    diagnose: int
    validate: int

    @classmethod
    def of(cls, samples: Samples, repeats: int) -> Self:
        stage = LookPlan.for_holdout(samples.holdout).stage_items(1) if samples.holdout >= MINIMUM_ITEMS else 0
        # A stage takes whole groups (sessions, users), so it may be a little larger than planned.
        stage = min(samples.holdout, stage + stage // 10)
        return cls(
            detect=(samples.reflect + samples.select) * repeats,
            diagnose=samples.reflect * repeats,
            validate=2 * stage * repeats,
        )

    @property
    def total(self) -> int:
        return self.detect + self.diagnose + self.validate

    def plan(self, maximum: int, repeats: int, one: int, *, search: int, finalists: int, ablations: int) -> ScanPlan:
        """`one`: what a configuration on the whole select split takes."""
        return ScanPlan(
            max_evaluations=maximum,
            repeats=repeats,
            detect=self.detect,
            search=search,
            finalists=finalists,
            evaluate=finalists * one,
            ablations=ablations,
            diagnose=self.diagnose + ablations * one,
            validate=self.validate,
        )


def _require(allowed: int, least: int) -> None:
    if allowed < least:
        raise BudgetTooSmallError(
            f"A scan of this sample set needs at least {least} evaluations; the budget allows {allowed}",
            needed_evaluations=least,
            max_evaluations=allowed,
        )
