"""Velocity field, slot attention, diffusion controller and weights of the soft core."""

from pathlib import Path

import pytest
import torch

from voltx_core.config.soft_core import SoftCoreConfig
from voltx_core.errors import DataError
from voltx_core.frame import SLOTS, TensorFrame
from voltx_core.soft_core.diffusion import DiffusionController, tangent_noise
from voltx_core.soft_core.slot_attention import entropy, score_expected, structured_bias
from voltx_core.soft_core.soft_core import SoftCore

WIDTH = 32


def frames(batch: int = 4, seed: int = 0) -> TensorFrame:
    draws = torch.Generator().manual_seed(seed)
    return TensorFrame.of(torch.randn(batch, SLOTS, WIDTH, generator=draws))


def core(**changes: object) -> SoftCore:
    torch.manual_seed(0)
    model = SoftCore(WIDTH, SoftCoreConfig(width=32, blocks=2, **changes))
    model.vfn.project.reset_parameters()  # as if trained: a new field stands still
    return model


def test_a_new_field_stands_still_at_the_query() -> None:
    query = frames()
    with torch.no_grad():
        found = SoftCore(WIDTH, SoftCoreConfig(width=32, blocks=2)).solve(query)
    assert torch.allclose(found.frame.slots[found.frame.mask], query.slots[found.frame.mask])
    assert (found.iterations == 1).all()


@pytest.mark.parametrize("body", ["mlp", "fno"])
def test_endpoints_are_unit_vectors_and_gradients_reach_every_parameter(body: str) -> None:
    model, query = core(body=body), frames()
    end, activity, attention = model.endpoint(query.slots, query)
    assert torch.allclose(end.norm(dim=-1), torch.ones(4, SLOTS), atol=1e-5)
    assert torch.allclose(attention.sum(-1), torch.ones(4, SLOTS), atol=1e-5)
    (end[..., 0].sum() + activity.sum() + attention[..., 0].sum()).backward()
    silent = {name for name, p in model.vfn.named_parameters() if p.grad is None}
    assert silent == set()


def test_the_field_reads_the_query_only_when_it_is_conditioned_on_it() -> None:
    state, one, other = frames(seed=1).slots, frames(seed=2), frames(seed=3)
    conditioned, blind = core(), core(query_attention=False)
    assert not torch.allclose(
        conditioned.endpoint(state, one)[0], conditioned.endpoint(state, other)[0]
    )
    assert torch.equal(blind.endpoint(state, one)[0], blind.endpoint(state, other)[0])


def test_without_slot_embedding_equal_slots_move_equally() -> None:
    state = frames(1).slots[:, :1].expand(1, SLOTS, WIDTH)
    query = frames(1, seed=5)
    with torch.no_grad():
        same = core(slot_embedding=False).vfn(state, query)[0]
        different = core().vfn(state, query)[0]
    assert torch.allclose(same[0, 0], same[0, 5], atol=1e-5)
    assert not torch.allclose(different[0, 0], different[0, 5], atol=1e-3)


def test_the_structured_bias_is_symmetric_and_holds_the_plans_numbers() -> None:
    bias = structured_bias()
    assert torch.equal(bias, bias.T)
    assert bias[0, 2] == bias[0, 3] == bias[1, 2] == 2.0
    assert bias[0, 1] == bias[1, 4] == 1.5
    assert bias[4, 8] == 1.0
    assert bias[8, 8] == bias[6, 7] == 0.5
    assert bias[9:].abs().sum() == 0


def test_messages_are_silent_before_training() -> None:
    message, _ = core().attention(frames().slots)
    assert message.abs().sum() == 0


def test_uniform_attention_scores_one_and_has_the_entropy_of_sixteen_slots() -> None:
    uniform = torch.full((2, SLOTS, SLOTS), 1 / SLOTS)
    assert all(abs(score - 1) < 1e-6 for score in score_expected(uniform).values())
    assert float(entropy(uniform)) == pytest.approx(2.7726, abs=1e-3)


def test_sigma_stays_within_its_bound_and_noise_is_tangent_with_that_norm() -> None:
    controller = DiffusionController(256, 0.2)
    draws = torch.Generator().manual_seed(0)
    state = TensorFrame.of(torch.randn(8, SLOTS, 256, generator=draws)).slots
    sigma = controller(state, torch.arange(8), torch.rand(8, SLOTS, generator=draws))
    assert sigma.min() >= 0
    assert sigma.max() <= 0.2
    noise = tangent_noise(
        state, torch.full((8, SLOTS), 0.1), torch.randn(state.shape, generator=draws)
    )
    assert (noise * state).sum(-1).abs().max() < 1e-5
    assert float(noise.norm(dim=-1).mean()) == pytest.approx(0.1, rel=0.02)


def test_the_plans_controller_has_about_ten_thousand_parameters() -> None:
    count = sum(p.numel() for p in DiffusionController(256, 0.2).parameters())
    assert 9_000 < count < 11_000


def test_weights_come_back_equal_and_their_file_is_reproducible(tmp_path: Path) -> None:
    model = core()
    model.save(tmp_path / "a.safetensors")
    model.save(tmp_path / "b.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    again = SoftCore.load(tmp_path / "a.safetensors")
    query = frames()
    with torch.no_grad():
        assert torch.equal(again.one_shot(query).slots, model.one_shot(query).slots)
    assert again.config == model.config


def test_a_damaged_file_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "soft_core.safetensors"
    core().save(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"soft_core\.safetensors.*readable weights"):
        SoftCore.load(path)
