"""The code encoder: tokens to a TensorFrame through role-weighted pooling.

Residual pre-norm convolutions of kernel 3, 5, 7 read local syntax; every token then says which of
the 16 roles it plays and what it contributes, and slot r is the role-weighted mean of the
contributions. With a lexicon, a word contributes what it means by itself, too.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from voltx_core.config.translator import TranslatorConfig
from voltx_core.frame import SLOTS, TensorFrame
from voltx_core.translator.lexicon import BESIDE, Lexicon

KERNELS = (3, 5, 7)
ACTIVE_MASS = 0.05
"""A slot is active when the tokens give its role more than this share of one token."""


class QueryFeatures(NamedTuple):
    """What a query's tokens contribute, before they are pooled into slots."""

    tokens: Tensor
    """``[B, L, W]``"""
    mask: Tensor
    """``[B, L]``, True on real tokens; a row without any is a query that is not shown."""

    def rows(self, chosen: Tensor) -> "QueryFeatures":
        """The features of some rows."""
        return QueryFeatures(self.tokens[chosen], self.mask[chosen])

    def hide(self, hidden: Tensor) -> "QueryFeatures":
        """The same, with nothing to read in the rows where ``hidden`` ``[B]`` is True."""
        return QueryFeatures(self.tokens, self.mask & ~hidden.unsqueeze(1))


class Encoded(NamedTuple):
    """What the encoder makes of a batch of texts."""

    frame: TensorFrame
    role_logits: Tensor
    """``[B, L, 16]``"""
    tokens: Tensor
    """``[B, L, W]`` contribution of each token."""


class CodeEncoder(nn.Module):
    """About 5M parameters at plan size, most of them the embedding.

    Args:
        config: Widths and longest input.
        vocabulary: Rows of the embedding table.
        slots: Slots of a frame.
    """

    def __init__(self, config: TranslatorConfig, vocabulary: int, *, slots: int = SLOTS) -> None:
        super().__init__()
        width = config.encoder_width
        self.max_tokens = config.encoder_tokens
        self.embedding = nn.Embedding(vocabulary, config.embedding_width)
        self.lift = nn.Linear(config.embedding_width, width)
        self.position = nn.Parameter(torch.zeros(config.encoder_tokens, width))
        self.blocks = nn.ModuleList(_Block(width, kernel) for kernel in KERNELS)
        self.norm = nn.RMSNorm(width)
        self.role_head = nn.Linear(width, slots)
        self.embed_head = nn.Linear(width, config.slot_width)
        self.lexicon = Lexicon(vocabulary, config.slot_width) if config.lexicon else None
        nn.init.normal_(self.embedding.weight, std=0.3)
        nn.init.normal_(self.position, std=0.1)
        if self.lexicon is not None:
            with torch.no_grad():
                self.embed_head.weight *= BESIDE
                self.embed_head.bias *= BESIDE

    def forward(self, ids: Tensor, mask: Tensor) -> Encoded:
        """Encode token ids ``[B, L]`` with mask ``[B, L]`` (True on real tokens)."""
        keep = mask.unsqueeze(-1)
        x = self.lift(self.embedding(ids)) + self.position[: ids.shape[1]]  # [B, L, H]
        for block in self.blocks:
            x = block(x, keep)
        x = self.norm(x)
        role_logits = self.role_head(x)  # [B, L, 16]
        tokens = self.embed_head(x)  # [B, L, W]
        if self.lexicon is not None:
            tokens = tokens + self.lexicon(ids)
        # float32: sums over 512 tokens lose too much in bfloat16.
        roles = role_logits.float().softmax(-1) * keep
        mass = roles.sum(1)  # [B, 16]
        pooled = torch.einsum("blr,blw->brw", roles, tokens.float())
        slots = pooled / mass.unsqueeze(-1).clamp(min=1e-6)
        frame = TensorFrame.of(slots, mass > ACTIVE_MASS, count=roles.shape[-1])
        return Encoded(frame, role_logits, tokens)


class _Block(nn.Module):
    """x + Linear(GELU(Conv(RMSNorm x))), padding silenced before it can leak sideways."""

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        self.norm = nn.RMSNorm(width)
        self.mix = nn.Conv1d(width, width, kernel, padding=kernel // 2)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, keep: Tensor) -> Tensor:
        mixed = self.mix((self.norm(x) * keep).transpose(1, 2)).transpose(1, 2)
        return x + self.out(nn.functional.gelu(mixed)) * keep
