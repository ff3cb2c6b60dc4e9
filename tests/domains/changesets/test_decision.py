"""The decision is honest in the long run, and each of its rules bites."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from scipy import stats

from spectral.domains.changesets.decision import (
    Arms,
    Decision,
    GuardStatus,
    Reason,
    Verdict,
    decide,
    judge_guard,
)
from spectral.domains.changesets.ledger import LookPlan
from spectral.domains.changesets.statistics import minimum_detectable_effect, paired_effect
from spectral.domains.evaluations.guards import GuardSeries

FIRST = LookPlan.for_holdout(300).alpha_of(1)


def arms_of(
    generator: np.random.Generator, n: int, *, gain: float = 0.0, discordance: float = 0.2, group_size: int = 1
) -> Arms:
    """Exact-match scores; items of one group tend to change together, as turns of one session do."""
    units = -(-n // group_size)
    draw = np.repeat(generator.random(units), group_size)[:n]
    alone = generator.random(n)
    draw = np.where(generator.random(n) < (0.5 if group_size > 1 else 1.0), alone, draw)
    wins, losses = (discordance + gain) / 2, (discordance - gain) / 2
    base = (generator.random(n) < 0.6).astype(float)
    champion = np.where(draw < wins, 0.0, np.where(draw < wins + losses, 1.0, base))
    challenger = np.where(draw < wins, 1.0, np.where(draw < wins + losses, 0.0, base))
    groups = [f"session {index // group_size}" if group_size > 1 else None for index in range(n)]
    return Arms(champion.tolist(), challenger.tolist(), groups)


def graded(generator: np.random.Generator, n: int) -> Arms:
    """Continuous scores, a skewed spread, no true difference."""
    base, noise = generator.beta(5, 2, n), generator.exponential(0.1, (2, n))
    return Arms(np.clip(base - noise[0], 0, 1).tolist(), np.clip(base - noise[1], 0, 1).tolist(), [None] * n)


def settled(arms: Arms, **changes: object) -> Decision:
    settings: dict[str, object] = {"alpha": FIRST, "minimum_effect": 0.01, "seed": 1}
    return decide(arms, **(settings | changes))  # type: ignore[arg-type]


def series(
    champion: Sequence[float], challenger: Sequence[float], *, ratio: float = 1.0, allowance: float = 0.0,
    statistic: str = "mean", missing: int = 0,
) -> GuardSeries:  # fmt: skip
    return GuardSeries(
        name=f"{statistic}_something",
        unit="ms",
        statistic=statistic,  # type: ignore[arg-type]
        ratio=ratio,
        allowance=allowance,
        champion=np.asarray(champion, dtype=np.float64),
        challenger=np.asarray(challenger, dtype=np.float64),
        kept=tuple(range(len(champion))),
        missing=missing,
    )


# ------------------------------------------------------------------------------------------------------ the long run


@pytest.mark.parametrize(
    ("n", "discordance", "group_size"),
    [(60, 0.2, 1), (150, 0.2, 1), (200, 0.02, 1), (300, 0.3, 3), (360, 0.1, 1)],
    ids=["few", "ordinary", "near the ceiling", "sessions", "large"],
)
def test_two_equal_arms_are_hardly_ever_told_apart(n: int, discordance: float, group_size: int) -> None:
    """A/A with minimum effect 0: a two-sided 95 % look promotes 1 time in 40 at most, the first of a ledger 1 in 80."""
    runs = 250
    promoted, refuted = {0.05: 0, FIRST: 0}, {0.05: 0, FIRST: 0}
    for run in range(runs):
        generator = np.random.default_rng([n, group_size, run])
        arms = arms_of(generator, n, discordance=discordance, group_size=group_size)
        for alpha in promoted:
            verdict = settled(arms, alpha=alpha, minimum_effect=0.0, seed=run).verdict
            promoted[alpha] += verdict is Verdict.VALIDATED
            refuted[alpha] += verdict is Verdict.REFUTED
    print(f"A/A n={n} discordance={discordance} groups of {group_size}: {promoted}, {refuted} of {runs}")
    for counted in (promoted, refuted):
        assert all(count <= stats.binom.ppf(0.9999, runs, alpha / 2) for alpha, count in counted.items())


def test_two_equal_arms_with_graded_skewed_scores_are_hardly_ever_told_apart() -> None:
    runs, promoted = 200, 0
    for run in range(runs):
        arms = graded(np.random.default_rng([1, run]), 150)
        promoted += settled(arms, alpha=0.05, minimum_effect=0.0, seed=run).verdict is Verdict.VALIDATED
    print(f"A/A graded: {promoted} of {runs}")
    assert promoted <= stats.binom.ppf(0.9999, runs, 0.025)


def test_a_whole_life_of_a_holdout_promotes_nothing_nineteen_times_in_twenty() -> None:
    """Three useless candidates, all looked at on the same items: the union bound holds, far under 0.05."""
    runs, n, wrong = 200, 200, 0
    plan = LookPlan.for_holdout(n)
    for run in range(runs):
        generator = np.random.default_rng([2, run])
        champion = (generator.random(n) < 0.6).astype(float)
        verdicts = []
        for look in range(1, plan.looks + 1):
            changed = generator.random(n) < 0.25
            challenger = np.where(changed, generator.random(n) < 0.6, champion)
            arms = Arms(champion.tolist(), challenger.tolist(), [None] * n)
            verdicts.append(settled(arms, alpha=plan.alpha_of(look), minimum_effect=0.0, seed=run).verdict)
        wrong += Verdict.VALIDATED in verdicts
    print(f"a holdout's life with useless candidates: {wrong} of {runs} promoted one")
    assert wrong <= stats.binom.ppf(0.9999, runs, 0.025)


def test_the_declared_effect_is_validated_four_times_in_five() -> None:
    """What the preview declares detectable at this look's level and minimum effect is detected with its power."""
    runs, n, validated, refuted = 250, 300, 0, 0
    gain = minimum_detectable_effect(n, discordance=0.3, alpha=FIRST, minimum_effect=0.01)
    for run in range(runs):
        verdict = settled(arms_of(np.random.default_rng([3, run]), n, gain=gain, discordance=0.3), seed=run).verdict
        validated += verdict is Verdict.VALIDATED
        refuted += verdict is Verdict.REFUTED
    print(f"power at a gain of {gain:.3f} with {n} pairs: {validated} of {runs}, refuted {refuted}")
    assert validated >= stats.binom.ppf(0.001, runs, 0.80)
    assert refuted <= stats.binom.ppf(0.9999, runs, FIRST / 2)


