"""Confidence intervals of a score: a seeded bootstrap over independent tasks.

Several problems may ask for one task in other words; they pass or fail together, so a resample
draws whole tasks. Where every problem is a task of its own this is the plain bootstrap.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over ``n`` problems and the interval it is known to."""

    mean: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"


def bootstrap(
    values: Sequence[float],
    *,
    tasks: Sequence[Hashable] | None = None,
    resamples: int = 1_000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Percentile bootstrap interval of the mean over problems, resampling tasks.

    When every value is 0 or every value is 1 all resamples agree, and a percentile interval of
    no width would claim certainty that n tasks cannot give; the open side is then the exact
    binomial limit, 1 - (alpha/2)^(1/n) from the end the values sit at.

    Args:
        values: One score a problem, each in [0, 1] or of any scale.
        tasks: What each problem asks for; problems of one task count as one draw. None: every
            problem is a task of its own.
        resamples: Bootstrap resamples.
        seed: Decides the resamples; equal seeds and values give equal intervals.
        level: Coverage aimed at.

    Raises:
        ValueError: No values, not one task a value, or a level outside (0, 1).

    Source: Efron & Tibshirani 1993, chapter 13; Davison & Hinkley 1997, section 3.8 (clusters);
    Clopper & Pearson 1934.
    """
    import numpy as np

    if not values:
        raise ValueError("an interval needs at least one problem")
    _check_level(level)
    scores = np.asarray(values, dtype=np.float64)
    n, alpha, mean = len(scores), 1 - level, float(scores.mean())
    sums, sizes = _by_task(scores, tasks)
    if mean in (0.0, 1.0) and bool((scores == mean).all()):
        slack = 1 - (alpha / 2) ** (1 / len(sums))
        return Interval(mean, max(0.0, mean - slack), min(1.0, mean + slack), n)
    means = _resampled_means(sums, sizes, resamples, seed)
    low, high = np.quantile(means, [alpha / 2, 1 - alpha / 2])
    return Interval(mean, float(low), float(high), n)


def bootstrap_difference(
    ours: Sequence[float],
    theirs: Sequence[float],
    *,
    tasks: Sequence[Hashable] | None = None,
    resamples: int = 1_000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Interval of mean(ours) - mean(theirs) on the *same* problems, resampled together.

    Pairing removes the spread that both share because some problems are hard for everyone.

    Raises:
        ValueError: The lists are empty or differ in length, or the level is outside (0, 1).
    """
    import numpy as np

    if len(ours) != len(theirs):
        raise ValueError(f"paired scores need equal lengths, got {len(ours)} and {len(theirs)}")
    if not ours:
        raise ValueError("an interval needs at least one problem")
    _check_level(level)
    gaps = np.asarray(ours, dtype=np.float64) - np.asarray(theirs, dtype=np.float64)
    alpha = 1 - level
    means = _resampled_means(*_by_task(gaps, tasks), resamples, seed)
    low, high = np.quantile(means, [alpha / 2, 1 - alpha / 2])
    return Interval(float(gaps.mean()), float(low), float(high), len(gaps))


def _by_task(scores, tasks: Sequence[Hashable] | None):  # type: ignore[no-untyped-def]
    """Sum of the scores and number of problems of each task, in the order they appear."""
    import numpy as np

    if tasks is None:
        return scores, np.ones_like(scores)
    if len(tasks) != len(scores):
        raise ValueError(f"{len(scores)} scores need as many tasks, got {len(tasks)}")
    numbers = {task: number for number, task in enumerate(dict.fromkeys(tasks))}
    rows = [numbers[task] for task in tasks]
    return np.bincount(rows, weights=scores), np.bincount(rows).astype(np.float64)


def _resampled_means(sums, sizes, resamples: int, seed: int):  # type: ignore[no-untyped-def]
    """Means over ``resamples`` draws of tasks with replacement, in slabs of bounded memory."""
    import numpy as np

    random, n = np.random.default_rng(seed), len(sums)
    slab = max(1, 4_000_000 // n)
    means = []
    for done in range(0, resamples, slab):
        drawn = random.integers(0, n, size=(min(slab, resamples - done), n))
        means.append(sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1))
    return np.concatenate(means)


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level}")
