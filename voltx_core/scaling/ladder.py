"""One rung of the growth ladder: how its core begins, what it is taught, how it is validated."""

from typing import TYPE_CHECKING, Any

import torch

from voltx_core.config.scaling import ScalingConfig, SizeConfig
from voltx_core.config.soft_core import SoftCoreConfig
from voltx_core.frame import TensorFrame, frame_cosine
from voltx_core.scaling.distillation import teacher_loss
from voltx_core.scaling.growth import grow, grown_config
from voltx_core.soft_core.flow_matching import soft_core_loss
from voltx_core.soft_core.soft_core import SoftCore
from voltx_core.training.loop import Batch, Loss

if TYPE_CHECKING:
    from voltx_core.soft_core.fitting import FrameSet
    from voltx_core.translator.translator import Translator


def begun(teacher: SoftCore, size: SizeConfig, method: str) -> SoftCore:
    """The core of the next rung, before it is trained; drawn within ``seeded``.

    Args:
        teacher: The core of the rung below.
        size: Width and depth of the next one.
        method: ``grow`` keeps the teacher's function, ``distill`` begins afresh.
    """
    if method == "grow":
        return grow(teacher, size)
    device = next(teacher.parameters()).device
    return SoftCore(teacher.slot_width, grown_config(teacher.config, size)).to(device)


def growth_difference(core: SoftCore, teacher: SoftCore, query: TensorFrame) -> float:
    """Largest difference between what two cores see as the endpoints of the same queries."""
    with torch.no_grad():
        ours, theirs = (each.endpoint(query.slots, query)[0] for each in (core, teacher))
    return float((ours - theirs).abs().max())


def rung_loss(
    core: SoftCore,
    teacher: SoftCore,
    translator: "Translator",
    frames: "FrameSet",
    config: SoftCoreConfig,
    scaling: ScalingConfig,
) -> Loss:
    """The flow loss on the problems, and with ``distill`` the teacher's word beside it."""

    def loss(batch: Batch) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        lesson = frames[batch.rows]
        flow, parts = soft_core_loss(core, translator, lesson, config, batch.generator)
        logged = {"cosine": parts["cosine"]}
        if scaling.method == "distill":
            taught = teacher_loss(core, teacher, lesson.query, config, batch.generator)
            flow, logged["teacher"] = flow + scaling.distillation_weight * taught, taught
        return flow, logged

    return loss


def validated(title: str, core: SoftCore, query: TensorFrame, truth: TensorFrame) -> dict[str, Any]:
    """One line of the ladder, on validation problems.

    Args:
        title: Which core, and when.
        core: The core.
        query: Frames of the problems.
        truth: Frames of their solutions.
    """
    with torch.no_grad():
        trajectory = core.solve(query)
    return {
        "size": title,
        "parameters": sum(p.numel() for p in core.parameters()),
        "cosine": round(float(frame_cosine(trajectory.frame, truth).mean()), 4),
        "converged": round(float(trajectory.converged.float().mean()), 4),
        "iterations": round(float(trajectory.iterations.float().mean()), 2),
    }
