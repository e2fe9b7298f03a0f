"""Muon beside AdamW: who moves what, how far, and that a resumed one goes on with the same bits."""

import torch
from torch import nn

from voltx_core.config.optimizer import OptimizerConfig
from voltx_core.training.muon import MuonWithAdamW

CONFIG = OptimizerConfig(lr=0.01, weight_decay=0.0)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.table = nn.Embedding(12, 8)
        self.inner = nn.Linear(8, 6)

    def loss(self, seed: int) -> torch.Tensor:
        ids = torch.randint(0, 12, (16,), generator=torch.Generator().manual_seed(seed))
        return (self.inner(self.table(ids)) - 1).square().mean()


def stepped(net: Net, mover: MuonWithAdamW, steps: range) -> None:
    for step in steps:
        net.loss(step).backward()
        mover.step()
        mover.zero_grad()


def test_only_inner_matrices_are_moved_by_muon():
    net = Net()
    mover = MuonWithAdamW([net], CONFIG)
    stepped(net, mover, range(1))
    state = mover.state_dict()
    kinds = {
        tuple(next(iter(s.values())).shape) if "momentum_buffer" in s else "adam"
        for s in state["state"].values()
    }
    assert kinds == {(6, 8), "adam"}
    assert len(state["state"]) == len(list(net.parameters()))


def test_a_step_of_muon_is_nearly_orthogonal_and_of_adamws_size():
    net = Net()
    before = net.inner.weight.detach().clone()
    stepped(net, MuonWithAdamW([net], CONFIG), range(1))
    moved = (before - net.inner.weight.detach()) / CONFIG.lr
    singular = torch.linalg.svdvals(moved)
    assert float(singular.max() / singular.min()) < 3  # of a gradient they differ by far more
    assert 0.1 < float(moved.square().mean().sqrt()) < 0.3  # 0.2 is AdamW's usual step


def test_a_state_that_was_saved_goes_on_with_the_same_bits():
    whole, halves = Net(), Net()
    stepped(whole, MuonWithAdamW([whole], CONFIG), range(6))
    first = MuonWithAdamW([halves], CONFIG)
    stepped(halves, first, range(3))
    saved = first.state_dict()
    second = MuonWithAdamW([halves], CONFIG)
    second.load_state_dict(saved)
    stepped(halves, second, range(3, 6))
    for mine, theirs in zip(whole.parameters(), halves.parameters(), strict=True):
        assert mine.equal(theirs)


def test_it_learns():
    net = Net()
    before = float(net.loss(99).detach())
    stepped(net, MuonWithAdamW([net], CONFIG), range(100))
    assert float(net.loss(99).detach()) < 0.2 * before
