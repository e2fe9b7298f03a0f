"""vinciGPT through Prefect, as it is typed; and its model from the command line."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from voltx_core.stages.runs import RunRecord, latest

pytestmark = pytest.mark.integration


def run_in(project: Any, *command: str | Path) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(
        command,
        cwd=project.folder,
        env=project.environ,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done


def test_the_deployment_trains_it_and_the_model_writes(project: Any) -> None:
    before = latest(project.workspace.artifacts)
    prefect = Path(sys.executable).parent / "prefect"
    run_in(project, prefect, "deployment", "run", "vincigpt/train", "--param", "preset=tiny")

    def ended() -> dict[str, Any] | None:
        run_id = latest(project.workspace.artifacts)
        if run_id in (None, before):
            return None
        found = project.workspace.artifacts.get_json(f"runs/{run_id}/outcome.json")
        return found if found and "report" in found else None

    outcome = project.until(ended, timeout_s=600)
    run_id = latest(project.workspace.artifacts)
    assert outcome["state"] == "completed", outcome
    rows = RunRecord(project.workspace.artifacts, run_id).rows()
    assert [(row["name"], row["state"]) for row in rows] == [
        ("vincigpt_corpus", "committed"),
        ("vincigpt", "committed"),
    ]
    voltx = "from voltx_core.cli.main import main; main()"
    arguments = ("vincigpt", "infer", "--prompt", "Return", "--tokens", "8", "--json")
    written = run_in(project, sys.executable, "-c", voltx, *arguments)
    (row,) = json.loads(written.stdout)
    assert row["prompt"] == "Return"
    assert row["text"]
