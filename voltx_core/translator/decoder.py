"""The slot decoder: writes code from the sixteen slots of a frame.

A causal transformer whose every block cross-attends to the slots. It is trained on slots, because
slots are what it is run on: a decoder trained on per-token features of the code it reproduces
collapses when it meets a frame. It may also read the words of the query.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from voltx_core.frame import SLOTS, TensorFrame
from voltx_core.translator.encoder import QueryFeatures


class SlotDecoder(nn.Module):
    """Autoregressive decoder with tied embeddings and a KV cache.

    Args:
        vocabulary: Rows of the embedding table.
        slot_width: Width of a slot.
        width: Model width.
        blocks: Transformer blocks.
        heads: Attention heads.
        max_tokens: Longest program, ``<bos>`` and ``<eos>`` included.
        query_features: Also read the query's tokens, where they are given.
        slots: Slots of a frame.
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
        query_features: bool = False,
        slots: int = SLOTS,
    ) -> None:
        super().__init__()
        self.max_tokens, self.query_features = max_tokens, query_features
        self.sizes = {
            "vocabulary": vocabulary,
            "slot_width": slot_width,
            "width": width,
            "blocks": blocks,
            "heads": heads,
            "max_tokens": max_tokens,
            "query_features": query_features,
            "slots": slots,
        }
        self.embedding = nn.Embedding(vocabulary, width)
        self.position = nn.Parameter(torch.zeros(max_tokens, width))
        self.slot_in = nn.Linear(slot_width, width)
        self.slot_position = nn.Parameter(torch.zeros(slots, width))
        self.query_in = nn.Linear(slot_width, width) if query_features else None
        self.blocks = nn.ModuleList(_Block(width, heads, query_features) for _ in range(blocks))
        self.norm = nn.RMSNorm(width)
        nn.init.normal_(self.embedding.weight, std=width**-0.5)
        nn.init.normal_(self.position, std=0.1 * width**-0.5)
        nn.init.normal_(self.slot_position, std=0.3)

    def forward(
        self,
        slots: Tensor,
        slot_mask: Tensor,
        ids: Tensor,
        asked: QueryFeatures | None = None,
    ) -> Tensor:
        """Teacher-forced logits.

        Args:
            slots: ``[B, 16, W]``.
            slot_mask: ``[B, 16]``, True on active slots.
            ids: ``[B, L]`` input tokens, ``<bos>`` first.
            asked: Words of the query; without them, or without ``query_features``, the frame
                has to do alone.

        Returns:
            Logits of the next token, ``[B, L, V]``.
        """
        return self.read(self.memory(slots, slot_mask, asked), ids)

    def read(self, memory: "Memory", ids: Tensor) -> Tensor:
        """Teacher-forced logits ``[B, L, V]`` of ``ids`` ``[B, L]``, whatever the memory is of."""
        x = self._embed(ids, 0)
        for block in self.blocks:
            x, _ = block(x, memory, None)
        return self._logits(x)

    def memory(
        self, slots: Tensor, slot_mask: Tensor, asked: QueryFeatures | None = None
    ) -> "Memory":
        """What the blocks attend to besides the program itself."""
        frame = self.slot_in(slots) + self.slot_position
        words = None
        if self.query_in is not None and asked is not None:
            shown = asked.mask.any(1)
            words = Words(self.query_in(asked.tokens), attendable(asked.mask), shown[:, None, None])
        return Memory(frame, attendable(slot_mask), words)

    def step(
        self,
        ids: Tensor,
        offset: int,
        memory: "Memory",
        cache: list[tuple[Tensor, Tensor]] | None,
    ) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        """One token further: ids ``[B, 1]`` at position ``offset``; returns logits ``[B, V]``."""
        x = self._embed(ids, offset)
        kept: list[tuple[Tensor, Tensor]] = []
        for n, block in enumerate(self.blocks):
            x, entry = block(x, memory, cache[n] if cache else None)
            kept.append(entry)
        return self._logits(x)[:, -1], kept

    def _embed(self, ids: Tensor, offset: int) -> Tensor:
        scale = self.embedding.embedding_dim**0.5
        positions = self.position[offset : offset + ids.shape[1]]
        return self.embedding(ids) * scale + positions * scale

    def _logits(self, x: Tensor) -> Tensor:
        return F.linear(self.norm(x), self.embedding.weight)


