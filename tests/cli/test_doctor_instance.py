"""This machine beside what one rented for a pool has to be."""

import json

import pytest

from voltx_core.cli.doctor import doctor
from voltx_core.cli.doctor_instance import Found, compare, parse
from voltx_core.config.instances import CRITERIA

NVIDIA_SMI = """\
+---------------------------------------------------------------------------------------+
| NVIDIA-SMI 570.86.15     Driver Version: 570.86.15     CUDA Version: 12.8              |
"""
GOOD = Found(cores=16, memory_gib=62.7, disk_gib=240, vram_gib=(23.99,), cuda=(12, 8))


def failed(pool, found):
    checks = list(compare(pool, CRITERIA[pool], found))
    return [check.name for check in checks if check.state == "failed"]


def test_a_machine_as_it_was_offered_meets_the_criteria():
    assert failed("gpu", GOOD) == []


@pytest.mark.parametrize(
    ("found", "names"),
    [
        (Found(cores=4, memory_gib=62, disk_gib=240, vram_gib=(24,), cuda=(12, 8)), ["gpu: cores"]),
        (
            Found(cores=16, memory_gib=8, disk_gib=240, vram_gib=(24,), cuda=(12, 8)),
            ["gpu: memory"],
        ),
        (Found(cores=16, memory_gib=62, disk_gib=20, vram_gib=(24,), cuda=(12, 8)), ["gpu: disk"]),
        (Found(cores=16, memory_gib=62, disk_gib=240, vram_gib=(11,), cuda=(12, 8)), ["gpu: VRAM"]),
        (Found(cores=16, memory_gib=62, disk_gib=240, vram_gib=(24,), cuda=(12, 4)), ["gpu: CUDA"]),
        (
            Found(cores=16, memory_gib=62, disk_gib=240),
            ["gpu: GPUs", "gpu: VRAM", "gpu: CUDA"],
        ),
    ],
)
def test_each_criterion_that_is_not_met_is_named(found, names):
    assert failed("gpu", found) == names


def test_the_weakest_gpu_counts():
    mixed = Found(cores=64, memory_gib=256, disk_gib=900, vram_gib=(80, 80, 80, 24), cuda=(13, 0))
    assert failed("multi-gpu", mixed) == ["multi-gpu: VRAM"]
    assert failed("cpu", mixed) == []


def test_what_nvidia_smi_says_is_understood():
    assert parse("24564\n24564\n", NVIDIA_SMI) == ((24564 / 1024, 24564 / 1024), (12, 8))
    assert parse("", "command failed") == ((), None)


def test_what_cannot_be_seen_from_within_is_said_to_be_so():
    offer = list(compare("gpu", CRITERIA["gpu"], GOOD))[-1]
    assert "cannot be seen from within" in offer.found
    assert "gpu_ram>=24 cuda_vers>=12.8 cpu_cores_effective>=8" in offer.found


def test_doctor_fails_on_a_machine_that_is_not_what_was_rented(invoke, monkeypatch):
    monkeypatch.setattr("voltx_core.cli.doctor.examine", lambda _: iter(()))
    monkeypatch.setattr("voltx_core.cli.doctor_instance.look", lambda: GOOD)
    assert invoke(doctor, "--pool", "gpu").exit_code == 0
    result = invoke(doctor, "--pool", "multi-gpu", "--json")
    assert result.exit_code == 1
    assert {c["name"] for c in json.loads(result.stdout) if c["state"] == "failed"} >= {
        "multi-gpu: GPUs"
    }


def test_a_pool_that_is_none_is_refused(invoke, monkeypatch):
    monkeypatch.setattr("voltx_core.cli.doctor.examine", lambda _: iter(()))
    result = invoke(doctor, "--pool", "tpu")
    assert result.exit_code == 2
    assert "There are cpu, gpu, multi-gpu" in result.stderr
