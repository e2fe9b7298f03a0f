"""One step of spherical k-means: centroids move to their vectors, dead ones to bad places."""

import torch
from torch import Tensor

from voltx_core.frame import normalise


def means(vectors: Tensor, index: Tensor, centroids: Tensor) -> Tensor:
    """The direction of the sum of each centroid's vectors, ``[K, W]``.

    Args:
        vectors: ``[N, W]`` unit vectors.
        index: Centroid of each vector, ``[N]``.
        centroids: ``[K, W]``; one without vectors, or whose vectors cancel, stays.
    """
    sums = torch.zeros_like(centroids).index_add_(0, index, vectors)
    usable = sums.norm(dim=1, keepdim=True) > 1e-6
    return torch.where(usable, normalise(sums), centroids)


def update(
    vectors: Tensor,
    index: Tensor,
    cosine: Tensor,
    centroids: Tensor,
    draw: torch.Generator,
) -> tuple[Tensor, int]:
    """One Lloyd step that leaves no centroid idle.

    Centroids without vectors move to vectors drawn with probability proportional to their squared
    distance (2 - 2 cos) from their own centroid: where the codebook serves worst.

    Args:
        vectors: ``[N, W]`` unit vectors.
        index: Centroid of each vector, ``[N]``.
        cosine: Cosine to it, ``[N]``.
        centroids: ``[K, W]``; a dead one that cannot be moved stays.
        draw: Decides where dead ones go.

    Returns:
        New centroids ``[K, W]`` and how many dead ones moved.
    """
    fresh = means(vectors, index, centroids)
    dead = (torch.bincount(index, minlength=len(centroids)) == 0).nonzero().squeeze(1)
    badness = (1 - cosine).clamp(min=0)
    badness = torch.where(badness > 1e-6, badness, torch.zeros_like(badness)).cpu().double()
    moved = min(len(dead), int((badness > 0).sum()))
    if moved:
        rows = _draw_rows(badness, moved, draw).to(vectors.device)
        fresh[dead[:moved]] = vectors[rows]
    return fresh, moved


def _draw_rows(weights: Tensor, count: int, draw: torch.Generator) -> Tensor:
    """``count`` different rows, drawn in proportion to ``weights`` (Efraimidis & Spirakis 2006)."""
    uniform = torch.rand(len(weights), generator=draw, dtype=torch.float64).clamp(min=1e-300)
    keys = torch.where(weights > 0, uniform.log() / weights, float("-inf"))
    return keys.topk(count).indices
