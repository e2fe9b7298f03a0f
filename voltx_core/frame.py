"""The TensorFrame: sixteen slots that hold a problem or a solution."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

SLOTS = 16

ROLES: tuple[str, ...] = (
    "agent",
    "predicate",
    "patient",
    "location",
    "time",
    "manner",
    "instrument",
    "cause",
    "result",
    *(f"free-{n}" for n in range(9, SLOTS)),
)
"""Name of each slot: S0 agent (function or class name) ... S8 result, S9-S15 free."""


@dataclass(frozen=True, slots=True)
class TensorFrame:
    """A batch of frames.

    Attributes:
        slots: ``[B, 16, W]`` float; active slots are unit vectors, inactive ones zero.
        mask: ``[B, 16]`` bool, True where a slot is active.
        certainty: ``[B, 16]`` float, gamma in [0, 1].
    """

    slots: Tensor
    mask: Tensor
    certainty: Tensor

    @classmethod
    def of(cls, slots: Tensor, mask: Tensor | None = None, *, count: int = SLOTS) -> "TensorFrame":
        """Normalise raw slot vectors ``[B, 16, W]`` into a frame of full certainty.

        Another ``count`` of slots is for measuring what sixteen of them carry.

        Raises:
            ValueError: The tensor is not ``[B, count, W]``.
        """
        if slots.ndim != 3 or slots.shape[1] != count:
            raise ValueError(f"slots must be [B, {count}, W], got {list(slots.shape)}")
        if mask is None:
            mask = torch.ones(slots.shape[:2], dtype=torch.bool, device=slots.device)
        slots = normalise(slots) * mask.unsqueeze(-1)
        return cls(slots, mask, mask.to(slots.dtype))

    @property
    def width(self) -> int:
        return self.slots.shape[-1]

    def __len__(self) -> int:
        return self.slots.shape[0]

    def __getitem__(self, rows: slice | Tensor | Sequence[int]) -> "TensorFrame":
        return TensorFrame(self.slots[rows], self.mask[rows], self.certainty[rows])

    def to(self, device: torch.device | str) -> "TensorFrame":
        return TensorFrame(self.slots.to(device), self.mask.to(device), self.certainty.to(device))

    def gist(self) -> Tensor:
        """Normalised sum of the active slots: one direction for the whole frame, ``[B, W]``."""
        return normalise((self.slots * self.mask.unsqueeze(-1)).sum(1))

    def with_certainty(self, certainty: Tensor) -> "TensorFrame":
        """The same frame with gamma ``[B, 16]`` or ``[B, 1]``."""
        return replace(self, certainty=certainty.expand_as(self.mask) * self.mask)

    def veto(self) -> "TensorFrame":
        """The empty frame: what a refused request becomes; gamma 0 and no active slot."""
        return TensorFrame(
            torch.zeros_like(self.slots),
            torch.zeros_like(self.mask),
            torch.zeros_like(self.certainty),
        )

    @staticmethod
    def cat(frames: Sequence["TensorFrame"]) -> "TensorFrame":
        """Join batches of frames."""
        return TensorFrame(
            torch.cat([f.slots for f in frames]),
            torch.cat([f.mask for f in frames]),
            torch.cat([f.certainty for f in frames]),
        )


def choose(first: Tensor, a: TensorFrame, b: TensorFrame) -> TensorFrame:
    """Row by row, the frame of ``a`` where ``first`` ``[B]`` is True, else that of ``b``."""
    return TensorFrame(
        torch.where(first[:, None, None], a.slots, b.slots),
        torch.where(first[:, None], a.mask, b.mask),
        torch.where(first[:, None], a.certainty, b.certainty),
    )


def normalise(vectors: Tensor) -> Tensor:
    """Project onto the unit sphere along the last dimension; zero stays zero."""
    return F.normalize(vectors, dim=-1, eps=1e-8)


def frame_cosine(a: TensorFrame, b: TensorFrame) -> Tensor:
    """Mean cosine over the slots active in ``b``, ``[B]``; ``b`` is the target."""
    weight = b.mask.to(a.slots.dtype)
    cosine = (a.slots * b.slots).sum(-1)  # [B, 16]
    return (cosine * weight).sum(1) / weight.sum(1).clamp(min=1)
