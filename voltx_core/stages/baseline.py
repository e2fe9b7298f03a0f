"""5.0 Transformer baseline: vinciGPT on the same problems, for the same FLOPs.

voltx run --only baseline
"""

from typing import Any

from voltx_core.stages.contract import Artifact, StageReport, StageRun, StageSpec

SPEC = StageSpec(
    number="5.0",
    name="baseline",
    title="Transformer baseline",
    needs=("problems", "tokenizer", "translator_budget", "soft_core_budget"),
    makes=(Artifact("baseline", "baseline"),),
    reads=("baseline",),
    pool="gpu",
    judges=True,
    version=2,  # weights have other names
)
MODEL_FILE = "model.safetensors"
TOKENIZER_FILE = "code_tokenizer.json"
RESAMPLES = 1_000
"""Bootstrap resamples of the intervals."""


def run(run: StageRun) -> StageReport:
    """Train to the FLOPs of translator and soft core, then examine greedily."""
    from voltx_core.baseline.data import documents_of, pack
    from voltx_core.baseline.objective import Budget, held_out_loss, steps_within, token_loss
    from voltx_core.data.jsonl import read_problems
    from voltx_core.evaluation.pictures import draw_loss
    from voltx_core.training.loop import train
    from voltx_core.training.randomness import generator
    from voltx_core.translator.tokenizer import CodeTokenizer
    from voltx_core.vincigpt.model import VinciGPT
    from voltx_core.vincigpt.shape import Shape, flops_per_token, parameter_count

    config = run.config.baseline
    tokenizer = CodeTokenizer.load(run.inputs["tokenizer"])
    problems = list(read_problems(run.inputs["problems"] / "train.jsonl"))
    rows = pack(documents_of(problems, tokenizer, config.context + 1), config.context)
    shape = Shape.of(config, tokenizer.vocabulary)
    batch = max(1, config.batch_tokens // config.context)
    step_tokens = batch * config.context
    budget = Budget.read([run.inputs["translator_budget"], run.inputs["soft_core_budget"]])
    steps = config.steps or steps_within(budget, shape, step_tokens)
    model = VinciGPT(shape, generator=generator(run.config.seed, "baseline", "weights"))
    model = model.to(run.device)
    validation = list(read_problems(run.inputs["problems"] / "validation.jsonl"))
    unseen = pack(documents_of(validation, tokenizer, config.context + 1), config.context)
    trained = train(
        run,
        scope="baseline",
        modules={"model": model},
        loss=lambda micro: (token_loss(model, rows, micro.rows, run.device), {}),
        items=len(rows),
        batch=batch,
        steps=steps,
        optimizer=config.optimizer,
        evaluate=lambda: {"validation_loss": held_out_loss(model, unseen, run.device)},
    )
    flops = flops_per_token(shape) * step_tokens * steps
    facts = {
        "steps": steps,
        "flops": flops,
        "tokens": step_tokens * steps,
        "epochs": steps * batch / len(rows),
    }
    folder = run.output("baseline")
    model.save(folder / MODEL_FILE, training=facts)
    tokenizer.save(folder / TOKENIZER_FILE)
    draw_loss(trained.curve, run.figure("baseline_loss"), title="vinciGPT")
    run.observer.figure("baseline_loss", run.figure("baseline_loss"))
    report = StageReport(
        metrics={
            "parameters": float(parameter_count(shape)),
            "flops": flops,
            "flops_counted": trained.flops,
            "flops_budget": budget.flops,
            "flops_share_of_budget": flops / budget.flops if budget.flops else None,
            "tokens": float(facts["tokens"]),
            "tokens_budget": budget.tokens,
            "epochs": facts["epochs"],
            "padding_share": rows.padding_share,
            "train_loss": trained.curve[-1][1] if trained.curve else None,
            "validation_loss": held_out_loss(model, unseen, run.device),
        },
        counts={"documents": rows.packed, "documents_dropped": rows.dropped, "steps": steps},
        timings_s={"training": trained.seconds},
        flops=flops,
    )
    _examine(run, model, tokenizer, report)
    report.notes += _notes(report)
    return report


def _examine(run: StageRun, model: Any, tokenizer: Any, report: StageReport) -> None:
    """Greedy pass@1 on the held-out problems and compositions."""
    from voltx_core.baseline.generate import write_programs
    from voltx_core.evaluation.examination import System, score
    from voltx_core.evaluation.exams import generated_exams
    from voltx_core.evaluation.sitting import sit

    system = System(
        name="baseline",
        label="transformer baseline",
        kind="baseline",
        write=lambda asked, _: write_programs(
            model, tokenizer, [p.query for p in asked], limit=model.shape.context
        ),
    )
    table: list[dict[str, Any]] = []
    exams = generated_exams(run.inputs["problems"], most=1_000)
    answers = sit(run, [system], exams)
    for exam in exams:
        row = score(
            system, exam, answers[system.name, exam.name], ks=(), resamples=RESAMPLES,
            seed=run.config.seed, sampling="",
        )  # fmt: skip
        table.append(row)
        report.metrics[exam.metric("pass@1")] = row["pass@1"]
        report.metrics[exam.metric("valid_share")] = row["valid syntax"]
    report.tables["Transformer baseline"] = table


def _notes(report: StageReport) -> list[str]:
    """What a reader must know about the comparison."""
    notes = []
    share = report.metrics["flops_share_of_budget"]
    if share is not None and not 0.95 <= share <= 1.05:
        notes.append(
            f"The baseline was trained with {share:.2f} times the FLOPs of translator and soft "
            "core (baseline.steps is set, or one step exceeds the budget): not an equal comparison."
        )
    if report.counts["documents_dropped"]:
        notes.append(
            f"{report.counts['documents_dropped']} training problems exceed baseline.context and "
            "were left out of the baseline's training."
        )
    return notes
