"""The sizes and variants of a transformer, and what follows from them without running it."""

import math
from dataclasses import dataclass
from typing import Literal, Protocol

Activation = Literal["swiglu", "relu2"]


class Sizes(Protocol):
    """The settings that a shape is made of."""

    layers: int
    width: int
    heads: int
    kv_heads: int
    hidden: int
    context: int
    rope_theta: float


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
    activation: Activation = "swiglu"
    head: int | None = None
    """Width of a head; empty means width / heads."""
    norm_eps: float = 1e-5
    qkv_bias: bool = False
    output_bias: bool = False
    qk_norm: bool = False
    """RMSNorm of every query and key head (Qwen3)."""
    tied: bool = True
    """Tokens are written by the table that reads them."""
    window: int | None = None
    """A token sees this many tokens back, itself included (Mistral); empty means all."""
    rope_scaling: Literal["none", "linear", "llama3"] = "none"
    rope_factor: float = 1.0
    rope_low: float = 1.0
    rope_high: float = 4.0
    rope_original: int = 8_192
    """Context before ``llama3`` scaling stretched it."""

    def __post_init__(self) -> None:
        whole = self.head is not None or self.width % self.heads == 0
        if not whole or self.heads % self.kv_heads or self.head_width % 2:
            raise ValueError(
                f"width ({self.width}) must be an even multiple of heads ({self.heads}), and "
                f"heads of kv_heads ({self.kv_heads})"
            )

    @property
    def head_width(self) -> int:
        return self.head or self.width // self.heads

    @classmethod
    def of(cls, sizes: Sizes, vocabulary: int, *, activation: Activation = "swiglu") -> "Shape":
        """The shape that settings ask for; the vocabulary grows to a multiple of 128.

        ReLU² has two matrices where SwiGLU has three, so its hidden layer is half as wide again:
        the number of weights stays what the settings mean.
        """
        names = ("layers", "width", "heads", "kv_heads", "hidden", "context", "rope_theta")
        fields = {name: getattr(sizes, name) for name in names}
        if activation == "relu2":
            fields["hidden"] = fields["hidden"] * 3 // 2
        return cls(vocabulary=math.ceil(vocabulary / 128) * 128, activation=activation, **fields)


def parameter_count(shape: Shape) -> int:
    """N: every weight once; a tied table is read and written with the same numbers."""
    queries, keys = shape.heads * shape.head_width, shape.kv_heads * shape.head_width
    attention = 2 * shape.width * (queries + keys)
    attention += shape.qkv_bias * (queries + 2 * keys) + shape.output_bias * shape.width
    attention += shape.qk_norm * 2 * shape.head_width
    feed_forward = (3 if shape.activation == "swiglu" else 2) * shape.width * shape.hidden
    norms = 2 * shape.width
    tables = (1 if shape.tied else 2) * shape.vocabulary * shape.width
    return shape.layers * (attention + feed_forward + norms) + shape.width + tables


def flops_per_token(shape: Shape, *, attended: int = 0) -> float:
    """Arithmetic of training on one token, forward and backward.

    The convention is **6N**: two operations a weight forward, four backward, N = all weights,
    the tied table counted once (as the output matrix; looking up a row costs nothing). Attention
    scores are left out unless ``attended`` names how many tokens one token looks at, counted
    over the full square as usual.

    Source: Kaplan et al. 2020, section 2.1; Chowdhery et al. 2022 (PaLM), appendix B.
    """
    scores = 12.0 * shape.layers * shape.heads * shape.head_width * attended
    return 6.0 * parameter_count(shape) + scores
