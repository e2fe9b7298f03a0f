"""The bench of vinciGPT: contenders that do the same work, and figures that say what they are."""

import json
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

from voltx_core.bench import vincigpt_race
from voltx_core.config import resolve

FIGURES = {
    "tok_s",
    "mfu_6n",
    "mfu_full",
    "vs_eager",
    "vs_compiled_unmasked",
    "mask_cost_share",
    "validation_loss",
    "ngram_loss",
}


@pytest.fixture
def track(tmp_path):
    config = resolve("tiny", {"vincigpt.batch_tokens": 256}, environ={})
    return vincigpt_race.track(config, tmp_path, "cpu", warm=1, steps=2)


@pytest.mark.parametrize("name", [vincigpt_race.VOLTX, vincigpt_race.UNMASKED, vincigpt_race.EAGER])
def test_every_contender_trains_and_is_timed(track, name, monkeypatch):
    moved = []
    step = torch.optim.AdamW.step

    def counted(self, *arguments):
        moved.append(self)
        return step(self, *arguments)

    monkeypatch.setattr(torch.optim.AdamW, "step", counted)
    assert vincigpt_race.turn(track, name) > 0
    assert len(moved) == 3


@pytest.mark.parametrize("name", [vincigpt_race.VOLTX, vincigpt_race.UNMASKED, vincigpt_race.EAGER])
def test_the_same_steps_of_every_contender_are_timed(tmp_path, name, monkeypatch):
    config = resolve("tiny", {"vincigpt.batch_tokens": 256}, environ={})
    track = vincigpt_race.track(config, tmp_path, "cpu", warm=3, steps=5)
    done = 0
    step = torch.optim.AdamW.step

    def counted(self, *arguments):
        nonlocal done
        done += 1
        return step(self, *arguments)

    monkeypatch.setattr(torch.optim.AdamW, "step", counted)
    # A clock that shows the steps done: five steps take five seconds, whoever does them.
    monkeypatch.setattr(vincigpt_race, "time", SimpleNamespace(perf_counter=lambda: float(done)))
    assert vincigpt_race.turn(track, name) == track.tokens


def test_the_stream_has_documents_of_the_stated_length(track):
    starts = (track.stream.ids == vincigpt_race.EOT).sum()
    assert starts == len(track.stream.offsets)
    assert 100 < len(track.stream) / starts < 400


@pytest.mark.integration
def test_it_prints_every_figure_or_says_why_not(tmp_path):
    code = "from voltx_core.cli.main import main; main()"
    command = ["bench", "vincigpt", "--preset", "tiny", "--repeat", "1", "--json"]
    done = subprocess.run(
        [sys.executable, "-c", code, *command, "--steps", "1", "--warm", "1"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert set(found["figures"]) == FIGURES
    missing = {name for name, value in found["figures"].items() if value is None}
    assert missing == set(found["why"])
    assert {"validation_loss", "ngram_loss"} <= missing  # this store holds no vinciGPT
