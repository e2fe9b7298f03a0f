"""The velocity field network: where each slot should go next.

It predicts the *endpoint* of every slot and drifts toward it, so that the field vanishes at the
target: a constant field would pass its training loss and, under renormalisation, settle elsewhere.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from voltx_core.config.soft_core import SoftCoreConfig
from voltx_core.frame import SLOTS, TensorFrame, normalise
from voltx_core.soft_core.fno import FourierBody

HEADS = 4
FREQUENCIES = 64


class VelocityField(nn.Module):
    """Per slot: lift, residual body, projection; reads the query by cross-attention.

    Args:
        slot_width: W, width of a slot.
        config: Width, depth, body and which inputs are on.
    """

    def __init__(self, slot_width: int, config: SoftCoreConfig) -> None:
        super().__init__()
        width = config.width
        self.config = config
        self.lift = nn.Linear(slot_width, width)
        self.slot_position = nn.Parameter(torch.zeros(SLOTS, width))
        self.time = TimeEmbedding(width) if config.time_input else None
        self.readers = nn.ModuleList(
            QueryAttention(slot_width, width) for _ in range(config.blocks * config.query_attention)
        )
        body = ResidualMLP if config.body == "mlp" else FourierBody
        self.blocks = nn.ModuleList(body(width) for _ in range(config.blocks))
        self.norm = nn.RMSNorm(width)
        self.project = nn.Linear(width, slot_width)
        self.activity = nn.Linear(width, 1)
        # Start standing still: the first endpoint is the query's own frame, not a random one.
        nn.init.zeros_(self.project.weight)
        nn.init.zeros_(self.project.bias)
        if config.slot_embedding:
            nn.init.normal_(self.slot_position, std=0.3)
        else:
            self.slot_position.requires_grad_(False)

    def forward(
        self, state: Tensor, query: TensorFrame, time: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Evaluate the field once.

        Args:
            state: ``[B, 16, W]``.
            query: What the problem asks.
            time: ``[B]`` in [0, 1], used only with ``time_input``.

        Returns:
            Raw movement ``[B, 16, W]`` and the log-odds that each slot of the solution is active
            ``[B, 16]``.
        """
        h = F.gelu(self.lift(state)) + self.slot_position  # [B, 16, H]
        if self.time is not None:
            t = torch.zeros(len(state), device=state.device) if time is None else time
            h = h + self.time(t).unsqueeze(1)
        for n, block in enumerate(self.blocks):
            if self.config.query_attention:
                h = h + self.readers[n](h, query)
            h = block(h)
        h = self.norm(h)
        return self.project(h), self.activity(h).squeeze(-1)

    def drift(
        self, state: Tensor, query: TensorFrame, time: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Velocity ``[B, 16, W]``, zero where the endpoint is reached, and activity ``[B, 16]``."""
        moved, activity = self(state, query, time)
        if self.config.objective == "drift":
            return moved, activity
        return normalise(state + moved) - state, activity


class ResidualMLP(nn.Module):
    """h + Linear(GELU(Linear(RMSNorm h))), each slot by itself."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.RMSNorm(width)
        self.inner, self.outer = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, h: Tensor) -> Tensor:
        return h + self.outer(F.gelu(self.inner(self.norm(h))))


class QueryAttention(nn.Module):
    """Cross-attention from moving slots to the query's slots, which know their position."""

    def __init__(self, slot_width: int, width: int) -> None:
        super().__init__()
        inner = slot_width  # does not depend on the width, so that growth keeps the function
        self.norm = nn.RMSNorm(width)
        self.q = nn.Linear(width, inner, bias=False)
        self.kv = nn.Linear(slot_width, 2 * inner, bias=False)
        self.position = nn.Parameter(torch.randn(SLOTS, slot_width) * slot_width**-0.5)
        self.out = nn.Linear(inner, width, bias=False)

    def forward(self, h: Tensor, query: TensorFrame) -> Tensor:
        q = _split(self.q(self.norm(h)))
        k, v = (_split(t) for t in self.kv(query.slots + self.position).chunk(2, -1))
        empty = ~query.mask.any(1, keepdim=True)
        allowed = (query.mask | empty)[:, None, None, :]
        read = F.scaled_dot_product_attention(q, k, v, attn_mask=allowed)
        return self.out(read.transpose(1, 2).flatten(2))


class TimeEmbedding(nn.Module):
    """64 log-spaced frequencies from 1 to 10, sine and cosine, then Linear and GELU.

    The plan went up to 10^4; such a field changes from step to step and nothing converges.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("frequencies", torch.logspace(0, 1, FREQUENCIES), persistent=False)
        self.linear = nn.Linear(2 * FREQUENCIES, width)

    def forward(self, time: Tensor) -> Tensor:
        angles = time.unsqueeze(-1) * self.frequencies  # [B, 64]
        return F.gelu(self.linear(torch.cat([angles.sin(), angles.cos()], -1)))


def _split(x: Tensor) -> Tensor:
    return x.unflatten(-1, (HEADS, -1)).transpose(1, 2)  # [B, heads, L, inner / heads]
