import pytest
import torch

from voltx_core.frame import normalise
from voltx_core.hard_core import shortlist as module
from voltx_core.hard_core.codebook import nearest
from voltx_core.hard_core.lloyd import means
from voltx_core.hard_core.shortlist import LEAST_CENTROIDS, Shortlist


def unit(count: int, width: int = 48, seed: int = 0):
    return normalise(torch.randn(count, width, generator=torch.Generator().manual_seed(seed)))


@pytest.mark.parametrize("coarse", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("entries", [LEAST_CENTROIDS + 1, 700, 1_024])
def test_a_search_finds_what_comparing_everything_in_full_precision_finds(
    monkeypatch, coarse, entries
):
    monkeypatch.setattr(module, "coarse_type", lambda _: coarse)
    vectors, centroids = unit(3_000), unit(entries, seed=1)
    index, cosine = Shortlist(vectors).search(centroids)
    wanted, wanted_cosine = nearest(vectors, centroids)
    assert float((index == wanted).float().mean()) >= (1.0 if coarse is torch.float32 else 0.999)
    assert torch.allclose(cosine, (vectors * centroids[index]).sum(1), atol=1e-5)
    assert float((wanted_cosine - cosine).max()) < 0.01


def test_few_centroids_are_compared_exactly():
    vectors, centroids = unit(500), unit(7, seed=2)
    kept = Shortlist(vectors)
    for found in (kept.search(centroids), kept.again(centroids)):
        assert torch.equal(found[0], nearest(vectors, centroids)[0])


def test_after_a_small_move_the_shortlist_still_holds_the_nearest():
    vectors = unit(6_000)
    kept = Shortlist(vectors)
    centroids = vectors[:600]
    for _ in range(3):
        index, _ = kept.search(centroids)
        centroids = means(vectors, index, centroids)
    index, cosine = kept.again(centroids)
    wanted, wanted_cosine = nearest(vectors, centroids)
    assert float((index == wanted).float().mean()) > 0.97
    assert float(wanted_cosine.mean() - cosine.mean()) < 1e-3


def test_both_ways_to_multiply_agree():
    vectors, centroids = unit(40), unit(600, seed=3)
    chosen = torch.randint(600, (40, 5), generator=torch.Generator().manual_seed(0))
    wanted = torch.einsum("nmw,nw->nm", centroids[chosen], vectors)
    assert torch.allclose(module._products(vectors, centroids, chosen), wanted, atol=1e-5)
