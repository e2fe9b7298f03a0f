"""What vinciGPT minimises: next-token cross-entropy, without ever holding all logits.

A batch of 32,768 tokens over 32,768 entries has a billion logits. They are made a few thousand
rows at a time, and turned into the gradients of what they were made from at once, so that neither
they nor their gradient outlive their chunk, and nothing is computed twice.
"""

from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from voltx_core.vincigpt.model import VinciGPT
from voltx_core.vincigpt.stream import TokenStream

CHUNK = 4_096
"""Tokens whose logits exist at a time."""


class _ChunkedCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: Tensor, table: Tensor, targets: Tensor, chunk: int) -> Tensor:
        total = torch.zeros((), device=hidden.device)
        learns = any(ctx.needs_input_grad)
        to_hidden = torch.empty_like(hidden) if learns else None
        to_table = torch.zeros_like(table) if learns else None
        scored = _compiled() if hidden.is_cuda else _scored
        for start in range(0, len(targets), chunk):
            part = slice(start, start + chunk)
            logits = F.linear(hidden[part], table)  # [c, V]
            loss, slope = scored(logits, targets[part], 1 / len(targets))
            total += loss
            if to_hidden is not None and to_table is not None:
                to_hidden[part] = slope @ table
                to_table += slope.t() @ hidden[part]
        ctx.save_for_backward(to_hidden, to_table)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        to_hidden, to_table = ctx.saved_tensors
        return to_hidden * gradients[0], to_table * gradients[0], None, None


def _scored(logits: Tensor, targets: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """Loss of one chunk, and its gradient by the logits; both times ``share``."""
    log_p = logits.float().log_softmax(-1)
    place = targets.unsqueeze(1)
    loss = -log_p.gather(1, place).sum() * share
    slope = log_p.exp_()
    slope.scatter_(1, place, slope.gather(1, place) - 1)
    return loss, slope.mul_(share).to(logits.dtype)


@cache
def _compiled() -> Any:
    return torch.compile(_scored, dynamic=False)


def cross_entropy(hidden: Tensor, table: Tensor, targets: Tensor, *, chunk: int = CHUNK) -> Tensor:
    """Mean cross-entropy of next tokens, in nats.

    Args:
        hidden: ``[N, W]``, what the model knows of each token.
        table: ``[V, W]``, the matrix that turns it into logits.
        targets: ``[N]`` ids.
        chunk: Tokens at a time.
    """
    loss: Tensor = _ChunkedCrossEntropy.apply(hidden, table, targets, chunk)
    return loss


def token_loss(model: VinciGPT, ids: Tensor, eot: int, *, mask_documents: bool = True) -> Tensor:
    """Mean cross-entropy of rows of a stream.

    Args:
        model: Whose.
        ids: ``[B, T + 1]`` tokens; each predicts the next.
        eot: The token before every document.
        mask_documents: No attention across documents.
    """
    read, targets = ids[:, :-1], ids[:, 1:]
    documents = (read == eot).cumsum(1) if mask_documents else None
    hidden = model(read, documents=documents, logits=False)  # [B, T, W]
    return cross_entropy(hidden.flatten(0, 1), model.table, targets.flatten())


@torch.no_grad()
def held_out_loss(
    model: VinciGPT,
    stream: TokenStream,
    eot: int,
    *,
    device: str,
    mask_documents: bool = True,
    batch: int = 32,
) -> float:
    """Mean cross-entropy over all whole rows of a stream, in nats a token."""
    context, total = model.shape.context, 0.0
    rows = torch.arange(stream.rows(context))
    for chosen in rows.split(batch):
        ids = stream.batch(chosen, context, device)
        loss = token_loss(model, ids, eot, mask_documents=mask_documents)
        total += float(loss) * len(chosen)
    return total / len(rows)
