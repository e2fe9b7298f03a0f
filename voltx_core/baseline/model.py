"""vinciGPT: the decoder-only transformer that Volt X is measured against.

LLaMA's recipe and nothing else: RMSNorm before every branch, rotary positions, grouped-query
attention, SwiGLU, one table for reading and writing tokens. Several documents share a row of a
batch without seeing each other: attention is causal *inside* a document, and positions start
again at its first token, so a packed document gets the very logits it would get alone.

Read it from the bottom: ``VinciGPT.forward`` -> ``Block`` -> ``Attention``, ``SwiGLU``.
Trained by ``voltx run --only baseline``; sampled by generate.py.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from voltx_core.weights import load_into, load_weights, save_weights

if TYPE_CHECKING:
    from voltx_core.config.benchmarks import BaselineConfig

KIND = "vincigpt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Everything the weights' shapes and the forward pass depend on."""

    vocabulary: int
    layers: int
    width: int
    heads: int
    kv_heads: int
    hidden: int
    context: int
    rope_theta: float = 10_000.0

    def __post_init__(self) -> None:
        if self.width % self.heads or self.heads % self.kv_heads or self.head_width % 2:
            raise ValueError(
                f"width ({self.width}) must be an even multiple of heads ({self.heads}), and "
                f"heads of kv_heads ({self.kv_heads})"
            )

    @property
    def head_width(self) -> int:
        return self.width // self.heads

    @classmethod
    def of(cls, config: "BaselineConfig", vocabulary: int) -> "Shape":
        """The shape a configuration asks for; the vocabulary grows to a multiple of 128."""
        names = ("layers", "width", "heads", "kv_heads", "hidden", "context", "rope_theta")
        fields = {name: getattr(config, name) for name in names}
        return cls(vocabulary=math.ceil(vocabulary / 128) * 128, **fields)


def parameter_count(shape: Shape) -> int:
    """N: every weight once; the token table is read and written with the same numbers."""
    attention = shape.width * shape.head_width * (2 * shape.heads + 2 * shape.kv_heads)
    swiglu = 3 * shape.width * shape.hidden
    norms = 2 * shape.width
    return (
        shape.layers * (attention + swiglu + norms)
        + shape.width  # final norm
        + shape.vocabulary * shape.width
    )


def flops_per_token(shape: Shape, *, attended: int = 0) -> float:
    """Arithmetic of training on one token, forward and backward.

    The convention is **6N**: two operations a weight forward, four backward, N = all weights,
    the tied table counted once (as the output matrix; looking up a row costs nothing). Attention
    scores are left out unless ``attended`` names how many tokens one token looks at, counted
    over the full square as usual.

    Source: Kaplan et al. 2020, section 2.1; Chowdhery et al. 2022 (PaLM), appendix B.
    """
    return 6.0 * parameter_count(shape) + 12.0 * shape.layers * shape.width * attended


class Cache:
    """Keys and values of what was already read, one slab a layer, for ``batch`` rows.

    A row's entry sits at its position, so rows of different lengths need no left padding: what
    lies beyond a row's own position is never attended to and is overwritten when it gets there.
    """

    def __init__(self, shape: Shape, batch: int, *, device: torch.device, dtype: torch.dtype):
        size = (shape.layers, batch, shape.context, shape.kv_heads, shape.head_width)
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
    mask: Tensor  # [B, 1, T, S], True where a query may look
    positions: Tensor  # [B, T]
    reach: int
    cache: Cache | None


