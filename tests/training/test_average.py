"""Averaged weights: the closed form, and a network that is itself again afterwards."""

import pytest
import torch
from torch import nn

from voltx_core.training.average import WARMUP, Average


class Scalar(nn.Module):
    """One weight that a test moves, one that is frozen."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.frozen = nn.Parameter(torch.tensor(7.0), requires_grad=False)


def test_the_average_is_the_recurrence_with_a_decay_that_warms_up() -> None:
    module = Scalar()
    average, expected = Average({"m": module}, 0.9), 0.0
    for update in range(200):
        with torch.no_grad():
            module.weight.fill_(float(update))
        average.update()
        decay = min(0.9, (1 + update) / (WARMUP + update))
        expected = decay * expected + (1 - decay) * update
    average.install()
    assert float(module.weight) == pytest.approx(expected, rel=1e-5)
    assert float(module.weight) == pytest.approx(199 - 0.9 / 0.1, rel=1e-3)  # lags by its memory
    assert float(module.frozen) == 7.0


def test_weights_are_their_own_again_after_an_evaluation_that_fails() -> None:
    module = Scalar()
    average = Average({"m": module}, 0.5)
    with torch.no_grad():
        module.weight.fill_(4.0)
    average.update()

    def fail() -> None:
        with average.installed():
            assert float(module.weight) == pytest.approx(3.6)  # the first decay is 1 / WARMUP
            raise RuntimeError("the evaluation failed")

    with pytest.raises(RuntimeError, match="evaluation failed"):
        fail()
    assert float(module.weight) == 4.0
