"""Encoder, decoder and their objective."""

import math
from pathlib import Path

import pytest
import torch

from voltx_core.config import resolve
from voltx_core.frame import SLOTS
from voltx_core.translator.decoder import sample
from voltx_core.translator.objective import PairSet, add_slot_noise, info_nce, translator_loss
from voltx_core.translator.tokenizer import BOS, EOS, CodeTokenizer
from voltx_core.translator.translator import Translator

CODES = [f"def solve(xs):\n    return [x + {n} for x in xs]" for n in range(8)]
QUERIES = [f"add {n} to every number" for n in range(8)]
CONFIG = resolve("tiny", environ={}).translator


@pytest.fixture(scope="module")
def translator() -> Translator:
    tokenizer = CodeTokenizer.train(CODES + QUERIES, 300)
    torch.manual_seed(0)
    made = Translator.create(tokenizer, CONFIG)
    for module in (made.encoder, made.decoder):
        module.eval()
    return made


def test_padding_does_not_change_a_frame(translator: Translator) -> None:
    alone = translator.encode([QUERIES[0]])
    beside = translator.encode([QUERIES[0], "a much longer text " * 6])
    assert torch.allclose(alone.slots[0], beside.slots[0], atol=1e-5)


def test_frames_come_back_in_the_order_of_the_texts(translator: Translator) -> None:
    texts = ["long text " * 4, "b", "middle text"]
    together = translator.encode(texts, batch=2)
    for n, text in enumerate(texts):
        assert torch.allclose(together.slots[n], translator.encode([text]).slots[0], atol=1e-5)


def test_the_cached_decoder_agrees_with_the_teacher_forced_one(translator: Translator) -> None:
    frame = translator.encode(CODES)
    ids, scores = sample(translator.decoder, frame, bos=BOS, eos=EOS)
    forced = translator.log_probabilities(
        frame, torch.cat([torch.full((len(ids), 1), BOS), ids], 1)
    )
    assert torch.allclose(forced.detach(), scores, atol=1e-4)


def test_sampling_follows_its_generator_and_nucleus_excludes_the_tail(
    translator: Translator,
) -> None:
    frame = translator.encode(CODES)

    def draw(seed: int, top_p: float = 1.0) -> list[str]:
        generator = torch.Generator().manual_seed(seed)
        return [w.text for w in translator.write(
            frame, temperature=1.0, top_p=top_p, generator=generator)]  # fmt: skip

    assert draw(1) == draw(1)
    assert draw(1) != draw(2)
    assert draw(1, top_p=1e-6) == [w.text for w in translator.write(frame)]


def test_the_decoder_sees_the_future_of_no_token(translator: Translator) -> None:
    frame = translator.encode(CODES[:1])
    ids = translator.targets(CODES[:1])
    changed = ids.clone()
    changed[0, -2] = 5
    with torch.no_grad():
        before = translator.decoder(frame.slots, frame.mask, ids[:, :-1])
        after = translator.decoder(frame.slots, frame.mask, changed[:, :-1])
    assert torch.allclose(before[:, :-2], after[:, :-2], atol=1e-5)


def test_info_nce_is_the_logarithm_of_the_batch_at_chance() -> None:
    same = torch.ones(8, 4) / 2
    assert float(info_nce(same, same, 0.07)) == pytest.approx(math.log(8))
    assert float(info_nce(torch.eye(8), torch.eye(8), 0.07)) < 1e-4


def test_slot_noise_has_the_norm_it_says_and_keeps_inactive_slots_silent(
    translator: Translator,
) -> None:
    frame = translator.encode(CODES)
    noisy = add_slot_noise(frame, 0.0, torch.Generator().manual_seed(0))
    assert torch.allclose(noisy.slots, frame.slots, atol=1e-6)
    noisy = add_slot_noise(frame, 1.0, torch.Generator().manual_seed(0))
    assert (noisy.slots[~frame.mask] == 0).all()
    cosine = (noisy.slots * frame.slots).sum(-1)[frame.mask]
    assert 0.5 < float(cosine.mean()) < 0.999


