"""Growth keeps the function."""

import pytest
import torch

from voltx_core.config.scaling import SizeConfig
from voltx_core.config.soft_core import SoftCoreConfig
from voltx_core.errors import ConfigError
from voltx_core.frame import SLOTS, TensorFrame
from voltx_core.scaling.growth import grow
from voltx_core.soft_core.soft_core import SoftCore


@pytest.mark.parametrize("body", ["mlp", "fno"])
@pytest.mark.parametrize("size", [(96, 2), (64, 4), (96, 3)])
def test_a_grown_core_computes_what_the_small_one_did(body: str, size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    small = SoftCore(64, SoftCoreConfig(width=64, blocks=2, body=body))
    torch.nn.init.normal_(small.attention.value.weight, std=0.1)
    small.vfn.project.reset_parameters()
    query = TensorFrame.of(torch.randn(3, SLOTS, 64))
    large = grow(small, SizeConfig(width=size[0], blocks=size[1]))
    with torch.no_grad():
        for ours, theirs in zip(
            large.endpoint(query.slots, query), small.endpoint(query.slots, query), strict=True
        ):
            assert torch.allclose(ours, theirs, atol=1e-5)
    count = sum(p.numel() for p in large.parameters())
    assert count > sum(p.numel() for p in small.parameters())


def test_new_parameters_receive_gradients_after_growth() -> None:
    torch.manual_seed(0)
    large = grow(SoftCore(32, SoftCoreConfig(width=32, blocks=1)), SizeConfig(width=48, blocks=2))
    query = TensorFrame.of(torch.randn(3, SLOTS, 32))
    end, _, _ = large.endpoint(query.slots, query)
    end[..., 0].sum().backward()
    outer = large.vfn.blocks[0].outer.weight.grad
    assert outer[32:].abs().sum() > 0


def test_growth_refuses_to_shrink() -> None:
    small = SoftCore(32, SoftCoreConfig(width=32, blocks=2))
    with pytest.raises(ConfigError, match="never"):
        grow(small, SizeConfig(width=16, blocks=2))
