"""Where k-means starts: in two levels, or at random, whichever serves vectors set aside better.

Squared-distance sampling (Arthur & Vassilvitskii 2007) inside coarse cells finds every separate
cluster, and costs sqrt(k) less than sampling globally. Where vectors form no clusters it prefers
outliers, and vectors drawn at random end better. Both are tried on a sample.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from voltx_core.errors import Interrupted
from voltx_core.hard_core.codebook import nearest
from voltx_core.hard_core.lloyd import means, update
from voltx_core.hard_core.shortlist import Shortlist
from voltx_core.training.randomness import generator

FLAT_ENTRIES = 256
"""Up to this many centroids one level of seeding is enough."""
POINTS_A_SEED = 32
"""Vectors looked at for each seed while seeding."""
SEEDING_ITERATIONS = 2
SAMPLE_SHARE = 0.25
"""Share of the vectors that starts are compared on, if that gives each centroid a few."""
SAMPLE_POINTS = 8
"""Least vectors a centroid in that sample."""
SAMPLE_UPDATES = 3
ASIDE = 4_096
"""Vectors outside the sample that decide between two starts."""


def first_centroids(
    vectors: Tensor, entries: int, seed: int, stop: Callable[[], bool] = lambda: False
) -> Tensor:
    """The better of two starts, ``[K, W]``, already moved a few steps on a sample.

    Args:
        vectors: ``[N, W]`` unit vectors.
        entries: K, at most N.
        seed: Decides samples and draws.
        stop: Polled after each cell.

    Raises:
        Interrupted: ``stop`` was set; seeding begins anew the next time.
    """
    seeds = seed_centroids(vectors, entries, seed, stop)
    if entries <= FLAT_ENTRIES:
        return seeds
    draw = generator(seed, "kmeans", "sample")
    order = torch.randperm(len(vectors), generator=draw).to(vectors.device)
    size = min(len(vectors), max(int(SAMPLE_SHARE * len(vectors)), SAMPLE_POINTS * entries))
    sample, aside = vectors[order[:size]], vectors[order[size : size + ASIDE]]
    if not len(aside):
        aside = sample[:ASIDE]
    shortlist = Shortlist(sample)
    starts = [_settle(sample, shortlist, start) for start in (seeds, sample[:entries])]
    return max(starts, key=lambda start: float(nearest(aside, start)[1].double().mean()))


def _settle(sample: Tensor, shortlist: Shortlist, centroids: Tensor) -> Tensor:
    index, _ = shortlist.search(centroids)
    for _ in range(SAMPLE_UPDATES):
        centroids = means(sample, index, centroids)
        index, _ = shortlist.again(centroids)
    return means(sample, index, centroids)


def seed_centroids(
    vectors: Tensor, entries: int, seed: int, stop: Callable[[], bool] = lambda: False
) -> Tensor:
    """Spread ``entries`` starting centroids ``[K, W]`` over the vectors, in two levels.

    A sample is cut into about sqrt(k) coarse cells; each cell gets seeds in proportion to its
    vectors, placed by squared-distance sampling and refined inside the cell.

    Raises:
        Interrupted: ``stop`` was set.
    """
    draw = generator(seed, "kmeans", "start")
    if entries <= FLAT_ENTRIES:
        return _seed_cell(vectors, entries, draw)
    coarse = _coarse(vectors, math.isqrt(entries), draw)
    cell, _ = nearest(vectors, coarse)
    order = torch.argsort(cell, stable=True)
    sizes = torch.bincount(cell, minlength=len(coarse)).tolist()
    seeds, start = [], 0
    for size, wanted in zip(sizes, apportion(sizes, entries), strict=True):
        if stop():
            raise Interrupted("Clustering stopped while its start was sought.")
        if wanted:
            seeds.append(_seed_cell(vectors[order[start : start + size]], wanted, draw))
        start += size
    return torch.cat(seeds)


def apportion(sizes: list[int], total: int) -> list[int]:
    """Divide ``total`` seats by size, largest remainders first, never more seats than size.

    The seats add up to ``total`` whenever the sizes add up to at least that.
    """
    exact = [size * total / max(1, sum(sizes)) for size in sizes]
    seats = [min(size, math.floor(share)) for size, share in zip(sizes, exact, strict=True)]
    by_remainder = sorted(range(len(sizes)), key=lambda n: (seats[n] - exact[n], n))
    while sum(seats) < total:
        open_cells = [n for n in by_remainder if seats[n] < sizes[n]][: total - sum(seats)]
        if not open_cells:
            break
        for n in open_cells:
            seats[n] += 1
    return seats


def _seed_cell(vectors: Tensor, entries: int, draw: torch.Generator) -> Tensor:
    """Seeds for one cell: greedy squared-distance sampling on a sample, then a few Lloyd steps.

    Each seed is the best of a few drawn candidates, so that no separate cluster is missed.
    """
    sample = _sample(vectors, max(entries * POINTS_A_SEED, 256), draw)
    if entries >= len(sample):
        return sample[:entries].clone()
    rows = torch.randint(len(sample), (1,), generator=draw).to(sample.device)
    gap = (1 - sample @ sample[rows[0]]).clamp(min=0)  # half the squared distance
    trials = 2 + int(math.log(entries))
    uniform = torch.rand(entries, trials, generator=draw, dtype=torch.float64).to(sample.device)
    for n in range(1, entries):
        mass = gap.double().cumsum(0)
        found = torch.searchsorted(mass, uniform[n] * mass[-1], right=True)
        found = found.clamp(max=len(sample) - 1)
        gaps = torch.minimum(gap, (1 - sample[found] @ sample.T).clamp(min=0))  # [trials, N]
        best = gaps.sum(1).argmin()
        gap = gaps[best]
        rows = torch.cat([rows, found[best].unsqueeze(0)])
    centroids = sample[rows]
    for _ in range(SEEDING_ITERATIONS):
        index, cosine = nearest(sample, centroids)
        centroids, _ = update(sample, index, cosine, centroids, draw)
    return centroids


def _coarse(vectors: Tensor, cells: int, draw: torch.Generator) -> Tensor:
    return _seed_cell(_sample(vectors, cells * 256, draw), cells, draw)


def _sample(vectors: Tensor, count: int, draw: torch.Generator) -> Tensor:
    if len(vectors) <= count:
        return vectors
    rows = torch.randperm(len(vectors), generator=draw)[:count].sort().values
    return vectors[rows.to(vectors.device)]
