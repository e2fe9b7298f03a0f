"""Fourier neural operator body: mixes slots in frequency space.

Source: Li et al. 2021, Fourier Neural Operator for Parametric PDEs, with the slot index as the
one spatial dimension. All 9 modes of 16 slots are kept.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from voltx_core.frame import SLOTS

MODES = SLOTS // 2 + 1
GROUPS = 8


class FourierBody(nn.Module):
    """h + Linear(GELU(spectral(RMSNorm h) + Linear(RMSNorm h))).

    The spectral weights are block-diagonal over channel groups: a dense ``width x width`` matrix
    a mode would hold nine times the parameters of the residual MLP.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        if width % GROUPS:
            raise ValueError(f"width ({width}) must be a multiple of {GROUPS} for body 'fno'")
        inner = width // GROUPS
        self.norm = nn.RMSNorm(width)
        # Real and imaginary parts, so that checkpoints hold real tensors only.
        self.spectral = nn.Parameter(torch.randn(2, MODES, GROUPS, inner, inner) * inner**-0.5)
        self.local, self.outer = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, h: Tensor) -> Tensor:
        x = self.norm(h)
        modes = torch.fft.rfft(x.float(), dim=1)  # [B, 9, H]
        grouped = modes.unflatten(-1, (GROUPS, -1))
        weights = torch.complex(*self.spectral.float().unbind(0))
        mixed = torch.einsum("bmgi,mgij->bmgj", grouped, weights).flatten(2)
        spread = torch.fft.irfft(mixed, n=SLOTS, dim=1).to(x.dtype)
        return h + self.outer(F.gelu(spread + self.local(x)))
