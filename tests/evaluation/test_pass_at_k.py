"""pass@k against its definition."""

from itertools import combinations
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voltx_core.evaluation.pass_at_k import pass_at_k, pass_at_k_each

counts = st.integers(1, 60).flatmap(
    lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n))
)


@given(counts)
def test_it_is_one_minus_the_share_of_k_subsets_that_all_fail(case):
    n, c, k = case
    assert pass_at_k(n, c, k) == pytest.approx(1 - comb(n - c, k) / comb(n, k), abs=1e-12)


def test_it_is_the_mean_over_every_way_to_draw_k():
    outcomes = [True, False, False, True, False]
    drawn = [any(subset) for subset in combinations(outcomes, 3)]
    assert pass_at_k(5, 2, 3) == pytest.approx(sum(drawn) / len(drawn))


def test_pass_at_1_is_the_share_that_passed():
    assert pass_at_k(10, 3, 1) == pytest.approx(0.3)


def test_large_counts_do_not_overflow():
    assert 0 < pass_at_k(100_000, 1, 100) == pytest.approx(0.001)


@given(counts)
def test_more_attempts_never_hurt(case):
    n, c, k = case
    if k > 1:
        assert pass_at_k(n, c, k) >= pass_at_k(n, c, k - 1) - 1e-12


def test_more_attempts_than_samples_are_refused():
    with pytest.raises(ValueError, match="pass@11 cannot be estimated from 10 samples"):
        pass_at_k(10, 10, 11)


@pytest.mark.parametrize(("n", "c", "k"), [(5, 6, 1), (5, -1, 1), (5, 2, 0)])
def test_impossible_counts_are_refused(n, c, k):
    with pytest.raises(ValueError):
        pass_at_k(n, c, k)


def test_one_value_a_problem():
    assert pass_at_k_each([(4, 0), (4, 4), (4, 2)], 1) == [0.0, 1.0, 0.5]