@pytest.mark.parametrize("objective", ["reconstruction", "contrastive"])
def test_training_on_a_few_pairs_lowers_the_loss(objective: str) -> None:
    tokenizer = CodeTokenizer.train(CODES + QUERIES, 300)
    config = CONFIG.model_copy(update={"objective": objective})
    torch.manual_seed(0)
    fresh = Translator.create(tokenizer, config)
    pairs = PairSet(tokenizer, QUERIES, CODES, config)
    parameters = [*fresh.encoder.parameters(), *fresh.decoder.parameters()]
    adam = torch.optim.AdamW(parameters, lr=3e-3)
    losses = []
    for step in range(30):
        loss, parts = translator_loss(
            fresh.encoder, fresh.decoder, pairs, torch.arange(8), config,
            torch.Generator().manual_seed(step), "cpu",
        )  # fmt: skip
        adam.zero_grad()
        loss.backward()
        adam.step()
        losses.append(float(parts["reconstruction"]))
    assert losses[-1] < 0.5 * losses[0]


@pytest.fixture(scope="module")
def reading() -> Translator:
    """A translator whose decoder reads the query's words, trained until it uses them."""
    tokenizer = CodeTokenizer.train(CODES + QUERIES, 300)
    config = CONFIG.model_copy(update={"query_features": True, "query_features_dropout": 0.5})
    torch.manual_seed(0)
    made = Translator.create(tokenizer, config)
    pairs = PairSet(tokenizer, QUERIES, CODES, config)
    adam = torch.optim.AdamW([*made.encoder.parameters(), *made.decoder.parameters()], lr=3e-3)
    for step in range(20):
        loss, _ = translator_loss(
            made.encoder, made.decoder, pairs, torch.arange(8), config,
            torch.Generator().manual_seed(step), "cpu",
        )  # fmt: skip
        adam.zero_grad()
        loss.backward()
        adam.step()
    for module in (made.encoder, made.decoder):
        module.eval().requires_grad_(False)
    return made


def test_words_change_what_is_written_and_hidden_words_do_not(reading: Translator) -> None:
    frame, ids = reading.encode(CODES), reading.targets(CODES)
    asked = reading.asked(QUERIES)
    assert asked is not None
    alone = reading.log_probabilities(frame, ids)
    assert not torch.allclose(reading.log_probabilities(frame, ids, asked), alone, atol=1e-3)
    hidden = asked.hide(torch.ones(8, dtype=torch.bool))
    assert torch.allclose(reading.log_probabilities(frame, ids, hidden), alone, atol=1e-5)


def test_the_cached_decoder_reads_the_same_words(reading: Translator) -> None:
    frame, asked = reading.encode(CODES), reading.asked(QUERIES)
    ids, scores = sample(reading.decoder, frame, asked, bos=BOS, eos=EOS)
    started = torch.cat([torch.full((len(ids), 1), BOS), ids], 1)
    assert torch.allclose(reading.log_probabilities(frame, started, asked), scores, atol=1e-4)


def test_a_decoder_that_reads_no_words_is_given_none(translator: Translator) -> None:
    assert translator.asked(QUERIES) is None


def test_a_saved_translator_writes_the_same_code(translator: Translator, tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("t.json", "e.safetensors", "d.safetensors")]
    translator.save(*paths, CONFIG)
    again = Translator.load(*paths)
    frame = again.encode(QUERIES)
    assert torch.equal(frame.slots, translator.encode(QUERIES).slots)
    assert [w.text for w in again.write(frame)] == [w.text for w in translator.write(frame)]
    assert frame.slots.shape == (8, SLOTS, again.width)


def test_codes_that_need_not_be_written_leave_the_decoder_alone(translator: Translator) -> None:
    config = CONFIG.model_copy(update={"objective": "contrastive"})
    pairs = PairSet(translator.tokenizer, QUERIES, CODES, config, weights=torch.zeros(len(CODES)))
    made = Translator.create(translator.tokenizer, config)
    rows, source = torch.arange(len(CODES)), torch.Generator().manual_seed(0)
    loss, parts = translator_loss(made.encoder, made.decoder, pairs, rows, config, source, "cpu")
    loss.backward()
    assert float(parts["reconstruction"]) == 0
    assert all(p.grad is None for p in made.decoder.parameters())
    assert made.encoder.embed_head.weight.grad.abs().max() > 0
