"""`voltx vincigpt`: trains, goes on, writes, and says what is wrong."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from voltx_core.cli.vincigpt_train import INTERRUPTED
from voltx_core.cli.vincigpt_train import train as train_here
from voltx_core.cli.watch import ended
from voltx_core.stages import contract, vincigpt
from voltx_core.stages.runs import latest
from voltx_core.stages.workspace import Workspace

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


class SoonStopped(contract.StopFlag):
    """Asks to stop after four looks of the training loop."""

    looks = 0

    def __bool__(self) -> bool:
        self.looks += 1
        if self.looks > 4:
            self.set("asked to")
        return self.reason is not None


def here(folder: Path, **options) -> None:
    """The command in this process, on the stories of ``folder``."""
    texts, store = str(folder / "stories.jsonl"), str(folder / "volt-store")
    train_here("tiny", texts=texts, overrides=list(SMALL), store=store, **options)


def test_a_fresh_one_that_was_interrupted_goes_on_by_the_command_it_printed(
    folder, monkeypatch, capsys, caplog
):
    workspace = Workspace.open(str(folder / "volt-store"))
    before = workspace.artifacts.manifests("vincigpt")[0]
    with monkeypatch.context() as patch:
        patch.setattr(contract, "StopFlag", SoonStopped)
        with pytest.raises(typer.Exit) as left:
            here(folder, resume=False)
    assert left.value.exit_code == INTERRUPTED
    run_id = latest(workspace.artifacts)
    outcome = ended(workspace, run_id)
    assert outcome["state"] == "interrupted"
    assert "saved at step 4 of 6" in outcome["why"]
    said = " ".join(capsys.readouterr().out.split())
    assert said.endswith(f"--store {folder / 'volt-store'} --fresh --run {run_id}")
    assert workspace.artifacts.manifests("vincigpt") == [before]

    with caplog.at_level("INFO"):
        here(folder, resume=False, run=run_id)
    assert "goes on at step 4 of 6" in caplog.text
    (after,) = workspace.artifacts.manifests("vincigpt")
    assert after.run_id == run_id != before.run_id
    assert after.artifacts == before.artifacts  # the same bytes as in one go
    assert ended(workspace, run_id)["state"] == "completed"


def test_a_training_that_fails_tells_who_watches_it(folder, monkeypatch):
    def broken(_):
        raise OSError("the disk is gone")

    monkeypatch.setattr(vincigpt, "run", broken)
    workspace = Workspace.open(str(folder / "volt-store"))
    with pytest.raises(OSError, match="gone"):
        here(folder, resume=False)
    outcome = ended(workspace, latest(workspace.artifacts))
    assert (outcome["state"], outcome["why"]) == ("failed", "the disk is gone")


@pytest.mark.parametrize(("run", "said"), [("unheard-of", "no run 'unheard-of'"), (None, "other")])
def test_only_a_run_of_the_same_training_is_taken_up_again(folder, capsys, run, said):
    workspace = Workspace.open(str(folder / "volt-store"))
    changed = [*SMALL, "vincigpt.steps=7"]
    with pytest.raises(typer.Exit):
        train_here(
            "tiny",
            texts=str(folder / "stories.jsonl"),
            overrides=changed,
            run=run or latest(workspace.artifacts),
            store=str(folder / "volt-store"),
        )
    assert said in capsys.readouterr().err


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
