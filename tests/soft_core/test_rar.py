"""The RAR loop, against fields whose trajectories are known in closed form."""

import math

import pytest
import torch

from voltx_core.config.soft_core import SoftCoreConfig
from voltx_core.frame import SLOTS, TensorFrame, frame_cosine, normalise
from voltx_core.soft_core.rar import advance, refine
from voltx_core.soft_core.soft_core import SoftCore

WIDTH = 32


def frames(batch: int = 4, seed: int = 0) -> TensorFrame:
    draws = torch.Generator().manual_seed(seed)
    return TensorFrame.of(torch.randn(batch, SLOTS, WIDTH, generator=draws))


class Toward(SoftCore):
    """A core whose endpoint is a given frame, whatever the state."""

    def __init__(self, target: TensorFrame, *, constant: bool = False, start=None) -> None:
        super().__init__(WIDTH, SoftCoreConfig(width=32, blocks=1))
        self.target, self.constant, self.begin = target, constant, start

    def velocity(self, state, query, time=None):  # type: ignore[no-untyped-def]  # noqa: ARG002
        activity = torch.ones(state.shape[:2])
        if self.constant:
            return self.target.slots - self.begin.slots, activity, None
        return self.target.slots - state, activity, None


def solve(core: SoftCore, query: TensorFrame, **changes):  # type: ignore[no-untyped-def]
    settings = {"dt": 0.5, "epsilon": 0.02, "budget": 30} | changes
    with torch.no_grad():
        return refine(core, query, **settings)


def test_a_field_toward_the_endpoint_arrives_and_stands_still() -> None:
    query, target = frames(seed=1), frames(seed=2)
    found = solve(Toward(target), query)
    assert found.converged.all()
    assert (frame_cosine(found.frame, target) > 0.999).all()
    assert (found.iterations < 30).all()


def test_a_constant_drift_settles_elsewhere_even_when_it_is_perfect() -> None:
    """cos(q, a) = 0.3 ends at 0.59: normalise(S + v) rests only where S is parallel to v."""
    target = frames(seed=2)
    away = frames(seed=3).slots
    orthogonal = normalise(away - (away * target.slots).sum(-1, keepdim=True) * target.slots)
    start = TensorFrame.of(0.3 * target.slots + math.sqrt(1 - 0.09) * orthogonal)
    found = solve(Toward(target, constant=True, start=start), start, budget=200, epsilon=1e-5)
    expected = normalise(target.slots - start.slots)
    cosine = (expected * target.slots).sum(-1).mean()
    assert frame_cosine(found.frame, target).mean() == pytest.approx(float(cosine), abs=0.01)
    assert float(cosine) == pytest.approx(0.59, abs=0.01)


def test_the_speed_that_freezes_a_slot_does_not_depend_on_the_step_size() -> None:
    query, target = frames(seed=1), frames(seed=2)
    for dt in (0.25, 0.5, 1.0):
        found = solve(Toward(target), query, dt=dt, budget=200)
        assert (found.speed < 0.02).all()
        assert (frame_cosine(found.frame, target) > 0.999).all()


def test_a_spent_budget_is_not_convergence() -> None:
    found = solve(Toward(frames(seed=2)), frames(seed=1), budget=2)
    assert not found.converged.any()
    assert (found.iterations == 2).all()
    assert (found.converged_share < 1).all()


def test_recorded_states_start_at_the_query_and_end_at_the_frame() -> None:
    query = frames(seed=1)
    found = solve(Toward(frames(seed=2)), query, record=True)
    assert found.states is not None
    assert torch.equal(found.states[0], query.slots)
    assert torch.allclose(found.states[-1], found.frame.slots, atol=1e-6)


def test_states_stay_on_the_sphere_with_noise() -> None:
    core = SoftCore(WIDTH, SoftCoreConfig(width=32, blocks=1))
    with torch.no_grad():
        found = core.solve(frames(), generator=torch.Generator().manual_seed(0), record=True)
    assert found.states is not None
    for state in found.states:
        assert torch.allclose(state.norm(dim=-1), torch.ones(4, SLOTS), atol=1e-5)


def test_the_loop_is_deterministic_and_its_noise_follows_the_generator() -> None:
    core = SoftCore(WIDTH, SoftCoreConfig(width=32, blocks=1))
    query = frames()

    def run(seed: int | None):  # type: ignore[no-untyped-def]
        generator = None if seed is None else torch.Generator().manual_seed(seed)
        with torch.no_grad():
            return core.solve(query, generator=generator).frame.slots

    assert torch.equal(run(None), run(None))
    assert torch.equal(run(7), run(7))
    assert not torch.equal(run(7), run(8))


def test_advance_moves_by_dt_times_velocity_and_renormalises() -> None:
    state = torch.tensor([[[1.0, 0.0]]])
    velocity = torch.tensor([[[0.0, 2.0]]])
    assert torch.allclose(advance(state, velocity, 0.5), torch.tensor([[[2**-0.5, 2**-0.5]]]))
