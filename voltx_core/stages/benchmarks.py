"""5.3 Benchmarks: every checkpoint, every ablation and the baselines on every exam.

    voltx run --only benchmarks

One row a system and exam, with its interval, its purity and how programs were drawn. An exam
whose data is not here is listed as not run. Every single outcome goes to ``benchmarks.jsonl``.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from voltx_core.stages.baseline import MODEL_FILE
from voltx_core.stages.contract import Artifact, StageReport, StageRun, StageSpec, Target

if TYPE_CHECKING:
    from voltx_core.baseline.ngram import NgramWriter
    from voltx_core.data.problem import Problem
    from voltx_core.evaluation.examination import System
    from voltx_core.evaluation.exams import Exam
    from voltx_core.evaluation.sitting import Answers
    from voltx_core.translator.translator import Translator
    from voltx_core.vincigpt.model import VinciGPT

CHECKPOINTS = {
    "soft_core": "2.1 soft core",
    "soft_core_e2e": "4.1 end-to-end",
    "soft_core_rlvf": "4.2 RLVF",
    "soft_core_sleep": "4.3 sleep",
    "scaled_vfn": "5.1 scaled",
}
"""Soft cores in the order of training; the label of each names the stage it comes from."""
FINAL = "soft_core_sleep"
"""The core that samples, is ablated and is compared with the baseline."""

SPEC = StageSpec(
    number="5.3",
    name="benchmarks",
    title="Benchmarks",
    needs=(
        "problems",
        "tokenizer",
        "encoder",
        "decoder",
        *CHECKPOINTS,
        "certainty_rlvf",
        "router_sleep",
        "safety",
        "baseline",
        "codebook",
        "codebook_index",
        "translator_budget",
        "soft_core_budget",
    ),
    makes=(Artifact("benchmarks", "benchmarks.jsonl"),),
    reads=("benchmarks",),
    pool="gpu",
    judges=True,
    targets=(
        Target("pass@1_humaneval", ">", 0.25, "HumanEval pass@1 > 25 %"),
        Target("pass@1_apps_interview", ">", 0.15, "APPS interview pass@1 > 15 %"),
        Target(
            "lead_compositions",
            ">",
            0.0,
            "held-out compositions solved after 2.x, minus those of the equal-FLOP transformer",
        ),
    ),
    version=4,  # 3-gram baseline, steps of algorithms, questions in words; the surer frame
)


def run(run: StageRun) -> StageReport:
    """Examine, score, compare, draw."""
    from voltx_core.baseline.ngram import NgramWriter
    from voltx_core.data.jsonl import read_problems, write_jsonl
    from voltx_core.evaluation.examination import score
    from voltx_core.evaluation.exams import (
        COMPOSITIONS,
        checked_against,
        generated_exams,
        published_exams,
    )
    from voltx_core.evaluation.pictures import draw_scores
    from voltx_core.evaluation.published_figures import published_rows
    from voltx_core.evaluation.sitting import sit
    from voltx_core.evaluation.tables import overlaps
    from voltx_core.soft_core.soft_core import SoftCore
    from voltx_core.stages.exams_beside import in_words, iterations_against_steps
    from voltx_core.training.pieces import watched
    from voltx_core.translator.translator import Translator
    from voltx_core.vincigpt.model import VinciGPT

    config = run.config.benchmarks
    problems = run.inputs["problems"]
    published, absent = published_exams(problems, config.suites, config.problems)
    training = list(read_problems(problems / "train.jsonl"))
    exams = [
        *generated_exams(problems, config.problems),
        *checked_against(published, watched(run.stop, training)),
    ]
    translator = Translator.load(
        run.inputs["tokenizer"], run.inputs["encoder"], run.inputs["decoder"], device=run.device
    )
    vinci = VinciGPT.load(run.inputs["baseline"] / MODEL_FILE, device=run.device)
    counted = NgramWriter(training, translator.tokenizer, limit=vinci.shape.context)
    systems = _systems(run, translator, training, vinci, counted)
    answers = sit(
        run,
        systems,
        exams,
        samples=config.samples,
        temperature=config.temperature,
        top_p=config.top_p,
    )
    rows = [
        score(
            system,
            exam,
            answers[system.name, exam.name],
            ks=config.ks,
            resamples=config.bootstrap,
            seed=run.config.seed,
            sampling=f"{config.samples} samples, T {config.temperature}, top-p {config.top_p}",
        )
        for exam in exams
        for system in systems
        if (system.name, exam.name) in answers
    ]
    write_jsonl(
        run.output("benchmarks"),
        (
            {"system": system, "exam": exam, **answer.row()}
            for (system, exam), found in answers.items()
            for answer in found
        ),
    )
    report = StageReport(
        tables={
            "Results": rows,
            "Exams": overlaps(exams),
            "Suites not run": [{"suite": s, "why": why} for s, why in absent.items()],
            "Published by others, not measured here": published_rows(config.suites),
        },
        counts={
            "systems": len(systems),
            "exams": len(exams),
            "answers": sum(map(len, answers.values())),
        },
        notes=[f"{suite} was not run: {why}." for suite, why in absent.items()],
    )
    _metrics(report, answers, exams, config.bootstrap, run.config.seed)
    _whole_model(run, report, exams, answers)
    _efficiency(run, report, rows, translator)
    _language_models(run, report, translator, vinci, counted)
    in_words(run, report, [s for s in systems if s.name == FINAL or s.kind == "baseline"])
    core = SoftCore.load(run.inputs[FINAL], device=run.device)
    iterations_against_steps(run, report, exams, translator, core)
    draw_scores(
        [row for row in rows if row["split"] == COMPOSITIONS],
        run.figure("pass_at_1"),
        title="Held-out compositions",
    )
    run.observer.figure("pass_at_1", run.figure("pass_at_1"))
    return report


def _systems(
    run: StageRun,
    translator: "Translator",
    training: "Sequence[Problem]",
    vinci: "VinciGPT",
    counted: "NgramWriter",
) -> "list[System]":
    """Checkpoints in order of training, ablations of the final one, baselines."""
    from voltx_core.baseline.generate import write_programs
    from voltx_core.evaluation.examination import Sampling, System
    from voltx_core.evaluation.nearest_neighbour import NearestNeighbour
    from voltx_core.evaluation.systems import FrameWriter, ablations
    from voltx_core.soft_core.soft_core import SoftCore

    cores = {name: SoftCore.load(run.inputs[name], device=run.device) for name in CHECKPOINTS}
    systems = [
        System(
            name=name,
            label=label,
            kind="model",
            write=FrameWriter(translator, cores[name]).write,
            samples=name == FINAL,
        )
        for name, label in CHECKPOINTS.items()
    ]
    systems += ablations(translator, cores[FINAL])

    def write(problems: Sequence[Any], sampling: Sampling) -> list[str]:
        return write_programs(
            vinci,
            translator.tokenizer,
            [problem.query for problem in problems],
            limit=vinci.shape.context,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            generator=sampling.generator,
        )

    def count(problems: Sequence[Any], sampling: Sampling) -> list[str]:
        return counted.write(
            [problem.query for problem in problems],
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            generator=sampling.generator,
        )

    return [
        *systems,
        System(
            name="baseline",
            label="transformer baseline",
            kind="baseline",
            write=write,
            samples=True,
        ),
        System(
            name="retrieval",
            label="nearest-neighbour baseline",
            kind="baseline",
            write=NearestNeighbour(training).write,
        ),
        System(
            name="ngram",
            label="3-gram baseline",
            kind="baseline",
            write=count,
            samples=True,
        ),
    ]


def _metrics(
    report: StageReport,
    answers: "Answers",
    exams: "Sequence[Exam]",
    resamples: int,
    seed: int,
) -> None:
    """Scores of the final model; the lead after 2.x over the transformer of equal FLOPs."""
    from voltx_core.evaluation.intervals import bootstrap_difference

    for exam in exams:
        ours = answers[FINAL, exam.name]
        report.metrics[exam.metric("pass@1")] = sum(a.greedy for a in ours) / len(ours)
        theirs = answers["baseline", exam.name]
        # The baseline got the FLOPs of translator and soft core, so those are what it meets.
        equal = answers["soft_core", exam.name]
        lead = bootstrap_difference(
            [a.greedy for a in equal],
            [a.greedy for a in theirs],
            tasks=[a.task for a in equal],
            resamples=resamples,
            seed=seed,
        )
        report.metrics[exam.metric("lead")] = lead.mean
        report.metrics[exam.metric("lead_low")] = lead.low
        report.metrics[exam.metric("lead_high")] = lead.high
        if exam.contaminated:
            report.notes.append(
                f"{exam.name}: {exam.contaminated} of {len(exam.problems)} problems are "
                "contaminated; its score says nothing about generalisation."
            )
    interview = [a.greedy for a in answers.get((FINAL, "apps"), []) if a.difficulty == "interview"]
    if interview:
        report.metrics["pass@1_apps_interview"] = sum(interview) / len(interview)


def _whole_model(
    run: StageRun, report: StageReport, exams: "Sequence[Exam]", answers: "Answers"
) -> None:
    """The model with guard, router and certainty: what it knows of itself, how long it thinks."""
    from voltx_core.evaluation.tables import iterations_by_difficulty, self_knowledge
    from voltx_core.generation import ARTIFACTS, Generator
    from voltx_core.training.pieces import Pieces

    model = Generator.load({name: run.inputs[name] for name in ARTIFACTS}, device=run.device)
    loop: list[dict[str, Any]] = []
    knowledge: list[dict[str, Any]] = []
    with Pieces(run, "whole-model") as pieces:
        for exam in exams[pieces.done :]:
            run.stop.check()
            written = model.answer(exam.problems)
            solved = [answer.greedy for answer in answers[FINAL, exam.name]]
            known = self_knowledge(exam, written, solved)
            pieces.add(1, rows=[[iterations_by_difficulty(exam, written, solved), known]])
    for exam, (iterations, known) in zip(exams, pieces.rows, strict=True):
        loop += iterations
        knowledge.append(known)
        report.metrics[exam.metric("ece")] = known["ECE"]
    report.tables["RAR iterations by difficulty"] = loop
    report.tables["Certainty of the final model"] = knowledge


def _efficiency(
    run: StageRun,
    report: StageReport,
    rows: Sequence[dict[str, Any]],
    translator: "Translator",
) -> None:
    """pass@1 on compositions per PFLOP, where the training cost is known."""
    from voltx_core.baseline.objective import Budget
    from voltx_core.evaluation.exams import COMPOSITIONS
    from voltx_core.evaluation.tables import Cost, compute_efficiency
    from voltx_core.soft_core.soft_core import SoftCore
    from voltx_core.vincigpt.model import VinciGPT

    core = SoftCore.load(run.inputs["soft_core"])
    vinci = VinciGPT.load(run.inputs["baseline"] / MODEL_FILE)
    report.tables["Compute efficiency"] = compute_efficiency(
        {row["label"]: row["pass@1"] for row in rows if row["split"] == COMPOSITIONS},
        [
            Cost(
                label=CHECKPOINTS["soft_core"],
                flops=Budget.read(
                    [run.inputs["translator_budget"], run.inputs["soft_core_budget"]]
                ).flops,
                parameters=_size(translator.encoder, translator.decoder, core),
                counted="translator and soft core, forward and backward, as executed",
            ),
            Cost(
                label="transformer baseline",
                flops=float(vinci.training_facts["flops"]),
                parameters=_size(vinci),
                counted="6N a token, padding included",
            ),
        ],
    )


def _language_models(
    run: StageRun,
    report: StageReport,
    translator: "Translator",
    vinci: "VinciGPT",
    counted: "NgramWriter",
) -> None:
    """Cross-entropy of validation solutions: the transformer beside counting, on equal tokens."""
    from voltx_core.baseline.data import documents_of, pack
    from voltx_core.baseline.objective import held_out_loss
    from voltx_core.data.jsonl import read_problems

    run.stop.check()
    unseen = list(read_problems(run.inputs["problems"] / "validation.jsonl"))
    context = vinci.shape.context
    rows = pack(documents_of(unseen, translator.tokenizer, context + 1), context)
    losses = {
        "transformer": held_out_loss(vinci, rows, run.device),
        "3-gram": counted.held_out_loss(unseen),
    }
    report.metrics |= {f"loss_{name}": loss for name, loss in losses.items()}
    report.tables["Language models, nats a token of validation solutions"] = [
        {"label": f"{name} baseline", "loss": loss} for name, loss in losses.items()
    ]


def _size(*modules: Any) -> int:
    return sum(weight.numel() for module in modules for weight in module.parameters())
