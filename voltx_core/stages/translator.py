"""1.1 Translator: tokenizer, encoder and decoder, trained together by reconstruction.

    voltx run --until translator

The encoder is trained through the slots, by the decoder that must write the code back from them;
contrast between query and solution and role labels are small extras. What the true frame of a
solution lets the decoder write caps every later stage, so it is measured here.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voltx_core.stages.contract import Artifact, StageReport, StageRun, StageSpec, Target

if TYPE_CHECKING:
    from torch import Tensor

    from voltx_core.data.problem import Problem
    from voltx_core.translator.objective import PairSet
    from voltx_core.translator.tokenizer import CodeTokenizer
    from voltx_core.translator.translator import Translator

SPEC = StageSpec(
    number="1.1",
    name="translator",
    title="Translator",
    needs=("problems", "corpus", "pairs"),
    makes=(
        Artifact("tokenizer", "code_tokenizer.json"),
        Artifact("encoder", "code_encoder.safetensors"),
        Artifact("decoder", "code_decoder.safetensors"),
        Artifact("translator_budget", "translator_budget.json"),
    ),
    reads=("translator",),
    pool="gpu",
    alone=True,
    judges=True,
    targets=(
        Target("true_frame_pass@1", ">=", 0.9, "pass@1 from the true frame, held-out problems"),
        Target("cosine_similar", ">", 0.8, "cosine of the same task in other words"),
        Target("cosine_different", "<", 0.3, "cosine of different tasks"),
        Target("mrr_over_bm25", ">", 1.0, "docstring retrieval MRR over BM25's"),
        Target("contrastive_validation", "<", 1.69, "contrastive loss on held-out problems"),
    ),
    version=2,  # single digits
)
POOL = 1_000
"""Candidates of the retrieval evaluation."""
SHOWN_LINES = 12
"""Longest function whose roles are drawn."""
LABELLED_AT_ONCE = 256
"""Programs whose roles are labelled between two looks at the clock: a fraction of a second."""


def run(run: StageRun) -> StageReport:
    from itertools import chain

    from voltx_core.data.jsonl import read_jsonl, read_problems
    from voltx_core.training.loop import train
    from voltx_core.training.randomness import seeded
    from voltx_core.translator.objective import translator_loss
    from voltx_core.translator.translator import Translator

    config, report = run.config.translator, StageReport()
    problems = list(read_problems(run.inputs["problems"] / "train.jsonl"))
    pairs = list(read_jsonl(run.inputs["pairs"]))
    learn, held_out = _by_package(pairs)
    texts = _tokenizer_texts(problems, run.inputs["corpus"], config)
    tokenizer = learn_tokenizer(run, "tokenizer", texts, config.vocabulary)
    with seeded(run.config.seed, "translator", "init"):
        words = chain(
            (text for p in problems for text in (p.query, p.solution)),
            (text for pair in learn for text in (pair["doc"], pair["code"])),
        )
        translator = Translator.create(tokenizer, config, texts=words, device=run.device)
    material, generated = _material(run, translator, problems, learn)
    report.counts |= {
        "vocabulary": tokenizer.vocabulary,
        "problems": generated,
        "problems too long for the decoder": len(problems) - generated,
        "docstring pairs": len(material) - generated,
        "encoder parameters": _size(translator.encoder),
        "decoder parameters": _size(translator.decoder),
    }
    rows = _Mixture(generated, len(material), config.corpus_share)
    trained = train(
        run,
        scope="translator",
        modules={"encoder": translator.encoder, "decoder": translator.decoder},
        loss=lambda batch: translator_loss(
            translator.encoder,
            translator.decoder,
            material,
            rows(batch.rows, batch.generator),
            config,
            batch.generator,
            run.device,
        ),
        items=generated,
        batch=config.batch,
        steps=config.steps,
        optimizer=config.optimizer,
    )
    translator.save(run.output("tokenizer"), run.output("encoder"), run.output("decoder"), config)
    tokens = float((material.targets[:generated] != 0).float().sum(1).mean())
    budget = {"flops": trained.flops, "tokens": int(tokens * config.batch * config.steps)}
    run.output("translator_budget").write_text(json.dumps(budget, sort_keys=True))
    report.flops = trained.flops
    report.timings_s["training"] = trained.seconds
    _evaluate(run, translator, report)
    _retrieve(translator, held_out, report)
    _describe_roles(run, translator, material, generated, held_out, report)
    _draw_summaries(run, translator, held_out)
    return report


def learn_tokenizer(
    run: StageRun, scope: str, texts: "Iterable[str]", vocabulary: int
) -> "CodeTokenizer":
    """A tokenizer of ``texts``, learned once: what comes after it may be interrupted."""
    from voltx_core.training.pieces import Pieces, aside, watched
    from voltx_core.translator.tokenizer import CodeTokenizer

    run.observer.progress(0, 1, "tokenizer", "learning the vocabulary")
    with Pieces(run, scope) as pieces:
        if not pieces.done:
            seen = watched(run.stop, texts)
            learned = aside(run.stop, lambda: CodeTokenizer.train(seen, vocabulary))
            pieces.add(1, rows=[learned.text()])
    return CodeTokenizer.of_text(pieces.rows[0])


class _Mixture:
    """Replaces a share of each batch of problems by mined pairs."""

    def __init__(self, problems: int, total: int, share: float) -> None:
        self.problems, self.total, self.share = problems, total, share

    def __call__(self, rows: Any, generator: Any) -> Any:
        import torch

        if self.total == self.problems or not self.share:
            return rows
        swap = torch.rand(len(rows), generator=generator) < self.share
        mined = torch.randint(self.problems, self.total, (len(rows),), generator=generator)
        return torch.where(swap, mined, rows)


def _by_package(pairs: list[dict[str, str]]) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """A tenth of the packages is held out: no package is on both sides."""
    from voltx_core.data.pairs import held_out

    learn = [pair for pair in pairs if not held_out(pair["package"])]
    return learn, [pair for pair in pairs if held_out(pair["package"])][:POOL]


def _tokenizer_texts(problems: "list[Problem]", corpus: Path, config: Any) -> Any:
    """Queries, solutions and source files: what the vocabulary must cover."""
    from itertools import islice

    from voltx_core.data.jsonl import read_jsonl

    for problem in problems:
        yield problem.query
        yield problem.solution
    # A small vocabulary must spend its merges on what the model writes.
    if config.vocabulary >= 8_192:
        for row in islice(read_jsonl(corpus), config.tokenizer_files):
            yield row["content"]


def _material(
    run: StageRun, translator: "Translator", problems: "list[Problem]", pairs: list[dict[str, str]]
) -> "tuple[PairSet, int]":
    """Problems, then mined pairs; only those short enough to be written back in full."""
    from itertools import compress

    import torch

    from voltx_core.training.pieces import Pieces, chunked
    from voltx_core.translator.objective import PairSet
    from voltx_core.translator.roles import label_tokens

    config = run.config.translator
    most = config.decoder_tokens - 2

    def short(codes: list[str]) -> list[bool]:
        return [n <= most for n in translator.tokenizer.lengths(codes)] if codes else []

    solvable = list(compress(problems, short([p.solution for p in problems])))
    mined = list(compress(pairs, short([p["code"] for p in pairs])))
    codes = [p.solution for p in solvable] + [p["code"] for p in mined]
    queries = [p.query for p in solvable] + [p["doc"] for p in mined]
    weights = torch.ones(len(codes))
    weights[len(solvable) :] = config.corpus_weight

    def label(tokenizer: "CodeTokenizer", codes: "Sequence[str]", length: int) -> "Tensor":
        with Pieces(run, "roles") as pieces:
            for chunk in chunked(codes[pieces.done :], LABELLED_AT_ONCE):
                run.observer.progress(pieces.done, len(codes), "programs", "labelling roles")
                pieces.add(len(chunk), {"roles": label_tokens(tokenizer, chunk, length)})
        roles = pieces.tensor("roles")
        assert roles is not None
        return roles

    made = PairSet(translator.tokenizer, queries, codes, config, weights=weights, label=label)
    return made, len(solvable)


def _evaluate(run: StageRun, translator: "Translator", report: StageReport) -> None:
    """True-frame pass rate, token accuracy, contrast and cosines on problems held out.

    A task without a constant has one solution; such a solution of "heldout" may occur in train,
    asked for in other words (``traits["solution_in_train"]``). "compositions" has none of those.
    """
    import torch

    from voltx_core.data.jsonl import read_problems
    from voltx_core.evaluation.frames import examine, open_judge
    from voltx_core.frame import frame_cosine
    from voltx_core.translator.objective import PairSet, info_nce

    folder = run.inputs["problems"]
    rows = []
    with open_judge(run.config) as judge:
        for suite in ("heldout", "compositions"):
            problems = list(read_problems(folder / f"{suite}.jsonl"))
            found = examine(
                run,
                translator,
                None,
                problems,
                judge,
                scope=f"examined-{suite}",
                variants=("true", "query", "zero", "shuffled"),
            )
            rows += [examined.row(suite, run.config.seed) for examined in found.values()]
            name = "true_frame_pass@1" if suite == "heldout" else f"true_frame_pass@1_{suite}"
            report.metrics[name] = found["true"].pass_at_1
    report.tables["pass@1 from frames"] = rows
    problems = list(read_problems(folder / "validation.jsonl"))
    pairs = PairSet(
        translator.tokenizer,
        [p.query for p in problems],
        [p.solution for p in problems],
        run.config.translator,
    )
    query = translator.encode([p.query for p in problems])
    code = translator.encode([p.solution for p in problems])
    most = min(128, len(problems))
    with torch.no_grad():
        report.metrics["contrastive_validation"] = float(
            info_nce(code.gist()[:most], query.gist()[:most], run.config.translator.temperature)
        )
        targets = pairs.targets.to(run.device)
        asked = translator.asked([p.query for p in problems])
        logits = translator.decoder(code.slots, code.mask, targets[:, :-1], asked)
        real = targets[:, 1:] != 0
        right = (logits.argmax(-1) == targets[:, 1:]) & real
    report.metrics["token_accuracy"] = float(right.sum() / real.sum())
    report.metrics["cosine_similar"] = float((code.gist() * query.gist()).sum(-1).mean())
    shift = torch.arange(len(problems)).roll(1)
    report.metrics["cosine_different"] = float((code.gist() * code.gist()[shift]).sum(-1).mean())
    report.metrics["frame_cosine_query_solution"] = float(frame_cosine(query, code).mean())


def _retrieve(translator: "Translator", pool: list[dict[str, str]], report: StageReport) -> None:
    """Docstring to code on held-out packages, beside BM25 and TF-IDF on the same pool."""
    from voltx_core.evaluation.retrieval import bag_scores, bm25_scores, retrieval_metrics

    if len(pool) < 10:
        report.notes.append(f"Retrieval not run: only {len(pool)} held-out docstring pairs.")
        return
    docs, codes = [p["doc"] for p in pool], [p["code"] for p in pool]
    ours = (translator.encode(docs).gist() @ translator.encode(codes).gist().T).double()
    contenders = {
        "encoder": retrieval_metrics(ours.cpu().numpy()),
        "BM25": retrieval_metrics(bm25_scores(docs, codes)),
        "TF-IDF": retrieval_metrics(bag_scores(docs, codes)),
    }
    report.tables[f"docstring retrieval, {len(pool)} candidates of held-out packages"] = [
        {"method": name, **{k: round(v, 4) for k, v in found.items()}}
        for name, found in contenders.items()
    ]
    report.metrics["mrr"] = contenders["encoder"]["mrr"]
    report.metrics["mrr_bm25"] = contenders["BM25"]["mrr"]
    if contenders["BM25"]["mrr"]:
        report.metrics["mrr_over_bm25"] = contenders["encoder"]["mrr"] / contenders["BM25"]["mrr"]


def _describe_roles(
    run: StageRun,
    translator: "Translator",
    material: "PairSet",
    generated: int,
    pool: list[dict[str, str]],
    report: StageReport,
) -> None:
    """Roles as labelled and as the encoder gives them, in numbers and in a few programs."""
    from voltx_core.data.jsonl import read_problems
    from voltx_core.translator.pictures import draw_roles
    from voltx_core.translator.roles import LABELLED, distribution, label_tokens

    shares = {
        "problems": distribution(material.roles[:generated]),
        "functions": distribution(material.roles[generated:]),
    }
    problems = list(read_problems(run.inputs["problems"] / "validation.jsonl"))
    solutions = [p.solution for p in problems]
    given = translator.roles(solutions)
    labels = label_tokens(translator.tokenizer, solutions, given.shape[1])
    labelled = labels >= 0
    guessed = translator.roles(solutions, among=LABELLED)
    report.metrics["role_accuracy"] = float((guessed == labels)[labelled].float().mean())
    report.tables["role labels"] = [
        {"role": role, **{name: found[role] for name, found in shares.items()}}
        for role in shares["problems"]
    ]
    fitting = [
        pair["code"]
        for pair in pool
        if pair["code"].count("\n") <= SHOWN_LINES
        and translator.tokenizer.lengths([pair["code"]])[0] <= translator.encoder.max_tokens
    ]
    shown = solutions[:2] + fitting[:3]
    path = run.figure("roles")
    draw_roles(shares, [(code, translator.paint(code)) for code in shown], path)
    run.observer.figure("roles", path)


def _draw_summaries(run: StageRun, translator: "Translator", pool: list[dict[str, str]]) -> None:
    """Held-out problems and functions in the plane."""
    from voltx_core.data.jsonl import read_problems
    from voltx_core.translator.pictures import draw_summaries

    problems = list(read_problems(run.inputs["problems"] / "validation.jsonl"))
    texts = {
        "queries": [p.query for p in problems],
        "solutions": [p.solution for p in problems],
        "docstrings": [p["doc"] for p in pool],
        "functions": [p["code"] for p in pool],
    }
    gists = {name: translator.encode(each).gist() for name, each in texts.items() if each}
    path = run.figure("summaries")
    draw_summaries(gists, path, title="Summaries of held-out texts, principal plane")
    run.observer.figure("summaries", path)


def _size(module: Any) -> int:
    return sum(p.numel() for p in module.parameters())
