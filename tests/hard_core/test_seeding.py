import torch
from hypothesis import given
from hypothesis import strategies as st

from voltx_core.frame import normalise
from voltx_core.hard_core.codebook import nearest
from voltx_core.hard_core.seeding import apportion, first_centroids, seed_centroids


def blobs(centres: int, each: int, width: int = 16, spread: float = 0.02, seed: int = 0):
    draw = torch.Generator().manual_seed(seed)
    heads = normalise(torch.randn(centres, width, generator=draw))
    noise = spread * torch.randn(centres * each, width, generator=draw)
    return normalise(heads.repeat_interleave(each, 0) + noise), heads


def test_two_levels_seed_exactly_as_many_entries_as_asked():
    vectors, _ = blobs(300, 8, spread=0.2)
    seeds = seed_centroids(vectors, 400, seed=4)
    assert seeds.shape == (400, 16)
    assert torch.allclose(seeds.norm(dim=1), torch.ones(400), atol=1e-5)


def test_every_separate_cluster_gets_a_start():
    vectors, heads = blobs(300, 40, width=64)
    start = first_centroids(vectors, 600, seed=3)
    assert float(nearest(heads, start)[1].min()) > 0.95


def test_a_start_is_never_worse_than_vectors_drawn_at_random():
    draw = torch.Generator().manual_seed(5)
    vectors = normalise(torch.randn(9_000, 32, generator=draw))
    start = first_centroids(vectors, 300, seed=1)
    mean = float(nearest(vectors, start)[1].mean())
    assert mean > float(nearest(vectors, vectors[:300])[1].mean()) + 0.02
    assert mean >= float(nearest(vectors, seed_centroids(vectors, 300, seed=1))[1].mean())


def test_a_start_is_the_same_every_time():
    vectors, _ = blobs(300, 8, spread=0.2)
    assert torch.equal(first_centroids(vectors, 400, 9), first_centroids(vectors, 400, 9))
    assert not torch.equal(first_centroids(vectors, 400, 9), first_centroids(vectors, 400, 8))


@given(st.lists(st.integers(0, 50), min_size=1, max_size=12), st.data())
def test_seats_are_dealt_out_in_full_and_never_beyond_size(sizes, data):
    total = data.draw(st.integers(0, sum(sizes)))
    seats = apportion(sizes, total)
    assert sum(seats) == total
    assert all(0 <= seat <= size for seat, size in zip(seats, sizes, strict=True))
    for seat, size in zip(seats, sizes, strict=True):
        assert abs(seat - size * total / max(1, sum(sizes))) <= 1
