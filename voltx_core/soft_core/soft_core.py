"""The soft core: velocity field, slot attention and diffusion controller, trained as one."""

from pathlib import Path

import torch
from torch import Tensor, nn

from voltx_core.config.soft_core import SoftCoreConfig
from voltx_core.frame import TensorFrame, normalise
from voltx_core.soft_core.diffusion import DiffusionController
from voltx_core.soft_core.rar import Trajectory, refine
from voltx_core.soft_core.slot_attention import SlotAttention
from voltx_core.soft_core.vfn import VelocityField
from voltx_core.weights import load_into, load_weights, save_weights


class SoftCore(nn.Module):
    """Moves a problem's frame to the frame of its solution.

    Args:
        slot_width: W, width of a slot.
        config: Everything else.
    """

    def __init__(self, slot_width: int, config: SoftCoreConfig) -> None:
        super().__init__()
        self.slot_width, self.config = slot_width, config
        self.vfn = VelocityField(slot_width, config)
        self.attention = SlotAttention(slot_width, structured=config.structured_bias)
        self.diffusion = DiffusionController(slot_width, config.sigma_max)

    def velocity(
        self, state: Tensor, query: TensorFrame, time: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """drift + beta * message.

        Returns:
            Velocity ``[B, 16, W]``, activity log-odds ``[B, 16]``, attention ``[B, 16, 16]``.
        """
        message, attention = self.attention(state)
        drift, activity = self.vfn.drift(state, query, time)
        return drift + self.config.attention_beta * message, activity, attention

    def endpoint(self, state: Tensor, query: TensorFrame) -> tuple[Tensor, Tensor, Tensor]:
        """Where one full step (dt = 1) leads: unit slots ``[B, 16, W]``, activity, attention."""
        velocity, activity, attention = self.velocity(state, query)
        return normalise(state + velocity), activity, attention

    def one_shot(self, query: TensorFrame) -> TensorFrame:
        """The frame after a single evaluation of the endpoint: the loop's own ablation."""
        end, activity, _ = self.endpoint(query.slots, query)
        return TensorFrame.of(end, activity > 0)

    def solve(
        self,
        query: TensorFrame,
        *,
        budget: int | None = None,
        generator: torch.Generator | None = None,
        record: bool = False,
    ) -> Trajectory:
        """Run Root-Attend-Refine from the query's frame; see ``rar.refine``."""
        return refine(
            self,
            query,
            dt=self.config.rar_dt,
            epsilon=self.config.rar_epsilon,
            budget=budget or self.config.rar_budget,
            generator=generator,
            record=record,
        )

    def save(self, path: Path) -> None:
        facts = {
            "kind": "soft_core",
            "slot_width": self.slot_width,
            "config": self.config.model_dump(mode="json"),
        }
        save_weights(path, self.state_dict(), facts)

    @classmethod
    def load(cls, path: Path, *, device: str = "cpu") -> "SoftCore":
        """Read a soft core in evaluation mode.

        Raises:
            DataError: Damaged, or not a soft core.
        """
        weights, facts = load_weights(path, "soft_core")
        core = cls(facts["slot_width"], SoftCoreConfig.model_validate(facts["config"]))
        load_into(core, weights, path)
        return core.to(device).eval()
