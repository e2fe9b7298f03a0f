"""The diffusion controller: how much noise a slot gets in a RAR step (about 10K parameters)."""

import math

import torch
from torch import Tensor, nn

FEATURES = 16


class DiffusionController(nn.Module):
    """MLP (W + 32) → 32 → 16 → 1 on slot state, iteration and last movement.

    Args:
        slot_width: W.
        sigma_max: Largest noise norm.
    """

    def __init__(self, slot_width: int, sigma_max: float) -> None:
        super().__init__()
        self.sigma_max = sigma_max
        self.layers = nn.Sequential(
            nn.Linear(slot_width + 2 * FEATURES, 32), nn.GELU(),
            nn.Linear(32, 16), nn.GELU(),
            nn.Linear(16, 1),
        )  # fmt: skip
        # Start near silence (sigma_max / 20): noise must earn its place.
        nn.init.constant_(self.layers[-1].bias, -3.0)

    def forward(self, state: Tensor, iteration: Tensor, speed: Tensor) -> Tensor:
        """Noise norm sigma ``[B, 16]`` in [0, sigma_max].

        Args:
            state: ``[B, 16, W]``.
            iteration: ``[B]``, from 0.
            speed: ``[B, 16]``, last displacement norm over dt.
        """
        b, slots, _ = state.shape
        step = _sinusoids(iteration.to(state.dtype) / 10).unsqueeze(1).expand(b, slots, -1)
        moved = _sinusoids(speed)
        features = torch.cat([state, step, moved], -1)  # [B, 16, W + 32]
        return self.sigma_max * torch.sigmoid(self.layers(features).squeeze(-1))


def tangent_noise(state: Tensor, sigma: Tensor, draws: Tensor) -> Tensor:
    """Noise of expected norm sigma, tangent to the sphere at ``state``.

    Args:
        state: unit slots ``[B, 16, W]``.
        sigma: ``[B, 16]``.
        draws: standard normal ``[B, 16, W]``.
    """
    noise = draws / math.sqrt(state.shape[-1])
    noise = noise - (noise * state).sum(-1, keepdim=True) * state
    return sigma.unsqueeze(-1) * noise


def _sinusoids(x: Tensor) -> Tensor:
    """Eight octaves of sine and cosine: ``[...]`` to ``[..., 16]``."""
    octaves = 2.0 ** torch.arange(FEATURES // 2, device=x.device, dtype=x.dtype) / 4
    angles = x.unsqueeze(-1) * octaves
    return torch.cat([angles.sin(), angles.cos()], -1)
