"""2.1-2.3 Soft core: velocity field, slot attention and diffusion controller, trained jointly.

    voltx run --until soft_core

Three curriculum stages run back to back. The result is reported beside everything that would
expose it: the raw query frame, no frame, another problem's frame, the true frame, and a single
evaluation of the endpoint instead of the loop.
"""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from voltx_core.stages.contract import Artifact, StageReport, StageRun, StageSpec, Target

if TYPE_CHECKING:
    from voltx_core.evaluation.frames import Variant
    from voltx_core.judge import Judge
    from voltx_core.soft_core.soft_core import SoftCore
    from voltx_core.translator.translator import Translator

SPEC = StageSpec(
    number="2.1",
    name="soft_core",
    title="Soft core",
    needs=("problems", "tokenizer", "encoder", "decoder"),
    makes=(
        Artifact("soft_core", "soft_core.safetensors"),
        Artifact("soft_core_budget", "soft_core_budget.json"),
    ),
    reads=("soft_core",),
    pool="gpu",
    judges=True,
    targets=(
        Target("converged_share", ">", 0.6, "held-out problems that converge within the budget"),
        Target("cosine", ">", 0.6, "cosine to the solution's frame, held-out problems"),
        Target("valid_share", ">", 0.8, "syntactically valid code, held-out problems"),
        Target("tests_share_simple", ">", 0.4, "tests passed on simple held-out problems"),
        Target("iterations_saved", ">=", 0.2, "RAR iterations the diffusion controller saves"),
    ),
    version=3,  # programs come from the surer frame
)
DRAWN = 64
"""Trajectories in the picture."""
EQUAL_QUALITY = 0.005
"""Loss of cosine up to which noise counts as harmless."""
SUITES = ("heldout", "compositions")


def run(run: StageRun) -> StageReport:
    from torch.utils.flop_counter import FlopCounterMode

    from voltx_core.data.jsonl import read_problems
    from voltx_core.evaluation.frames import open_judge
    from voltx_core.soft_core.fitting import FrameSet, fit
    from voltx_core.soft_core.soft_core import SoftCore
    from voltx_core.training.randomness import seeded

    config, report = run.config.soft_core, StageReport()
    translator = load_translator(run)
    problems = list(read_problems(run.inputs["problems"] / "train.jsonl"))
    run.observer.progress(0, len(problems), "problems", "encoding")
    with FlopCounterMode(display=False) as encoding:  # part of what is spent, if a small one
        frames = FrameSet.of(translator, problems, run.stop.check)
    with seeded(run.config.seed, "soft_core", "init"):
        core = SoftCore(translator.width, config)
    core.to(run.device)
    report.counts |= {
        "problems": len(frames),
        "parameters": sum(p.numel() for p in core.parameters()),
    }
    stages = fit(run, core, translator, frames, config)
    report.flops = encoding.get_total_flops() + sum(stage.flops for stage in stages)
    report.timings_s["training"] = sum(stage.seconds for stage in stages)
    core.save(run.output("soft_core"))
    tokens = float((frames.targets != 0).float().sum(1).mean()) * config.decoder_share
    budget = {"flops": report.flops, "tokens": int(tokens * config.batch * config.steps)}
    run.output("soft_core_budget").write_text(json.dumps(budget, sort_keys=True))
    core.eval()
    with open_judge(run.config) as judge:
        measure_core(run, translator, core, judge, report)
    _diffusion(run, translator, core, report)
    _pictures(run, translator, core, report)
    return report


def load_translator(run: StageRun) -> "Translator":
    """The frozen translator of a stage that needs ``tokenizer``, ``encoder``, ``decoder``."""
    from voltx_core.translator.translator import Translator

    return Translator.load(
        run.inputs["tokenizer"], run.inputs["encoder"], run.inputs["decoder"], device=run.device
    )


def measure_core(
    run: StageRun,
    translator: "Translator",
    core: "SoftCore",
    judge: "Judge",
    report: StageReport,
    *,
    suites: Sequence[str] = SUITES,
    variants: "Sequence[Variant] | None" = None,
) -> None:
    """Examine a soft core on held-out problems; fills metrics and the ablation table.

    ``pass@1`` and the convergence figures without a suffix are those of ``heldout``.
    """
    from voltx_core.data.jsonl import read_problems
    from voltx_core.evaluation.frames import VARIANTS, examine

    rows: list[dict[str, Any]] = []
    for suite in suites:
        problems = list(read_problems(run.inputs["problems"] / f"{suite}.jsonl"))
        run.observer.progress(0, len(problems), "problems", f"examining {suite}")
        found = examine(
            run,
            translator,
            core,
            problems,
            judge,
            scope=f"examined-{suite}",
            variants=variants or tuple(VARIANTS),
        )
        rows += [examined.row(suite, run.config.seed) for examined in found.values()]
        answers, loop = found["rar"], found["last"]
        assert loop.trajectory is not None
        suffix = "" if suite == "heldout" else f"_{suite}"
        simple = [
            verdict.pass_rate
            for problem, verdict in zip(problems, answers.verdicts, strict=True)
            if problem.difficulty == "simple"
        ]
        report.metrics |= {
            f"pass@1{suffix}": answers.pass_at_1,
            f"moved_share{suffix}": answers.moved,
            f"cosine{suffix}": loop.cosine,
            f"valid_share{suffix}": answers.valid_share,
            f"converged_share{suffix}": float(loop.trajectory.converged.float().mean()),
            f"iterations{suffix}": float(loop.trajectory.iterations.float().mean()),
            f"tests_share_simple{suffix}": sum(simple) / len(simple) if simple else None,
        }
        if "query" in found and found["query"].pass_at_1 >= loop.pass_at_1:
            report.notes.append(
                f"On {suite} the loop ({loop.pass_at_1:.3f}) does not beat the raw query frame "
                f"({found['query'].pass_at_1:.3f}): moving the frame gained nothing."
            )
        if "zero" in found and "shuffled" in found:
            floor = max(found["zero"].pass_at_1, found["shuffled"].pass_at_1)
            if answers.pass_at_1 <= floor:
                report.notes.append(
                    f"On {suite} the pass rate does not fall when the frame is zero or "
                    "another problem's: the soft core contributes nothing there."
                )
    report.tables["pass@1 and frame ablations"] = rows


