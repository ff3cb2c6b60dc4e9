"""The numbers are right: against closed forms, against scipy, and against the long run."""

import itertools
import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from spectral.domains.changesets.statistics import (
    PairedEffect,
    constant_bounds,
    deviation_per_unit,
    group_codes,
    holm,
    mcnemar_exact,
    minimum_detectable_effect,
    paired_effect,
    percentile_slack,
    sample_size_for,
    sign_flip_p,
    wilson,
)

Scores = tuple[np.ndarray[tuple[int], np.dtype[np.float64]], np.ndarray[tuple[int], np.dtype[np.float64]]]


def binary_pairs(generator: np.random.Generator, n: int, *, gain: float, discordance: float) -> Scores:
    """Exact-match scores of two arms: they differ on `discordance` of the items, won more often by `gain`."""
    draw = generator.random(n)
    wins, losses = (discordance + gain) / 2, (discordance - gain) / 2
    base = (generator.random(n) < 0.6).astype(float)
    champion = np.where(draw < wins, 0.0, np.where(draw < wins + losses, 1.0, base))
    challenger = np.where(draw < wins, 1.0, np.where(draw < wins + losses, 0.0, base))
    return champion, challenger


def not_more_than(hits: int, runs: int, probability: float) -> bool:
    """Whether `hits` of `runs` is compatible with at most this probability (binomial, one false alarm in 100,000)."""
    return hits <= float(stats.binom.ppf(1 - 1e-5, runs, probability))


def not_less_than(hits: int, runs: int, probability: float) -> bool:
    return hits >= float(stats.binom.ppf(1e-5, runs, probability))


# ---------------------------------------------------------------------------------------------------- paired_effect


