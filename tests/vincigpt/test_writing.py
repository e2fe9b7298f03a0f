"""Writing: the cache, batching and sampling change speed and never the distribution."""

import math

import pytest
import torch

from voltx_core.vincigpt.model import VinciGPT
from voltx_core.vincigpt.shape import Shape
from voltx_core.vincigpt.writing import Sampling, choose, complete, write


@pytest.fixture(scope="module")
def model() -> VinciGPT:
    shape = Shape(vocabulary=384, layers=2, width=32, heads=4, kv_heads=2, hidden=48, context=40)
    return VinciGPT(shape, generator=torch.Generator().manual_seed(3)).eval()


PROMPTS = [[5, 6, 7], [8], [9, 10, 11, 12, 13, 14], [30, 31, 32, 33]]


@torch.no_grad()
def slowly(model: VinciGPT, prompt: list[int], limit: int, end: int) -> tuple[list[int], float]:
    """Greedy writing without cache or batch, straight from the definition."""
    ids, score = list(prompt), 0.0
    for _ in range(limit):
        log_p = model(torch.tensor([ids]))[0, -1].log_softmax(-1)
        token = int(log_p.argmax())
        score += float(log_p[token])
        if token == end:
            break
        ids.append(token)
    return ids[len(prompt) :], score


def test_greedy_in_a_cached_batch_writes_what_the_definition_writes(model):
    end = slowly(model, PROMPTS[0], 12, -1)[0][6]  # a token that really ends some row early
    for prompt, completion in zip(
        PROMPTS, complete(model, PROMPTS, limit=12, end=(end,)), strict=True
    ):
        ids, score = slowly(model, prompt, 12, end)
        assert completion.ids == ids
        assert completion.log_probability == pytest.approx(score, abs=1e-3)
        assert completion.ended == (len(ids) < 12)


def test_the_context_ends_a_text(model):
    (completion,) = complete(model, [[5] * 30], limit=100, end=())
    assert len(completion.ids) == 10
    assert not completion.ended


def test_equal_generators_draw_equal_texts_and_others_differ(model):
    def drawn(seed: int) -> list[list[int]]:
        source = torch.Generator().manual_seed(seed)
        found = complete(
            model, PROMPTS, limit=10, sampling=Sampling(temperature=1.5), generator=source, end=()
        )
        return [c.ids for c in found]

    assert drawn(0) == drawn(0)
    assert drawn(0) != drawn(1)


def test_no_prompts_give_no_texts(model):
    assert complete(model, [], limit=5, end=()) == []


@pytest.mark.parametrize("prompts", [[[]], [[5] * 40], [[5], []]])
def test_an_empty_or_overlong_prompt_is_refused(model, prompts):
    with pytest.raises(ValueError, match="prompt"):
        complete(model, prompts, limit=5, end=())


def test_draws_follow_the_probabilities():
    p = torch.tensor([0.5, 0.3, 0.15, 0.05])
    log_p = p.log().expand(20_000, 4)
    drawn = choose(log_p, Sampling(temperature=1.0), torch.Generator().manual_seed(0))
    shares = torch.bincount(drawn, minlength=4) / 20_000
    torch.testing.assert_close(shares, p, atol=0.015, rtol=0)


def test_temperature_sharpens_as_the_formula_says():
    p = torch.tensor([0.6, 0.4])
    drawn = choose(
        p.log().expand(20_000, 2), Sampling(temperature=0.5), torch.Generator().manual_seed(0)
    )
    assert float((drawn == 0).float().mean()) == pytest.approx(0.36 / 0.52, abs=0.015)


def test_the_nucleus_is_the_fewest_tokens_that_hold_the_mass():
    p = torch.tensor([0.05, 0.5, 0.15, 0.3])
    drawn = choose(
        p.log().expand(5_000, 4),
        Sampling(temperature=1.0, top_p=0.8),
        torch.Generator().manual_seed(0),
    )
    assert set(drawn.tolist()) == {1, 3}
    assert float((drawn == 1).float().mean()) == pytest.approx(0.5 / 0.8, abs=0.03)


def test_top_k_draws_among_the_k_likeliest_in_proportion():
    p = torch.tensor([0.05, 0.5, 0.15, 0.3])
    sampling = Sampling(temperature=1.0, top_k=3)
    drawn = choose(p.log().expand(20_000, 4), sampling, torch.Generator().manual_seed(0))
    assert set(drawn.tolist()) == {1, 2, 3}
    assert float((drawn == 2).float().mean()) == pytest.approx(0.15 / 0.95, abs=0.015)


def test_a_stream_gives_the_same_tokens_one_at_a_time(model):
    whole = [c.ids for c in complete(model, PROMPTS, limit=9, end=())]
    streamed: list[list[int]] = [[] for _ in PROMPTS]
    for tokens in write(model, PROMPTS, limit=9, end=()):
        for token in tokens:
            streamed[token.row].append(token.id)
    assert streamed == whole


def test_rows_that_pad_the_table_are_never_written(model):
    sampling = Sampling(temperature=50.0)  # nearly uniform
    source = torch.Generator().manual_seed(0)
    found = complete(
        model, PROMPTS, limit=20, end=(), sampling=sampling, generator=source, entries=40
    )
    assert max(max(c.ids) for c in found) < 40


def test_greedy_takes_the_likeliest():
    log_p = torch.tensor([[-3.0, -0.1, -2.0], [-0.2, -1.0, -math.inf]])
    assert choose(log_p, Sampling(), None).tolist() == [1, 0]
