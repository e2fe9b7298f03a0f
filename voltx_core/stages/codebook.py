"""0.3 Codebook: directions that name the slots of real code.

    voltx run --until codebook

Corpus files and training solutions become slot vectors, spherical k-means finds the entries, and
an HNSW index is tuned until it finds what exact search finds. Random entries and faiss's own
k-means stand beside the result, on the same vectors.
"""

import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voltx_core.stages.contract import Artifact, StageReport, StageRun, StageSpec, Target

if TYPE_CHECKING:
    from torch import Tensor

    from voltx_core.hard_core.codebook import Codebook
    from voltx_core.hard_core.index import CodebookIndex
    from voltx_core.hard_core.kmeans import Clustering

SPEC = StageSpec(
    number="0.3",
    name="codebook",
    title="Codebook",
    needs=("corpus", "problems", "tokenizer", "encoder", "decoder"),
    makes=(
        Artifact("codebook", "codebook_code.bin"),
        Artifact("codebook_index", "codebook_code.hnsw"),
    ),
    reads=("codebook",),
    pool="gpu",
    targets=(
        Target("mean_l2", "<", 0.05, "mean L2 to the nearest entry, as the plan wants it"),
        Target("heldout_mean_l2", "<", 0.15, "mean L2 on held-out files, the aspiration"),
        Target("recall@1", ">=", 0.95, "index finds the nearest entry"),
    ),
)
TEXT_CHARACTERS = 8_192
"""The encoder reads less than this of a file; cutting first saves most of the tokenizing."""
HELD_OUT_EVERY = 20
"""One text in so many is kept out of the clustering, to measure on."""
MEASURED = 200_000
"""Most vectors that entries are measured on."""
QUERIES = 10_000
"""Most vectors that recall is measured on."""
POINTS_AN_ENTRY = 39
"""Vectors an entry needs to be placed well (faiss's own rule)."""
CONTENDER_FLOPS = 1e13
"""Arithmetic above which faiss's k-means is not run for comparison (about two core-minutes): what
it has done is not saved, and a stage that is killed loses it."""


def run(run: StageRun) -> StageReport:
    import torch

    from voltx_core.hard_core.codebook import Codebook
    from voltx_core.hard_core.examples import examples
    from voltx_core.hard_core.kmeans import cluster
    from voltx_core.hard_core.slots import SlotVectors, slot_vectors
    from voltx_core.stages.soft_core import load_translator
    from voltx_core.training.randomness import generator

    config, report = run.config.codebook, StageReport()
    total = sum(1 for _ in _texts(run.inputs["corpus"], run.inputs["problems"]))
    clock = time.monotonic()
    translator = load_translator(run)
    found = slot_vectors(
        translator,
        _texts(run.inputs["corpus"], run.inputs["problems"]),
        checkpoints=run.checkpoints,
        stop=run.stop,
        tell=lambda done: run.observer.progress(done, total, "texts", "encoding"),
    )
    report.timings_s["encoding"] = time.monotonic() - clock
    apart = found.owners % HELD_OUT_EVERY == HELD_OUT_EVERY - 1
    held_out, vectors = found.vectors[apart], found.vectors[~apart]
    near = SlotVectors(vectors[:MEASURED], found.owners[~apart][:MEASURED])
    if len(vectors) > config.vectors:
        draw = generator(run.config.seed, "codebook", "sample")
        vectors = vectors[torch.randperm(len(vectors), generator=draw)[: config.vectors]]
    report.counts |= {
        "texts": total,
        "vectors": len(vectors),
        "held-out vectors": len(held_out),
        "entries": config.entries,
    }
    if len(vectors) < POINTS_AN_ENTRY * config.entries:
        report.notes.append(
            f"{len(vectors) / config.entries:.1f} vectors an entry; {POINTS_AN_ENTRY} are needed "
            "to place entries well. The codebook keeps its size; more files would improve it."
        )
    vectors = vectors.to(run.device)
    clock = time.monotonic()
    clustering = cluster(
        vectors,
        config.entries,
        iterations=config.iterations,
        tolerance=config.tolerance,
        seed=run.config.seed,
        checkpoints=run.checkpoints,
        stop=run.stop,
        tell=lambda state: _tell(run, state),
    )
    report.timings_s["clustering"] = time.monotonic() - clock
    report.counts |= {
        "iterations": clustering.iterations,
        "dead entries moved": clustering.reseeded,
    }
    codebook = Codebook(clustering.centroids.cpu())
    codebook.save(run.output("codebook"))
    run.stop.check()
    clock = time.monotonic()
    index = _index(run, codebook)
    run.stop.check()
    queries = held_out if len(held_out) else vectors.cpu()
    tuned = index.tune(codebook, queries[:QUERIES], config.recall_target)
    index.save(run.output("codebook_index"))
    report.timings_s["index"] = time.monotonic() - clock
    report.metrics |= {"recall@1": tuned.recall, "ef_search": float(tuned.beam)}
    report.tables["index recall"] = [
        {"efSearch": beam, "recall@1": round(recall, 4)} for beam, recall in tuned.trials
    ]
    _measure(run, codebook, vectors, held_out, report)
    _draw(run, codebook, clustering, vectors)
    shown = examples(
        translator,
        codebook.to(run.device),
        near,
        _texts(run.inputs["corpus"], run.inputs["problems"]),
    )
    report.tables["entries and the code nearest to them"] = [asdict(example) for example in shown]
    return report


