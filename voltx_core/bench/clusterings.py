"""The contenders of `voltx bench codebook` on the same vectors, and what they come to."""

import itertools
import statistics
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from voltx_core.frame import normalise
from voltx_core.hard_core.codebook import Codebook
from voltx_core.hard_core.index import CodebookIndex
from voltx_core.hard_core.kmeans import Clustering, cluster

CONTENDERS = ("voltx", "faiss", "minibatch")
MEASURED = 100_000
"""Vectors of those clustered that the mean L2 is taken over: the same ones for everybody."""
REACHED = 1.001
"""Mean L2 that counts as faiss's, as a multiple of it."""
TOLERANCE = 1e-4
BATCH_EPOCHS = 3
_QUERIES = 1_000

Figures = dict[str, float | None]


@dataclass(frozen=True)
class Point:
    """How far a clustering was: CPU seconds spent, and mean L2 of the measured vectors."""

    cpu_s: float
    mean_l2: float


def race(
    vectors: Tensor,
    entries: int,
    *,
    iterations: int,
    repeat: int,
    on_turn: Callable[[str], object] = lambda _: None,
) -> tuple[dict[str, list[list[Point]]], Tensor]:
    """Let every contender cluster the same vectors, ``repeat`` times in turn, seeded anew.

    Args:
        vectors: ``[N, W]`` unit vectors.
        entries: Centroids.
        iterations: Of faiss, and at most of voltx.
        repeat: Turns.
        on_turn: Told who is next.

    Returns:
        For each contender and turn its points, in order of time (only voltx's show the way
        there), and the centroids ``[K, W]`` of voltx's last turn.
    """
    measured = vectors[:: max(1, len(vectors) // MEASURED)]
    found: dict[str, list[list[Point]]] = {name: [] for name in CONTENDERS}
    centroids = vectors[:entries]
    for turn in range(repeat):
        first = turn % len(CONTENDERS)  # nobody always runs behind the same one
        for name in CONTENDERS[first:] + CONTENDERS[:first]:
            on_turn(name)
            if name == "voltx":
                points, centroids = _voltx(vectors, measured, entries, iterations, turn)
            elif name == "faiss":
                points = _faiss(vectors, measured, entries, iterations, turn)
            else:
                points = _minibatch(vectors, measured, entries, turn)
            found[name].append(points)
    return found, centroids


def compare(turns: Mapping[str, Sequence[Sequence[Point]]]) -> tuple[Figures, dict[str, str]]:
    """``time_vs_faiss`` and ``l2_vs_faiss_at_equal_time``, medians over turns.

    The first is the share of faiss's CPU time until voltx's mean L2 is within 0.1 % of faiss's last
    one; the second voltx's mean L2 over faiss's once voltx has spent as much time as faiss (or has
    ended before).

    Returns:
        The figures, and why each of those that are None is.
    """
    shares: list[float | None] = []
    ratios: list[float] = []
    for ours, theirs in zip(turns["voltx"], turns["faiss"], strict=True):
        goal = theirs[-1]
        reached = (p.cpu_s for p in ours if p.mean_l2 <= REACHED * goal.mean_l2)
        first = next(reached, None)
        shares.append(None if first is None else first / goal.cpu_s)
        in_time = [p.mean_l2 for p in ours if p.cpu_s <= goal.cpu_s] or [ours[0].mean_l2]
        ratios.append(min(in_time) / goal.mean_l2)
    figures: Figures = {"l2_vs_faiss_at_equal_time": round(statistics.median(ratios), 5)}
    known = [share for share in shares if share is not None]
    if len(known) < len(shares):
        figures["time_vs_faiss"] = None
        return figures, {
            "time_vs_faiss": f"faiss's mean L2 was reached in {len(known)} of {len(shares)} turns"
        }
    figures["time_vs_faiss"] = round(statistics.median(known), 4)
    return figures, {}


@dataclass(frozen=True)
class Search:
    """An HNSW index over the entries: tuned beam, recall@1, build time and time of one query."""

    beam: int
    recall: float
    build_s: float
    query_ms: float
    exact_query_ms: float


def search(centroids: Tensor, queries: Tensor, *, links: int, construction: int) -> Search:
    """Build and tune the index on ``queries`` ``[N, W]``, then ask for one vector at a time."""
    codebook = Codebook(centroids)
    began = time.process_time()
    index = CodebookIndex.build(codebook, links=links, construction=construction)
    build_s = time.process_time() - began
    tuned = index.tune(codebook, queries, 0.95)
    return Search(
        tuned.beam,
        tuned.recall,
        build_s,
        _one_by_one(index.nearest, queries),
        _one_by_one(codebook.nearest, queries),
    )


def on_gpu(vectors: int, entries: int, width: int, seed: int) -> dict[str, float]:
    """Cluster isotropic vectors on the CUDA device.

    Returns:
        ``total_s``; ``iteration_s``, the median; and ``floor_s``, what the multiplications of one
        comparison of everything with everything take at the rate of a large bfloat16 product here.
    """
    draw = torch.Generator("cuda").manual_seed(seed)
    points = normalise(torch.randn(vectors, width, generator=draw, device="cuda"))
    square = torch.randn(8_192, 8_192, device="cuda").bfloat16()
    rate = 2 * 8_192**3 / min(_cuda_seconds(lambda: square @ square) for _ in range(6))
    marks = [time.monotonic()]

    def mark(_: Clustering) -> None:
        torch.cuda.synchronize()
        marks.append(time.monotonic())

    cluster(points, entries, iterations=10, tolerance=TOLERANCE, seed=seed, tell=mark)
    # the start is in the first interval: only the later ones are iterations alone
    steps = [b - a for a, b in itertools.pairwise(marks[1:])] or [marks[1] - marks[0]]
    return {
        "total_s": marks[-1] - marks[0],
        "iteration_s": statistics.median(steps),
        "floor_s": 2 * vectors * entries * width / rate,
    }


def _voltx(
    vectors: Tensor, measured: Tensor, entries: int, iterations: int, seed: int
) -> tuple[list[Point], Tensor]:
    points: list[Point] = []
    began, aside = time.process_time(), 0.0

    def mark(state: Clustering) -> None:
        nonlocal aside
        now = time.process_time()
        points.append(Point(now - began - aside, _mean_l2(state.centroids, measured)))
        aside += time.process_time() - now  # the measurement is not the contender's time

    state = cluster(
        vectors, entries, iterations=iterations, tolerance=TOLERANCE, seed=seed, tell=mark
    )
    return points, state.centroids


def _faiss(
    vectors: Tensor, measured: Tensor, entries: int, iterations: int, seed: int
) -> list[Point]:
    import faiss

    faiss.omp_set_num_threads(torch.get_num_threads())
    contender = faiss.Kmeans(
        vectors.shape[1],
        entries,
        niter=iterations,
        spherical=True,
        seed=seed + 1,
        max_points_per_centroid=len(vectors),
        min_points_per_centroid=1,
    )
    began = time.process_time()
    contender.train(vectors.numpy())
    cpu_s = time.process_time() - began
    return [Point(cpu_s, _mean_l2(torch.from_numpy(contender.centroids), measured))]


def _minibatch(vectors: Tensor, measured: Tensor, entries: int, seed: int) -> list[Point]:
    from sklearn.cluster import MiniBatchKMeans
    from threadpoolctl import threadpool_limits

    contender = MiniBatchKMeans(
        entries,
        batch_size=max(1_024, entries),
        max_iter=BATCH_EPOCHS,
        max_no_improvement=None,
        n_init=1,
        random_state=seed,
    )
    began = time.process_time()
    with threadpool_limits(torch.get_num_threads()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        contender.fit(vectors.numpy())
    cpu_s = time.process_time() - began
    centroids = normalise(torch.from_numpy(contender.cluster_centers_).float())
    return [Point(cpu_s, _mean_l2(centroids, measured))]


def _mean_l2(centroids: Tensor, vectors: Tensor) -> float:
    return Codebook(centroids).quantisation(vectors).mean_l2


def _one_by_one(nearest: Callable[[Tensor], object], queries: Tensor) -> float:
    """Median milliseconds of one query at a time."""
    walls = []
    for query in queries[:_QUERIES].unsqueeze(1):
        began = time.perf_counter()
        nearest(query)
        walls.append(1e3 * (time.perf_counter() - began))
    return statistics.median(walls)


def _cuda_seconds(work: Callable[[], object]) -> float:
    torch.cuda.synchronize()
    began = time.perf_counter()
    work()
    torch.cuda.synchronize()
    return time.perf_counter() - began
