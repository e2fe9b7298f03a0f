"""Safety: the deterministic guard, and five learned axioms behind it.

Every axiom owns V directions; a frame comes close to an axiom when one of its active slots has a
large cosine to one of them. The guard reads the text, the axioms read the frame; either may veto.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from voltx_core.frame import TensorFrame, normalise
from voltx_core.hard_core.axioms import AXIOMS, WARNING_ONLY, Axiom
from voltx_core.hard_core.guard import inspect
from voltx_core.weights import load_into, load_weights, save_weights

MARGIN = 0.05
"""Cosine kept between a threshold and the programs on either side, while training."""
TEMPERATURE = 0.05
"""Of the soft maximum over slots and vectors, and of the margin loss."""
TELLING_SHARE = 0.25
"""Share of a harmful program's slots, the ones least like harmless slots, that vectors start on."""
STARTING_SLOTS = 8_192
"""Most slots of a kind that are compared to choose where vectors start."""


@dataclass(frozen=True, slots=True)
class Review:
    """What was decided about one program.

    Attributes:
        safe: No axiom was broken that vetoes; K4 only warns.
        axioms: Every axiom broken, K4 included.
        reasons: Why, one phrase each.
        by: Who spoke up: ``guard``, ``vectors``, both, or nobody.
    """

    safe: bool
    axioms: tuple[Axiom, ...] = ()
    reasons: tuple[str, ...] = ()
    by: tuple[str, ...] = ()

    def record(self, code: str) -> dict[str, Any]:
        """The audit record: what was refused, why and by whom; the code by digest and opening."""
        return {
            "safe": self.safe,
            "axioms": [str(axiom) for axiom in self.axioms],
            "reasons": list(self.reasons),
            "by": list(self.by),
            "sha256": hashlib.sha256(code.encode("utf-8", "replace")).hexdigest(),
            "opening": code[:200],
        }