def rotate(x: Tensor, view: View) -> Tensor:
    """Turn each pair (i, i + D/2) of ``[B, T, H, D]`` by its position's angle.

    Source: Su et al. 2021 (RoFormer), in the half-split layout of LLaMA's public weights.
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
        self.query = nn.Linear(shape.width, shape.heads * shape.head_width, bias=False)
        self.key = nn.Linear(shape.width, shape.kv_heads * shape.head_width, bias=False)
        self.value = nn.Linear(shape.width, shape.kv_heads * shape.head_width, bias=False)
        self.output = nn.Linear(shape.heads * shape.head_width, shape.width, bias=False)

    def forward(self, x: Tensor, view: View) -> Tensor:
        split = (-1, self.head_width)
        q = rotate(self.query(x).unflatten(-1, split), view)  # [B, T, H, D]
        k = rotate(self.key(x).unflatten(-1, split), view)  # [B, T, G, D]
        v = self.value(x).unflatten(-1, split)  # [B, T, G, D]
        if view.cache is not None:
            k, v = view.cache.write(self.layer, k, v, view.positions, view.reach)  # [B, S, G, D]
        mixed = F.scaled_dot_product_attention(
            q.transpose(1, 2),
            k.transpose(1, 2),
            v.transpose(1, 2),
            attn_mask=view.mask,
            enable_gqa=self.grouped,
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


class Block(nn.Module):
    """x + attention(norm x), then x + swiglu(norm x)."""

    def __init__(self, shape: Shape, layer: int) -> None:
        super().__init__()
        self.attention_norm = nn.RMSNorm(shape.width, eps=1e-5)
        self.attention = Attention(shape, layer)
        self.swiglu_norm = nn.RMSNorm(shape.width, eps=1e-5)
        self.swiglu = SwiGLU(shape)

    def forward(self, x: Tensor, view: View) -> Tensor:
        x = x + self.attention(self.attention_norm(x), view)
        return x + self.swiglu(self.swiglu_norm(x))


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
        self.norm = nn.RMSNorm(shape.width, eps=1e-5)
        exponent = torch.arange(0, shape.head_width, 2) / shape.head_width  # [D/2]
        angles = torch.outer(torch.arange(shape.context), shape.rope_theta**-exponent)
        self.register_buffer("cosine", angles.cos(), persistent=False)  # [context, D/2]
        self.register_buffer("sine", angles.sin(), persistent=False)
        self._initialise(generator)

    def _initialise(self, generator: torch.Generator | None) -> None:
        """Matrices N(0, 1/fan-in), smaller where a branch adds to the residual stream (GPT-2).

        The usual constant .02 suits widths near 2,000; at a width of 128 it starts so small that
        a short training never recovers. The table starts so that logits have deviation 1/2.
        """
        for name, weight in self.named_parameters():
            if weight.ndim == 2:
                std = weight.shape[1] ** -0.5
                if name == "embedding.weight":
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
    ) -> Tensor:
        """Logits of the next token.

        Args:
            ids: ``[B, T]`` token ids.
            documents: ``[B, T]`` id of the document each token belongs to, each document in one
                stretch; None means a row is one document. Not to be had together with a cache.
            positions: ``[B, T]`` position of each token inside its document; with a cache, where
                its keys go. Counted from 0 (again at every new document) if None.
            cache: Read and extended in place.

        Returns:
            ``[B, T, vocabulary]``.

        Raises:
            ValueError: A position lies beyond the context, or documents meet a cache.
        """
        if positions is None:
            positions = document_positions(ids, documents)
        view = self._view(positions, documents, cache)
        x = self.embedding(ids)  # [B, T, W]
        for block in self.blocks:
            x = block(x, view)
        return F.linear(self.norm(x), self.embedding.weight)

    def _view(self, positions: Tensor, documents: Tensor | None, cache: Cache | None) -> View:
        reach = int(positions.max()) + 1
        if reach > self.shape.context:
            raise ValueError(f"position {reach - 1} lies beyond the context {self.shape.context}")
        if cache is not None:
            if documents is not None:
                raise ValueError("a cache row holds one document; leave documents out")
            keys = torch.arange(reach, device=positions.device)
            mask = keys <= positions.unsqueeze(-1)  # [B, T, S]
        else:
            length = positions.shape[1]
            mask = torch.ones(length, length, dtype=torch.bool, device=positions.device).tril()
            mask = mask.expand(positions.shape[0], -1, -1)
            if documents is not None:
                mask = mask & (documents.unsqueeze(2) == documents.unsqueeze(1))
        return View(
            cosine=self.cosine[positions].unsqueeze(2),
            sine=self.sine[positions].unsqueeze(2),
            mask=mask.unsqueeze(1),
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
