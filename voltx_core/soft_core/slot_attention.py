"""Slot attention: what the slots of one frame tell each other during a RAR step."""

import torch
from torch import Tensor, nn

from voltx_core.frame import SLOTS

KEY_WIDTH = 64
_STRONG, _CLEAR, _SOME, _WEAK = 2.0, 1.5, 1.0, 0.5
PAIRS: dict[float, tuple[tuple[int, int], ...]] = {
    _STRONG: ((0, 2), (0, 3), (1, 2)),
    _CLEAR: ((0, 1), (1, 3), (1, 4)),
    _SOME: ((1, 5), (1, 6), (1, 7), (1, 8), (4, 6), (4, 7), (4, 8)),
    _WEAK: ((6, 7), (6, 8), (7, 8), *((n, n) for n in range(9))),
}
EXPECTED: tuple[tuple[int, tuple[int, ...]], ...] = (
    (0, (2,)),
    (1, (6, 7, 8)),
    (3, (1,)),
    (4, (6,)),
)
"""What the plan expects to see in the heat maps: S0 to S2, S1 to S6-S8, S3 to S1, S4 to S6."""


def structured_bias() -> Tensor:
    """The plan's symmetric 16x16 start: related roles attend to each other."""
    bias = torch.zeros(SLOTS, SLOTS)
    for weight, pairs in PAIRS.items():
        for a, b in pairs:
            bias[a, b] = bias[b, a] = weight
    return bias


class SlotAttention(nn.Module):
    """Single-head attention over active slots with an additive, learnable role bias.

    The values start at zero: the message is silent until training finds a use for it.
    """

    def __init__(self, slot_width: int, *, structured: bool = True) -> None:
        super().__init__()
        self.query = nn.Linear(slot_width, KEY_WIDTH, bias=False)
        self.key = nn.Linear(slot_width, KEY_WIDTH, bias=False)
        self.value = nn.Linear(slot_width, slot_width, bias=False)
        start = structured_bias() if structured else torch.zeros(SLOTS, SLOTS)
        self.bias = nn.Parameter(start)
        nn.init.zeros_(self.value.weight)

    def forward(self, state: Tensor) -> tuple[Tensor, Tensor]:
        """Messages ``[B, 16, W]`` and attention ``[B, 16, 16]`` (rows sum to 1).

        A moving frame has no inactive slots yet: which ones the solution uses is known at the end.
        """
        scores = self.query(state) @ self.key(state).transpose(1, 2) / KEY_WIDTH**0.5 + self.bias
        attention = scores.float().softmax(-1).to(state.dtype)
        return attention @ self.value(state), attention


def entropy(attention: Tensor) -> Tensor:
    """Mean entropy of the attention rows, in nats."""
    return -(attention * attention.clamp(min=1e-9).log()).sum(-1).mean()


def score_expected(attention: Tensor) -> dict[str, float]:
    """Mean attention on each expected pair over uniform attention: above 1 means more."""
    mean = attention.mean(0)
    return {
        f"S{source}→{','.join(f'S{t}' for t in targets)}": float(
            mean[source, list(targets)].mean() * SLOTS
        )
        for source, targets in EXPECTED
    }
