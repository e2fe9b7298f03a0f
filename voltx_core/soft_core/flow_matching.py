"""How the soft core is trained: on states of its own rollouts, toward the solution's frame.

States on the straight path from query to solution leak the solution; a field trained on them
alone copies it and, started from the query, ends below where it began. So most states come from
the field's own RAR steps, taken without gradient, and the loss asks for the endpoint from there:
cosine to the solution's slots, and cross-entropy of the solution's tokens through the frozen
decoder, because frames that are close in cosine can decode differently.
"""

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from voltx_core.config.soft_core import SoftCoreConfig
from voltx_core.frame import SLOTS, TensorFrame, normalise
from voltx_core.soft_core.diffusion import tangent_noise
from voltx_core.soft_core.rar import advance
from voltx_core.soft_core.slot_attention import entropy
from voltx_core.soft_core.soft_core import SoftCore
from voltx_core.translator.objective import add_slot_noise, reconstruction_loss
from voltx_core.translator.translator import Translator

if TYPE_CHECKING:
    from voltx_core.soft_core.fitting import FrameSet

STEP_SIZES = (0.25, 0.5, 1.0)


def soft_core_loss(
    core: SoftCore,
    translator: Translator,
    lesson: "FrameSet",
    config: SoftCoreConfig,
    generator: torch.Generator,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Flow loss of a batch.

    Args:
        core: What is trained.
        translator: Frozen; its decoder grades the predicted frames.
        lesson: B problems as frames.
        config: Weights and the method.
        generator: Draws of this step.

    Returns:
        The loss, and: ``cosine`` to the target, ``relative`` squared error of the displacement
        (divided by that of predicting no movement), ``cross_entropy``, ``entropy``, ``sigma``.
    """
    query, solution = lesson.query, lesson.solution
    if config.objective == "drift":
        return _drift_loss(core, query, solution, generator)
    if config.query_noise:
        query = add_slot_noise(query, config.query_noise, generator)
    state, sigma = rollout(core, query, config, generator)
    end, activity, attention = core.endpoint(state, query)
    weight = solution.mask.to(end.dtype)
    cosine = ((end * solution.slots).sum(-1) * weight).sum() / weight.sum()
    spread = entropy(attention)
    active = F.binary_cross_entropy_with_logits(activity.float(), weight.float())
    loss = config.cosine_weight * (1 - cosine) + config.entropy_weight * spread + active
    graded = max(1, round(config.decoder_share * len(end)))
    written = TensorFrame.of(end[:graded], solution.mask[:graded])
    cross_entropy = reconstruction_loss(
        translator.decoder,
        written,
        lesson.targets[:graded],
        asked=translator.asked_ids(lesson.asked[:graded]),
    )
    if config.decoder_weight:
        loss = loss + config.decoder_weight * cross_entropy
    return loss, {
        "cosine": cosine,
        "relative": _relative(end, query.slots, solution),
        "cross_entropy": cross_entropy,
        "activity": active,
        "entropy": spread,
        "sigma": sigma.mean(),
    }


def rollout(
    core: SoftCore, query: TensorFrame, config: SoftCoreConfig, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """A state of the core's own trajectory, each row after its own number of steps.

    The steps carry no gradient; the noise of the last one does, which is how the diffusion
    controller learns.

    Returns:
        State ``[B, 16, W]`` and the sigma of the last step ``[B, 16]``.
    """
    b, device = len(query), query.slots.device
    steps = torch.randint(0, config.rollout_steps + 1, (b,), generator=generator).to(device)
    dt = STEP_SIZES[int(torch.randint(len(STEP_SIZES), (), generator=generator))]
    state = query.slots
    speed = torch.zeros(b, SLOTS, device=device)
    with torch.no_grad():
        for step in range(config.rollout_steps):
            if step >= int(steps.max()):
                break
            proposed = advance(state, core.velocity(state, query)[0], dt)
            going = (step < steps)[:, None, None]
            speed = torch.where(going[..., 0], (proposed - state).norm(dim=-1) / dt, speed)
            state = torch.where(going, proposed, state)
    sigma = core.diffusion(state, steps, speed)
    draws = torch.randn(state.shape, generator=generator).to(device)
    return normalise(state + tangent_noise(state, sigma, draws)), sigma


def _drift_loss(
    core: SoftCore, query: TensorFrame, solution: TensorFrame, generator: torch.Generator
) -> tuple[Tensor, dict[str, Tensor]]:
    """The plan's own objective, for the ablation: constant drift a - q on path states, MSE."""
    t = torch.rand(len(query), 1, 1, generator=generator).to(query.slots.device)
    state = normalise((1 - t) * query.slots + t * solution.slots)
    wanted = solution.slots - query.slots
    velocity, activity, _ = core.velocity(state, query, t.flatten())
    active = F.binary_cross_entropy_with_logits(activity.float(), solution.mask.float())
    drift = F.mse_loss(velocity, wanted)
    end = normalise(query.slots + velocity)
    return drift + active, {
        "cosine": (end * solution.slots).sum(-1).mean(),
        "relative": drift / wanted.square().mean(),
    }


def _relative(end: Tensor, start: Tensor, solution: TensorFrame) -> Tensor:
    mask = solution.mask.unsqueeze(-1)
    error = ((end - solution.slots) * mask).square().sum()
    return error / ((start - solution.slots) * mask).square().sum()
