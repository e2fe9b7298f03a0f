"""Processes that train one model together: each takes some micro-batches of every step.

Every rank holds the whole model and takes the same step, since all have the same sum of gradients.
Rank 0 is the stage itself: it alone saves, logs and evaluates. What a micro-batch trains on does
not depend on who computes it, so the result is that of one process up to the order of additions;
with as many micro-batches as ranks, two ranks give the same bits as one.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn

_BUCKET = 1 << 22
"""Numbers that are summed at once: few enough to need little memory, many enough to pay."""


@dataclass(frozen=True, slots=True)
class Ranks:
    """This process among those that train together.

    Attributes:
        rank: 0 is the stage itself.
        count: How many there are; 1 is a process alone, for which nothing below does anything.
        words: Group on the CPU for what is decided together; no device waits for it.
    """

    rank: int = 0
    count: int = 1
    words: Any = None

    @property
    def leads(self) -> bool:
        """Whether this process saves, logs and evaluates."""
        return self.rank == 0

    def takes(self, part: int) -> bool:
        """Whether the micro-batch ``part`` of a step is this process's."""
        return part % self.count == self.rank

    def meet(self) -> None:
        """Wait until all have come here."""
        if self.count > 1:
            _distributed().barrier(self.words)

    def any(self, flag: bool) -> bool:
        """Whether it is true for one of them at least; all learn the same."""
        if self.count == 1:
            return flag
        import torch

        found = torch.tensor([int(flag)])
        _distributed().all_reduce(found, group=self.words)
        return bool(found.item())

    def sum_gradients(self, parameters: "Iterable[nn.Parameter]") -> None:
        """Give every process the sum of all gradients, in place.

        Which parameters have one is the same everywhere: all do the same to other rows.
        """
        if self.count == 1:
            return
        import torch

        for bucket in _buckets([p.grad for p in parameters if p.grad is not None]):
            flat = torch.cat([gradient.reshape(-1) for gradient in bucket])
            _distributed().all_reduce(flat)
            parts = flat.split([gradient.numel() for gradient in bucket])
            for gradient, part in zip(bucket, parts, strict=True):
                gradient.copy_(part.view_as(gradient))

    def sum_scalars(self, scalars: "dict[str, Tensor]") -> "dict[str, Tensor]":
        """The sum over all processes of each; all must name the same. First of a step's sums."""
        if self.count == 1 or not scalars:
            return scalars
        import torch

        # A peer that is gone is noticed by the group on the CPU; a device would wait for it.
        self.meet()

        names = sorted(scalars)
        found = torch.stack([scalars[name] for name in names])
        _distributed().all_reduce(found)
        return dict(zip(names, found, strict=True))


ALONE = Ranks()


def _buckets(gradients: "list[Tensor]") -> "Iterable[list[Tensor]]":
    """Gradients in their order, of one type each, about ``_BUCKET`` numbers at a time."""
    bucket: list[Tensor] = []
    size = 0
    for gradient in gradients:
        if bucket and (size >= _BUCKET or gradient.dtype != bucket[0].dtype):
            yield bucket
            bucket, size = [], 0
        bucket.append(gradient)
        size += gradient.numel()
    if bucket:
        yield bucket


def _distributed() -> Any:
    import torch.distributed

    return torch.distributed
