"""vinciGPT, the whole model: a decoder-only transformer.

    voltx vincigpt train --preset laptop

LLaMA's recipe: RMSNorm before every branch, rotary positions, grouped-query attention, SwiGLU, one
table for reading and writing tokens. What Mistral and Qwen add (a window, biases, norms of queries
and keys, a table of their own for writing) is a field of ``Shape`` (shape.py) and off by default.

Several documents share a row of a batch without seeing each other: attention is causal *inside* a
document, and positions start again at its first token, so a packed document gets the very logits
it would get alone. Compiled for CUDA that is FlexAttention, which skips the blocks that nobody may
look at; everywhere else it is torch's own attention with the mask written out.

Read it from the bottom: ``VinciGPT.forward`` -> ``Block`` -> ``Attention``, ``FeedForward``.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention

from voltx_core.vincigpt.shape import Shape
from voltx_core.weights import load_into, load_weights, save_weights

KIND = "vincigpt"


class Cache:
    """Keys and values of what was already read, one slab a layer, for ``batch`` rows.

    A row's entry sits at its position, so rows of different lengths need no left padding: what
    lies beyond a row's own position is never attended to and is overwritten when it gets there.
    ``room`` is how many tokens a row may hold.
    """

    def __init__(
        self, shape: Shape, batch: int, room: int, *, device: torch.device, dtype: torch.dtype
    ) -> None:
        size = (shape.layers, batch, room, shape.kv_heads, shape.head_width)
        self.keys = torch.zeros(size, device=device, dtype=dtype)
        self.values = torch.zeros(size, device=device, dtype=dtype)

    def write(
        self, layer: int, keys: Tensor, values: Tensor, positions: Tensor, reach: int
    ) -> tuple[Tensor, Tensor]:
        """Store ``[B, T, G, D]`` at ``positions [B, T]``; return all up to ``reach``."""
        rows = torch.arange(positions.shape[0], device=positions.device).unsqueeze(1)
        self.keys[layer][rows, positions] = keys
        self.values[layer][rows, positions] = values
        return self.keys[layer][:, :reach], self.values[layer][:, :reach]

    def keep(self, rows: Tensor) -> None:
        """Forget every row but ``rows``: finished ones should not cost any more."""
        self.keys, self.values = self.keys[:, rows], self.values[:, rows]


@dataclass(frozen=True, slots=True)
class View:
    """What every layer of one forward pass shares."""

    cosine: Tensor  # [B, T, 1, D/2]
    sine: Tensor  # [B, T, 1, D/2]
    mask: Tensor | BlockMask | None  # [B, 1, T, S], True where a query may look; None: all before
    positions: Tensor  # [B, T]
    reach: int
    cache: Cache | None


def written_mask(documents: Tensor | None, length: int, window: int | None) -> Tensor | None:
    """Who may look at whom, ``[B or 1, 1, T, T]``; None where that is all that came before.

    Args:
        documents: ``[B, T]`` document of each token, or None for one document a row.
        length: T.
        window: How far back a token sees, itself included.
    """
    if documents is None and (window is None or window >= length):
        return None
    device = None if documents is None else documents.device
    mask = torch.ones(length, length, dtype=torch.bool, device=device).tril()
    if window is not None:
        mask = mask & ~mask.tril(-window)
    mask = mask.unsqueeze(0)
    if documents is not None:
        mask = mask & (documents.unsqueeze(2) == documents.unsqueeze(1))
    return mask.unsqueeze(1)


def block_mask(documents: Tensor, window: int | None) -> BlockMask:
    """The same for FlexAttention, by blocks of 128 x 128; ``documents [B, T]``."""

    def may_look(row: Tensor, _: Tensor, query: Tensor, key: Tensor) -> Tensor:
        seen = (key <= query) & (documents[row, query] == documents[row, key])
        return seen if window is None else seen & (query - key < window)

    rows, length = documents.shape
    return create_block_mask(may_look, rows, None, length, length, device=documents.device)


def in_blocks(documents: Tensor) -> bool:
    """FlexAttention pays where it is compiled for CUDA; it has no backward pass on a CPU."""
    return documents.is_cuda and torch.compiler.is_compiling()


def rope_angles(shape: Shape) -> Tensor:
    """Angle of every position and pair, ``[context, D/2]``.

    Source: Su et al. 2021 (RoFormer); Chen et al. 2023 for ``linear``; Meta's code for ``llama3``.
    """
    exponent = torch.arange(0, shape.head_width, 2) / shape.head_width  # [D/2]
    frequency = shape.rope_theta**-exponent
    if shape.rope_scaling == "linear":
        frequency = frequency / shape.rope_factor
    elif shape.rope_scaling == "llama3":
        turns = shape.rope_original * frequency / (2 * math.pi)  # within the original context
        keep = (turns - shape.rope_low) / (shape.rope_high - shape.rope_low)
        keep = keep.clamp(0, 1)  # 1: fast pairs stay, 0: slow ones are stretched
        frequency = (1 - keep) * frequency / shape.rope_factor + keep * frequency
    return torch.outer(torch.arange(shape.context), frequency)


def rotate(x: Tensor, view: View) -> Tensor:
    """Turn each pair (i, i + D/2) of ``[B, T, H, D]`` by its position's angle.

    The half-split layout of LLaMA's public weights.
    """
    first, second = x.chunk(2, dim=-1)
    turned = (
        first * view.cosine - second * view.sine,
        second * view.cosine + first * view.sine,
    )
    return torch.cat(turned, dim=-1).to(x.dtype)


class Attention(nn.Module):
    """Grouped-query attention: ``heads`` queries share ``kv_heads`` keys and values."""

    def __init__(self, shape: Shape, layer: int) -> None:
        super().__init__()
        self.layer, self.head_width = layer, shape.head_width
        self.grouped = shape.kv_heads != shape.heads
        bias, wide = shape.qkv_bias, shape.head_width
        self.query = nn.Linear(shape.width, shape.heads * wide, bias=bias)
        self.key = nn.Linear(shape.width, shape.kv_heads * wide, bias=bias)
        self.value = nn.Linear(shape.width, shape.kv_heads * wide, bias=bias)
        self.output = nn.Linear(shape.heads * wide, shape.width, bias=shape.output_bias)
        norm = nn.RMSNorm(wide, eps=shape.norm_eps) if shape.qk_norm else None
        self.query_norm: nn.Module = norm or nn.Identity()
        self.key_norm: nn.Module = nn.RMSNorm(wide, eps=shape.norm_eps) if norm else nn.Identity()

    def forward(self, x: Tensor, view: View) -> Tensor:
        split = (-1, self.head_width)
        q = rotate(self.query_norm(self.query(x).unflatten(-1, split)), view)  # [B, T, H, D]
        k = rotate(self.key_norm(self.key(x).unflatten(-1, split)), view)  # [B, T, G, D]
        v = self.value(x).unflatten(-1, split)  # [B, T, G, D]
        if view.cache is not None:
            k, v = view.cache.write(self.layer, k, v, view.positions, view.reach)  # [B, S, G, D]
        q, k, v = q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)
        if isinstance(view.mask, BlockMask):
            mixed = flex_attention(q, k, v, block_mask=view.mask, enable_gqa=self.grouped)
        else:
            mixed = F.scaled_dot_product_attention(
                q, k, v, view.mask, is_causal=view.mask is None, enable_gqa=self.grouped
            )  # [B, H, T, D]
        return self.output(mixed.transpose(1, 2).flatten(2))


class SwiGLU(nn.Module):
    """Gated feed-forward network. Source: Shazeer 2020."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.gate = nn.Linear(shape.width, shape.hidden, bias=False)
        self.up = nn.Linear(shape.width, shape.hidden, bias=False)
        self.down = nn.Linear(shape.hidden, shape.width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(F.silu(self.gate(x)) * self.up(x))


class SquaredReLU(nn.Module):
    """Feed-forward network with ReLU². Source: So et al. 2021 (Primer)."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.up = nn.Linear(shape.width, shape.hidden, bias=False)
        self.down = nn.Linear(shape.hidden, shape.width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(F.relu(self.up(x)).square())


class Block(nn.Module):
    """x + attention(norm x), then x + feed_forward(norm x)."""

    def __init__(self, shape: Shape, layer: int) -> None:
        super().__init__()
        self.attention_norm = nn.RMSNorm(shape.width, eps=shape.norm_eps)
        self.attention = Attention(shape, layer)
        self.feed_forward_norm = nn.RMSNorm(shape.width, eps=shape.norm_eps)
        self.feed_forward = SwiGLU(shape) if shape.activation == "swiglu" else SquaredReLU(shape)

    def forward(self, x: Tensor, view: View) -> Tensor:
        x = x + self.attention(self.attention_norm(x), view)
        return x + self.feed_forward(self.feed_forward_norm(x))


class VinciGPT(nn.Module):
    """The transformer.

    Args:
        shape: Sizes.
        generator: Source of the initial weights; torch's global one if None.
    """

    def __init__(self, shape: Shape, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.shape = shape
        self.training_facts: dict[str, Any] = {}
        self.embedding = nn.Embedding(shape.vocabulary, shape.width)
        self.blocks = nn.ModuleList(Block(shape, layer) for layer in range(shape.layers))
        self.norm = nn.RMSNorm(shape.width, eps=shape.norm_eps)
        self.head = None if shape.tied else nn.Linear(shape.width, shape.vocabulary, bias=False)
        self.set_angles()
        self._initialise(generator)

    def set_angles(self) -> None:
        """The tables of rotary positions, ``[context, D/2]``: of the shape, not of the weights."""
        angles = rope_angles(self.shape)
        self.register_buffer("cosine", angles.cos(), persistent=False)
        self.register_buffer("sine", angles.sin(), persistent=False)

    def _initialise(self, generator: torch.Generator | None) -> None:
        """Matrices N(0, 1/fan-in), smaller where a branch adds to the residual stream (GPT-2).

        The usual constant .02 suits widths near 2,000; at a width of 128 it starts so small that
        a short training never recovers. The table starts so that logits have deviation 1/2.
        """
        for name, weight in self.named_parameters():
            if weight.ndim == 2:
                std = weight.shape[1] ** -0.5
                if name in ("embedding.weight", "head.weight"):
                    std /= 2
                elif name.endswith(("output.weight", "down.weight")):
                    std /= math.sqrt(2 * self.shape.layers)
                nn.init.normal_(weight, std=std, generator=generator)

    def forward(
        self,
        ids: Tensor,
        *,
        documents: Tensor | None = None,
        positions: Tensor | None = None,
        cache: Cache | None = None,
        logits: bool = True,
    ) -> Tensor:
        """Logits of the next token.

        Args:
            ids: ``[B, T]`` token ids.
            documents: ``[B, T]`` id of the document each token belongs to, each document in one
                stretch; None means a row is one document. Not to be had together with a cache.
            positions: ``[B, T]`` position of each token inside its document; with a cache, where
                its keys go. Counted from 0 (again at every new document) if None.
            cache: Read and extended in place.
            logits: False leaves the last product, with ``table``, to the caller.

        Returns:
            ``[B, T, vocabulary]``, or ``[B, T, width]`` without ``logits``.

        Raises:
            ValueError: A position lies beyond the context, or documents meet a cache.
        """
        view = self._view(ids, positions, documents, cache)
        x = self.embedding(ids)  # [B, T, W]
        for block in self.blocks:
            x = block(x, view)
        x = self.norm(x)
        return F.linear(x, self.table) if logits else x

    @property
    def table(self) -> Tensor:
        """The matrix that turns what is known of a token into logits, ``[vocabulary, width]``."""
        return self.embedding.weight if self.head is None else self.head.weight

    def _view(
        self,
        ids: Tensor,
        positions: Tensor | None,
        documents: Tensor | None,
        cache: Cache | None,
    ) -> View:
        reach, window = ids.shape[1], self.shape.window
        if positions is None:
            positions = document_positions(ids, documents)
        else:
            reach = int(positions.max()) + 1  # waits for the device
        if reach > self.shape.context:
            raise ValueError(f"position {reach - 1} lies beyond the context {self.shape.context}")
        mask: Tensor | BlockMask | None
        if cache is not None:
            if documents is not None:
                raise ValueError("a cache row holds one document; leave documents out")
            keys, at = torch.arange(reach, device=ids.device), positions.unsqueeze(-1)
            mask = keys <= at  # [B, T, S]
            if window is not None:
                mask = mask & (at - keys < window)
            mask = mask.unsqueeze(1)
        elif documents is not None and in_blocks(documents):
            mask = block_mask(documents, window)
        else:
            mask = written_mask(documents, ids.shape[1], window)
            mask = None if mask is None else mask.to(ids.device)
        return View(
            cosine=self.cosine[positions].unsqueeze(2),
            sine=self.sine[positions].unsqueeze(2),
            mask=mask,
            positions=positions,
            reach=reach,
            cache=cache,
        )

    def save(self, path: Path, *, training: Mapping[str, Any] | None = None) -> None:
        """Write the weights, with the shape and facts about the training (steps, flops, ...)."""
        facts = {"kind": KIND, "shape": asdict(self.shape), "training": dict(training or {})}
        save_weights(path, self.state_dict(), facts)

    @classmethod
    def load(cls, path: Path, *, device: torch.device | str = "cpu") -> "VinciGPT":
        """Read what ``save`` wrote, in evaluation mode, facts included.

        Raises:
            DataError: The file is missing, damaged, or holds something else.
        """
        tensors, facts = load_weights(path, KIND)
        model = cls(Shape(**facts["shape"]))
        load_into(model, tensors, path)
        model.training_facts = facts["training"]
        return model.to(device).eval()


def document_positions(ids: Tensor, documents: Tensor | None) -> Tensor:
    """Position of each token inside its document, ``[B, T]``; 0 at every document's start."""
    count = torch.arange(ids.shape[1], device=ids.device).expand_as(ids)
    if documents is None:
        return count
    begins = torch.ones_like(documents, dtype=torch.bool)
    begins[:, 1:] = documents[:, 1:] != documents[:, :-1]
    return count - (count * begins).cummax(dim=1).values
