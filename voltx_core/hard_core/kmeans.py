"""Spherical k-means: a good start, one search an iteration, dead centroids moved to bad places.

Lloyd's iteration on the unit sphere (Dhillon & Modha 2001). An iteration compares every vector
with every centroid once (`shortlist`) and then moves the centroids several times, each time
comparing a vector with the centroids on its shortlist only.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from voltx_core.errors import DataError, Interrupted
from voltx_core.hard_core.lloyd import means, update
from voltx_core.hard_core.seeding import first_centroids
from voltx_core.hard_core.shortlist import Shortlist
from voltx_core.training.checkpoint import Checkpoints
from voltx_core.training.randomness import generator

UPDATES = 3
"""Moves of the centroids for one search."""


@dataclass(slots=True)
class Clustering:
    """Centroids and how they came about.

    Attributes:
        centroids: ``[K, W]`` unit vectors.
        curve: Mean cosine of the vectors to their centroids, before the last move of each
            iteration.
        reseeded: Dead centroids moved, over all iterations.
        moved: Dead centroids moved in the last iteration.
    """

    centroids: Tensor
    curve: list[float] = field(default_factory=list)
    reseeded: int = 0
    moved: int = 0

    @property
    def iterations(self) -> int:
        return len(self.curve)


def cluster(
    vectors: Tensor,
    entries: int,
    *,
    iterations: int,
    tolerance: float,
    seed: int,
    checkpoints: Checkpoints | None = None,
    stop: Callable[[], bool] = lambda: False,
    tell: Callable[[Clustering], object] | None = None,
    scope: str = "kmeans",
) -> Clustering:
    """Find ``entries`` directions that stand for ``vectors``.

    Args:
        vectors: ``[N, W]`` unit vectors.
        entries: Number of centroids, at most N.
        iterations: Most iterations: searches, each with `UPDATES` moves of the centroids.
        tolerance: Stop when the mean cosine grows by less than this share of itself.
        seed: Decides the start and where dead centroids go.
        checkpoints: Where to save and restore progress, under ``scope``.
        stop: Polled after each iteration, and after each cell while seeding.
        tell: Called with the state after each iteration.

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
    saved = checkpoints.restore(scope, str(vectors.device)) if checkpoints else None
    if saved is None:
        state = Clustering(first_centroids(vectors, entries, seed, stop))
        finished = False
        if checkpoints is not None and checkpoints.worthwhile():
            _save(checkpoints, scope, state, finished)
    else:
        facts = saved.meta
        state = Clustering(
            saved.tensors["centroids"], facts["curve"], facts["reseeded"], facts["moved"]
        )
        finished = facts["finished"]
    shortlist = Shortlist(vectors)
    while not finished:
        _iterate(vectors, shortlist, state, generator(seed, scope, "dead", state.iterations))
        if tell is not None:
            tell(state)
        settled = _settled(state.curve, tolerance) and not state.moved
        finished = settled or state.iterations >= iterations
        stopping = stop() and not finished
        if checkpoints is not None and (stopping or checkpoints.due()):
            _save(checkpoints, scope, state, finished)
        if stopping:
            raise Interrupted(
                f"Clustering stopped after {state.iterations} of {iterations} iterations; start "
                "the stage again to go on."
            )
    if checkpoints is not None and checkpoints.worthwhile():
        _save(checkpoints, scope, state, finished)
    return state


def _iterate(
    vectors: Tensor, shortlist: Shortlist, state: Clustering, draw: torch.Generator
) -> None:
    """One search, several moves; what it leaves behind is all that a resumed run needs."""
    index, cosine = shortlist.search(state.centroids)
    for _ in range(UPDATES - 1):
        state.centroids = means(vectors, index, state.centroids)
        index, cosine = shortlist.again(state.centroids)
    # last, because a centroid that jumps is on no shortlist before the next search
    state.centroids, state.moved = update(vectors, index, cosine, state.centroids, draw)
    state.reseeded += state.moved
    state.curve.append(float(cosine.double().mean()))


def _save(checkpoints: Checkpoints, scope: str, state: Clustering, finished: bool) -> None:
    meta = {
        "curve": state.curve,
        "reseeded": state.reseeded,
        "moved": state.moved,
        "finished": finished,
    }
    checkpoints.save(scope, state.iterations, {"centroids": state.centroids}, meta)


def _settled(curve: list[float], tolerance: float) -> bool:
    return len(curve) > 1 and curve[-1] - curve[-2] < tolerance * abs(curve[-2])
