"""`voltx bench codebook`: k-means beside faiss's and scikit-learn's, and the search index.

Everybody clusters the same vectors with the same number of threads in one process, in turns; what
counts is CPU time, so a busy machine costs patience and not fairness.
"""

import json
import os
import platform
from dataclasses import asdict
from importlib import metadata
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voltx_core.cli.options import AsJson, StoreUrl, console, explained
from voltx_core.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console
    from torch import Tensor

    from voltx_core.bench.clusterings import Point

WIDTH = 256
POINTS_AN_ENTRY = 39
"""Vectors an entry needs to be placed well (faiss's own rule)."""
GPU_VECTORS, GPU_ENTRIES = 2_600_000, 65_536
_TITLES = {"voltx": "voltx", "faiss": "faiss.Kmeans", "minibatch": "MiniBatchKMeans"}
_PACKAGES = ("torch", "faiss-cpu", "scikit-learn")
_SUFFIX = {"clustered": "", "isotropic": "_isotropic", "frames": "_frames"}
_KINDS = (*_SUFFIX, "gpu", "all")
_FIGURES = ("time_vs_faiss", "l2_vs_faiss_at_equal_time", "hnsw_recall_at_1")

Vectors = Annotated[int, typer.Option("--vectors", min=512, help="Vectors that are clustered.")]
Entries = Annotated[int, typer.Option("--entries", min=2, help="Entries of the codebook.")]
Iterations = Annotated[int, typer.Option("--iterations", min=1, help="Of faiss's k-means.")]
Repeat = Annotated[int, typer.Option("--repeat", min=1, help="Turns of each; medians count.")]
Kind = Annotated[
    str, typer.Option("--on", metavar="|".join(_KINDS), help="Which vectors; gpu: the plan's size.")
]
Threads = Annotated[int, typer.Option("--threads", min=1, help="Threads of every contender.")]


