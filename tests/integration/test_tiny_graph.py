"""The whole graph on real stages, through real processes, at the size `tiny`."""

import json
import subprocess
import sys
from typing import Any

import pytest

pytestmark = pytest.mark.integration


def test_tiny_trains_everything_and_the_next_run_reuses_it(project: Any) -> None:
    flow_run, run_id = project.start()
    outcome = project.end(flow_run, timeout_s=900)
    rows = project.rows(run_id)
    assert outcome["state"] == "completed", outcome
    assert [row["state"] for row in rows] == ["committed"] * 16
    report = project.folder / "runs" / run_id
    assert {p.suffix for p in report.glob("report.*")} == {".md", ".html", ".json"}
    assert (project.folder / "runs" / "latest").resolve() == report
    assert json.loads((report / "report.json").read_text())["run_id"] == run_id

    again = voltx(project, "run", "--preset", "tiny", "--watch")

    assert again.returncode == 0, again.stderr
    assert again.stdout.count(" reused ") >= 16
    assert "Stop them: voltx down" in again.stdout
    second = json.loads(voltx(project, "status", "--json").stdout)
    assert [row["state"] for row in second] == ["reused"] * 16
    assert [row["fingerprint"] for row in second] == [row["fingerprint"] for row in rows]


def voltx(project: Any, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """The command line in the project's folder."""
    code = "from voltx_core.cli.main import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=project.folder,
        env=project.environ | {"COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=300,
    )
