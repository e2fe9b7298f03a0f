"""`voltx bench codebook` on few vectors, and its arithmetic on points made by hand."""

import json
import subprocess
import sys

import pytest
import torch

from voltx_core.bench.clusterings import CONTENDERS, Point, compare, race, search
from voltx_core.bench.vectors import clustered, isotropic, real_frames


def test_the_first_point_within_a_thousandth_of_faiss_counts():
    turns = {
        "voltx": [[Point(1.0, 0.60), Point(2.0, 0.5004), Point(3.0, 0.49), Point(30.0, 0.40)]],
        "faiss": [[Point(10.0, 0.5)]],
        "minibatch": [[Point(9.0, 0.7)]],
    }
    figures, why = compare(turns)
    assert figures == {"time_vs_faiss": 0.2, "l2_vs_faiss_at_equal_time": 0.98}
    assert why == {}


def test_a_goal_that_was_not_reached_in_every_turn_is_no_figure():
    turns = {
        "voltx": [[Point(1.0, 0.4)], [Point(1.0, 0.6)]],
        "faiss": [[Point(10.0, 0.5)], [Point(10.0, 0.5)]],
    }
    figures, why = compare(turns)
    assert figures["time_vs_faiss"] is None
    assert "1 of 2 turns" in why["time_vs_faiss"]
    assert figures["l2_vs_faiss_at_equal_time"] == 1.0


def test_every_contender_clusters_and_time_only_grows():
    vectors = clustered(3_000, 32, seed=0)
    heard: list[str] = []
    turns, centroids = race(vectors, 40, iterations=3, repeat=2, on_turn=heard.append)
    assert list(turns) == list(CONTENDERS)
    assert heard == ["voltx", "faiss", "minibatch", "faiss", "minibatch", "voltx"]
    assert centroids.shape == (40, 32)
    for each in turns.values():
        for points in each:
            assert all(0 < p.mean_l2 < 2**0.5 and p.cpu_s > 0 for p in points)
            assert [p.cpu_s for p in points] == sorted(p.cpu_s for p in points)
    found = search(centroids, vectors[:200], links=8, construction=40)
    assert found.recall >= 0.95
    assert found.build_s > 0
    assert found.query_ms > 0


@pytest.mark.parametrize("make", [clustered, isotropic])
def test_vectors_are_unit_the_same_every_time_and_fresh_in_another_draw(make):
    one, again, other = (make(50, 16, seed=1, draw=n) for n in (0, 0, 1))
    assert torch.allclose(one.norm(dim=1), torch.ones(50), atol=1e-5)
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_a_store_without_a_translator_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("VOLTX_HOME", str(tmp_path / "home"))
    frames, why = real_frames(str(tmp_path / "store"), 100, seed=0)
    assert frames is None
    assert "no translator and corpus" in why


def test_the_last_line_is_one_object_in_which_every_null_has_a_reason(tmp_path):
    command = [sys.executable, "-m", "voltx_core.cli.main", "bench", "codebook", "--json"]
    sizes = ["--vectors", "1200", "--entries", "30", "--iterations", "2"]
    done = subprocess.run(
        [*command, *sizes], capture_output=True, text=True, timeout=300, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["bench"] == "codebook"
    wanted = {"time_vs_faiss", "l2_vs_faiss_at_equal_time", "gpu_over_floor", "hnsw_recall_at_1"}
    assert wanted <= report["figures"].keys()
    missing = {name for name, value in report["figures"].items() if value is None}
    assert missing == report["why"].keys()
    assert report["samples"]["clustered"]["hnsw"]["query_ms"] > 0
