"""A policy gradient through the frozen decoder and the unrolled RAR loop.

The policy is the soft core: it moves the query's frame, the frozen decoder turns the frame into a
distribution over programs, and the gradient of a sampled program's log-probability flows back
through the decoder into the frame and through the unrolled steps into the field.

Source: Williams 1992 (REINFORCE); Kool et al. 2019 (leave-one-out baseline).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from voltx_core.frame import TensorFrame
from voltx_core.soft_core.rar import Trajectory, advance
from voltx_core.soft_core.soft_core import SoftCore
from voltx_core.translator.encoder import QueryFeatures
from voltx_core.translator.translator import Translator, Written


@dataclass(frozen=True, slots=True)
class Attempts:
    """k sampled programs for each of B problems, problem-major: row b·k + j is sample j of b."""

    written: list[Written]
    trajectory: Trajectory
    """How the whole loop moved, one a problem."""
    asked: QueryFeatures | None
    """What the decoder read of each problem's query."""
    k: int


def unroll(core: SoftCore, query: TensorFrame, steps: int) -> TensorFrame:
    """The policy's frames: RAR steps, ended by one endpoint evaluation; differentiable."""
    state = query.slots
    for _ in range(steps):
        velocity, _, _ = core.velocity(state, query)
        state = advance(state, velocity, core.config.rar_dt)
    end, activity, _ = core.endpoint(state, query)
    return TensorFrame.of(end, activity > 0)


def leave_one_out(rewards: Tensor) -> Tensor:
    """Advantage of each sample over the mean of the others, ``[B, k]``.

    A reward that is NaN is excluded: its sample has no advantage and is no baseline for others; a
    sample without others has none either.

    Args:
        rewards: ``[B, k]``, k >= 2; NaN where excluded.

    Raises:
        ValueError: One sample has no others.
    """
    k = rewards.shape[1]
    if k < 2:
        raise ValueError(f"leave-one-out needs at least 2 samples a problem, got {k}")
    counted = ~rewards.isnan()
    others = counted.sum(1, keepdim=True) - 1  # [B, 1]
    known = rewards.nan_to_num(0.0)
    baseline = (known.sum(1, keepdim=True) - known) / others.clamp(min=1)
    return torch.where(counted & (others > 0), known - baseline, 0.0)


def sample_attempts(
    core: SoftCore,
    translator: Translator,
    query: TensorFrame,
    asked: QueryFeatures | None = None,
    *,
    k: int,
    temperature: float,
    unrolled_steps: int,
    generator: torch.Generator,
) -> Attempts:
    """Sample k programs a problem from the policy; no gradient.

    The programs come from the very frames that ``reinforce_loss`` differentiates; the trajectory
    of the whole loop stands beside them for what is computed from it (gamma).
    """
    with torch.no_grad():
        trajectory = core.solve(query)
        rows = torch.arange(len(query), device=query.slots.device).repeat_interleave(k)
        written = translator.write(
            unroll(core, query, unrolled_steps)[rows],
            asked=asked.rows(rows) if asked else None,
            temperature=temperature,
            generator=generator,
        )
    return Attempts(written, trajectory, asked, k)


def log_likelihood(
    core: SoftCore,
    translator: Translator,
    query: TensorFrame,
    attempts: Attempts,
    *,
    temperature: float,
    unrolled_steps: int,
) -> Tensor:
    """Mean log-probability a token of each attempt under the policy, ``[B, k]``; differentiable.

    It needs no reward, so it is computed while the attempts are executed.

    Args:
        core: The policy.
        translator: Frozen.
        query: B frames.
        attempts: What was sampled.
        temperature: What they were sampled at.
        unrolled_steps: RAR steps that gradients flow through.
    """
    frame = unroll(core, query, unrolled_steps)
    rows = torch.arange(len(query), device=frame.slots.device).repeat_interleave(attempts.k)
    ids = sampled_ids(attempts.written).to(frame.slots.device)
    asked = attempts.asked.rows(rows) if attempts.asked else None
    log_p = translator.log_probabilities(frame[rows], ids, asked, temperature=temperature)
    length = (ids[:, 1:] != 0).sum(1).clamp(min=1)
    return (log_p.sum(1) / length).view(-1, attempts.k)


def reinforce_loss(likelihood: Tensor, rewards: Tensor) -> Tensor:
    """-E[advantage · log p(program)], normalised by program length.

    Args:
        likelihood: ``[B, k]`` of ``log_likelihood``.
        rewards: ``[B, k]``; NaN where excluded.
    """
    return -(leave_one_out(rewards).to(likelihood.device) * likelihood).mean()


def sampled_ids(written: Sequence[Written]) -> Tensor:
    """``<bos>`` and the sampled tokens, padded with 0: ``[N, L]``."""
    from voltx_core.translator.tokenizer import BOS

    length = 1 + max(len(w.ids) for w in written)
    ids = torch.zeros(len(written), length, dtype=torch.long)
    for n, w in enumerate(written):
        ids[n, : len(w.ids) + 1] = torch.tensor([BOS, *w.ids])
    return ids
