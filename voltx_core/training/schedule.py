"""Learning-rate schedule and optimizer: linear warm-up, cosine decay, AdamW."""

import math
from collections.abc import Iterable, Sequence

import torch
from torch import nn

from voltx_core.config.optimizer import OptimizerConfig


def learning_rate(config: OptimizerConfig, step: int, steps: int) -> float:
    """Rate of one step: linear warm-up to ``lr``, then a cosine to ``final_lr_share * lr``.

    Args:
        config: Peak, floor and warm-up share.
        step: From 0.
        steps: Length of the training run.
    """
    warmup = int(config.warmup_share * steps)
    if step < warmup:
        return config.lr * (step + 1) / (warmup + 1)
    done = (step - warmup) / max(1, steps - warmup)
    floor = config.final_lr_share * config.lr
    return floor + (config.lr - floor) * 0.5 * (1 + math.cos(math.pi * done))


def adamw(modules: Iterable[nn.Module], config: OptimizerConfig) -> torch.optim.AdamW:
    """AdamW over all parameters of some modules; see ``adamw_of``."""
    return adamw_of([p for m in modules for p in m.parameters() if p.requires_grad], config)


def adamw_of(parameters: Sequence[nn.Parameter], config: OptimizerConfig) -> torch.optim.AdamW:
    """AdamW, one kernel a step on CUDA; vectors (norms, biases, thresholds) are not decayed."""
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    fused = all(p.is_cuda for p in parameters)
    return torch.optim.AdamW(
        [group for group in groups if group["params"]],
        lr=config.lr,
        betas=(config.beta1, config.beta2),
        foreach=not fused,
        fused=fused,
    )
