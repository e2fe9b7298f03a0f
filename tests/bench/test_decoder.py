"""`voltx bench decoder`: what counts as carried, and a small run of it."""

import json
import subprocess
import sys

import pytest
import torch

from voltx_core.bench.decoder import configured, draw
from voltx_core.bench.reconstruction import (
    Carried,
    by_length,
    half_carried,
    overall,
    short_enough,
    token_accuracy_from_tokens,
    train_on_slots,
    train_on_tokens,
)
from voltx_core.translator.tokenizer import CodeTokenizer

SHORT = [f"def f{n}(x):\n    return x + {n}\n" for n in range(6)]
LONG = [f"def g{n}(x):\n    y = x * {n}\n    z = y - {n}\n    return y + z\n" for n in range(6)]
SMALL = [
    "translator.vocabulary=320", "translator.encoder_tokens=48", "translator.decoder_tokens=48",
    "translator.slot_width=48", "translator.embedding_width=32", "translator.encoder_width=48",
    "translator.decoder_width=48", "translator.decoder_blocks=1", "translator.batch=12",
    "translator.slot_noise=0.1", "compute.precision=float32",
]  # fmt: skip


def test_a_translator_that_learned_its_functions_by_heart_carries_them(tmp_path):
    torch.set_num_threads(1)
    config = configured("laptop", "base", 220, SMALL)
    tokenizer = CodeTokenizer.train(SHORT + LONG, 320)
    settings = {"minutes": None, "device": "cpu", "say": lambda _: None}
    translator, trained = train_on_slots(
        tokenizer, SHORT + LONG, config, tmp_path / "slots", **settings
    )
    assert trained.curve[-1][1] < trained.curve[0][1]
    found = by_length(translator, SHORT + LONG)
    assert sum(each.functions for each in found) == 12
    assert [each.tokens for each in found] == sorted({each.tokens for each in found})
    assert overall(found, "token_accuracy") > 0.9
    assert overall(found, "exact") >= 0.5
    assert all(each.same_program >= each.exact for each in found)
    reader, _ = train_on_tokens(translator, SHORT + LONG, config, tmp_path / "tokens", **settings)
    assert token_accuracy_from_tokens(translator, reader, SHORT + LONG) > 0.9


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
    base, wide, deep = (configured("laptop", name, 5, []) for name in ("base", "width", "decoder"))
    assert wide.translator.slot_width == 2 * base.translator.slot_width
    assert deep.translator.decoder_blocks == 2 * base.translator.decoder_blocks
    assert wide.translator.decoder_blocks == base.translator.decoder_blocks


def test_the_plot_is_an_svg(tmp_path):
    draw([row(16, 0.9), row(32, 0.5)], tmp_path / "plot.svg")
    assert "<svg" in (tmp_path / "plot.svg").read_text()


def test_the_last_line_is_one_object_of_figures(tmp_path):
    command = [sys.executable, "-m", "voltx_core.cli.main", "bench", "decoder", "--json"]
    sizes = ["--functions", "300", "--pool", "40", "--steps", "2", "--threads", "1"]
    small = [part for setting in SMALL for part in ("--set", setting)]
    done = subprocess.run(
        [*command, *sizes, *small], capture_output=True, text=True, timeout=300, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["bench"] == "decoder"
    assert report["why"] == {}
    assert 0 <= report["figures"]["token_accuracy_diagnostic"] <= 1
    assert report["figures"]["exact"] <= report["figures"]["same_program"]
    assert set(report["samples"]["training"]) == {"base", "every token"}
