"""Bootstrap intervals against closed forms."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voltx_core.evaluation.intervals import bootstrap, bootstrap_difference


def test_it_agrees_with_the_normal_interval_where_that_one_is_right():
    values = [1.0] * 300 + [0.0] * 700
    found = bootstrap(values, resamples=4_000)
    half = 1.96 * math.sqrt(0.3 * 0.7 / 1_000)
    assert found.mean == pytest.approx(0.3)
    assert found.low == pytest.approx(0.3 - half, abs=0.003)
    assert found.high == pytest.approx(0.3 + half, abs=0.003)
    assert found.n == 1_000


def test_it_covers_the_truth_about_as_often_as_it_says():
    random = np.random.default_rng(0)
    hits = 0
    for trial in range(200):
        found = bootstrap(list(random.binomial(1, 0.4, 100).astype(float)), seed=trial)
        hits += found.low <= 0.4 <= found.high
    assert 0.90 <= hits / 200 <= 0.99


def test_ten_failures_do_not_prove_that_nothing_passes():
    limit = 1 - 0.025 ** (1 / 10)  # Clopper and Pearson's, in closed form at the end
    none, all_ = bootstrap([0.0] * 10), bootstrap([1.0] * 10)
    assert (none.mean, none.low, none.high) == (0.0, 0.0, pytest.approx(limit))
    assert (all_.mean, all_.low, all_.high) == (1.0, pytest.approx(1 - limit), 1.0)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.integers(0, 5))
def test_equal_seeds_give_equal_intervals_within_the_values(values, seed):
    found = bootstrap(values, resamples=200, seed=seed)
    assert found == bootstrap(values, resamples=200, seed=seed)
    assert found.low <= found.high
    if set(values) not in ({0.0}, {1.0}):
        assert min(values) - 1e-9 <= found.low
        assert found.high <= max(values) + 1e-9


def test_another_seed_moves_the_ends_a_little():
    values = [float(n % 3 == 0) for n in range(50)]
    one, two = bootstrap(values, seed=0), bootstrap(values, seed=1)
    assert one != two
    assert one.low == pytest.approx(two.low, abs=0.05)


def test_a_wider_level_gives_a_wider_interval():
    values = [float(n % 2) for n in range(60)]
    assert bootstrap(values, level=0.99).low < bootstrap(values, level=0.8).low


def test_pairing_removes_what_both_systems_share():
    random = np.random.default_rng(0)
    hard = random.random(400) < 0.5  # half of the problems no one solves
    theirs = (~hard).astype(float)
    ours = theirs.copy()
    ours[np.flatnonzero(~hard)[:20]] = 0.0
    paired = bootstrap_difference(list(ours), list(theirs))
    assert paired.mean == pytest.approx(-0.05)
    assert paired.high < 0
    assert bootstrap(list(ours)).high > bootstrap(list(theirs)).low


def test_nothing_measured_has_no_interval():
    with pytest.raises(ValueError, match="at least one problem"):
        bootstrap([])
    with pytest.raises(ValueError, match="equal lengths"):
        bootstrap_difference([1.0], [])
    with pytest.raises(ValueError, match="level"):
        bootstrap([1.0, 0.0], level=1.5)


def test_it_prints_as_a_reader_wants_it():
    assert str(bootstrap([1.0, 0.0] * 50)).startswith("0.500 [0.4")


def test_problems_of_one_task_count_as_one_draw() -> None:
    scores = [1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0] * 10
    alone = bootstrap(scores, resamples=4_000)
    fourfold = bootstrap(
        [score for score in scores for _ in range(4)],
        tasks=[task for task in range(100) for _ in range(4)],
        resamples=4_000,
    )
    assert fourfold.mean == alone.mean
    assert (fourfold.low, fourfold.high) == (alone.low, alone.high)
    assert fourfold.n == 400


def test_tasks_weigh_as_many_problems_as_they_have() -> None:
    interval = bootstrap([1.0, 1.0, 1.0, 0.0], tasks=["a", "a", "a", "b"], resamples=500)
    assert interval.mean == 0.75
    assert (interval.low, interval.high) == (0.0, 1.0)


def test_a_perfect_score_on_few_tasks_is_not_certain() -> None:
    same_task = bootstrap([1.0] * 50, tasks=["only"] * 50)
    assert same_task.low < bootstrap([1.0] * 50).low


def test_every_score_needs_its_task() -> None:
    with pytest.raises(ValueError, match="3 scores need as many tasks, got 2"):
        bootstrap([1.0, 0.0, 1.0], tasks=["a", "b"])
