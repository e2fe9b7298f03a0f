"""What the baseline minimises, and how long it may: next-token loss under a budget of FLOPs."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from voltx_core.baseline.data import IGNORE, Rows
from voltx_core.errors import DataError
from voltx_core.vincigpt.model import VinciGPT
from voltx_core.vincigpt.shape import Shape, flops_per_token


@dataclass(frozen=True, slots=True)
class Budget:
    """What another model cost to train."""

    flops: float
    tokens: float

    @classmethod
    def read(cls, paths: Sequence[Path]) -> "Budget":
        """The sum of ``{"flops", "tokens"}`` files.

        Raises:
            DataError: A file is no budget.
        """
        flops = tokens = 0.0
        for path in paths:
            try:
                content = json.loads(path.read_text())
                flops += float(content["flops"])
                tokens += float(content["tokens"])
            except (OSError, ValueError, KeyError, TypeError) as problem:
                raise DataError(
                    f"{path} holds no training budget ({problem!r}). Run the stage that makes "
                    "it again."
                ) from problem
        return cls(flops, tokens)


def steps_within(budget: Budget, shape: Shape, tokens_per_step: int) -> int:
    """Most optimizer steps whose 6N arithmetic stays within a budget; at least one."""
    return max(1, int(budget.flops / (flops_per_token(shape) * tokens_per_step)))


def token_loss(model: VinciGPT, rows: Rows, chosen: Tensor, device: str) -> Tensor:
    """Mean cross-entropy, in nats a scored token, of the rows ``chosen [b]``."""
    logits = model(
        rows.ids[chosen].to(device),
        documents=rows.documents[chosen].to(device),
        positions=rows.positions[chosen].to(device),
    )  # [b, T, V]
    targets = rows.targets[chosen].to(device)
    return F.cross_entropy(logits.float().flatten(0, 1), targets.flatten(), ignore_index=IGNORE)


@torch.no_grad()
def held_out_loss(model: VinciGPT, rows: Rows, device: str, *, batch: int = 16) -> float:
    """Mean cross-entropy over every scored token of ``rows``, in nats."""
    total = scored = 0.0
    for chosen in torch.arange(len(rows)).split(batch):
        count = int((rows.targets[chosen] != IGNORE).sum())
        if count:
            total += float(token_loss(model, rows, chosen, device)) * count
            scored += count
    return total / scored