def test_a_gain_of_exactly_the_minimum_effect_is_rarely_called_more_or_less() -> None:
    runs, n, validated, refuted = 300, 250, 0, 0
    for run in range(runs):
        arms = arms_of(np.random.default_rng([4, run]), n, gain=0.05, discordance=0.25)
        verdict = settled(arms, minimum_effect=0.05, seed=run).verdict
        validated += verdict is Verdict.VALIDATED
        refuted += verdict is Verdict.REFUTED
    assert validated <= stats.binom.ppf(0.9999, runs, 0.02)
    assert refuted <= stats.binom.ppf(0.9999, runs, 0.02)


# --------------------------------------------------------------------------------------------------------- the rules


def test_a_clear_gain_is_validated_with_both_intervals_and_the_exact_test() -> None:
    decision = settled(arms_of(np.random.default_rng(1), 300, gain=0.2, discordance=0.3))
    assert (decision.verdict, decision.reasons) == (Verdict.VALIDATED, (Reason.ABOVE_MINIMUM,))
    assert decision.effect is not None
    assert decision.reported is not None
    assert decision.effect.confidence == 1 - FIRST
    assert decision.reported.confidence == 0.95
    assert 0.01 < decision.effect.low <= decision.reported.low
    assert decision.p_value is not None
    assert decision.p_value <= FIRST
    assert decision.n_more is None
    assert (decision.items, decision.n, decision.groups) == (300, 300, 300)


def test_a_clear_loss_is_refuted() -> None:
    decision = settled(arms_of(np.random.default_rng(1), 300, gain=-0.2, discordance=0.3))
    assert (decision.verdict, decision.reasons, decision.n_more) == (Verdict.REFUTED, (Reason.BELOW_MINIMUM,), None)


def test_what_95_percent_would_allow_the_ledger_may_not() -> None:
    for seed in range(200):
        arms = arms_of(np.random.default_rng(seed), 200, gain=0.09, discordance=0.25)
        decision = settled(arms)
        assert decision.reported is not None
        if decision.reported.low > 0.01 and decision.verdict is Verdict.INCONCLUSIVE:
            assert settled(arms, alpha=0.05).verdict is Verdict.VALIDATED
            return
    pytest.fail("no sample lay between the two levels")