class Words(NamedTuple):
    """The query's tokens as keys and values."""

    features: Tensor
    """``[B, Lq, H]``"""
    allowed: Tensor
    """``[B, 1, 1, Lq]``"""
    shown: Tensor
    """``[B, 1, 1]``, False where the query is hidden."""


class Memory(NamedTuple):
    """What a program is written from."""

    frame: Tensor
    """``[B, 16, H]``"""
    allowed: Tensor
    """``[B, 1, 1, 16]``"""
    words: Words | None


class _Block(nn.Module):
    """Causal self-attention, cross-attention to slots and words, feed-forward; pre-norm residual.

    What is read in the query's words passes a gate that each token opens for itself. Writing
    begins with the frame alone: the projection behind the gate starts at zero, and not the gate
    itself, which would then hear nothing but noise and stay shut.
    """

    def __init__(self, width: int, heads: int, query_features: bool) -> None:
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
        if query_features:
            self.words_norm = nn.RMSNorm(width)
            self.words_q = nn.Linear(width, width, bias=False)
            self.words_kv = nn.Linear(width, 2 * width, bias=False)
            self.words_out = nn.Linear(width, width, bias=False)
            self.words_gate = nn.Linear(width, 1)
            nn.init.zeros_(self.words_out.weight)

    def forward(
        self,
        x: Tensor,  # [B, L, H]
        memory: Memory,
        cache: tuple[Tensor, Tensor] | None,
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        q, k, v = (self._split(t) for t in self.qkv(self.self_norm(x)).chunk(3, -1))
        if cache is not None:
            k, v = torch.cat([cache[0], k], 2), torch.cat([cache[1], v], 2)
        attended = F.scaled_dot_product_attention(q, k, v, is_causal=cache is None)
        x = x + self.self_out(self._merge(attended))
        q = self._split(self.cross_q(self.cross_norm(x)))
        slot_k, slot_v = (self._split(t) for t in self.cross_kv(memory.frame).chunk(2, -1))
        read = F.scaled_dot_product_attention(q, slot_k, slot_v, attn_mask=memory.allowed)
        x = x + self.cross_out(self._merge(read))
        if memory.words is not None:
            x = x + self._read(x, memory.words)
        x = x + self.feed_out(F.gelu(self.feed_in(self.feed_norm(x))))
        return x, (k, v)

    def _read(self, x: Tensor, words: Words) -> Tensor:
        """What the query's words add, ``[B, L, H]``; nothing where they are hidden."""
        q = self._split(self.words_q(self.words_norm(x)))
        k, v = (self._split(t) for t in self.words_kv(words.features).chunk(2, -1))
        read = F.scaled_dot_product_attention(q, k, v, attn_mask=words.allowed)
        opened = torch.sigmoid(self.words_gate(x))  # [B, L, 1]
        return opened * self.words_out(self._merge(read)) * words.shown

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # [B, heads, L, H / heads]

    @staticmethod
    def _merge(x: Tensor) -> Tensor:
        return x.transpose(1, 2).flatten(2)


def attendable(mask: Tensor) -> Tensor:
    """Attention mask; a row without anything attends to all of its zeros."""
    empty = ~mask.any(1, keepdim=True)
    return (mask | empty)[:, None, None, :]


@torch.no_grad()
def sample(
    decoder: SlotDecoder,
    frame: TensorFrame,
    asked: QueryFeatures | None = None,
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
        asked: Words of the B queries, for a decoder that reads them.
        bos: Id that starts a program.
        eos: Id that ends one.
        temperature: 0 is greedy.
        top_p: Nucleus (Holtzman et al. 2020): the smallest set of tokens with this mass.
        generator: Source of the draws, on the CPU so that they do not depend on the device.

    Returns:
        ids ``[B, L]`` without ``<bos>``, ``<eos>`` and after it 0; log-probabilities ``[B, L]``
        under the model at temperature 1, 0 after ``<eos>``.
    """
    memory = decoder.memory(frame.slots, frame.mask, asked)
    ids = torch.full((len(frame), 1), bos, device=frame.slots.device)
    done = torch.zeros(len(frame), dtype=torch.bool, device=ids.device)
    cache: list[tuple[Tensor, Tensor]] | None = None
    tokens: list[Tensor] = []
    scores: list[Tensor] = []
    for position in range(decoder.max_tokens - 1):
        logits, cache = decoder.step(ids, position, memory, cache)
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
