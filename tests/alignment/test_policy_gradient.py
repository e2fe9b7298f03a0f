"""The policy gradient, checked against closed forms and finite expectations."""

import pytest
import torch

from voltx_core.alignment.policy_gradient import (
    leave_one_out,
    log_likelihood,
    reinforce_loss,
    sample_attempts,
    sampled_ids,
    unroll,
)  # fmt: skip
from voltx_core.config import resolve
from voltx_core.soft_core.soft_core import SoftCore
from voltx_core.translator.tokenizer import CodeTokenizer
from voltx_core.translator.translator import Translator, Written

CONFIG = resolve("tiny", environ={})
TEXTS = ["double every number", "sum the list", "return xs[0]"]


@pytest.fixture(scope="module")
def parts():
    torch.manual_seed(0)
    translator = Translator.create(CodeTokenizer.train(TEXTS * 5, 300), CONFIG.translator)
    for module in (translator.encoder, translator.decoder):
        module.eval().requires_grad_(False)
    return SoftCore(translator.width, CONFIG.soft_core), translator


def test_the_advantage_compares_each_sample_with_the_others() -> None:
    rewards = torch.tensor([[1.0, 0.0, 0.0, 1.0]])
    assert torch.allclose(leave_one_out(rewards), torch.tensor([[2 / 3, -2 / 3, -2 / 3, 2 / 3]]))
    assert leave_one_out(torch.full((3, 4), 0.7)).abs().max() < 1e-6


def test_an_excluded_reward_moves_nothing_and_is_no_baseline() -> None:
    nan = torch.nan
    rewards = torch.tensor([[1.0, nan, 0.0, nan], [nan, nan, nan, 1.0], [nan, nan, nan, nan]])
    expected = torch.zeros(3, 4)
    expected[0, 0], expected[0, 2] = 1.0, -1.0
    assert torch.equal(leave_one_out(rewards), expected)


def test_a_single_sample_has_no_baseline() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        leave_one_out(torch.ones(3, 1))


TEMPERATURE = 0.8


def attempt(parts, texts: list[str], k: int, seed: int):
    core, translator = parts
    query = translator.encode(texts)
    return query, sample_attempts(
        core,
        translator,
        query,
        k=k,
        temperature=TEMPERATURE,
        unrolled_steps=2,
        generator=torch.Generator().manual_seed(seed),
    )


def loss_of(parts, query, attempts, rewards):
    core, translator = parts
    likelihood = log_likelihood(
        core, translator, query, attempts, temperature=TEMPERATURE, unrolled_steps=2
    )
    return reinforce_loss(likelihood, rewards)


def test_the_probabilities_are_those_of_the_policy_that_sampled(parts) -> None:
    core, translator = parts
    query, attempts = attempt(parts, TEXTS, 2, 0)
    rows = torch.arange(len(query)).repeat_interleave(2)
    ids = sampled_ids(attempts.written)
    with torch.no_grad():
        log_p = translator.log_probabilities(unroll(core, query, 2)[rows], ids).sum(1)
    said = torch.tensor([written.log_probability for written in attempts.written])
    assert torch.allclose(log_p, said, atol=1e-3)


def test_equal_rewards_leave_no_gradient(parts) -> None:
    query, attempts = attempt(parts, TEXTS, 3, 0)
    loss = loss_of(parts, query, attempts, torch.ones(3, 3))
    gradients = torch.autograd.grad(loss, list(parts[0].vfn.project.parameters()))
    assert all(g.abs().max() < 1e-6 for g in gradients)


def test_following_the_gradient_makes_the_rewarded_program_likelier(parts) -> None:
    core, translator = parts
    query, attempts = attempt(parts, TEXTS[:1], 2, 1)

    @torch.no_grad()
    def gap() -> float:
        frame = unroll(core, query, 2)[torch.tensor([0, 0])]
        ids = sampled_ids(attempts.written)
        mean = translator.log_probabilities(frame, ids).sum(1) / (ids[:, 1:] != 0).sum(1)
        return float(mean[0] - mean[1])

    before = gap()
    adam = torch.optim.Adam(core.parameters(), lr=1e-3)
    for _ in range(3):
        loss = loss_of(parts, query, attempts, torch.tensor([[1.0, 0.0]]))
        adam.zero_grad()
        loss.backward()
        adam.step()
    assert gap() > before


def test_sampled_ids_start_with_bos_and_are_padded() -> None:
    ids = sampled_ids([Written("a", [5, 3], 0.0, 0.0), Written("b", [7, 8, 9], 0.0, 0.0)])
    assert ids.tolist() == [[2, 5, 3, 0], [2, 7, 8, 9]]