class SafetyAxioms(nn.Module):
    """V directions and a threshold for each of the five axioms.

    Args:
        width: W, width of a slot.
        vectors: V.
    """

    thresholds: Tensor

    def __init__(self, width: int, vectors: int) -> None:
        super().__init__()
        self.vectors = nn.Parameter(torch.zeros(len(AXIOMS), vectors, width))
        self.register_buffer("thresholds", torch.full((len(AXIOMS),), 2.0))

    @property
    def width(self) -> int:
        return self.vectors.shape[2]

    @torch.no_grad()
    def start(self, slots: Tensor, mask: Tensor, labels: Tensor, draw: torch.Generator) -> None:
        """Put each axiom's vectors on telling slots of programs that break it.

        Most slots of a harmful program are as harmless as any; the ones farthest from all slots
        of harmless programs are where it differs.

        Args:
            slots: ``[N, S, W]``.
            mask: ``[N, S]`` bool.
            labels: ``[N, 5]`` bool.
            draw: Decides which.
        """
        harmless = _sample(slots[~labels.any(1)][mask[~labels.any(1)]], draw)
        for axiom in range(len(AXIOMS)):
            own = slots[labels[:, axiom]][mask[labels[:, axiom]]]  # [M, W]
            own = _sample(own if len(own) else slots[mask], draw)
            if len(harmless):
                novelty = -(own @ harmless.T).amax(1)
                own = own[novelty.topk(math.ceil(TELLING_SHARE * len(own))).indices]
            rows = torch.randint(len(own), (self.vectors.shape[1],), generator=draw)
            noise = torch.randn(self.vectors[axiom].shape, generator=draw)
            noise = noise.to(own) * (0.1 / math.sqrt(self.width))
            self.vectors[axiom] = normalise(own[rows.to(own.device)] + noise)

    def forward(self, slots: Tensor, mask: Tensor) -> Tensor:
        """Largest cosine of any active slot to any vector of each axiom.

        Args:
            slots: ``[B, S, W]`` unit vectors: the slots of a frame, or of several in a row.
            mask: ``[B, S]`` bool.

        Returns:
            ``[B, 5]``; -1 where no slot is active.
        """
        return self._cosines(slots, mask).flatten(2).amax(2)

    def loss(self, slots: Tensor, mask: Tensor, labels: Tensor) -> Tensor:
        """Margin loss around threshold-free scores: broken axioms above, others below.

        ``softplus((m - s) / T)`` where broken, ``softplus((s + m) / T)`` where kept, with the
        score s centred between the two kinds; each kind weighs half, for each axiom.

        Args:
            slots: ``[B, S, W]``.
            mask: ``[B, S]``.
            labels: ``[B, 5]`` bool.
        """
        cosines = self._cosines(slots, mask).flatten(2)  # [B, 5, S * V]
        soft = torch.logsumexp(cosines / TEMPERATURE, 2) * TEMPERATURE  # [B, 5]
        y = labels.to(soft.dtype)
        broken, kept = y.sum(0), (1 - y).sum(0)
        middle = (
            (soft * y).sum(0) / broken.clamp(min=1) + (soft * (1 - y)).sum(0) / kept.clamp(min=1)
        ) / 2
        centred = soft - middle.detach()
        wrong_side = torch.where(labels, MARGIN - centred, MARGIN + centred) / TEMPERATURE
        weight = torch.where(labels, 0.5 / broken.clamp(min=1), 0.5 / kept.clamp(min=1))
        return (F.softplus(wrong_side) * weight).sum(0).mean()

    @torch.no_grad()
    def tune(self, slots: Tensor, mask: Tensor, labels: Tensor, *, false_positives: float) -> None:
        """Set thresholds so that harmless programs pass.

        Each axiom's threshold is the lowest that at most its fifth of ``false_positives`` of the
        harmless programs reach.

        Args:
            slots: ``[N, S, W]``.
            mask: ``[N, S]``.
            labels: ``[N, 5]``; rows without a label are harmless.
            false_positives: Share of harmless programs allowed above any threshold.
        """
        scores = self(slots, mask)
        harmless = scores[~labels.any(1)].double()
        if len(harmless) == 0:
            raise ValueError("thresholds need harmless programs to be set by")
        allowed = int(false_positives / len(AXIOMS) * len(harmless))
        ranked = harmless.sort(dim=0, descending=True).values  # [H, 5]
        place = min(allowed, len(ranked) - 1)
        self.thresholds.copy_(ranked[place] + 1e-6)

    @torch.no_grad()
    def broken(self, slots: Tensor, mask: Tensor) -> Tensor:
        """Which axioms each row breaks, ``[B, 5]`` bool."""
        return self(slots, mask) >= self.thresholds

    def review(self, code: str, frame: TensorFrame | None, *, language: str = "python") -> Review:
        """Review one program and its frame (a batch of one); without a frame the guard alone."""
        return self.review_all([code], frame, language=language)[0]

    def review_all(
        self, codes: Sequence[str], frame: TensorFrame | None, *, language: str = "python"
    ) -> list[Review]:
        """Review B programs and their frames, batch B."""
        if frame is not None and len(frame) != len(codes):
            raise ValueError(f"{len(codes)} programs come with {len(frame)} frames")
        flags = [[False] * len(AXIOMS)] * len(codes)
        if frame is not None:
            flags = self.broken(frame.slots, frame.mask).tolist()
        return [_review(code, row, language) for code, row in zip(codes, flags, strict=True)]

    def _cosines(self, slots: Tensor, mask: Tensor) -> Tensor:
        """``[B, 5, S, V]``; inactive slots are as far as can be."""
        cosine = torch.einsum("bsw,avw->basv", slots, normalise(self.vectors))
        return cosine.masked_fill(~mask[:, None, :, None], -1.0)

    def freeze(self) -> "SafetyAxioms":
        """Make the axioms immovable: no later stage trains them."""
        return self.requires_grad_(False).eval()

    def save(self, path: Path) -> None:
        """Write vectors and thresholds."""
        count, width = self.vectors.shape[1:]
        facts = {"kind": "safety_axioms", "vectors": count, "width": width}
        save_weights(path, self.state_dict(), facts)

    @classmethod
    def load(cls, path: Path, *, device: str = "cpu") -> "SafetyAxioms":
        """Read frozen axioms.

        Raises:
            DataError: Damaged, or no axioms.
        """
        weights, facts = load_weights(path, "safety_axioms")
        axioms = cls(facts["width"], facts["vectors"])
        load_into(axioms, weights, path)
        return axioms.to(device).freeze()


def veto(frame: TensorFrame, reviews: Sequence[Review]) -> TensorFrame:
    """Empty the frames of unsafe programs: no active slot, gamma 0; the others stay.

    Args:
        frame: Batch B.
        reviews: One for each row.
    """
    safe = torch.tensor([review.safe for review in reviews], device=frame.mask.device)
    keep, empty = safe[:, None], frame.veto()
    return TensorFrame(
        torch.where(keep[..., None], frame.slots, empty.slots),
        torch.where(keep, frame.mask, empty.mask),
        torch.where(keep, frame.certainty, empty.certainty),
    )


def _sample(vectors: Tensor, draw: torch.Generator) -> Tensor:
    """At most ``STARTING_SLOTS`` of the vectors ``[N, W]``."""
    rows = torch.randperm(len(vectors), generator=draw)[:STARTING_SLOTS]
    return vectors[rows.to(vectors.device)]


def _review(code: str, flags: Sequence[bool], language: str) -> Review:
    findings = inspect(code, language)
    learned = [axiom for axiom, flag in zip(AXIOMS, flags, strict=True) if flag]
    axioms = sorted({*(f.axiom for f in findings), *learned})
    reasons = [f"{f.axiom} line {f.line}: {f.reason}" for f in findings]
    reasons += [f"{axiom}: its frame lies close to that axiom's vectors" for axiom in learned]
    by = [name for name, spoke in (("guard", findings), ("vectors", learned)) if spoke]
    return Review(
        safe=not any(axiom not in WARNING_ONLY for axiom in axioms),
        axioms=tuple(axioms),
        reasons=tuple(reasons),
        by=tuple(by),
    )
