"""Rewards, self-play, consolidation."""

import math
import random
from dataclasses import replace

import pytest
import torch

from voltx_core.alignment.mutation import mutated_problems
from voltx_core.alignment.rewards import overconfident_share, pass_rate_reward, verified_reward
from voltx_core.alignment.sleep import Replay, decide, forward_forward_loss, graduate
from voltx_core.config.alignment import RewardConfig
from voltx_core.config.soft_core import SoftCoreConfig
from voltx_core.data.generator import SplitCounts, generate_problems
from voltx_core.frame import SLOTS, TensorFrame, normalise
from voltx_core.judge import Outcome, Verdict
from voltx_core.soft_core.soft_core import SoftCore


def verdict(passed: int, total: int = 4) -> Verdict:
    outcome = Outcome.PASSED if passed == total else Outcome.FAILED
    return Verdict(id="x", outcome=outcome, tests_passed=passed, tests_total=total)


@pytest.mark.parametrize(
    ("passed", "gamma", "safe", "reward"),
    [
        (4, 0.9, True, 1.0),
        (4, 0.5, True, 0.5),
        (2, 0.9, True, 0.05),
        (0, 0.1, True, 0.2),
        (0, 0.9, True, -2.0),
        (0, 0.5, True, -0.5),
        (4, 0.9, False, -5.0),
    ],
)
def test_the_table_is_the_plans(passed: int, gamma: float, safe: bool, reward: float) -> None:
    found = verified_reward(verdict(passed), gamma, safe=safe, config=RewardConfig())
    assert found == pytest.approx(reward)


def test_shaped_rewards_never_prefer_giving_up() -> None:
    shaped = RewardConfig(kind="shaped")

    def reward(passed: int, gamma: float) -> float:
        return verified_reward(verdict(passed), gamma, safe=True, config=shaped)

    assert reward(1, 0.0) > reward(0, 0.0)
    assert reward(4, 1.0) > reward(3, 0.0)
    assert reward(0, 0.0) > reward(0, 1.0)


@pytest.mark.parametrize(
    "unusable",
    [{"assurance": "inproc"}, {"outcome": Outcome.NOT_RUN}],
    ids=["forgeable", "not executed"],
)
def test_a_verdict_that_can_be_forged_or_was_not_run_is_no_reward(unusable: dict) -> None:
    for passed in (0, 2, 4):
        found = replace(verdict(passed), **unusable)
        assert math.isnan(pass_rate_reward(found))
        for kind in ("table", "shaped"):
            for safe in (True, False):
                config = RewardConfig(kind=kind)
                assert math.isnan(verified_reward(found, 0.9, safe=safe, config=config))


def test_sleep_takes_an_excluded_frame_for_neither_good_nor_bad() -> None:
    frame = TensorFrame.of(torch.zeros(4, SLOTS, 8), torch.ones(4, SLOTS, dtype=torch.bool))
    forged = replace(verdict(4), assurance="inproc")
    open_ = replace(verdict(0), outcome=Outcome.NOT_RUN)
    verdicts = [verdict(4), forged, verdict(0), open_]
    replay = Replay(frame, frame, torch.tensor([pass_rate_reward(v) for v in verdicts]))
    assert (replay.good().tolist(), replay.bad().tolist()) == ([0], [2])


def test_self_play_keeps_no_problem_whose_verdicts_could_not_be_rewards() -> None:
    counts = SplitCounts(
        train=100, validation=5, calibration=5, heldout=5, compositions=5, phrasing=5
    )
    train = generate_problems(0, counts)["train"]
    asked: list[int] = []

    def every_other_beside(problems, codes):  # type: ignore[no-untyped-def]
        asked.append(len(problems))
        sides = ["inproc" if n % 2 else "split" for n, _ in enumerate(codes)]
        return [replace(verdict(4), assurance=side) for side in sides]

    made = mutated_problems(train, 10, random.Random, every_other_beside)
    assert len(made) == (asked[0] + 1) // 2


def test_overconfident_errors_are_a_share_of_all_programs() -> None:
    verdicts = [verdict(0), verdict(4), verdict(0), verdict(0)]
    assert overconfident_share(verdicts, [0.9, 0.9, 0.2, 0.71]) == 0.5


def test_self_play_makes_new_problems_and_keeps_away_from_held_out_ones() -> None:
    counts = SplitCounts(
        train=200, validation=10, calibration=10, heldout=10, compositions=10, phrasing=10
    )
    parts = generate_problems(0, counts)
    held_out = parts["compositions"] + parts["heldout"]

    def all_pass(problems, codes):  # type: ignore[no-untyped-def]
        assert [p.solution for p in problems] == codes
        return [verdict(4) for _ in problems]

    made = mutated_problems(parts["train"], 20, random.Random, all_pass, held_out=held_out)
    assert len(made) >= 15
    known = {p.solution for p in parts["train"] + held_out}
    assert not known & {p.solution for p in made}
    reserved = {p.traits["composition"] for p in parts["compositions"]}
    assert not reserved & {p.traits["composition"] for p in made}


def test_references_that_fail_are_thrown_away() -> None:
    counts = SplitCounts(
        train=100, validation=5, calibration=5, heldout=5, compositions=5, phrasing=5
    )
    train = generate_problems(0, counts)["train"]
    judge = lambda problems, codes: [verdict(0) for _ in codes]  # noqa: E731, ARG005
    assert mutated_problems(train, 5, random.Random, judge) == []


@pytest.mark.parametrize(
    ("old", "new", "keep"),
    [
        ((0.5, 0.5), (0.4, 0.5), True),
        ((0.5, 0.49), (0.4, 0.46), True),
        ((0.5, 0.45), (0.4, 0.6), False),
        ((0.5, 0.6), (0.4, 0.42), False),
    ],
)
def test_sleep_keeps_only_what_proves_itself(old, new, keep: bool) -> None:
    assert decide(old=old, new=new, gain=0.05, loss=0.03).keep is keep


def test_forward_forward_pulls_good_and_bad_frames_apart() -> None:
    torch.manual_seed(0)
    core = SoftCore(32, SoftCoreConfig(width=32, blocks=2))
    good, bad = (TensorFrame.of(torch.randn(16, SLOTS, 32)) for _ in range(2))
    adam = torch.optim.Adam(core.parameters(), lr=1e-2)
    first = float(forward_forward_loss(core, good, bad))
    for _ in range(20):
        loss = forward_forward_loss(core, good, bad)
        adam.zero_grad()
        loss.backward()
        adam.step()
    assert float(loss) < first
    assert core.vfn.project.weight.grad is None


def test_similar_gists_graduate_together_and_scattered_ones_do_not() -> None:
    draws = torch.Generator().manual_seed(0)
    centre = normalise(torch.randn(1, 64, generator=draws))
    close = normalise(centre + 0.05 * torch.randn(30, 64, generator=draws))
    scattered = normalise(torch.randn(30, 64, generator=draws))
    groups = graduate(torch.cat([close, scattered]), minimum=20, cosine=0.8)
    assert [len(group) for group in groups] == [30]
    assert graduate(scattered, minimum=5, cosine=0.8) == []
