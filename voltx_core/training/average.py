"""An exponential moving average of the trained weights."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

WARMUP = 10
"""The decay after t updates is at most (1 + t) / (WARMUP + t): the first weights, which know
nothing, are forgotten soon."""


class Average:
    """Follows the trained parameters of some modules; buffers are left alone.

    Source: Polyak & Juditsky 1992; the warm-up of the decay is TensorFlow's.

    Args:
        modules: What is trained, by name.
        decay: Share of the average that stays in each update, once warm.
    """

    def __init__(self, modules: Mapping[str, nn.Module], decay: float) -> None:
        self.decay, self.updates = decay, 0
        self._trained = {
            f"{name}.{key}": parameter
            for name, module in modules.items()
            for key, parameter in module.named_parameters()
            if parameter.requires_grad
        }
        self._average = {key: p.detach().clone() for key, p in self._trained.items()}

    @torch.no_grad()
    def update(self) -> None:
        """Take the weights of one more step in."""
        decay = min(self.decay, (1 + self.updates) / (WARMUP + self.updates))
        self.updates += 1
        now = [parameter.detach() for parameter in self._trained.values()]
        torch._foreach_lerp_(list(self._average.values()), now, 1 - decay)

    def state(self) -> dict[str, Tensor]:
        """What ``load`` needs besides the number of updates."""
        return dict(self._average)

    def load(self, tensors: Mapping[str, Tensor], updates: int) -> None:
        """Go on from an earlier state."""
        for key, average in self._average.items():
            average.copy_(tensors[key])
        self.updates = updates

    @torch.no_grad()
    def install(self) -> None:
        """Give the modules the averaged weights, for good."""
        for key, parameter in self._trained.items():
            parameter.copy_(self._average[key])

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Within, the modules have the averaged weights."""
        own = {key: parameter.detach().clone() for key, parameter in self._trained.items()}
        self.install()
        try:
            yield
        finally:
            with torch.no_grad():
                for key, parameter in self._trained.items():
                    parameter.copy_(own[key])
