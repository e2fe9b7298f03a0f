"""`voltx bench decoder`: what counts as carried, what is varied, and a small run that goes on."""

import json
import os
import subprocess
import sys

import pytest
import torch

from voltx_core.bench.decoder import draw
from voltx_core.bench.decoder_variants import VARIANTS, Variant, chosen, configured
from voltx_core.bench.decoder_work import Material, measure
from voltx_core.bench.frame_search import best_frames, spread_over_lengths
from voltx_core.bench.reconstruction import (
    Carried,
    Writing,
    by_length,
    half_carried,
    overall,
    short_enough,
    token_accuracy_from_tokens,
    train_on_tokens,
)
from voltx_core.bench.session import BenchSession
from voltx_core.errors import ConfigError
from voltx_core.translator.tokenizer import CodeTokenizer
from voltx_core.translator.translator import Translator

SHORT = [f"def f{n}(x):\n    return x + {n}\n" for n in range(6)]
LONG = [f"def g{n}(x):\n    y = x * {n}\n    z = y - {n}\n    return y + z\n" for n in range(6)]
SMALL = [
    "translator.vocabulary=320", "translator.encoder_tokens=48", "translator.decoder_tokens=48",
    "translator.slot_width=48", "translator.embedding_width=32", "translator.encoder_width=48",
    "translator.decoder_width=48", "translator.decoder_blocks=1", "translator.batch=12",
    "translator.slot_noise=0.1", "compute.precision=float32",
]  # fmt: skip
BASE = VARIANTS["base"]


@pytest.fixture(scope="module")
def learned(tmp_path_factory) -> tuple[Writing, BenchSession]:
    torch.set_num_threads(1)
    config = configured("laptop", BASE, 300, SMALL)
    folder = tmp_path_factory.mktemp("slots")
    session = BenchSession.open(config, folder, device="cpu", say=lambda _: None)
    writing = Writing.open(CodeTokenizer.train(SHORT + LONG, 320), SHORT + LONG, config)
    trained = writing.train(session, 300)
    assert trained.curve[-1][1] < trained.curve[0][1]
    return writing, session


def test_a_translator_that_learned_its_functions_by_heart_carries_them(learned):
    found = by_length(learned[0].translator, SHORT + LONG)
    assert sum(each.functions for each in found) == 12
    assert [each.tokens for each in found] == sorted({each.tokens for each in found})
    assert overall(found, "token_accuracy") > 0.9
    assert overall(found, "exact") >= 0.5
    assert all(each.same_program >= each.exact for each in found)


def test_a_decoder_that_reads_every_token_learns_them_too(learned):
    writing, session = learned
    reader, _ = train_on_tokens(writing.translator, SHORT + LONG, session, 300)
    assert token_accuracy_from_tokens(writing.translator, reader, SHORT + LONG) > 0.9


def test_descent_finds_frames_that_make_unseen_functions_more_probable(learned):
    translator: Translator = learned[0].translator
    unseen = ["def g7(x):\n    return x + 4\n", "def f2(x):\n    y = x - 1\n    return y\n"]
    targets = translator.targets(unseen)
    before = {name: value.clone() for name, value in translator.decoder.state_dict().items()}
    best = best_frames(translator, unseen)
    own, found = (
        translator.log_probabilities(frames, targets).sum(1)
        for frames in (translator.encode(unseen), best)
    )
    assert (found > own).all()
    assert torch.allclose(best.slots.norm(dim=-1), torch.ones(2, 16), atol=1e-5)
    assert all(torch.equal(before[name], v) for name, v in translator.decoder.state_dict().items())


def test_the_examined_functions_are_spread_over_all_lengths(learned):
    translator = learned[0].translator
    lengths = translator.tokenizer.lengths(spread_over_lengths(translator, LONG + SHORT, 4))
    assert lengths == sorted(lengths)
    assert lengths[0] == min(translator.tokenizer.lengths(SHORT))
    assert lengths[-1] >= min(translator.tokenizer.lengths(LONG))
    assert len(spread_over_lengths(translator, SHORT, 100)) == len(SHORT)


def row(tokens: int, same: float) -> Carried:
    return Carried(tokens, 10, 0.5, 0.5, same, same)


