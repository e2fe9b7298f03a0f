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
    from voltx_core.data.jsonl import read_problems
    from voltx_core.scaling.ladder import begun, growth_difference, rung_loss, validated
    from voltx_core.soft_core.fitting import FrameSet
    from voltx_core.soft_core.soft_core import SoftCore
    from voltx_core.stages.soft_core import load_translator
    from voltx_core.training.loop import train
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
            ladder.append(validated(title, core, query, truth))

    measure("start", core)
    for number, size in enumerate(config.ladder, 1):
        teacher = core.eval().requires_grad_(False)
        with seeded(run.config.seed, "scaling", number):
            core = begun(teacher, size, config.method)
        if config.method == "grow":
            report.metrics[f"growth_difference_{number}"] = growth_difference(core, teacher, query)
        measure(f"{size.width}x{size.blocks} before training", core)
        trained = train(
            run,
            scope=f"rung-{number}",
            modules={"core": core},
            loss=rung_loss(core, teacher, translator, frames, run.config.soft_core, config),
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
