"""Sleep: replay, contrast of good and bad frames, distillation, new strands.

Forward-Forward (Hinton 2022) asks a layer for high *goodness*, the mean square of its activity,
on good data and low goodness on bad data. Here good data are frames whose programs passed and bad
data frames whose programs failed, and only hidden layers take part: on the output layer the same
demand would fight convergence, which wants small outputs.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from voltx_core.frame import TensorFrame, normalise
from voltx_core.soft_core.soft_core import SoftCore

GOODNESS_THRESHOLD = 1.0


@dataclass(frozen=True, slots=True)
class Replay:
    """What was replayed: queries, the frames the core reached, and what they were worth."""

    query: TensorFrame
    reached: TensorFrame
    rewards: Tensor
    """``[N]`` pass rate of the program written from each frame; NaN where excluded, which is
    neither good nor bad."""

    def good(self) -> Tensor:
        """Rows whose program passed everything."""
        return (self.rewards >= 1.0).nonzero().squeeze(1)

    def bad(self) -> Tensor:
        """Rows whose program passed nothing."""
        return (self.rewards <= 0.0).nonzero().squeeze(1)


def forward_forward_loss(core: SoftCore, good: TensorFrame, bad: TensorFrame) -> Tensor:
    """softplus(threshold - g(good)) + softplus(g(bad) - threshold), mean over hidden layers.

    g is the goodness after the layer's activity was centred on its mean over the batch, so that
    a layer cannot win by its scale alone.
    """
    split = len(good)
    frames = TensorFrame.cat([good, bad])
    losses = []
    for activity in hidden_activities(core, frames):
        normal = F.layer_norm(activity, activity.shape[1:])  # [N, 16, H]
        goodness = (normal - normal.mean(0)).square().mean((1, 2))
        losses.append(
            F.softplus(GOODNESS_THRESHOLD - goodness[:split]).mean()
            + F.softplus(goodness[split:] - GOODNESS_THRESHOLD).mean()
        )
    return torch.stack(losses).mean()


def hidden_activities(core: SoftCore, frame: TensorFrame) -> list[Tensor]:
    """Output of every block of the field at rest in a frame, each ``[N, 16, H]``."""
    activities: list[Tensor] = []
    hooks = [
        block.register_forward_hook(lambda _m, _i, output: activities.append(output))
        for block in core.vfn.blocks
    ]
    try:
        core.vfn(frame.slots, frame)
    finally:
        for hook in hooks:
            hook.remove()
    return activities


def distillation_loss(core: SoftCore, query: TensorFrame, reached: TensorFrame) -> Tensor:
    """1 - cosine between one endpoint evaluation and the frame the whole loop reached.

    What recurs in replay becomes reflex: the loop's result in a single step.
    """
    end, activity, _ = core.endpoint(query.slots, query)
    weight = reached.mask.to(end.dtype)
    cosine = ((end * reached.slots).sum(-1) * weight).sum() / weight.sum().clamp(min=1)
    active = F.binary_cross_entropy_with_logits(activity.float(), weight.float())
    return 1 - cosine + active


def graduate(gists: Tensor, *, minimum: int, cosine: float, most: int = 8) -> list[Tensor]:
    """Groups of mutually similar gists large enough to become strands.

    Greedy: the gist with most neighbours founds a group; members must resemble the group's mean.

    Args:
        gists: ``[N, W]`` unit vectors of high-reward frames.
        minimum: Fewest members.
        cosine: Least similarity to the group's mean.
        most: Most groups.

    Returns:
        Members' gists of each group, ``[n, W]``.
    """
    groups: list[Tensor] = []
    left = gists
    while len(left) >= minimum and len(groups) < most:
        near = left @ left.T >= cosine
        founder = int(near.sum(1).argmax())
        centre = normalise(left[near[founder]].mean(0))
        member = left @ centre >= cosine
        if int(member.sum()) < minimum:
            break
        groups.append(left[member])
        left = left[~member]
    return groups


@dataclass(frozen=True, slots=True)
class Consolidation:
    """Whether consolidated weights are kept, and why."""

    keep: bool
    why: str


def decide(
    *, old: tuple[float, float], new: tuple[float, float], gain: float, loss: float
) -> Consolidation:
    """Keep consolidated weights only if new problems improve and old ones do not suffer.

    Args:
        old: Pass rate on old problems before and after.
        new: The same on new problems.
        gain: Least gain on new problems.
        loss: Most loss on old problems.
    """
    gained, lost = new[1] - new[0], old[0] - old[1]
    if gained <= gain:
        return Consolidation(
            False, f"new problems gained {gained:+.3f}, wanted more than {gain:.3f}"
        )
    if lost > loss:
        return Consolidation(False, f"old problems lost {lost:.3f}, allowed {loss:.3f}")
    return Consolidation(
        True, f"new problems gained {gained:+.3f}, old ones changed by {-lost:+.3f}"
    )
