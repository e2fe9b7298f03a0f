"""`voltx vincigpt`: trains, goes on, writes, and says what is wrong."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

VOLTX = "from voltx_core.cli.main import main; main()"
SMALL = ("vincigpt.steps=6", "vincigpt.evaluate_every=3", "vincigpt.batch_tokens=256")


def voltx(folder: Path, *arguments: str, **options) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", VOLTX, "vincigpt", *arguments],
        cwd=folder,
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=300,
        **options,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Where a tiny one was trained on a file of stories."""
    place = tmp_path_factory.mktemp("vincigpt")
    rows = [
        {"text": f"Once there was a cat. It had {n} hats and {n * 7} cups."} for n in range(400)
    ]
    (place / "stories.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = voltx(place, *train())
    assert done.returncode == 0, done.stderr
    assert "validation loss" in done.stdout
    assert "step 6/6" in done.stderr
    return place


def train(*more: str) -> list[str]:
    settings = [word for text in SMALL for word in ("--set", text)]
    return ["train", "--preset", "tiny", "--texts", "stories.jsonl", *settings, *more]


def test_what_is_done_is_reused(folder):
    done = voltx(folder, *train("--resume"))
    assert "vinciGPT reused" in done.stdout


def test_asked_for_a_fresh_one_it_trains_again(folder):
    done = voltx(folder, *train("--fresh"))
    assert "vinciGPT committed" in done.stdout
    assert "8.1 vinciGPT corpus reused" in done.stderr


def test_it_writes_the_same_with_the_same_seed(folder):
    ask = ("infer", "--prompt", "Once there", "--tokens", "12", "--temperature", "1.5")
    first, second, other = (voltx(folder, *ask, "--seed", seed).stdout for seed in ("1", "1", "2"))
    assert first.startswith("Once there")
    assert first == second != other


def test_a_batch_gives_a_text_a_prompt_and_sample(folder):
    ask = ("infer", "--prompt", "Once", "--prompt", "It had", "-n", "2", "--tokens", "4", "--json")
    rows = json.loads(voltx(folder, *ask, "--top-k", "5").stdout)
    assert [row["prompt"] for row in rows] == ["Once", "Once", "It had", "It had"]


def test_a_pipe_is_a_prompt(folder):
    done = voltx(folder, "infer", "--tokens", "3", "--last", input="Once")
    assert done.stdout.startswith("Once")


def test_a_prompt_that_does_not_fit_is_refused(folder):
    done = voltx(folder, "infer", "--prompt", "Once there was a cat. " * 60)
    assert done.returncode == 2
    assert "shorter" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("train", "--preset", "big"), "tiny, laptop, h100-1h"),
        (("train", "--ablation", "none"), "no-mask, relu2, muon"),
        (("train", "--preset", "tiny", "--texts", "nowhere.txt"), "nowhere.txt"),
        (("infer", "--prompt", "a"), "voltx vincigpt train"),
        (("infer", "--prompt", "a", "--model", "."), "config.json"),
    ],
)
def test_a_mistake_is_one_clear_message(tmp_path, arguments, said):
    done = voltx(tmp_path, *arguments)
    assert done.returncode in (1, 2)
    assert said in done.stderr
    assert "Traceback" not in done.stderr
