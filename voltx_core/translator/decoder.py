"""The slot decoder: writes code from the sixteen slots of a frame.

A causal transformer whose every block cross-attends to the slots. It is trained on slots, because
slots are what it is run on: a decoder trained on per-token features of the code it reproduces
collapses when it meets a frame.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from voltx_core.frame import SLOTS, TensorFrame


class SlotDecoder(nn.Module):
    """Autoregressive decoder with tied embeddings and a KV cache.

    Args:
        vocabulary: Rows of the embedding table.
        slot_width: Width of a slot.
        width: Model width.
        blocks: Transformer blocks.
        heads: Attention heads.
        max_tokens: Longest program, ``<bos>`` and ``<eos>`` included.
    """

    def __init__(
        self,
        *,
        vocabulary: int,
        slot_width: int,
        width: int,
        blocks: int,
        heads: int,
        max_tokens: int,
    ) -> None:
        super().__init__()
        self.max_tokens = max_tokens
        self.sizes = {
            "vocabulary": vocabulary,
            "slot_width": slot_width,
            "width": width,
            "blocks": blocks,
            "heads": heads,
            "max_tokens": max_tokens,
        }
        self.embedding = nn.Embedding(vocabulary, width)
        self.position = nn.Parameter(torch.zeros(max_tokens, width))
        self.slot_in = nn.Linear(slot_width, width)
        self.slot_position = nn.Parameter(torch.zeros(SLOTS, width))
        self.blocks = nn.ModuleList(_Block(width, heads) for _ in range(blocks))
        self.norm = nn.RMSNorm(width)
        nn.init.normal_(self.embedding.weight, std=width**-0.5)
        nn.init.normal_(self.position, std=0.1 * width**-0.5)
        nn.init.normal_(self.slot_position, std=0.3)

    def forward(self, slots: Tensor, slot_mask: Tensor, ids: Tensor) -> Tensor:
        """Teacher-forced logits.

        Args:
            slots: ``[B, 16, W]``.
            slot_mask: ``[B, 16]``, True on active slots.
            ids: ``[B, L]`` input tokens, ``<bos>`` first.

        Returns:
            Logits of the next token, ``[B, L, V]``.
        """
        return self.read(self.memory(slots), slot_mask, ids)

    def read(self, memory: Tensor, mask: Tensor, ids: Tensor) -> Tensor:
        """Teacher-forced logits ``[B, L, V]`` from a memory ``[B, M, H]`` with mask ``[B, M]``."""
        x = self._embed(ids, 0)
        allowed = _allowed(mask)
        for block in self.blocks:
            x, _ = block(x, memory, allowed, None)
        return self._logits(x)

    def memory(self, slots: Tensor) -> Tensor:
        """Slots as keys and values of the cross-attention, ``[B, 16, H]``."""
        return self.slot_in(slots) + self.slot_position

    def step(
        self,
        ids: Tensor,
        offset: int,
        memory: Tensor,
        slot_mask: Tensor,
        cache: list[tuple[Tensor, Tensor]] | None,
    ) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        """One token further: ids ``[B, 1]`` at position ``offset``; returns logits ``[B, V]``."""
        x = self._embed(ids, offset)
        allowed = _allowed(slot_mask)
        kept: list[tuple[Tensor, Tensor]] = []
        for n, block in enumerate(self.blocks):
            x, entry = block(x, memory, allowed, cache[n] if cache else None)
            kept.append(entry)
        return self._logits(x)[:, -1], kept

    def _embed(self, ids: Tensor, offset: int) -> Tensor:
        scale = self.embedding.embedding_dim**0.5
        positions = self.position[offset : offset + ids.shape[1]]
        return self.embedding(ids) * scale + positions * scale

    def _logits(self, x: Tensor) -> Tensor:
        return F.linear(self.norm(x), self.embedding.weight)


class _Block(nn.Module):
    """Causal self-attention, cross-attention to the slots, feed-forward; all pre-norm residual."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.self_norm, self.cross_norm, self.feed_norm = (nn.RMSNorm(width) for _ in range(3))
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.self_out = nn.Linear(width, width, bias=False)
        self.cross_q = nn.Linear(width, width, bias=False)
        self.cross_kv = nn.Linear(width, 2 * width, bias=False)
        self.cross_out = nn.Linear(width, width, bias=False)
        self.feed_in = nn.Linear(width, 4 * width)
        self.feed_out = nn.Linear(4 * width, width)

    def forward(
        self,
        x: Tensor,  # [B, L, H]
        memory: Tensor,  # [B, 16, H]
        allowed: Tensor,  # [B, 1, 1, 16]
        cache: tuple[Tensor, Tensor] | None,
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        q, k, v = (self._split(t) for t in self.qkv(self.self_norm(x)).chunk(3, -1))
        if cache is not None:
            k, v = torch.cat([cache[0], k], 2), torch.cat([cache[1], v], 2)
        attended = F.scaled_dot_product_attention(q, k, v, is_causal=cache is None)
        x = x + self.self_out(self._merge(attended))
        q = self._split(self.cross_q(self.cross_norm(x)))
        slot_k, slot_v = (self._split(t) for t in self.cross_kv(memory).chunk(2, -1))
        read = F.scaled_dot_product_attention(q, slot_k, slot_v, attn_mask=allowed)
        x = x + self.cross_out(self._merge(read))
        x = x + self.feed_out(F.gelu(self.feed_in(self.feed_norm(x))))
        return x, (k, v)

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # [B, heads, L, H / heads]

    @staticmethod
    def _merge(x: Tensor) -> Tensor:
        return x.transpose(1, 2).flatten(2)


def _allowed(slot_mask: Tensor) -> Tensor:
    """Attention mask over slots; a frame without active slots attends to all of its zeros."""
    empty = ~slot_mask.any(1, keepdim=True)
    return (slot_mask | empty)[:, None, None, :]


@torch.no_grad()
def sample(
    decoder: SlotDecoder,
    frame: TensorFrame,
    *,
    bos: int,
    eos: int,
    temperature: float = 0.0,
    top_p: float = 1.0,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, Tensor]:
    """Write a batch of programs.

    Args:
        decoder: The model.
        frame: B frames.
        bos: Id that starts a program.
        eos: Id that ends one.
        temperature: 0 is greedy.
        top_p: Nucleus (Holtzman et al. 2020): the smallest set of tokens with this mass.
        generator: Source of the draws, on the CPU so that they do not depend on the device.

    Returns:
        ids ``[B, L]`` without ``<bos>``, ``<eos>`` and after it 0; log-probabilities ``[B, L]``
        under the model at temperature 1, 0 after ``<eos>``.
    """
    memory = decoder.memory(frame.slots)
    ids = torch.full((len(frame), 1), bos, device=frame.slots.device)
    done = torch.zeros(len(frame), dtype=torch.bool, device=ids.device)
    cache: list[tuple[Tensor, Tensor]] | None = None
    tokens: list[Tensor] = []
    scores: list[Tensor] = []
    for position in range(decoder.max_tokens - 1):
        logits, cache = decoder.step(ids, position, memory, frame.mask, cache)
        log_p = logits.float().log_softmax(-1)
        chosen = _choose(log_p, temperature, top_p, generator)
        score = log_p.gather(1, chosen.unsqueeze(1)).squeeze(1)
        tokens.append(torch.where(done, 0, chosen))
        scores.append(torch.where(done, 0.0, score))
        done = done | (chosen == eos)
        ids = chosen.unsqueeze(1)
        if position % 8 == 7 and bool(done.all()):
            break
    return torch.stack(tokens, 1), torch.stack(scores, 1)


def _choose(
    log_p: Tensor, temperature: float, top_p: float, generator: torch.Generator | None
) -> Tensor:
    if temperature == 0.0:
        return log_p.argmax(-1)
    p = (log_p / temperature).softmax(-1)
    if top_p < 1.0:
        ranked, order = p.sort(-1, descending=True)
        outside = ranked.cumsum(-1) - ranked >= top_p
        p = torch.zeros_like(p).scatter(1, order, ranked.masked_fill(outside, 0.0))
    draws = torch.rand(len(p), 1, generator=generator).to(p.device)
    cumulative = p.cumsum(-1)
    # The draw lies below the total mass, so the search stays inside the vocabulary.
    return torch.searchsorted(cumulative, draws * cumulative[:, -1:] * (1 - 1e-6)).squeeze(1)
