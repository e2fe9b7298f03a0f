"""Rank correlation against closed forms, and intervals that know what is independent."""

import pytest

from voltx_core.evaluation.step_correlation import correlation


def test_what_rises_together_has_a_correlation_of_one() -> None:
    found = correlation([1, 2, 3, 4], [10, 20, 21, 400], range(4))
    assert found.rho == pytest.approx(1.0)
    assert found.low == found.high == pytest.approx(1.0)


def test_ties_share_the_mean_of_their_ranks() -> None:
    # Ranks 1, 2.5, 2.5, 4 against 1, 2, 3, 4: by hand, sqrt(0.9).
    found = correlation([1, 2, 2, 3], [1, 2, 3, 4], range(4))
    assert found.rho == pytest.approx(0.9**0.5)


def test_what_never_changes_has_no_correlation() -> None:
    found = correlation([1, 2, 3], [8, 8, 8], range(3))
    assert (found.rho, found.low, found.high) == (None, None, None)


def test_problems_of_one_algorithm_make_the_interval_wider() -> None:
    steps = [n % 7 for n in range(140)]
    iterations = [(n * 5 + n // 20) % 11 for n in range(140)]
    alone = correlation(steps, iterations, range(140))
    grouped = correlation(steps, iterations, [n // 20 for n in range(140)])
    assert grouped.groups == 7
    assert alone.n == grouped.n == 140
    repeated = correlation(steps * 20, iterations * 20, list(range(140)) * 20)
    as_if_independent = correlation(steps * 20, iterations * 20, range(2_800))
    assert as_if_independent.high - as_if_independent.low < repeated.high - repeated.low
    assert repeated.high - repeated.low == pytest.approx(alone.high - alone.low, abs=0.05)


def test_lists_of_other_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="2 steps, 1 iterations"):
        correlation([1, 2], [1], [0, 0])
