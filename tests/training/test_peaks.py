"""Peak arithmetic: the right row of the table, and nothing for devices that are not in it."""

import pytest

from voltx_core.training.peaks import PEAKS, dense_peak, utilisation


@pytest.mark.parametrize(
    ("name", "precision", "tera"),
    [
        ("NVIDIA H100 80GB HBM3", "bfloat16", 989.4),
        ("NVIDIA H100 PCIe", "bfloat16", 756),
        ("NVIDIA H200", "float32", 66.9),
        ("NVIDIA GeForce RTX 4090", "bfloat16", 165.2),
        ("NVIDIA A100-SXM4-80GB", "float32", 19.5),
    ],
)
def test_a_device_is_found_by_the_name_that_it_gives_itself(
    name: str, precision: str, tera: float
) -> None:
    assert dense_peak(name, precision) == pytest.approx(tera * 1e12)


def test_an_unknown_device_has_no_peak_and_no_utilisation() -> None:
    assert dense_peak("Some Accelerator 9000", "bfloat16") is None
    assert utilisation(1e12, 0.1, None) is None
    assert utilisation(0.0, 0.1, 1e14) is None


def test_tensor_cores_are_faster_than_float32_everywhere() -> None:
    assert all(peak.bfloat16 > 1.9 * peak.float32 for peak in PEAKS.values())


def test_utilisation_is_arithmetic_per_second_over_the_peak() -> None:
    assert utilisation(2e12, 0.01, 1e15) == pytest.approx(0.2)
