"""How weights are moved, wherever something is trained by gradients."""

from typing import Annotated

from pydantic import Field

from voltx_core.config.section import Rate, Section, Share


class OptimizerConfig(Section):
    """AdamW with linear warm-up and cosine decay; one schedule per training run."""

    lr: Rate = 5e-4
    """Peak learning rate."""
    final_lr_share: Share = 0.05
    """Learning rate at the last step, as a share of the peak."""
    weight_decay: float = 0.01
    beta1: Share = 0.9
    beta2: Share = 0.98
    warmup_share: Annotated[float, Field(ge=0, le=0.1)] = 0.05
    """Share of the steps spent warming up; more than a tenth starves the rest."""
    clip_norm: Rate = 1.0
    """Gradients are scaled down to this global L2 norm."""
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Decay of an exponential moving average of the weights, which are then what is evaluated and
    committed; 0 keeps the last weights."""
