"""The whole graph on real stages, through real processes, at the size `tiny`."""

import json
from typing import Any

import pytest

pytestmark = pytest.mark.integration


def test_tiny_trains_everything_and_the_second_run_reuses_it(project: Any) -> None:
    flow_run, run_id = project.start()
    outcome = project.end(flow_run, timeout_s=900)
    rows = project.rows(run_id)
    assert outcome["state"] == "completed", outcome
    assert [row["state"] for row in rows] == ["committed"] * 16
    report = project.folder / "runs" / run_id
    assert {p.suffix for p in report.glob("report.*")} == {".md", ".html", ".json"}
    assert (project.folder / "runs" / "latest").resolve() == report
    assert json.loads((report / "report.json").read_text())["run_id"] == run_id

    again, again_id = project.start()
    assert project.end(again, timeout_s=200)["state"] == "completed"
    second = project.rows(again_id)
    assert [row["state"] for row in second] == ["reused"] * 16
    assert [row["fingerprint"] for row in second] == [row["fingerprint"] for row in rows]
