"""5.1 Scaling: a ladder of larger velocity fields, each grown from the one before.

    voltx run --until scaling

Growth keeps the function (checked before training goes on); ``scaling.method = "distill"`` starts
fresh instead and learns from the smaller core. Every rung is validated.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from voltx_core.stages.contract import Artifact, StageReport, StageRun, StageSpec, Target

if TYPE_CHECKING:
    from voltx_core.soft_core.soft_core import SoftCore
    from voltx_core.translator.translator import Translator

SPEC = StageSpec(
    number="5.1",
    name="scaling",
    title="Scaling",
    needs=("problems", "tokenizer", "encoder", "decoder", "soft_core_sleep"),
    makes=(Artifact("scaled_vfn", "scaled_vfn.safetensors"),),
    reads=("scaling", "soft_core"),
    pool="multi-gpu",
    judges=True,
    targets=(Target("converged_within_20", ">", 0.8, "held-out problems converged within 20"),),
    version=2,  # programs come from the surer frame
)
BUDGET = 20
"""RAR iterations of the plan's target."""


def run(run: StageRun) -> StageReport:
    import torch

    from voltx_core.data.jsonl import read_problems
    from voltx_core.evaluation.frames import open_judge
    from voltx_core.stages.soft_core import measure_core
    from voltx_core.stages.team import team

    with team(run, climb, run.config.scaling.processes) as shared:
        climbed = climb(shared)
    core, report = climbed.core, climbed.report
    held_out = list(read_problems(run.inputs["problems"] / "validation.jsonl"))
    query = climbed.translator.encode([p.query for p in held_out])
    core.save(run.output("scaled_vfn"))
    with torch.no_grad():
        within = core.solve(query, budget=BUDGET).converged.float().mean()
    report.metrics["converged_within_20"] = float(within)
    report.counts["parameters"] = sum(p.numel() for p in core.parameters())
    with open_judge(run.config) as judge:
        measure_core(
            run, climbed.translator, core, judge, report, variants=("rar", "last", "one_shot")
        )
    return report


@dataclass(slots=True)
class Climbed:
    """The top of the ladder."""

    core: "SoftCore"
    translator: "Translator"
    report: StageReport


def climb(run: StageRun) -> Climbed:
    """Grow and train rung by rung; every process of the stage does it, and rank 0 also measures."""
    import torch

    from voltx_core.data.jsonl import read_problems
    from voltx_core.scaling.distillation import teacher_loss
    from voltx_core.scaling.growth import grow, grown_config
    from voltx_core.soft_core.fitting import FrameSet
    from voltx_core.soft_core.flow_matching import soft_core_loss
    from voltx_core.soft_core.soft_core import SoftCore
    from voltx_core.stages.soft_core import load_translator
    from voltx_core.training.loop import Batch, train
    from voltx_core.training.randomness import seeded

    config, report = run.config.scaling, StageReport()
    translator = load_translator(run)
    core = SoftCore.load(run.inputs["soft_core_sleep"], device=run.device)
    problems = list(read_problems(run.inputs["problems"] / "train.jsonl"))
    frames = FrameSet.of(translator, problems, run.stop.check)
    held_out = list(read_problems(run.inputs["problems"] / "validation.jsonl"))
    query = translator.encode([p.query for p in held_out])
    truth = translator.encode([p.solution for p in held_out])
    ladder: list[dict[str, Any]] = []

    def measure(title: str, core: SoftCore) -> None:
        if run.ranks.leads:
            ladder.append(_rung(title, core, query, truth))

    measure("start", core)
    for number, size in enumerate(config.ladder, 1):
        teacher = core.eval().requires_grad_(False)
        with seeded(run.config.seed, "scaling", number):
            if config.method == "grow":
                core = grow(teacher, size)
            else:
                core = SoftCore(translator.width, grown_config(teacher.config, size)).to(run.device)
        if config.method == "grow":
            with torch.no_grad():
                apart = (
                    core.endpoint(query.slots, query)[0] - teacher.endpoint(query.slots, query)[0]
                )
            report.metrics[f"growth_difference_{number}"] = float(apart.abs().max())
        measure(f"{size.width}x{size.blocks} before training", core)

        def loss(
            batch: Batch, core: SoftCore = core, teacher: SoftCore = teacher
        ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
            lesson = frames[batch.rows]
            flow, parts = soft_core_loss(
                core, translator, lesson, run.config.soft_core, batch.generator
            )
            logged = {"cosine": parts["cosine"]}
            if config.method == "distill":
                taught = teacher_loss(
                    core, teacher, lesson.query, run.config.soft_core, batch.generator
                )
                flow, logged["teacher"] = flow + config.distillation_weight * taught, taught
            return flow, logged

        trained = train(
            run,
            scope=f"rung-{number}",
            modules={"core": core},
            loss=loss,
            items=len(frames),
            batch=config.batch,
            steps=config.steps,
            optimizer=config.optimizer,
            accumulation=config.accumulation,
        )
        report.flops += trained.flops
        report.timings_s[f"training rung {number}"] = trained.seconds
        measure(f"{size.width}x{size.blocks} trained", core)
    report.tables["growth ladder, validation problems"] = ladder
    return Climbed(core, translator, report)


def _rung(title: str, core: Any, query: Any, truth: Any) -> dict[str, Any]:
    """One line of the ladder."""
    import torch

    from voltx_core.frame import frame_cosine

    with torch.no_grad():
        trajectory = core.solve(query)
    return {
        "size": title,
        "parameters": sum(p.numel() for p in core.parameters()),
        "cosine": round(float(frame_cosine(trajectory.frame, truth).mean()), 4),
        "converged": round(float(trajectory.converged.float().mean()), 4),
        "iterations": round(float(trajectory.iterations.float().mean()), 2),
    }
