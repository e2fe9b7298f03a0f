"""Three ways to a larger core at laptop sizes, with the same arithmetic in all.

``grow`` continues the small core in a larger one, ``distill`` teaches a fresh one by the small
one, ``scratch`` never had a small one: it is trained as the small core was, for the arithmetic of
the small core and of a rung together. Fresh networks learn at the soft core's own rate, grown
ones at that of 5.1.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from voltx_core.bench.scaling_material import Material
from voltx_core.bench.session import BenchSession
from voltx_core.config.scaling import SizeConfig
from voltx_core.data.problem import Problem
from voltx_core.evaluation.frames import examine, open_judge
from voltx_core.frame import TensorFrame
from voltx_core.judge import Judge
from voltx_core.scaling.growth import grown_config
from voltx_core.scaling.ladder import begun, growth_difference, rung_loss, validated
from voltx_core.soft_core.fitting import FrameSet, fit
from voltx_core.soft_core.flow_matching import soft_core_loss
from voltx_core.soft_core.soft_core import SoftCore
from voltx_core.training.loop import Batch, Loss, train
from voltx_core.training.randomness import generator, rows_of_step, seeded
from voltx_core.translator.translator import Translator

ARMS = ("grow", "distill", "scratch")
EXAMS = ("heldout", "compositions")
COUNTED = 3
"""Steps whose arithmetic is counted beforehand, and averaged: rollouts differ in length."""


@dataclass(frozen=True, slots=True)
class Climb:
    """What every arm starts from and is measured on."""

    material: Material
    translator: Translator
    small: SoftCore
    frames: FrameSet
    query: TensorFrame
    truth: TensorFrame
    exams: dict[str, list[Problem]]
    size: SizeConfig

    @classmethod
    def of(cls, material: Material) -> "Climb":
        """Load what was prepared; the size is the first rung of the ladder."""
        translator, small = material.translator(), material.core()
        small.requires_grad_(False)
        held_out = material.problems("validation")
        return cls(
            material,
            translator,
            small,
            FrameSet.of(translator, material.problems("train")),
            translator.encode([p.query for p in held_out]),
            translator.encode([p.solution for p in held_out]),
            {exam: material.problems(exam) for exam in EXAMS},
            material.config.scaling.ladder[0],
        )


def climb(
    material: Material, folder: Path, *, steps: int, on_turn: Callable[[str], object]
) -> tuple[list[dict[str, Any]], float]:
    """Train and examine all arms.

    Args:
        material: Problems, translator, and the small core with the arithmetic it took.
        folder: For the arms' progress.
        steps: Of the grown core; what they take is what the others are given.
        on_turn: Told what is trained.

    Returns:
        Lines of the table, and how far the grown core was from the small one before training.
    """
    track = Climb.of(material)
    rows: list[dict[str, Any]] = []
    with open_judge(material.config) as judge:
        rows.append(_line("small", track, track.small, judge, folder, material.small_flops, 0))
        with seeded(material.config.seed, "ladder", "grow"):
            grown = begun(track.small, track.size, "grow")
        difference = growth_difference(grown, track.small, track.query)
        spent = material.small_flops
        rows.append(_line("grown, before training", track, grown, judge, folder, spent, 0))
        rung = steps * _flops_a_step(track, grown, "grow")
        for arm in ARMS:
            on_turn(arm)
            core = grown if arm == "grow" else _fresh(track, arm)
            train_arm = _from_scratch if arm == "scratch" else _rung
            taken, flops = train_arm(track, core, arm, rung, folder / arm)
            if arm != "scratch":
                flops += material.small_flops
            rows.append(_line(f"{arm}, trained", track, core, judge, folder, flops, taken))
    return rows, difference


def _fresh(track: Climb, arm: str) -> SoftCore:
    with seeded(track.material.config.seed, "ladder", arm):
        return begun(track.small, track.size, "distill")


def _loss(track: Climb, core: SoftCore, arm: str) -> Loss:
    config = track.material.config
    scaling = config.scaling.model_copy(update={"method": arm})
    return rung_loss(core, track.small, track.translator, track.frames, core.config, scaling)


def _flops_a_step(track: Climb, core: SoftCore, arm: str) -> float:
    """Arithmetic of a step of 5.1, counted on a few whose gradients are discarded."""
    config = track.material.config.scaling
    return _counted(core, _loss(track, core, arm), len(track.frames), config.batch, arm)


def _counted(core: SoftCore, loss: Loss, items: int, batch: int, scope: str) -> float:
    with FlopCounterMode(display=False) as counter:
        for step in range(COUNTED):
            rows = rows_of_step(0, scope, step, batch, items)
            value, _ = loss(Batch(step, rows, generator(0, scope, "counted", step)))
            value.backward()
            core.zero_grad(set_to_none=True)
    return counter.get_total_flops() / COUNTED


def _rung(track: Climb, core: SoftCore, arm: str, budget: float, folder: Path) -> tuple[int, float]:
    """Steps of 5.1 within a budget, and the arithmetic they took."""
    config = track.material.config
    each = _flops_a_step(track, core, arm)
    steps = max(1, round(budget / each))
    optimizer = config.scaling.optimizer
    if arm == "distill":
        optimizer = optimizer.model_copy(update={"lr": config.soft_core.optimizer.lr})
    trained = train(
        _session(track, folder),
        scope=f"ladder-{arm}",
        modules={"core": core},
        loss=_loss(track, core, arm),
        items=len(track.frames),
        batch=config.scaling.batch,
        steps=steps,
        optimizer=optimizer,
        accumulation=config.scaling.accumulation,
    )
    return steps, trained.flops


def _from_scratch(
    track: Climb, core: SoftCore, arm: str, rung: float, folder: Path
) -> tuple[int, float]:
    """The three curriculum stages of 2.1 within the arithmetic of the small core and a rung."""
    material = track.material
    plan = grown_config(material.config.soft_core, track.size)

    def loss(batch: Batch) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        lesson = track.frames[batch.rows]
        return soft_core_loss(core, track.translator, lesson, plan, batch.generator)

    each = _counted(core, loss, len(track.frames), plan.batch, arm)
    steps = max(3, round((material.small_flops + rung) / each))
    plan = plan.model_copy(update={"steps": steps})
    stages = fit(_session(track, folder), core, track.translator, track.frames, plan)
    return steps, sum(stage.flops for stage in stages)


def _line(
    title: str,
    track: Climb,
    core: SoftCore,
    judge: Judge,
    folder: Path,
    flops: float,
    steps: int,
) -> dict[str, Any]:
    core.eval()
    row = validated(title, core, track.query, track.truth)
    row |= {"steps": steps, "PFLOP in all": flops / 1e15}
    session = _session(track, folder / "exams")
    for exam, problems in track.exams.items():
        found = examine(
            session,
            track.translator,
            core,
            problems,
            judge,
            scope=f"{title}-{exam}".replace(" ", "-").replace(",", ""),
            variants=("rar",),
        )["rar"].row(exam, track.material.config.seed)
        row |= {f"{exam} {key}": found[key] for key in ("pass@1", "low", "high")}
    return row


def _session(track: Climb, folder: Path) -> BenchSession:
    config = track.material.config
    return BenchSession.open(config, folder, device=track.material.device, say=track.material.say)