def _index(run: StageRun, codebook: "Codebook") -> "CodebookIndex":
    """The index of a codebook, built once."""
    from voltx_core.hard_core.index import CodebookIndex
    from voltx_core.training.pieces import Pieces, aside

    config = run.config.codebook
    run.observer.progress(0, len(codebook), "entries", "building the index")
    with Pieces(run, "index") as pieces:
        if not pieces.done:
            built = aside(
                run.stop,
                lambda: CodebookIndex.build(
                    codebook, links=config.hnsw_links, construction=config.hnsw_construction
                ),
            )
            pieces.add(1, {"graph": built.graph()})
    graph = pieces.tensor("graph")
    assert graph is not None
    return CodebookIndex.of_graph(graph)


def _texts(corpus: Path, problems: Path) -> Iterator[str]:
    from voltx_core.data.jsonl import read_jsonl, read_problems

    for row in read_jsonl(corpus):
        yield row["content"][:TEXT_CHARACTERS]
    # Phrasings share their solution: once each, or held-out texts would repeat clustered ones.
    yield from dict.fromkeys(p.solution for p in read_problems(problems / "train.jsonl"))


def _tell(run: StageRun, state: "Clustering") -> None:
    run.observer.metrics({"kmeans/mean_cosine": state.curve[-1]}, state.iterations)
    run.observer.progress(state.iterations, run.config.codebook.iterations, "iterations", "k-means")


def _measure(
    run: StageRun,
    codebook: "Codebook",
    vectors: "Tensor",
    held_out: "Tensor",
    report: StageReport,
) -> None:
    """Our entries, random ones and faiss's, on clustered and on held-out vectors."""
    from voltx_core.hard_core.codebook import Codebook

    contenders: dict[str, Codebook] = {"spherical k-means": codebook}
    contenders["random vectors"] = Codebook(_random(run, vectors, len(codebook)))
    theirs = _faiss(run, vectors, report)
    if theirs is not None:
        contenders["faiss k-means"] = theirs
    if len(vectors) > MEASURED:
        report.notes.append(
            f"Entries were measured on {MEASURED} vectors of each kind; utilisation and "
            "perplexity are of those."
        )
    rows: list[dict[str, Any]] = []
    for name, entries in contenders.items():
        run.stop.check()
        run.observer.progress(len(rows), 2 * len(contenders), "measurements", name)
        entries = entries.to(run.device)
        for kind, points in (("clustered", vectors), ("held out", held_out)):
            if not len(points):
                continue
            found = entries.quantisation(points[:MEASURED].to(run.device))
            rows.append(
                {
                    "entries": name,
                    "vectors": kind,
                    "mean L2": round(found.mean_l2, 4),
                    "mean cosine": round(found.mean_cosine, 4),
                    "utilisation": round(found.utilisation, 4),
                    "perplexity": round(found.perplexity, 1),
                }
            )
            if name == "spherical k-means":
                prefix = "" if kind == "clustered" else "heldout_"
                report.metrics |= {
                    f"{prefix}mean_l2": found.mean_l2,
                    f"{prefix}mean_cosine": found.mean_cosine,
                    f"{prefix}utilisation": found.utilisation,
                    f"{prefix}perplexity": found.perplexity,
                }
    report.tables["entries on the same vectors"] = rows


def _random(run: StageRun, vectors: "Tensor", count: int) -> "Tensor":
    import torch

    from voltx_core.training.randomness import generator

    draw = generator(run.config.seed, "codebook", "random entries")
    rows = torch.randperm(len(vectors), generator=draw)[:count]
    return vectors[rows.to(vectors.device)].cpu()


def _faiss(run: StageRun, vectors: "Tensor", report: StageReport) -> "Codebook | None":
    import faiss
    import torch

    from voltx_core.hard_core.codebook import Codebook
    from voltx_core.training.pieces import aside

    config = run.config.codebook
    flops = 2.0 * len(vectors) * config.entries * vectors.shape[1] * config.iterations
    if flops > CONTENDER_FLOPS:
        report.notes.append(
            f"faiss's k-means was not run for comparison: {flops / 1e12:.0f} TFLOP on the CPU."
        )
        return None
    contender = faiss.Kmeans(
        vectors.shape[1],
        config.entries,
        niter=config.iterations,
        spherical=True,
        seed=run.config.seed,
        max_points_per_centroid=len(vectors),
        min_points_per_centroid=1,
    )
    points, threads = vectors.cpu().numpy(), torch.get_num_threads()

    def cluster() -> None:
        faiss.omp_set_num_threads(threads)  # each thread of Python has a setting of its own
        contender.train(points)

    aside(run.stop, cluster)
    return Codebook(torch.from_numpy(contender.centroids))


def _draw(run: StageRun, codebook: "Codebook", clustering: "Clustering", vectors: "Tensor") -> None:
    """How the clustering went, and how often each entry is used."""
    import torch
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    index, _ = codebook.to(run.device).nearest(vectors[:MEASURED])
    uses = torch.bincount(index, minlength=len(codebook)).sort(descending=True).values.cpu()
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    left.plot(clustering.curve, marker="o")
    left.set(xlabel="iteration", ylabel="mean cosine to the nearest entry")
    right.plot(range(1, len(uses) + 1), uses.tolist())
    right.set(xlabel="entry, by use", ylabel="vectors", yscale="symlog")
    path = run.figure("codebook")
    figure.savefig(path, dpi=110, metadata={"Software": None})
    run.observer.figure("codebook", path)
