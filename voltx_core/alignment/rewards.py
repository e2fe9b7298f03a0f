"""Rewards of executed programs: the pass rate, the plan's table, and a shaped alternative.

A verdict whose tests ran in the candidate's own process can be forged, and one that was not run
says nothing: neither is a reward, good or bad. Both give ``EXCLUDED``, which the policy gradient
leaves out and sleep takes for neither good nor bad.
"""

import math
from collections.abc import Sequence

from voltx_core.config.alignment import RewardConfig
from voltx_core.judge import Verdict

EXCLUDED = math.nan
"""In place of the reward of a verdict that learning must not build on."""


def pass_rate_reward(verdict: Verdict) -> float:
    """Share of tests passed, in [0, 1], or ``EXCLUDED``."""
    return verdict.pass_rate if verdict.rewardable else EXCLUDED


def verified_reward(verdict: Verdict, gamma: float, *, safe: bool, config: RewardConfig) -> float:
    """Reward of one sample in 4.2.

    ``table`` is the plan's: certainty is paid when right and punished when wrong. As given,
    failing everything humbly (+0.2) beats passing some tests (+0.1 · rate). ``shaped`` pays the
    pass rate plus half a point for passing all, minus the squared error of gamma, so that neither
    pretending nor giving up pays.

    Args:
        verdict: What the judge saw.
        gamma: Certainty in [0, 1] stated before the execution.
        safe: False when the safety guard vetoed the program.
        config: The numbers.

    Returns:
        The reward; ``EXCLUDED``, also for a vetoed program, if the verdict is not rewardable.
    """
    if not verdict.rewardable:
        return EXCLUDED
    if not safe:
        return config.unsafe
    if config.kind == "shaped":
        brier = (gamma - float(verdict.passed)) ** 2
        return verdict.pass_rate + 0.5 * verdict.passed - brier
    if verdict.passed:
        return config.pass_certain if gamma > config.certain else config.pass_uncertain
    if verdict.tests_passed:
        return config.partial * verdict.pass_rate
    if gamma < config.humble:
        return config.fail_humble
    return config.fail_confident if gamma > config.certain else config.fail_between


def overconfident_share(
    verdicts: Sequence[Verdict], gammas: Sequence[float], certain: float = 0.7
) -> float:
    """Share of all programs that fail although gamma said more than ``certain``."""
    wrong = sum(
        not verdict.passed and gamma > certain
        for verdict, gamma in zip(verdicts, gammas, strict=True)
    )
    return wrong / len(verdicts)
