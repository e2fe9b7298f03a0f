"""Nearest centroids for many vectors, again and again, while the centroids move a little.

A search compares every vector with every centroid in low precision, keeps the few best of each,
and settles among those in full precision. As long as the centroids have not gone far, the next
nearest one is again among those few, and asking again costs a hundredth of a search.
"""

import functools
import warnings
from pathlib import Path

import torch
from torch import Tensor

from voltx_core.hard_core.codebook import blocks, nearest, rows_at_once

KEPT = 16
"""Centroids on the shortlist of each vector."""
LEAST_CENTROIDS = 512
"""Up to this many, comparing with all of them costs less than keeping shortlists."""
_HAND = 32
"""Centroids that are first compared among themselves: only the best one of each hand counts."""
_HANDS = 8
"""Hands looked through for each vector."""
_REFINED = 1 << 16
"""Vectors whose shortlisted centroids are gathered at once on an accelerator."""


class Shortlist:
    """For each vector, the centroids worth comparing.

    Args:
        vectors: ``[N, W]`` unit vectors, float32.
    """

    def __init__(self, vectors: Tensor) -> None:
        self._vectors = vectors
        self._coarse = vectors.to(coarse_type(vectors.device.type))
        self._kept: Tensor | None = None

    def search(self, centroids: Tensor) -> tuple[Tensor, Tensor]:
        """The nearest of all centroids ``[K, W]``, and shortlists for `again`.

        Returns:
            Index ``[N]`` (long) and cosine ``[N]`` (float32).
        """
        if len(centroids) <= LEAST_CENTROIDS:
            self._kept = None
            return nearest(self._vectors, centroids)
        hands = -(-len(centroids) // _HAND)
        # a hand is every `hands`-th centroid: neighbours, laid side by side, do not compete
        dealt = torch.arange(hands * _HAND, device=centroids.device) % len(centroids)
        coarse = centroids.to(self._coarse.dtype)[dealt].T  # [W, 32 * hands]
        kept = torch.empty(len(self._vectors), KEPT, dtype=torch.long, device=centroids.device)
        for rows in blocks(len(self._vectors), rows_at_once(centroids.device, len(dealt))):
            cosine = (self._coarse[rows] @ coarse).view(-1, _HAND, hands)
            hand = cosine.amax(1).topk(_HANDS, dim=1, sorted=False).indices  # [R, 8]
            cards = cosine.gather(2, hand.unsqueeze(1).expand(-1, _HAND, -1)).flatten(1)
            best = cards.topk(KEPT, dim=1, sorted=False).indices  # [R, 16]
            place = (best // _HANDS) * hands + hand.gather(1, best % _HANDS)
            kept[rows] = dealt[place]
        self._kept = kept
        return self.again(centroids)

    def again(self, centroids: Tensor) -> tuple[Tensor, Tensor]:
        """The nearest among the shortlisted centroids, at where they are now; as `search`."""
        if self._kept is None:
            return nearest(self._vectors, centroids)
        cosines = _products(self._vectors, centroids, self._kept)
        cosine, choice = cosines.max(1)
        return self._kept.gather(1, choice.unsqueeze(1)).squeeze(1), cosine


def _products(vectors: Tensor, centroids: Tensor, chosen: Tensor) -> Tensor:
    """Products of each vector with its ``chosen`` ``[N, M]`` centroids, ``[N, M]``."""
    if vectors.device.type == "cpu":  # nothing is gathered: 30 times faster than the other way
        count, width = chosen.shape
        with warnings.catch_warnings():  # sparse tensors call themselves a beta
            warnings.simplefilter("ignore", UserWarning)
            pattern = torch.sparse_csr_tensor(
                torch.arange(0, count * width + 1, width),
                chosen.flatten(),
                torch.zeros(count * width),
                (count, len(centroids)),
                check_invariants=False,
            )
        found = torch.sparse.sampled_addmm(pattern, vectors, centroids.T, beta=0.0)
        return found.values().view(count, width)
    found = vectors.new_empty(chosen.shape)
    for rows in blocks(len(vectors), _REFINED):
        found[rows] = (centroids[chosen[rows]] @ vectors[rows].unsqueeze(2)).squeeze(2)
    return found


@functools.cache
def coarse_type(device: str) -> torch.dtype:
    """What a search compares in: bfloat16 where the device computes in it, else float32."""
    if device == "cuda":
        return torch.bfloat16
    try:
        facts = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return torch.float32
    native = any(flag in facts for flag in ("avx512_bf16", "amx_bf16"))
    return torch.bfloat16 if native else torch.float32
