import itertools

import pytest
import torch

from voltx_core.errors import DataError, Interrupted
from voltx_core.frame import normalise
from voltx_core.hard_core.codebook import nearest
from voltx_core.hard_core.kmeans import cluster
from voltx_core.hard_core.lloyd import update
from voltx_core.training.checkpoint import Checkpoints


def blobs(centres: int, each: int, width: int = 16, spread: float = 0.02, seed: int = 0):
    draw = torch.Generator().manual_seed(seed)
    heads = normalise(torch.randn(centres, width, generator=draw))
    noise = spread * torch.randn(centres * each, width, generator=draw)
    return normalise(heads.repeat_interleave(each, 0) + noise), heads


def test_separate_blobs_are_found():
    vectors, heads = blobs(20, 50)
    found = cluster(vectors, 20, iterations=20, tolerance=1e-6, seed=1)
    _, cosine = nearest(heads, found.centroids)
    assert float(cosine.min()) > 0.99
    assert torch.allclose(found.centroids.norm(dim=1), torch.ones(20), atol=1e-5)


def test_the_mean_cosine_never_falls_without_dead_centroids():
    vectors, _ = blobs(60, 40, spread=0.3)
    found = cluster(vectors, 30, iterations=15, tolerance=1e-9, seed=2)
    assert found.reseeded == 0
    assert all(after >= before - 1e-6 for before, after in itertools.pairwise(found.curve))


def test_clustering_beats_random_entries():
    vectors, _ = blobs(200, 20, spread=0.2)
    found = cluster(vectors, 100, iterations=10, tolerance=1e-4, seed=3)
    random = vectors[torch.randperm(len(vectors), generator=torch.Generator().manual_seed(0))[:100]]
    assert found.curve[-1] > float(nearest(vectors, random)[1].mean()) + 0.02


def test_as_many_entries_as_vectors_stand_for_each_vector():
    vectors, _ = blobs(30, 1)
    found = cluster(vectors, 30, iterations=5, tolerance=1e-6, seed=5)
    assert found.curve[-1] == pytest.approx(1.0, abs=1e-5)


def test_dead_centroids_move_to_where_the_codebook_serves_worst():
    vectors = normalise(torch.tensor([[1.0, 0, 0], [1, 0.01, 0], [0, 1, 0], [0, 0, 1]]))
    centroids = torch.tensor([[1.0, 0, 0], [-1.0, 0, 0], [0, -1.0, 0]])
    index = torch.zeros(4, dtype=torch.long)
    fresh, moved = update(
        vectors, index, vectors @ centroids[0], centroids, torch.Generator().manual_seed(0)
    )
    assert moved == 2
    assert {tuple(row) for row in fresh[1:].tolist()} == {(0.0, 1.0, 0.0), (0.0, 0.0, 1.0)}


def test_identical_vectors_leave_spare_centroids_alone():
    vectors = torch.tensor([[1.0, 0.0]]).repeat(10, 1)
    found = cluster(vectors, 4, iterations=5, tolerance=1e-6, seed=0)
    assert found.curve[-1] == pytest.approx(1)
    assert bool(found.centroids.isfinite().all())


def test_opposite_vectors_that_cancel_keep_their_centroid():
    vectors = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    centroid = torch.tensor([[0.0, 1.0]])
    draw = torch.Generator().manual_seed(0)
    fresh, _ = update(vectors, torch.zeros(2, dtype=torch.long), torch.zeros(2), centroid, draw)
    assert torch.equal(fresh, centroid)


def test_fewer_vectors_than_entries_are_refused():
    with pytest.raises(DataError, match="10 vectors cannot make a codebook of 11 entries"):
        cluster(blobs(10, 1)[0], 11, iterations=1, tolerance=1e-3, seed=0)


class StopAfter:
    def __init__(self, polls: int) -> None:
        self.left = polls

    def __call__(self) -> bool:
        self.left -= 1
        return self.left < 0


@pytest.mark.parametrize("polls", [0, 1, 3])
def test_an_interrupted_clustering_ends_bit_identical(tmp_path, polls):
    vectors, _ = blobs(80, 20, spread=0.3)
    wanted = cluster(vectors, 40, iterations=8, tolerance=1e-9, seed=7)
    places = Checkpoints(tmp_path, interval_s=1e9)
    with pytest.raises(Interrupted):
        cluster(
            vectors,
            40,
            iterations=8,
            tolerance=1e-9,
            seed=7,
            checkpoints=places,
            stop=StopAfter(polls),
        )
    again = Checkpoints(tmp_path, interval_s=1e9)
    told = []
    resumed = cluster(
        vectors,
        40,
        iterations=8,
        tolerance=1e-9,
        seed=7,
        checkpoints=again,
        tell=lambda state: told.append(state.iterations),
    )
    assert torch.equal(resumed.centroids, wanted.centroids)
    assert resumed.curve == wanted.curve
    assert told[0] == polls + 2


def test_a_finished_clustering_is_not_continued(tmp_path):
    vectors, _ = blobs(20, 10, spread=0.3)
    options = {"iterations": 6, "tolerance": 1e-9, "seed": 1}
    first = cluster(vectors, 10, checkpoints=Checkpoints(tmp_path, interval_s=0.0), **options)
    told = []
    second = cluster(
        vectors,
        10,
        checkpoints=Checkpoints(tmp_path),
        tell=lambda state: told.append(state.iterations),
        **options,
    )
    assert told == []
    assert torch.equal(first.centroids, second.centroids)
