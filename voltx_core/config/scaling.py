"""Growth (5.1) and other languages (5.2)."""

from typing import Annotated, Literal

from pydantic import Field

from voltx_core.config.optimizer import OptimizerConfig
from voltx_core.config.section import Positive, Section


class SizeConfig(Section):
    """One rung of the growth ladder."""

    width: Positive
    blocks: Positive


class ScalingConfig(Section):
    """Growth ladder of the velocity field (5.1); the first rung is the soft core's own size."""

    ladder: tuple[SizeConfig, ...] = (
        SizeConfig(width=4_096, blocks=6),
        SizeConfig(width=6_144, blocks=7),
    )
    method: Literal["grow", "distill"] = "grow"
    """Function-preserving growth, or a fresh network distilled from the smaller teacher."""
    steps: Positive = 20_000
    batch: Positive = 16
    accumulation: Positive = 8
    """Micro-batches an optimizer step; the effective batch is ``batch``."""
    processes: Positive = 1
    """Processes that share the micro-batches of a step, on CUDA one a GPU. They must divide
    ``accumulation``. The order of additions, and so the last bits, depend on it."""
    distillation_weight: float = 1.0
    optimizer: OptimizerConfig = OptimizerConfig(lr=5e-5)


class LanguagesConfig(Section):
    """JavaScript, Java, Rust and Go (5.2)."""

    problems: Positive = 10_000
    """Generated training problems a language."""
    evaluation_problems: Positive = 500
    vocabulary: Annotated[int, Field(ge=300, le=65_536)] = 32_768
    decoder_tokens: Positive = 384
    decoder_width: Positive = 320
    decoder_blocks: Positive = 5
    steps: Positive = 20_000
    batch: Positive = 64
    control: bool = True
    """Also train a decoder that knows the language alone, to say what Python brought: twice the
    training."""
    optimizer: OptimizerConfig = OptimizerConfig(lr=3e-4)
