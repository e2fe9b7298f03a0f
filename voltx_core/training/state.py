"""The state of one training run: everything that decides how it goes on, and nothing else.

Weights, optimizer, averaged weights, step, micro-batches and the curve so far. The schedule and
the order of the data are functions of the step, randomness of (seed, scope, step); nothing draws
from a global generator, so there is no generator to save. Bfloat16 has the range of float32, so
there is no gradient scaler either.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

from torch import Tensor, nn

from voltx_core.training.average import Average
from voltx_core.training.session import Session

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Trained:
    """How a training run went."""

    steps: int
    seconds: float = 0.0
    flops: float = 0.0
    """Counted on the first step (forward and backward), times the steps."""
    curve: list[tuple[int, float]] = field(default_factory=list)
    """(step, loss) at every logged step."""


class Optimizer(Protocol):
    """What the loop and its checkpoints need of an optimizer."""

    @property
    def param_groups(self) -> list[dict[str, Any]]: ...
    def step(self) -> Any: ...
    def zero_grad(self, set_to_none: bool = True) -> None: ...
    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state_dict: dict[str, Any]) -> None: ...


class Memory(Protocol):
    """What the evaluations of a run remember, saved and restored with the weights."""

    def tensors(self) -> Mapping[str, Tensor]: ...
    def meta(self) -> Mapping[str, Any]: ...
    def recall(self, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> None: ...


@dataclass(slots=True)
class TrainingState:
    """What is saved and restored, with the objects it lives in."""

    scope: str
    modules: Mapping[str, nn.Module]
    optimizer: Optimizer
    average: Average | None
    trained: Trained
    accumulation: int
    """Micro-batches of a step."""
    step: int = 0
    """Steps done."""
    memory: Memory | None = None

    def save(self, run: Session, *, wait: bool = True) -> None:
        """Write a checkpoint; see ``Checkpoints.save`` for ``wait``.

        Raises:
            StoreError: The disk refused.
        """
        tensors = {
            f"module.{name}.{key}": value
            for name, module in self.modules.items()
            for key, value in module.state_dict().items()
        }
        for index, moments in self.optimizer.state_dict()["state"].items():
            tensors |= {f"adam.{index}.{key}": value for key, value in moments.items()}
        if self.memory is not None:
            tensors |= {f"memory.{key}": value for key, value in self.memory.tensors().items()}
        updates = 0
        if self.average is not None:
            updates = self.average.updates
            tensors |= {f"average.{key}": value for key, value in self.average.state().items()}
        run.checkpoints.save(
            self.scope,
            self.step,
            tensors,
            {
                "seconds": self.trained.seconds,
                "flops": self.trained.flops,
                "accumulation": self.accumulation,
                "average_updates": updates,
                "curve": self.trained.curve,
                "memory": dict(self.memory.meta()) if self.memory is not None else {},
            },
            wait=wait,
        )

    def restore(self, run: Session) -> Self:
        """Go back to the newest checkpoint of this scope, if there is one."""
        saved = run.checkpoints.restore(self.scope, run.device)
        if saved is None:
            return self
        for name, module in self.modules.items():
            module.load_state_dict(_below(saved.tensors, f"module.{name}."))
        moments: dict[int, dict[str, Tensor]] = {}
        for key, value in _below(saved.tensors, "adam.").items():
            index, name = key.split(".", 1)
            # AdamW keeps its step counter on the CPU; a fused one takes it to its device itself.
            moments.setdefault(int(index), {})[name] = value.cpu() if name == "step" else value
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": moments, "param_groups": groups})
        meta = saved.meta
        if self.average is not None:
            self.average.load(_below(saved.tensors, "average."), meta["average_updates"])
        if self.memory is not None:
            self.memory.recall(_below(saved.tensors, "memory."), meta["memory"])
        self.step = saved.step
        self.accumulation = max(self.accumulation, meta["accumulation"])
        self.trained.seconds, self.trained.flops = meta["seconds"], meta["flops"]
        self.trained.curve = [(int(step), float(loss)) for step, loss in meta["curve"]]
        logger.info("%s goes on at step %d of %d", self.scope, self.step, self.trained.steps)
        return self


def _below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Tensors whose names begin with ``prefix``, without it."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
