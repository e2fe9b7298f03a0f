"""Spherical k-means: a two-level start, blocked assignment, dead centroids moved to bad places.

Lloyd's iteration on the unit sphere (Dhillon & Modha 2001) after a start by squared-distance
sampling (Arthur & Vassilvitskii 2007) inside coarse cells, which costs sqrt(k) less than sampling
globally. Exact assignment is used while it is affordable; beyond that only the centroids of the
nearest coarse groups are compared, as an inverted file does.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from voltx_core.errors import DataError, Interrupted
from voltx_core.frame import normalise
from voltx_core.hard_core.codebook import blocks, nearest
from voltx_core.training.checkpoint import Checkpoints
from voltx_core.training.randomness import generator

FLAT_ENTRIES = 256
"""Up to this many centroids one level of seeding is enough."""
POINTS_A_SEED = 32
"""Vectors looked at for each seed while seeding."""
SEEDING_ITERATIONS = 2
EXACT_FLOPS = 4e12
"""Arithmetic of one exact assignment above which a CPU probes instead (20-40 core-seconds)."""
PROBES = 8
"""Coarse groups searched for each vector when probing."""
PROBE_ROWS = 65_536
"""Vectors compared with the coarse groups at a time."""


@dataclass(slots=True)
class Clustering:
    """Centroids and how they came about.

    Attributes:
        centroids: ``[K, W]`` unit vectors.
        curve: Mean cosine of the vectors to their centroids, before each update and at the end.
        reseeded: Dead centroids moved, over all iterations.
        moved: Dead centroids moved by the last update.
        exact: Whether every assignment looked at every centroid.
    """

    centroids: Tensor
    curve: list[float] = field(default_factory=list)
    reseeded: int = 0
    moved: int = 0
    exact: bool = True

    @property
    def iterations(self) -> int:
        """Updates of the centroids."""
        return max(0, len(self.curve) - 1)


def cluster(
    vectors: Tensor,
    entries: int,
    *,
    iterations: int,
    tolerance: float,
    seed: int,
    checkpoints: Checkpoints | None = None,
    stop: Callable[[], bool] = lambda: False,
    tell: Callable[[int, float], object] | None = None,
    scope: str = "kmeans",
) -> Clustering:
    """Find ``entries`` directions that stand for ``vectors``.

    Args:
        vectors: ``[N, W]`` unit vectors.
        entries: Number of centroids, at most N.
        iterations: Most updates.
        tolerance: Stop when the mean cosine grows by less than this share of itself.
        seed: Decides the start and where dead centroids go.
        checkpoints: Where to save and restore progress, under ``scope``.
        stop: Polled after each iteration, and after each cell while seeding.
        tell: Called with (iteration, mean cosine) after each assignment.

    Raises:
        DataError: Fewer vectors than entries.
        Interrupted: ``stop`` was set; the state is saved when there are checkpoints.
    """
    if not 0 < entries <= len(vectors):
        raise DataError(
            f"{len(vectors)} vectors cannot make a codebook of {entries} entries: every entry "
            "needs at least one vector, and about 39 to be placed well. Lower codebook.entries or "
            "give more source files (data.corpus_files, data.corpus)."
        )
    assign, exact = _assignment(vectors, entries)
    saved = checkpoints.restore(scope, str(vectors.device)) if checkpoints else None
    if saved is None:
        state = Clustering(seed_centroids(vectors, entries, seed, stop), exact=exact)
        finished = False
        if checkpoints is not None and checkpoints.worthwhile():
            _save(checkpoints, scope, state, finished)
    else:
        facts = saved.meta
        state = Clustering(
            saved.tensors["centroids"], facts["curve"], facts["reseeded"], facts["moved"], exact
        )
        finished = facts["finished"]
    while not finished:
        index, cosine = assign(state.centroids)
        state.curve.append(float(cosine.double().mean()))
        if tell is not None:
            tell(state.iterations, state.curve[-1])
        settled = _settled(state.curve, tolerance) and not state.moved
        finished = settled or state.iterations >= iterations
        if not finished:
            draw = generator(seed, scope, "dead", state.iterations)
            state.centroids, state.moved = update(vectors, index, cosine, state.centroids, draw)
            state.reseeded += state.moved
        stopping = stop() and not finished
        if checkpoints is not None and (stopping or checkpoints.due()):
            _save(checkpoints, scope, state, finished)
        if stopping:
            raise Interrupted(
                f"Clustering stopped after {len(state.curve)} of {iterations} iterations; start "
                "the stage again to go on."
            )
    if checkpoints is not None and checkpoints.worthwhile():
        _save(checkpoints, scope, state, finished)
    return state


def _save(checkpoints: Checkpoints, scope: str, state: Clustering, finished: bool) -> None:
    meta = {
        "curve": state.curve,
        "reseeded": state.reseeded,
        "moved": state.moved,
        "finished": finished,
    }
    checkpoints.save(scope, state.iterations, {"centroids": state.centroids}, meta)


def seed_centroids(
    vectors: Tensor, entries: int, seed: int, stop: Callable[[], bool] = lambda: False
) -> Tensor:
    """Spread ``entries`` starting centroids ``[K, W]`` over the vectors, in two levels.

    A sample is cut into about sqrt(k) coarse cells; each cell gets seeds in proportion to its
    vectors, placed by squared-distance sampling and refined inside the cell.

    Raises:
        Interrupted: ``stop`` was set; seeding begins anew the next time.
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


