"""Which traces an online evaluation takes."""

from uuid import UUID

import pytest

from spectral.domains.evaluations.sampling import is_sampled

ONE, OTHER = UUID(int=1), UUID(int=2)
TRACES = [number.to_bytes(16, "big") for number in range(4_000)]


def taken(evaluation: UUID, rate: float) -> set[bytes]:
    return {trace for trace in TRACES if is_sampled(trace, evaluation, rate)}


@pytest.mark.parametrize(("rate", "count"), [(0.0, 0), (0.01, 32), (0.25, 996), (0.5, 1984), (1.0, 4_000)])
def test_the_share_is_exact_for_given_ids(rate: float, count: int) -> None:
    """The figures are those of these ids: another number means that stored decisions would be taken again."""
    assert len(taken(ONE, rate)) == count


def test_a_higher_rate_takes_the_same_traces_and_more() -> None:
    shares = [taken(ONE, rate) for rate in (0.1, 0.3, 0.7)]
    assert shares[0] < shares[1] < shares[2]


def test_two_evaluations_take_independent_shares() -> None:
    both = taken(ONE, 0.5) & taken(OTHER, 0.5)
    assert 900 < len(both) < 1_100