def test_the_limit_is_before_the_first_class_of_which_less_than_half_comes_back():
    assert half_carried([row(16, 0.9), row(32, 0.5), row(48, 0.2), row(64, 0.9)]) == 32
    assert half_carried([row(16, 0.1)]) == 0


def test_shares_are_weighted_by_functions():
    rows = [Carried(16, 30, 0.8, 0, 0, 0), Carried(32, 10, 0.4, 0, 0, 0)]
    assert overall(rows, "token_accuracy") == pytest.approx(0.7)


def test_longer_functions_than_the_decoder_writes_are_left_out():
    tokenizer = CodeTokenizer.train(SHORT + LONG, 300)
    longest = max(tokenizer.lengths(SHORT))
    assert short_enough(tokenizer, SHORT + LONG, longest + 2) == SHORT


def test_variants_change_one_thing():
    base, wide, deep, still = (
        configured("laptop", VARIANTS[name], 5, [])
        for name in ("base", "width", "decoder", "noise")
    )
    assert wide.translator.slot_width == 2 * base.translator.slot_width
    assert deep.translator.decoder_blocks == 2 * base.translator.decoder_blocks
    assert wide.translator.decoder_blocks == base.translator.decoder_blocks
    assert (still.translator.slot_noise, base.translator.slot_noise) == (0.0, 1.0)
    assert VARIANTS["data"].choose(SHORT) == SHORT[:3]
    assert Variant(title="two", most=2).choose(SHORT) == SHORT[:2]


def test_everything_is_compared_with_the_base():
    assert chosen("width, few") == ["base", "width", "few"]
    with pytest.raises(ConfigError, match="widht"):
        chosen("widht")


@pytest.mark.parametrize("slots", [1, 4, 64])
def test_a_frame_may_have_another_number_of_slots_to_measure_what_sixteen_carry(slots):
    config = configured("laptop", BASE, 5, SMALL)
    tokenizer = CodeTokenizer.train(SHORT + LONG, 320)
    translator = Writing.open(tokenizer, SHORT, config, slots=slots).translator
    frame = translator.encode(SHORT)
    assert frame.slots.shape == (6, slots, 48)
    assert len(translator.write(frame)) == 6
    assert translator.decoder.sizes["slots"] == slots


def test_what_costs_more_a_step_gets_fewer_steps_and_what_is_kept_is_not_trained_again(tmp_path):
    material = Material(CodeTokenizer.train(SHORT + LONG, 320), SHORT + LONG, SHORT, 0.0)
    base = configured("laptop", BASE, 6, SMALL)
    said: list[str] = []

    def measured(name: str):
        config = configured("laptop", VARIANTS[name], 6, SMALL)
        return measure(
            material, VARIANTS[name], config, base, tmp_path,
            searched=2, diagnostic=False, device="cpu", say=said.append,
        )  # fmt: skip

    plain, deep = measured("base"), measured("decoder")
    assert plain.training["steps"] == 6 > deep.training["steps"]
    assert deep.training["tflop"] == pytest.approx(plain.training["tflop"], rel=0.2, abs=0.01)
    assert "kept from before" not in said
    assert measured("decoder") == deep
    assert said[-1] == "kept from before"
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".json", ".json"]


def test_the_plot_is_an_svg(tmp_path):
    draw([row(16, 0.9), row(32, 0.5)], tmp_path / "plot.svg")
    assert "<svg" in (tmp_path / "plot.svg").read_text()


def test_the_last_line_is_one_object_of_figures(tmp_path):
    command = [sys.executable, "-m", "voltx_core.cli.main", "bench", "decoder", "--json", "--quick"]
    sizes = ["--steps", "2", "--threads", "1", "--variants", "few"]
    small = [part for setting in SMALL for part in ("--set", setting)]
    environ = {**os.environ, "VOLTX_HOME": str(tmp_path)}
    done = subprocess.run(
        [*command, *sizes, *small],
        capture_output=True, text=True, timeout=300, cwd=tmp_path, env=environ,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["bench"] == "decoder"
    assert report["why"] == {}
    figures = report["figures"]
    assert 0 <= figures["token_accuracy_diagnostic"] <= 1
    assert figures["exact"] <= figures["same_program"]
    assert set(report["samples"]["measured"]) == {"base", "few"}
    assert list((tmp_path / "decoder").glob("functions-*.json"))