def update(
    vectors: Tensor,
    index: Tensor,
    cosine: Tensor,
    centroids: Tensor,
    draw: torch.Generator,
) -> tuple[Tensor, int]:
    """One Lloyd step: each centroid becomes the direction of the sum of its vectors.

    Centroids without vectors move to vectors drawn with probability proportional to their squared
    distance (2 - 2 cos) from their own centroid: where the codebook serves worst.

    Args:
        vectors: ``[N, W]`` unit vectors.
        index: Centroid of each vector, ``[N]``.
        cosine: Cosine to it, ``[N]``.
        centroids: ``[K, W]``; a dead one that cannot be moved stays.

    Returns:
        New centroids ``[K, W]`` and how many dead ones moved.
    """
    sums = torch.zeros_like(centroids).index_add_(0, index, vectors)
    counts = torch.bincount(index, minlength=len(centroids))
    # opposite vectors may cancel: a sum without direction keeps its old centroid
    usable = sums.norm(dim=1, keepdim=True) > 1e-6
    fresh = torch.where(usable, normalise(sums), centroids)
    dead = (counts == 0).nonzero().squeeze(1)
    badness = (1 - cosine).clamp(min=0)
    badness = torch.where(badness > 1e-6, badness, torch.zeros_like(badness)).cpu().double()
    moved = min(len(dead), int((badness > 0).sum()))
    if moved:
        rows = _draw_rows(badness, moved, draw).to(vectors.device)
        fresh[dead[:moved]] = vectors[rows]
    return fresh, moved


def _draw_rows(weights: Tensor, count: int, draw: torch.Generator) -> Tensor:
    """``count`` different rows, drawn in proportion to ``weights`` (Efraimidis & Spirakis 2006)."""
    uniform = torch.rand(len(weights), generator=draw, dtype=torch.float64).clamp(min=1e-300)
    keys = torch.where(weights > 0, uniform.log() / weights, float("-inf"))
    return keys.topk(count).indices


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


def _settled(curve: list[float], tolerance: float) -> bool:
    return len(curve) > 1 and curve[-1] - curve[-2] < tolerance * abs(curve[-2])


def _assignment(
    vectors: Tensor, entries: int
) -> tuple[Callable[[Tensor], tuple[Tensor, Tensor]], bool]:
    """How to assign: exactly on an accelerator or when cheap, else by probing."""
    flops = 2.0 * len(vectors) * entries * vectors.shape[1]
    if vectors.device.type != "cpu" or flops <= EXACT_FLOPS:
        return (lambda centroids: nearest(vectors, centroids)), True
    return (lambda centroids: probe(vectors, centroids, PROBES)), False


def probe(vectors: Tensor, centroids: Tensor, probes: int) -> tuple[Tensor, Tensor]:
    """Nearest centroid among those of the ``probes`` nearest coarse groups of each vector.

    Returns:
        Index ``[N]`` and cosine ``[N]``; exact when ``probes`` covers every group.
    """
    groups = max(1, math.isqrt(len(centroids)))
    # strided rows are seeds enough: the two-level start lays neighbours side by side
    heads = centroids[:: max(1, len(centroids) // groups)]
    for _ in range(3):
        member, _ = nearest(centroids, heads)
        heads = normalise(torch.zeros_like(heads).index_add_(0, member, centroids) + 1e-6 * heads)
    member, _ = nearest(centroids, heads)
    probes = min(probes, len(heads))
    wanted = torch.empty(len(vectors), probes, dtype=torch.long, device=vectors.device)
    for rows in blocks(len(vectors), PROBE_ROWS):
        wanted[rows] = (vectors[rows] @ heads.T).topk(probes, dim=1).indices
    index = torch.zeros(len(vectors), dtype=torch.long, device=vectors.device)
    best = torch.full((len(vectors),), -2.0, dtype=vectors.dtype, device=vectors.device)
    for group in range(len(heads)):
        inside = (member == group).nonzero().squeeze(1)
        rows = (wanted == group).any(1).nonzero().squeeze(1)
        if len(inside) == 0 or len(rows) == 0:
            continue
        local, cosine = nearest(vectors[rows], centroids[inside])
        better = cosine > best[rows]
        best[rows[better]] = cosine[better]
        index[rows[better]] = inside[local[better]]
    return index, best
