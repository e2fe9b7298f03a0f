"""How a rung begins, and what is said of it."""

import pytest
import torch

from voltx_core.config.scaling import SizeConfig
from voltx_core.config.soft_core import SoftCoreConfig
from voltx_core.frame import SLOTS, TensorFrame
from voltx_core.scaling.ladder import begun, growth_difference, validated
from voltx_core.soft_core.soft_core import SoftCore

SIZE = SizeConfig(width=48, blocks=3)


@pytest.fixture
def teacher() -> SoftCore:
    torch.manual_seed(0)
    core = SoftCore(32, SoftCoreConfig(width=32, blocks=2, rar_budget=4))
    core.vfn.project.reset_parameters()
    return core.eval()


@pytest.fixture
def query() -> TensorFrame:
    return TensorFrame.of(torch.randn(4, SLOTS, 32, generator=torch.Generator().manual_seed(1)))


def test_a_grown_core_begins_with_its_teachers_function_and_a_fresh_one_does_not(
    teacher, query
) -> None:
    grown, fresh = (begun(teacher, SIZE, method) for method in ("grow", "distill"))
    assert growth_difference(grown, teacher, query) < 1e-5
    assert growth_difference(fresh, teacher, query) > 1e-2
    assert sum(p.numel() for p in grown.parameters()) == sum(p.numel() for p in fresh.parameters())


def test_growth_that_keeps_the_function_keeps_its_validation(teacher, query) -> None:
    truth = TensorFrame.of(query.slots.roll(1, 1))
    before = validated("start", teacher, query, truth)
    after = validated("grown", begun(teacher, SIZE, "grow"), query, truth)
    assert after["parameters"] > before["parameters"]
    for key in ("cosine", "converged", "iterations"):
        assert after[key] == pytest.approx(before[key], abs=1e-3)