def test_an_unclear_gain_asks_for_the_next_planned_stage_else_for_a_fresh_holdout() -> None:
    arms = arms_of(np.random.default_rng(6), 120, gain=0.04, discordance=0.2)
    decision = settled(arms, next_stage_items=400)
    assert decision.verdict is Verdict.INCONCLUSIVE
    assert Reason.INTERVAL_TOO_WIDE in decision.reasons
    assert decision.n_more == 400
    estimated = settled(arms).n_more
    assert estimated is not None
    assert estimated > 120


def test_an_estimate_at_the_minimum_effect_asks_for_nothing_it_could_not_use() -> None:
    champion = [0.0, 1.0] * 50
    arms = Arms(champion, [1.0, 0.0] * 50, [None] * 100)
    assert settled(arms, minimum_effect=0.0).n_more is None


def test_thirty_identical_answers_are_no_verdict_and_a_thousand_refute() -> None:
    few = settled(Arms([1.0] * 60, [1.0] * 60, [None] * 60))
    assert (few.verdict, few.p_value) == (Verdict.INCONCLUSIVE, 1.0)
    assert few.effect is not None
    assert few.effect.low < 0.0
    assert few.effect.high > 0.01
    assert few.n_more is not None
    many = settled(Arms([1.0] * 1000, [1.0] * 1000, [None] * 1000))
    assert many.verdict is Verdict.REFUTED
    assert settled(Arms([1.0] * 1000, [1.0] * 1000, [None] * 1000), minimum_effect=0.0).verdict is Verdict.INCONCLUSIVE


def test_a_gain_on_every_single_item_is_validated() -> None:
    decision = settled(Arms([0.0] * 100, [1.0] * 100, [None] * 100))
    assert decision.verdict is Verdict.VALIDATED
    assert decision.effect is not None
    assert 0.85 < decision.effect.low < 1.0


def test_the_same_configuration_never_validates_whatever_noise_says() -> None:
    arms = arms_of(np.random.default_rng(1), 300, gain=0.2, discordance=0.3)
    decision = settled(arms, identical=True)
    assert (decision.verdict, decision.reasons) == (Verdict.REFUTED, (Reason.IDENTICAL,))


def test_more_than_five_percent_missing_in_one_arm_decides_nothing() -> None:
    arms = arms_of(np.random.default_rng(1), 300, gain=0.3, discordance=0.4)

    def without(count: int, arm: str) -> Decision:
        scores: list[float | None] = list(getattr(arms, arm))
        scores[:count] = [None] * count
        changed = {"champion": arms.champion, "challenger": arms.challenger} | {arm: scores}
        return settled(Arms(groups=arms.groups, **changed))

    assert without(15, "challenger").verdict is Verdict.VALIDATED
    for arm in ("champion", "challenger"):
        broken = without(16, arm)
        assert (broken.verdict, broken.reasons) == (Verdict.INCONCLUSIVE, (Reason.MISSING,))
        assert broken.n_more is None
        assert broken.n == 284
        assert broken.missing_champion + broken.missing_challenger == 16


def test_fewer_than_thirty_pairs_decide_nothing() -> None:
    decision = settled(Arms([0.0] * 29, [1.0] * 29, [None] * 29))
    assert (decision.verdict, decision.reasons, decision.n_more) == (Verdict.INCONCLUSIVE, (Reason.TOO_FEW,), 1)
    empty = settled(Arms([], [], []))
    assert (empty.verdict, empty.n, empty.effect) == (Verdict.INCONCLUSIVE, 0, None)


def test_a_handful_of_sessions_cannot_validate_however_many_items_they_hold() -> None:
    groups = [f"session {index // 60}" for index in range(300)]
    decision = settled(Arms([0.0, 0.0] * 150, [1.0, 0.9] * 150, groups))
    assert decision.verdict is Verdict.INCONCLUSIVE
    assert decision.groups == 5
    assert Reason.CHANCE_NOT_EXCLUDED in decision.reasons


def test_arms_must_be_paired() -> None:
    with pytest.raises(ValueError, match="each item"):
        Arms([1.0], [1.0, 0.0], [None])