@explained()
def codebook(
    vectors: Vectors = 400_000,
    entries: Entries = 8_192,
    iterations: Iterations = 10,
    repeat: Repeat = 1,
    threads: Threads = 1,
    kind: Kind = "all",
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Measure k-means beside faiss and scikit-learn, and the index over its entries.

    On clustered vectors, on vectors without structure, and on slots of real code where the store
    holds a translator and a corpus. On a CUDA device also at the size of the plan. The defaults
    take about 15 CPU-minutes.

    Examples:

      voltx bench codebook --vectors 40000 --entries 1024

      voltx bench codebook --json
    """
    if vectors < entries:
        raise ConfigError(
            f"--vectors {vectors} cannot make --entries {entries}: every entry needs at least one "
            f"vector. Use at least {POINTS_AN_ENTRY * entries} vectors or fewer entries."
        )
    if kind not in _KINDS:
        raise ConfigError(f"--on {kind!r} is unknown; use one of {', '.join(_KINDS)}")
    import torch

    from voltx_core.bench.vectors import clustered, isotropic, real_frames

    torch.set_num_threads(threads)
    out = console(stderr=as_json)
    figures: dict[str, float | None] = {}
    why: dict[str, str] = {}
    samples: dict[str, Any] = {}
    makers = {"clustered": clustered, "isotropic": isotropic}
    for name in _SUFFIX:
        if kind not in (name, "all"):
            _absent(name, f"--on {kind}", figures, why)
            continue
        if name in makers:
            points, fewer = makers[name](vectors, WIDTH, seed=0), entries
            queries = makers[name](10_000, WIDTH, seed=0, draw=1)
        else:
            frames, said = real_frames(store, vectors, seed=0)
            if frames is None:
                _absent(name, said, figures, why)
                out.print(f"Slots of real code: not measured: {said}", markup=False)
                continue
            samples["frames_from"] = said
            queries, points = frames[: len(frames) // 20], frames[len(frames) // 20 :]
            fewer = min(entries, max(2, len(points) // POINTS_AN_ENTRY))
        centroids = _race(out, name, points, fewer, iterations, repeat, figures, why, samples)
        _search(out, name, centroids, queries, figures, samples)
    _gpu(out, kind, figures, why, samples)
    if as_json:
        report = {
            "bench": "codebook",
            "figures": figures,
            "samples": samples,
            "environment": _environment(vectors, entries, iterations, repeat, threads),
            "why": why,
        }
        print(json.dumps(report))


def _absent(kind: str, reason: str, figures: dict[str, float | None], why: dict[str, str]) -> None:
    for name in _FIGURES:
        figures[f"{name}{_SUFFIX[kind]}"], why[f"{name}{_SUFFIX[kind]}"] = None, reason


def _race(
    out: "Console",
    kind: str,
    points: "Tensor",
    entries: int,
    iterations: int,
    repeat: int,
    figures: dict[str, float | None],
    why: dict[str, str],
    samples: dict[str, Any],
) -> "Tensor":
    from voltx_core.bench.clusterings import compare, race

    title = f"{len(points)} x {points.shape[1]} {kind} vectors, {entries} entries"
    with out.status("") as status:

        def on_turn(name: str) -> None:
            text = f"{title}; now {_TITLES[name]}"
            if out.is_terminal:
                status.update(text)
            else:
                out.print(text)

        turns, centroids = race(
            points, entries, iterations=iterations, repeat=repeat, on_turn=on_turn
        )
    found, missing = compare(turns)
    end = _SUFFIX[kind]
    figures |= {f"{name}{end}": value for name, value in found.items()}
    why |= {f"{name}{end}": text for name, text in missing.items()}
    samples[kind] = {
        "vectors": len(points),
        "entries": entries,
        **{name: [[asdict(p) for p in turn] for turn in each] for name, each in turns.items()},
    }
    _print_table(out, title, turns, found)
    return centroids


def _print_table(
    out: "Console",
    title: str,
    turns: "dict[str, list[list[Point]]]",
    found: dict[str, float | None],
) -> None:
    from rich.table import Table

    out.print(title)
    table = Table()
    table.add_column("", no_wrap=True)
    for column in ("CPU s", "mean L2"):
        table.add_column(column, justify="right", no_wrap=True)
    for name, each in turns.items():
        for place, point in enumerate(each[-1], 1):
            step = f", iteration {place}" if name == "voltx" else ""
            table.add_row(f"{_TITLES[name]}{step}", f"{point.cpu_s:.1f}", f"{point.mean_l2:.5f}")
    out.print(table)
    share, ratio = found["time_vs_faiss"], found["l2_vs_faiss_at_equal_time"]
    said = "never" if share is None else f"after {share:.1%} of its CPU time"
    out.print(f"faiss's mean L2 within 0.1 %: {said}; at equal time {ratio:.4f} of its mean L2")


def _search(
    out: "Console",
    kind: str,
    centroids: "Tensor",
    queries: "Tensor",
    figures: dict[str, float | None],
    samples: dict[str, Any],
) -> None:
    from voltx_core.bench.clusterings import search

    found = search(centroids, queries, links=24, construction=200)
    figures[f"hnsw_recall_at_1{_SUFFIX[kind]}"] = round(found.recall, 4)
    samples[kind]["hnsw"] = {**asdict(found), "links": 24, "construction": 200}
    out.print(
        f"HNSW: recall@1 {found.recall:.4f} at efSearch {found.beam}, {found.query_ms:.3f} ms a "
        f"query (exact: {found.exact_query_ms:.3f} ms), built in {found.build_s:.1f} CPU s"
    )


def _gpu(
    out: "Console",
    kind: str,
    figures: dict[str, float | None],
    why: dict[str, str],
    samples: dict[str, Any],
) -> None:
    import torch

    names = ("gpu_over_floor", "gpu_total_s")
    if kind not in ("gpu", "all") or not torch.cuda.is_available():
        figures |= dict.fromkeys(names)
        reason = "no CUDA device here" if kind in ("gpu", "all") else f"--on {kind}"
        why |= dict.fromkeys(names, reason)
        return
    from voltx_core.bench.clusterings import on_gpu

    out.print(f"{GPU_VECTORS} vectors, {GPU_ENTRIES} entries on {torch.cuda.get_device_name()}")
    try:
        found = on_gpu(GPU_VECTORS, GPU_ENTRIES, WIDTH, 0)
    except torch.cuda.OutOfMemoryError as error:
        figures |= dict.fromkeys(names)
        why |= dict.fromkeys(names, f"out of memory: {str(error).splitlines()[0]}")
        return
    samples["gpu"] = found
    figures["gpu_over_floor"] = round(found["iteration_s"] / found["floor_s"], 3)
    figures["gpu_total_s"] = round(found["total_s"], 2)
    out.print(
        f"{found['total_s']:.1f} s; an iteration {found['iteration_s']:.2f} s, its floor "
        f"{found['floor_s']:.2f} s"
    )


def _environment(
    vectors: int, entries: int, iterations: int, repeat: int, threads: int
) -> dict[str, Any]:
    return {
        "vectors": vectors,
        "entries": entries,
        "width": WIDTH,
        "iterations": iterations,
        "repeat": repeat,
        "threads": threads,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "processors": len(os.sched_getaffinity(0)),
        "load": os.getloadavg()[0],
        "packages": {name: metadata.version(name) for name in _PACKAGES},
    }
