"""3.1 Intent router: which strands a query concerns.

    voltx run --until router

Trained on labelled queries, examined on held-out ones whose wordings and sources it has not seen.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from voltx_core.stages.contract import Artifact, StageReport, StageRun, StageSpec, Target

if TYPE_CHECKING:
    from torch import Tensor

    from voltx_core.hard_core.router import IntentRouter

SPEC = StageSpec(
    number="3.1",
    name="router",
    title="Intent router",
    needs=("intents", "tokenizer", "encoder", "decoder"),
    makes=(Artifact("router", "intent_router.safetensors"),),
    reads=("router",),
    targets=(
        Target("accuracy", ">", 0.9, "exactly the labelled strands, held-out wordings and sources"),
    ),
)
TUNING_SHARE = 0.2
"""Share of the training queries that set the thresholds and nothing else."""


def run(run: StageRun) -> StageReport:
    import torch

    from voltx_core.hard_core.router import IntentRouter
    from voltx_core.stages.soft_core import load_translator
    from voltx_core.training.loop import train
    from voltx_core.training.randomness import generator

    config, report = run.config.router, StageReport()
    translator = load_translator(run)
    texts, labels = _queries(run, "train")
    run.observer.progress(0, len(texts), "queries", "encoding")
    gists = translator.encode(texts, poll=run.stop.check).gist()
    labels = labels.to(gists.device)
    draw = generator(run.config.seed, "router", "split")
    order = torch.randperm(len(gists), generator=draw).to(run.device)
    cut = max(1, int(TUNING_SHARE * len(gists)))
    tune, learn = order[:cut], order[cut:]
    router = IntentRouter(translator.width, config.vectors)
    router.start(gists[learn].cpu(), labels[learn].cpu(), draw)
    router.to(run.device)
    trained = train(
        run,
        scope="router",
        modules={"router": router},
        loss=lambda batch: (
            router.loss(gists[learn[batch.rows]], labels[learn[batch.rows]]),
            {},
        ),
        items=len(learn),
        batch=config.batch,
        steps=config.steps,
        optimizer=config.optimizer,
    )
    router.tune(gists[tune], labels[tune])
    router.save(run.output("router"))
    report.flops, report.timings_s["training"] = trained.flops, trained.seconds
    unseen_texts, wanted = _queries(run, "heldout")
    unseen = translator.encode(unseen_texts, poll=run.stop.check).gist()
    wanted = wanted.to(unseen.device)
    report.counts |= {
        "training queries": len(learn),
        "threshold queries": len(tune),
        "held-out queries": len(unseen),
        "parameters": sum(p.numel() for p in router.parameters()),
    }
    _examine(run, router, unseen, wanted, report)
    run.stop.check()
    report.metrics["training_accuracy"] = _exact(router.decide(gists[learn]), labels[learn])
    learned = [texts[n] for n in learn.tolist()]
    reference = torch.tensor(_bag_of_words(learned, labels[learn], unseen_texts))
    floor = float(wanted.cpu().gather(1, reference[:, None]).double().mean())
    report.metrics["bag_of_words_top1"] = floor
    if (report.metrics["top1_accuracy"] or 0.0) < floor:
        report.notes.append(
            "A bag-of-words classifier routes the held-out queries better than the frames' gists: "
            "the encoder loses words that tell what is asked."
        )
    return report


def _queries(run: StageRun, split: str) -> "tuple[list[str], Tensor]":
    """Texts and labels of one file of intents."""
    from voltx_core.data.jsonl import read_jsonl
    from voltx_core.hard_core.router import labels_of

    rows = list(read_jsonl(run.inputs["intents"] / f"{split}.jsonl"))
    return [row["text"] for row in rows], labels_of([row["strands"] for row in rows])


def _bag_of_words(texts: Sequence[str], labels: "Tensor", unseen: Sequence[str]) -> list[int]:
    """Best strand of each unseen query by tf-idf and logistic regression: the floor to beat."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    words = TfidfVectorizer(ngram_range=(1, 2), min_df=1)
    model = LogisticRegression(C=30.0, max_iter=200)
    model.fit(words.fit_transform(texts), labels.int().argmax(1).cpu().numpy())
    return [int(n) for n in model.predict(words.transform(unseen))]


def _exact(chosen: "Tensor", wanted: "Tensor") -> float:
    return float((chosen == wanted).all(1).double().mean())


def _examine(
    run: StageRun, router: "IntentRouter", gists: "Tensor", wanted: "Tensor", report: StageReport
) -> None:
    """Accuracy, per-strand figures and the confusion matrix on held-out queries."""
    import torch

    chosen = router.decide(gists)
    with torch.no_grad():
        best = router.logits(gists).argmax(1)
    hit = wanted.gather(1, best[:, None]).squeeze(1)
    single = wanted.sum(1) == 1
    report.metrics |= {
        "accuracy": _exact(chosen, wanted),
        "top1_accuracy": float(hit.double().mean()),
        "single_accuracy": _exact(chosen[single], wanted[single]) if bool(single.any()) else None,
    }
    rows: list[dict[str, Any]] = []
    for n, name in enumerate(router.strands):
        hits = int((chosen[:, n] & wanted[:, n]).sum())
        taken, labelled = int(chosen[:, n].sum()), int(wanted[:, n].sum())
        recall = hits / labelled if labelled else None
        rows.append(
            {
                "strand": name,
                "queries": labelled,
                "precision": round(hits / taken, 4) if taken else None,
                "recall": None if recall is None else round(recall, 4),
                "threshold": round(float(router.thresholds[n]), 4),
            }
        )
        report.metrics[f"recall_{name}"] = recall
    report.tables["strands, held-out queries"] = rows
    # queries of one strand only: a row of the matrix is then a true class
    matrix = torch.zeros(len(router.strands), len(router.strands), dtype=torch.long)
    for true, guess in zip(wanted[single].int().argmax(1), best[single], strict=True):
        matrix[int(true), int(guess)] += 1
    counts = matrix.tolist()
    report.tables["confusion, best strand of one-strand queries"] = [
        {"labelled": name, **dict(zip(router.strands, row, strict=True))}
        for name, row in zip(router.strands, counts, strict=True)
    ]
    _draw(run, router.strands, counts)


def _draw(run: StageRun, names: Sequence[str], counts: list[list[int]]) -> None:
    """The confusion matrix as a heat map, each row divided by its queries."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 5.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    shares = [[value / max(1, sum(row)) for value in row] for row in counts]
    image = axes.imshow(shares, vmin=0, vmax=1, cmap="Blues")
    axes.set_xticks(range(len(names)), names, rotation=30, ha="right")
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="best strand", ylabel="labelled strand", title="Router, held-out queries")
    for y, row in enumerate(counts):
        for x, value in enumerate(row):
            shade = "white" if shares[y][x] > 0.5 else "black"
            axes.text(x, y, str(value), ha="center", va="center", color=shade)
    figure.colorbar(image, label="share of the labelled queries")
    path = run.figure("router-confusion")
    figure.savefig(path, dpi=110, metadata={"Software": None})
    run.observer.figure("router-confusion", path)