# ------------------------------------------------------------------------------------------------------------ guards


def test_a_gain_that_breaks_a_guard_is_refuted_and_one_that_may_break_it_waits() -> None:
    generator = np.random.default_rng(14)
    arms = arms_of(generator, 300, gain=0.2, discordance=0.3)
    before = generator.lognormal(3, 0.3, 300)
    for factor, verdict, status in [
        (1.0, Verdict.VALIDATED, GuardStatus.HELD),
        (1.095, Verdict.INCONCLUSIVE, GuardStatus.UNCLEAR),
        (1.5, Verdict.REFUTED, GuardStatus.HARMED),
    ]:
        after = factor * generator.permutation(before)
        decision = settled(arms, guards=[series(before.tolist(), after.tolist(), ratio=1.1)])
        assert (decision.verdict, decision.guards[0].status) == (verdict, status)
        assert decision.guards[0].limit == pytest.approx(1.1 * before.mean())
        assert decision.guards[0].challenger == pytest.approx(factor * before.mean())
    assert decision.reasons == (Reason.GUARD_HARMED,)


def test_a_percentile_guard_is_judged_by_its_bootstrap() -> None:
    generator = np.random.default_rng(15)
    before = generator.lognormal(3, 0.3, 300)
    groups: list[str | None] = [None] * 300
    statuses = [
        judge_guard(
            series(before.tolist(), (factor * before).tolist(), ratio=1.1, statistic="p95"),
            groups,
            alpha=FIRST,
            guards=2,
            seed=1,
        ).status
        for factor in (1.0, 1.1 + 1e-3, 2.0)
    ]
    assert statuses[0] is GuardStatus.HELD
    assert statuses[2] is GuardStatus.HARMED


def test_a_guard_without_values_shows_nothing() -> None:
    arms = arms_of(np.random.default_rng(1), 300, gain=0.2, discordance=0.3)
    unknown = series([1.0] * 280, [1.0] * 280, missing=20)
    decision = settled(arms, guards=[unknown])
    assert (decision.verdict, decision.reasons) == (Verdict.INCONCLUSIVE, (Reason.GUARD_NOT_SHOWN,))
    assert (decision.guards[0].slack, decision.guards[0].n) == (None, 280)
    assert settled(arms, guards=[series([], [], missing=300)]).guards[0].status is GuardStatus.UNCLEAR


def test_what_costs_nothing_in_both_arms_holds_its_guard() -> None:
    nothing = series([0.0] * 100, [0.0] * 100, ratio=1.2)
    outcome = judge_guard(nothing, [None] * 100, alpha=FIRST, guards=1, seed=1)
    assert (outcome.status, outcome.slack, outcome.low) == (GuardStatus.HELD, 0.0, 0.0)


def test_a_guard_that_is_just_kept_is_declared_held_rarely_enough() -> None:
    """Non-inferiority at its boundary: the truth is exactly at the limit, so `held` is an error; so is `harmed`."""
    runs, held, harmed = 200, 0, 0
    for run in range(runs):
        generator = np.random.default_rng([16, run])
        before, after = generator.lognormal(3, 0.3, (2, 150))
        outcome = judge_guard(
            series(before.tolist(), (1.1 * after).tolist(), ratio=1.1), [None] * 150, alpha=0.05, guards=1, seed=run
        )
        held += outcome.status is GuardStatus.HELD
        harmed += outcome.status is GuardStatus.HARMED
    print(f"guards at their limit: held {held}, harmed {harmed} of {runs}")
    assert held <= stats.binom.ppf(0.9999, runs, 0.03)
    assert harmed <= stats.binom.ppf(0.9999, runs, 0.03)


def test_more_guards_need_more_evidence_to_refute() -> None:
    generator = np.random.default_rng(17)
    before, noise = generator.lognormal(3, 0.3, (2, 150))
    for shift in np.linspace(1.0, 1.3, 40):
        pair = series(before.tolist(), (shift * noise).tolist())
        alone, among = (judge_guard(pair, [None] * 150, alpha=FIRST, guards=g, seed=1).status for g in (1, 20))
        assert not (among is GuardStatus.HARMED and alone is not GuardStatus.HARMED)
    effect = paired_effect(before, noise, seed=1)
    assert math.isfinite(effect.low)
