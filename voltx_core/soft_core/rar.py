"""Root-Attend-Refine: the loop that moves a frame until it stands still."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from voltx_core.frame import TensorFrame, normalise
from voltx_core.soft_core.diffusion import tangent_noise

if TYPE_CHECKING:
    from voltx_core.soft_core.soft_core import SoftCore

LOOK_EVERY = 8
"""On an accelerator, how often the host asks whether everything is frozen."""


@dataclass(frozen=True, slots=True)
class Trajectory:
    """How a batch of frames moved.

    Attributes:
        frame: The final frames.
        iterations: ``[B]`` iterations until the last slot froze, or the budget.
        converged: ``[B]`` bool, every slot frozen within the budget.
        converged_share: ``[B]`` share of frozen slots.
        speed: ``[B]`` mean displacement norm over dt in each slot's last iteration.
        drift: ``[B]`` mean norm of the velocity at the final state.
        states: Every state ``[B, 16, W]`` from the query on, when recorded.
    """

    frame: TensorFrame
    iterations: Tensor
    converged: Tensor
    converged_share: Tensor
    speed: Tensor
    drift: Tensor
    states: list[Tensor] | None = None

    def __getitem__(self, rows: Tensor) -> "Trajectory":
        """The trajectories of some rows, without their recorded states."""
        return Trajectory(
            self.frame[rows],
            self.iterations[rows],
            self.converged[rows],
            self.converged_share[rows],
            self.speed[rows],
            self.drift[rows],
        )


def advance(state: Tensor, velocity: Tensor, dt: float, noise: Tensor | None = None) -> Tensor:
    """normalise(S + dt * velocity + noise)."""
    moved = state + dt * velocity
    return normalise(moved if noise is None else moved + noise)


def refine(
    core: "SoftCore",
    query: TensorFrame,
    *,
    dt: float,
    epsilon: float,
    budget: int,
    generator: torch.Generator | None = None,
    fixed_sigma: float | None = None,
    record: bool = False,
) -> Trajectory:
    """Iterate S ← normalise(S + dt·(drift + β·message) + noise) until every slot is frozen.

    A slot freezes when its speed ‖Δ‖/dt falls below epsilon; stating it as a speed keeps the
    meaning of epsilon independent of dt. Differentiable when gradients are enabled.

    Args:
        core: The soft core.
        query: Frames to start from, and what the field reads.
        dt: Step size.
        epsilon: Speed below which a slot freezes.
        budget: Most iterations.
        generator: With one, the diffusion controller's noise is drawn from it; without, none.
        fixed_sigma: Noise norm to use instead of the controller's, for the ablation.
        record: Keep every state.
    """
    state = query.slots
    b, slots, _ = state.shape
    frozen = torch.zeros(b, slots, dtype=torch.bool, device=state.device)
    speed = torch.zeros(b, slots, device=state.device)
    iterations = torch.zeros(b, dtype=torch.long, device=state.device)
    states = [state] if record else None
    for iteration in range(budget):
        moving = ~frozen
        iterations = iterations + moving.any(1)
        time = torch.full((b,), min(1.0, iteration * dt), device=state.device)
        velocity, _, _ = core.velocity(state, query, time)
        noise = None
        if generator is not None:
            if fixed_sigma is None:
                count = torch.full((b,), iteration, device=state.device)
                sigma = core.diffusion(state, count, speed)
            else:
                sigma = torch.full_like(speed, fixed_sigma)
            draws = torch.randn(state.shape, generator=generator).to(state.device)
            noise = tangent_noise(state, sigma, draws)
        proposed = advance(state, velocity, dt, noise)
        now = (proposed - state).norm(dim=-1) / dt
        speed = torch.where(moving, now, speed)
        state = torch.where(moving.unsqueeze(-1), proposed, state)
        frozen = frozen | (now < epsilon)
        if states is not None:
            states.append(state)
        # Asking is free on the CPU; on an accelerator it stalls the queue.
        if (state.device.type == "cpu" or iteration % LOOK_EVERY == LOOK_EVERY - 1) and bool(
            frozen.all()
        ):
            break
    final, activity, _ = core.velocity(state, query)
    return Trajectory(
        frame=TensorFrame.of(state, activity > 0),
        iterations=iterations,
        converged=frozen.all(1),
        converged_share=frozen.float().mean(1),
        speed=speed.mean(1),
        drift=final.norm(dim=-1).mean(1),
        states=states,
    )
