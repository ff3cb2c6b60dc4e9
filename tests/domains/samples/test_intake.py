"""Repetitions are dropped before anything is placed, whichever way they come."""

from spectral.domains.samples.drafts import Draft, measure
from spectral.domains.samples.intake import Intake, Newcomer, Present, SkipReason, plan_intake
from spectral.domains.samples.splitting import Placed, Split

SHARES = {Split.REFLECT: 0.4, Split.SELECT: 0.2, Split.HOLDOUT: 0.4}
TEXT = "My parcel from order 123 was marked as delivered on Monday and it is nowhere to be found."
NEAR = "My parcel from order 987 was marked as delivered on Monday, and it is nowhere to be found!"


def newcomer(name: str, text: object, expected: object = "late", **metadata: str) -> Newcomer:
    (measured,) = measure([Draft(text, expected, dict(metadata), None)])
    return Newcomer(name, measured)


def present(name: str, text: object, expected: object = "late", split: Split = Split.HOLDOUT, *links: str) -> Present:
    measured = newcomer(name, text, expected).measured
    key = links[0] if links else f"item={name}"
    return Present(name, measured.fingerprint, measured.expected_hash, measured.signature, Placed(key, split, links))


def plan(newcomers: list[Newcomer], *there: Present) -> Intake:
    return plan_intake(newcomers, there, shares=SHARES, seed=0, group_by=["session_id", "user_id"])


def reasons(intake: Intake) -> list[tuple[str, SkipReason, str | None]]:
    return [(one.name, one.reason, one.same_as) for one in intake.skipped]


def test_the_first_of_equal_samples_is_taken() -> None:
    intake = plan([newcomer("line 1", TEXT), newcomer("line 2", TEXT), newcomer("line 3", TEXT, "refund")])

    assert [one.measured.draft.input for one in intake.taken] == [TEXT]
    assert reasons(intake) == [
        ("line 2", SkipReason.DUPLICATE, "line 1"),
        ("line 3", SkipReason.CONTRADICTION, "line 1"),
    ]


def test_near_duplicates_are_dropped_and_near_misses_are_kept() -> None:
    intake = plan([newcomer("line 1", TEXT), newcomer("line 2", NEAR), newcomer("line 3", NEAR, "refund")])

    assert reasons(intake) == [("line 2", SkipReason.NEAR_DUPLICATE, "line 1")]
    assert len(intake.taken) == 2


def test_what_is_in_the_set_stays() -> None:
    intake = plan(
        [newcomer("line 1", NEAR), newcomer("line 2", {"a": 1}), newcomer("line 3", {"a": 2})],
        present("one", TEXT),
        present("two", {"a": 1}),
    )

    assert reasons(intake) == [
        ("line 1", SkipReason.NEAR_DUPLICATE, "one"),
        ("line 2", SkipReason.DUPLICATE, "two"),
    ]
    assert [one.measured.draft.input for one in intake.taken] == [{"a": 2}]


def test_small_inputs_differ_by_their_numbers() -> None:
    assert (
        plan([newcomer(str(number), f"{number} + {number} = ?", str(2 * number)) for number in range(9)]).skipped == []
    )


def test_a_sample_that_ties_two_splits_is_dropped() -> None:
    there = (
        present("one", "first", "x", Split.REFLECT, "session_id=a"),
        present("two", "second", "x", Split.HOLDOUT, "user_id=u"),
    )

    intake = plan(
        [
            newcomer("line 1", "third", session_id="a", user_id="u"),
            newcomer("line 2", "fourth", session_id="a"),
            newcomer("line 3", "fifth", user_id="u"),
        ],
        *there,
    )

    assert reasons(intake) == [("line 1", SkipReason.BRIDGE, None)]
    assert [one.place.split for one in intake.taken] == [Split.REFLECT, Split.HOLDOUT]


def test_the_numbers_of_a_plan_add_up() -> None:
    intake = plan([newcomer(f"line {number}", f"text {number % 7}") for number in range(20)])

    assert sum(intake.taken_by_split().values()) == 7
    assert intake.skipped_by_reason() == {
        SkipReason.DUPLICATE: 13,
        SkipReason.CONTRADICTION: 0,
        SkipReason.NEAR_DUPLICATE: 0,
        SkipReason.BRIDGE: 0,
    }
