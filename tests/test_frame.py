"""TensorFrame: unit slots, masks, gist, veto."""

import pytest
import torch

from voltx_core.frame import SLOTS, TensorFrame, frame_cosine, normalise


def random_frame(batch: int = 3, width: int = 8) -> TensorFrame:
    generator = torch.Generator().manual_seed(0)
    mask = torch.rand(batch, SLOTS, generator=generator) < 0.7
    return TensorFrame.of(torch.randn(batch, SLOTS, width, generator=generator), mask)


def test_active_slots_are_unit_vectors_and_inactive_ones_are_zero() -> None:
    frame = random_frame()
    norms = frame.slots.norm(dim=-1)
    assert torch.allclose(norms[frame.mask], torch.ones_like(norms[frame.mask]), atol=1e-6)
    assert (norms[~frame.mask] == 0).all()


def test_a_tensor_of_another_shape_is_refused_with_its_shape() -> None:
    with pytest.raises(ValueError, match=r"\[B, 16, W\], got \[2, 15, 4\]"):
        TensorFrame.of(torch.zeros(2, 15, 4))


def test_the_gist_is_the_normalised_sum_of_active_slots() -> None:
    frame = random_frame()
    expected = normalise(frame.slots.sum(1))
    assert torch.allclose(frame.gist(), expected, atol=1e-6)


def test_a_veto_leaves_nothing_active_and_no_certainty() -> None:
    vetoed = random_frame().veto()
    assert not vetoed.mask.any()
    assert vetoed.slots.abs().sum() == 0
    assert vetoed.certainty.sum() == 0


def test_cosine_counts_only_slots_that_the_target_uses() -> None:
    target = random_frame()
    other = TensorFrame.of(torch.where(target.mask.unsqueeze(-1), target.slots, torch.ones(1)))
    assert torch.allclose(frame_cosine(other, target), torch.ones(3), atol=1e-6)


def test_indexing_and_joining_are_inverse() -> None:
    frame = random_frame(4)
    joined = TensorFrame.cat([frame[:2], frame[2:]])
    assert torch.equal(joined.slots, frame.slots)
    assert torch.equal(joined.mask, frame.mask)
