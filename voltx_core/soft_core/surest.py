"""A move is kept only where the decoder is surer of what it writes after it.

The loop moves every frame; on problems unlike those it was trained on it can lose what the query's
own frame still held. The decoder can tell: of two programs, the one it gives the higher mean
log-probability a token passes more often (docs/log.md).
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from voltx_core.frame import TensorFrame, choose
from voltx_core.soft_core.rar import Trajectory
from voltx_core.soft_core.soft_core import SoftCore
from voltx_core.translator.encoder import QueryFeatures
from voltx_core.translator.translator import Translator, Written


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model makes of B queries.

    Attributes:
        trajectory: Of the loop; its ``frame`` is the one that was written from.
        written: The greedy programs.
        moved: ``[B]`` bool, True where the loop's frame was written from, not the query's own.
    """

    trajectory: Trajectory
    written: list[Written]
    moved: Tensor


@torch.no_grad()
def answer(
    core: SoftCore,
    translator: Translator,
    query: TensorFrame,
    asked: QueryFeatures | None = None,
) -> Answer:
    """Run the loop, write greedily from where it began and where it ended, keep the surer.

    Args:
        core: The soft core.
        translator: Its decoder writes, and says how sure it is.
        query: B frames.
        asked: Words of the B queries, for a decoder that reads them.
    """
    trajectory = core.solve(query)
    before = translator.write(query, asked=asked)
    after = translator.write(trajectory.frame, asked=asked)
    better = [
        new.mean_log_probability > old.mean_log_probability
        for old, new in zip(before, after, strict=True)
    ]
    moved = torch.tensor(better, dtype=torch.bool, device=query.slots.device)
    return Answer(
        trajectory=replace(trajectory, frame=choose(moved, trajectory.frame, query)),
        written=[
            new if keep else old for old, new, keep in zip(before, after, better, strict=True)
        ],
        moved=moved,
    )
