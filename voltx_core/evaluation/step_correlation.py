"""Does the loop think longer where an algorithm takes longer?

Spearman's correlation between RAR iterations and steps, with an interval from a bootstrap that
draws whole groups: problems of one algorithm are not independent of each other.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Correlation:
    """Spearman's rho; None where it is not defined, because one side never changes.

    Attributes:
        rho: Of all pairs.
        low, high: 95 % interval; None too where too few resamples had a rho.
        n: Pairs.
        groups: Independent ones among them.
    """

    rho: float | None
    low: float | None
    high: float | None
    n: int
    groups: int


def correlation(
    steps: Sequence[float],
    iterations: Sequence[float],
    groups: Sequence[Hashable],
    *,
    resamples: int = 1_000,
    seed: int = 0,
) -> Correlation:
    """Rank correlation of two lists, and how far it can be trusted.

    Args:
        steps: Of each problem's algorithm.
        iterations: Of the loop, in the same order.
        groups: What each problem belongs to; groups are drawn, not problems.
        resamples: Bootstrap resamples.
        seed: Decides the resamples.

    Raises:
        ValueError: The lists are empty or differ in length.

    Source: Spearman 1904; Davison & Hinkley 1997, section 3.8 (clusters).
    """
    if not steps or not len(steps) == len(iterations) == len(groups):
        raise ValueError(f"{len(steps)} steps, {len(iterations)} iterations, {len(groups)} groups")
    x, y = np.asarray(steps, dtype=float), np.asarray(iterations, dtype=float)
    members: dict[Hashable, list[int]] = {}
    for row, group in enumerate(groups):
        members.setdefault(group, []).append(row)
    rows = [np.array(found) for found in members.values()]
    random, found = np.random.default_rng(seed), []
    for _ in range(resamples):
        drawn = np.concatenate([rows[n] for n in random.integers(0, len(rows), len(rows))])
        if (rho := _spearman(x[drawn], y[drawn])) is not None:
            found.append(rho)
    low = high = None
    if 2 * len(found) > resamples:
        low, high = (float(q) for q in np.quantile(found, [0.025, 0.975]))
    return Correlation(_spearman(x, y), low, high, len(x), len(rows))


def _spearman(x: "NDArray[np.float64]", y: "NDArray[np.float64]") -> float | None:
    a, b = _ranks(x), _ranks(y)
    a, b = a - a.mean(), b - b.mean()
    spread = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / spread if spread else None


def _ranks(values: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """Ranks from 1; equal values share the mean of theirs."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[place]