def test_same_arguments_give_the_same_bits() -> None:
    champion, challenger = binary_pairs(np.random.default_rng(1), 200, gain=0.1, discordance=0.3)
    groups = [str(index // 3) for index in range(200)]
    first = paired_effect(champion, challenger, groups, seed=7)
    assert first == paired_effect(champion, challenger, groups, seed=7)
    assert first.method == "bca"
    assert first.groups == 67
    assert (first.low, first.high) != (paired_effect(champion, challenger, groups, seed=8).low, first.high + 1)


def test_below_a_hundred_pairs_it_is_the_paired_t_interval_of_the_textbook() -> None:
    generator = np.random.default_rng(2)
    champion, challenger = generator.random(40), generator.random(40) + 0.1
    effect = paired_effect(champion, challenger, seed=1)
    expected = stats.ttest_rel(challenger, champion).confidence_interval(0.95)
    assert effect.method == "paired-t"
    assert (effect.low, effect.high) == pytest.approx((expected.low, expected.high))


def test_bca_agrees_with_scipys_bca_up_to_the_documented_expansion() -> None:
    generator = np.random.default_rng(3)
    differences = generator.exponential(1.0, 400) - 0.8
    effect = paired_effect(np.zeros(400), differences, seed=1)
    reference = stats.bootstrap(
        (differences,), np.mean, method="BCa", n_resamples=10_000, rng=np.random.default_rng(5)
    ).confidence_interval
    width = reference.high - reference.low
    assert effect.low == pytest.approx(reference.low, abs=0.05 * width)
    assert effect.high == pytest.approx(reference.high, abs=0.05 * width)


def test_a_higher_confidence_contains_a_lower_one() -> None:
    for seed in range(20):
        champion, challenger = binary_pairs(np.random.default_rng(seed), 150, gain=0.05, discordance=0.2)
        at_95 = paired_effect(champion, challenger, seed=seed)
        at_975 = paired_effect(champion, challenger, confidence=0.975, seed=seed)
        assert at_975.low <= at_95.low <= at_95.mean <= at_95.high <= at_975.high


def test_repeating_items_of_a_group_does_not_buy_precision() -> None:
    champion, challenger = binary_pairs(np.random.default_rng(4), 120, gain=0.1, discordance=0.3)
    once = paired_effect(champion, challenger, seed=1)
    groups = [str(index) for index in range(120)] * 5
    repeated = paired_effect(np.tile(champion, 5), np.tile(challenger, 5), groups, seed=1)
    pretended = paired_effect(np.tile(champion, 5), np.tile(challenger, 5), seed=1)
    assert repeated.groups == 120
    assert repeated.high - repeated.low == pytest.approx(once.high - once.low, rel=0.05)
    assert pretended.high - pretended.low < 0.6 * (once.high - once.low)


def test_few_groups_use_t_with_groups_minus_one_degrees_of_freedom() -> None:
    generator = np.random.default_rng(5)
    shifts = generator.normal(0.1, 0.3, 12)
    differences = np.repeat(shifts, 50)
    effect = paired_effect(np.zeros(600), differences, [str(index // 50) for index in range(600)], seed=1)
    expected = stats.ttest_1samp(shifts, 0.0).confidence_interval(0.95)
    assert effect.method == "paired-t"
    assert (effect.low, effect.high) == pytest.approx((expected.low, expected.high))


def test_one_group_says_nothing_about_the_next() -> None:
    effect = paired_effect([0.0, 0.1, 0.5], [0.2, 0.7, 0.6], ["a", "a", "a"], seed=1)
    assert (effect.low, effect.high) == (-math.inf, math.inf)


@pytest.mark.parametrize("n", [1, 30, 99, 100, 1000])
def test_no_difference_at_all_is_a_point_at_zero_and_says_so(n: int) -> None:
    effect = paired_effect(np.full(n, 0.7), np.full(n, 0.7), seed=1)
    assert (effect.mean, effect.low, effect.high) == (0.0, 0.0, 0.0)
    assert effect.degenerate


def test_what_identical_differences_leave_open_shrinks_with_their_number() -> None:
    def bounds(n: int, value: float) -> tuple[float, float]:
        return constant_bounds(PairedEffect(n, n, value, value, value, 0.95, "degenerate"))

    low, high = bounds(100, 0.0)
    # Clopper-Pearson's upper bound for 0 of 100.
    assert high == pytest.approx(stats.binomtest(0, 100).proportion_ci(0.95).high)
    assert low == -high
    assert bounds(30, 0.0)[1] > 0.1
    assert bounds(1000, 0.0)[1] < 0.004
    assert 0.9 < bounds(100, 1.0)[0] < 1.0


def test_near_the_ceiling_one_lucky_item_is_not_a_gain() -> None:
    challenger = np.ones(200)
    champion = challenger.copy()
    champion[17] = 0.0
    effect = paired_effect(champion, challenger, seed=1)
    assert effect.low <= 0.0
    assert effect.high > 0.01
    assert sign_flip_p(champion, challenger, seed=1) == 1.0


@pytest.mark.parametrize(
    ("champion", "challenger", "groups", "confidence"),
    [
        ([], [], None, 0.95),
        ([1.0], [1.0, 0.0], None, 0.95),
        ([1.0, math.nan], [1.0, 0.0], None, 0.95),
        ([1.0, 0.0], [math.inf, 0.0], None, 0.95),
        ([1.0, 0.0], [1.0, 0.0], ["a"], 0.95),
        ([1.0, 0.0], [1.0, 0.0], None, 1.0),
        ([[1.0, 0.0]], [[1.0, 0.0]], None, 0.95),
    ],
)
def test_input_that_has_no_effect_is_refused(
    champion: list[float], challenger: list[float], groups: list[str | None] | None, confidence: float
) -> None:
    with pytest.raises(ValueError, match=r".+"):
        paired_effect(champion, challenger, groups, confidence=confidence, seed=1)


def test_ungrouped_pairs_stand_alone_and_never_join_a_group_of_their_number() -> None:
    assert group_codes(["1", None, "1", None, "a"], 5).tolist() == [0, 1, 0, 2, 3]
    assert group_codes([None, "0", None], 3).tolist() == [0, 1, 2]


@given(
    differences=st.lists(st.sampled_from([-1.0, 0.0, 0.25, 1.0]), min_size=2, max_size=160),
    seed=st.integers(0, 2**31),
)
def test_mirrored_arms_give_the_mirrored_mean_and_an_ordered_interval(differences: list[float], seed: int) -> None:
    zeros = np.zeros(len(differences))
    effect = paired_effect(zeros, differences, seed=seed)
    mirrored = paired_effect(differences, zeros, seed=seed)
    assert mirrored.mean == pytest.approx(-effect.mean)
    assert effect.low <= effect.mean + 1e-9
    assert effect.mean <= effect.high + 1e-9


@pytest.mark.parametrize(("n", "grouped"), [(150, False), (300, True), (60, False)])
def test_the_interval_covers_the_truth_as_often_as_it_says(n: int, grouped: bool) -> None:  # noqa: FBT001
    runs, below, above, gain = 300, 0, 0, 0.08
    for run in range(runs):
        generator = np.random.default_rng([n, run])
        if grouped:
            shifts = generator.choice([-0.3, 0.3], size=n // 3)
            differences = gain + np.repeat(shifts, 3) + generator.normal(0, 0.3, n)
            champion, challenger = np.zeros(n), differences
        else:
            champion, challenger = binary_pairs(generator, n, gain=gain, discordance=0.25)
        groups = [str(index // 3) for index in range(n)] if grouped else None
        effect = paired_effect(champion, challenger, groups, seed=run)
        below += effect.low > gain
        above += effect.high < gain
    print(f"n={n} grouped={grouped}: too high {below}/{runs}, too low {above}/{runs}")
    assert not_more_than(below, runs, 0.03)
    assert not_more_than(above, runs, 0.03)


def test_ten_thousand_resamples_of_a_thousand_continuous_pairs_take_well_under_a_second() -> None:
    generator = np.random.default_rng(6)
    champion, challenger = generator.random(1000), generator.random(1000)
    began = time.perf_counter()
    paired_effect(champion, challenger, seed=1)
    assert time.perf_counter() - began < 2.0


# -------------------------------------------------------------------------------------------------------- exact tests


def test_sign_flips_of_binary_pairs_are_mcnemars_exact_test() -> None:
    champion, challenger = np.array([0.0] * 9 + [1.0] * 2 + [1.0] * 40), np.array([1.0] * 9 + [0.0] * 2 + [1.0] * 40)
    assert sign_flip_p(champion, challenger, seed=1) == mcnemar_exact(9, 2)
    assert mcnemar_exact(9, 2) == pytest.approx(2 * sum(math.comb(11, k) for k in range(3)) / 2**11)


def test_sign_flips_of_few_groups_are_enumerated() -> None:
    differences = np.array([0.5, 0.4, 0.2, 0.9, -0.1])
    sums = [
        abs(sum(s * d for s, d in zip(signs, differences, strict=True)))
        for signs in itertools.product((1, -1), repeat=5)
    ]
    expected = sum(total >= abs(differences.sum()) - 1e-9 for total in sums) / 32
    assert sign_flip_p(np.zeros(5), differences, seed=1) == pytest.approx(expected)
    # Five groups that all improve are no proof at any level a holdout grants.
    assert (
        sign_flip_p(np.zeros(50), np.repeat(np.abs(differences), 10), [str(i // 10) for i in range(50)], seed=1)
        == 2 / 32
    )


def test_sign_flips_by_simulation_agree_with_the_t_test_on_ordinary_scores() -> None:
    generator = np.random.default_rng(8)
    champion, challenger = generator.random(150), generator.random(150) + 0.06
    expected = stats.ttest_rel(challenger, champion).pvalue
    assert sign_flip_p(champion, challenger, seed=1) == pytest.approx(expected, abs=0.02)


def test_sign_flips_reject_exchangeable_arms_no_more_often_than_their_level() -> None:
    runs, hits = 400, 0
    for run in range(runs):
        generator = np.random.default_rng([9, run])
        totals = generator.choice([0.0, 0.0, 0.0, 0.25, 1.0], size=80) * generator.choice([-1, 1], size=80)
        hits += sign_flip_p(np.zeros(80), totals, seed=run) <= 0.05
    assert not_more_than(hits, runs, 0.05)


def test_mcnemar_and_wilson_at_their_edges() -> None:
    assert mcnemar_exact(0, 0) == 1.0
    assert mcnemar_exact(5, 0) == pytest.approx(2 / 32)
    with pytest.raises(ValueError, match="negative"):
        mcnemar_exact(-1, 2)
    assert (wilson(0, 0).low, wilson(0, 0).high) == (0.0, 1.0)
    assert (wilson(0, 20).low, wilson(20, 20).high) == (0.0, 1.0)
    assert wilson(0, 20).high > 0.1
    with pytest.raises(ValueError, match="rate"):
        wilson(3, 2)


@given(n=st.integers(1, 400), share=st.floats(0, 1), confidence=st.sampled_from([0.9, 0.95, 0.975]))
def test_wilson_is_scipys_wilson(n: int, share: float, confidence: float) -> None:
    successes = round(share * n)
    expected = stats.binomtest(successes, n).proportion_ci(confidence, method="wilson")
    rate = wilson(successes, n, confidence)
    assert (rate.low, rate.high) == pytest.approx((expected.low, expected.high), abs=1e-9)


# ------------------------------------------------------------------------------------------------------ sample sizes


@pytest.mark.parametrize(("pairs", "points"), [(30, 22), (100, 12)])
def test_thirty_pairs_detect_only_twenty_two_points_and_a_hundred_only_twelve(pairs: int, points: int) -> None:
    assert round(100 * minimum_detectable_effect(pairs, discordance=0.2)) == points


def test_the_detectable_effect_shrinks_with_pairs_and_never_leaves_its_range() -> None:
    found = [minimum_detectable_effect(n) for n in (1, 5, 10, 30, 100, 300, 1000, 10_000)]
    assert found == sorted(found, reverse=True)
    assert found[0] <= 1.0
    assert minimum_detectable_effect(2, discordance=1.0) == 1.0
    assert found[-1] < 0.02
    stricter = minimum_detectable_effect(100, alpha=0.0125, minimum_effect=0.01)
    assert stricter > minimum_detectable_effect(100) + 0.01
    with pytest.raises(ValueError, match="pair"):
        minimum_detectable_effect(0)
    with pytest.raises(ValueError, match="alpha"):
        minimum_detectable_effect(10, alpha=0.0)


def test_the_declared_effect_is_detected_with_the_declared_power() -> None:
    n, runs, hits = 200, 300, 0
    gain = minimum_detectable_effect(n, discordance=0.25)
    for run in range(runs):
        champion, challenger = binary_pairs(np.random.default_rng([10, run]), n, gain=gain, discordance=0.25)
        hits += paired_effect(champion, challenger, seed=run).low > 0
    print(f"power at {gain:.3f} with {n} pairs: {hits}/{runs}")
    assert not_less_than(hits, runs, 0.79)


def test_sample_sizes_follow_the_formula_and_have_no_answer_for_no_effect() -> None:
    assert sample_size_for(0.1, 0.5) == math.ceil(((1.959964 + 0.841621) * 5) ** 2)
    assert sample_size_for(-0.1, 0.5) == sample_size_for(0.1, 0.5)
    assert sample_size_for(0.0, 0.5) is None
    assert sample_size_for(0.5, 0.0) == 2
    with pytest.raises(ValueError, match="deviation"):
        sample_size_for(0.1, -1.0)


def test_the_deviation_counts_clustering() -> None:
    generator = np.random.default_rng(11)
    differences = np.repeat(generator.normal(0, 1, 100), 4)
    alone = deviation_per_unit(np.zeros(400), differences)
    clustered = deviation_per_unit(np.zeros(400), differences, [str(index // 4) for index in range(400)])
    assert clustered == pytest.approx(2 * alone, rel=0.02)
    assert deviation_per_unit([0.0], [1.0]) == math.inf


def test_holm_is_the_textbook_step_down() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []
    with pytest.raises(ValueError, match="p-values"):
        holm([1.2])


# ------------------------------------------------------------------------------------------------------------ guards


def test_the_slack_of_a_percentile_covers_it_and_wider_confidence_contains_narrower() -> None:
    generator = np.random.default_rng(12)
    champion = generator.lognormal(3, 0.5, 400)
    challenger = champion * generator.lognormal(0.0, 0.05, 400)
    (low, high), (wide_low, wide_high) = percentile_slack(
        champion, challenger, quantile=0.95, ratio=1.1, allowance=0.0, confidences=(0.95, 0.99), seed=1
    )
    assert wide_low <= low <= high <= wide_high
    true = 0.1 * math.exp(3 + 1.645 * 0.5)
    assert low < true < high
    slower = percentile_slack(
        champion, 2 * champion, quantile=0.95, ratio=1.1, allowance=0.0, confidences=(0.95,), seed=1
    )
    assert slower[0][1] < 0


def test_the_slack_of_a_percentile_moves_whole_groups() -> None:
    generator = np.random.default_rng(13)
    champion = np.repeat(generator.lognormal(3, 0.5, 40), 10)
    groups = [str(index // 10) for index in range(400)]
    arguments = {"quantile": 0.95, "ratio": 1.0, "allowance": 0.0, "confidences": (0.95,), "seed": 1}
    shuffled = generator.permutation(champion)
    alone = percentile_slack(champion, shuffled, None, **arguments)[0]  # type: ignore[arg-type]
    together = percentile_slack(champion, shuffled, groups, **arguments)[0]  # type: ignore[arg-type]
    assert together[1] - together[0] > alone[1] - alone[0]