def measure_exam(
    run: StageRun,
    translator: "Translator",
    core: "SoftCore",
    judge: "Judge",
    report: StageReport,
    exam: str,
) -> None:
    """Greedy pass@1 on a published exam; a note where its data is absent."""
    from voltx_core.data.jsonl import read_problems
    from voltx_core.evaluation.frames import examine

    path = run.inputs["problems"] / "exams" / f"{exam}.jsonl"
    if not path.exists():
        report.notes.append(f"{exam} not run: its data is not here (set VOLTX_DATA_DIR).")
        return
    problems = list(read_problems(path))
    found = examine(
        run, translator, core, problems, judge, scope=f"examined-{exam}", variants=("rar",)
    )
    report.metrics[f"{exam}_pass@1"] = found["rar"].pass_at_1
    report.tables[f"{exam}, greedy"] = [found["rar"].row(exam, run.config.seed)]


def _diffusion(
    run: StageRun, translator: "Translator", core: "SoftCore", report: StageReport
) -> None:
    """RAR iterations with the controller's noise against none and against fixed noise."""
    import torch

    from voltx_core.data.jsonl import read_problems
    from voltx_core.frame import frame_cosine
    from voltx_core.soft_core.rar import refine
    from voltx_core.training.randomness import generator

    problems = list(read_problems(run.inputs["problems"] / "compositions.jsonl"))
    query = translator.encode([p.query for p in problems])
    truth = translator.encode([p.solution for p in problems])
    config = core.config
    rows: list[dict[str, Any]] = []
    with torch.no_grad():
        for name, noise in (("none", "none"), ("controller", "controller"), ("fixed", "fixed")):
            trajectory = refine(
                core,
                query,
                dt=config.rar_dt,
                epsilon=config.rar_epsilon,
                budget=config.rar_budget,
                generator=None if noise == "none" else generator(run.config.seed, "diffusion"),
                fixed_sigma=config.sigma_max / 4 if noise == "fixed" else None,
            )
            rows.append(
                {
                    "noise": name,
                    "iterations": round(float(trajectory.iterations.float().mean()), 3),
                    "converged": round(float(trajectory.converged.float().mean()), 4),
                    "cosine": round(float(frame_cosine(trajectory.frame, truth).mean()), 4),
                }
            )
    report.tables["diffusion controller, held-out compositions"] = rows
    if rows[1]["cosine"] >= rows[0]["cosine"] - EQUAL_QUALITY:
        report.metrics["iterations_saved"] = 1 - rows[1]["iterations"] / rows[0]["iterations"]
    else:
        report.metrics["iterations_saved"] = None
        report.notes.append("With the controller's noise frames end further from the solution.")


def _pictures(
    run: StageRun, translator: "Translator", core: "SoftCore", report: StageReport
) -> None:
    import torch

    from voltx_core.data.jsonl import read_problems
    from voltx_core.frame import TensorFrame, frame_cosine
    from voltx_core.soft_core.pictures import draw_attention, draw_trajectories
    from voltx_core.soft_core.slot_attention import score_expected

    problems = list(read_problems(run.inputs["problems"] / "heldout.jsonl"))[:DRAWN]
    query = translator.encode([p.query for p in problems])
    truth = translator.encode([p.solution for p in problems])
    with torch.no_grad():
        trajectory = core.solve(query, record=True)
        _, attention = core.attention(trajectory.frame.slots)
        assert trajectory.states is not None
        cosines = torch.stack(
            [frame_cosine(TensorFrame.of(s, truth.mask), truth) for s in trajectory.states]
        )
    path = run.figure("slot-attention")
    draw_attention(attention.mean(0), path)
    run.observer.figure("slot-attention", path)
    path = run.figure("trajectories")
    draw_trajectories(cosines, path)
    run.observer.figure("trajectories", path)
    report.tables["expected attention, times uniform"] = [
        {"pair": pair, "times uniform": round(score, 3)}
        for pair, score in score_expected(attention).items()
    ]
