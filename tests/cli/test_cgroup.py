"""Limits of a container, read from folders laid out as both versions of control groups do."""

import math
from pathlib import Path

import pytest

from voltx_core.cli import cgroup, doctor_instance


@pytest.fixture
def lay(tmp_path: Path):
    """Lays out files of control groups; gives the root and the file that names our groups."""

    def made(own: str, **files: str) -> tuple[Path, Path]:
        root = tmp_path / "cgroup"
        root.mkdir()
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{text}\n")
        (tmp_path / "own").write_text(own)
        return root, tmp_path / "own"

    return made


def limits(where: tuple[Path, Path]) -> tuple[float, float]:
    return cgroup.memory_gib(*where), cgroup.cores(*where)


def test_a_container_of_version_2_is_mounted_as_the_root(lay):
    files = {"memory.max": str(16 * 2**30), "cpu.max": "750000 100000"}
    assert limits(lay("0::/\n", **files)) == (16, 7.5)


def test_a_container_may_be_named_as_on_the_host(lay):
    files = {"memory.max": str(16 * 2**30), "cpu.max": "800000 100000"}
    assert limits(lay("0::/docker/0af3\n", **files)) == (16, 8)


def test_the_tightest_group_round_a_process_counts(lay):
    files = {
        "box/memory.max": str(8 * 2**30),
        "box/cpu.max": "max 100000",
        "box/job/memory.max": "max",
        "box/job/cpu.max": "200000 100000",
        "other/memory.max": "1",
    }
    assert limits(lay("0::/box/job\n", **files)) == (8, 2)


def test_version_1_has_a_folder_for_each_controller(lay):
    files = {
        "memory/docker/0af3/memory.limit_in_bytes": str(4 * 2**30),
        "cpu,cpuacct/docker/0af3/cpu.cfs_quota_us": "150000",
        "cpu,cpuacct/docker/0af3/cpu.cfs_period_us": "100000",
    }
    assert limits(lay("5:memory:/docker/0af3\n4:cpu,cpuacct:/docker/0af3\n", **files)) == (4, 1.5)


def test_without_limits_there_are_none(lay):
    files = {
        "memory.max": "max",
        "cpu.max": "max 100000",
        "cpu/cpu.cfs_quota_us": "-1",
        "cpu/cpu.cfs_period_us": "100000",
    }
    assert limits(lay("0::/\n", **files)) == (math.inf, math.inf)
    assert limits((Path("/nowhere"), Path("/nowhere"))) == (math.inf, math.inf)


def test_a_container_is_no_larger_than_its_limits(monkeypatch):
    monkeypatch.setattr(cgroup, "memory_gib", lambda: 0.5)
    monkeypatch.setattr(cgroup, "cores", lambda: 1.5)
    found = doctor_instance.look()
    assert (found.cores, found.memory_gib) == (1, 0.5)
