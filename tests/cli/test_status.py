"""`voltx status` reads the store and nothing else."""

import json
from typing import Any

from voltx_core.cli.status import status
from voltx_core.config import resolve
from voltx_core.stages import graph
from voltx_core.stages.runs import RunRecord


def test_without_a_run_it_says_how_to_start_one(invoke: Any) -> None:
    done = invoke(status)
    assert done.exit_code == 0
    assert "voltx run --watch" in done.output
    assert json.loads(invoke(status, "--json").output) == []


def test_an_unknown_run_is_said_to_be_unknown(invoke: Any) -> None:
    done = invoke(status, "no-such-run")
    assert done.exit_code == 2
    assert "no run 'no-such-run'" in done.output


def test_json_lists_every_stage_of_the_latest_run(invoke: Any, workspace: Any) -> None:
    record = RunRecord(workspace.artifacts, "2026-01-01-0000-a-run")
    record.start(resolve("tiny"), graph.MODULES)
    record.begin("data", why="never run in this store", fingerprint="f" * 24)

    rows = json.loads(invoke(status, "--json").output)

    assert [row["name"] for row in rows] == list(graph.MODULES)
    assert {"number", "name", "state", "why", "fingerprint"} <= set(rows[0])
    assert rows[0]["state"] == "running"
    assert rows[0]["fingerprint"] == "f" * 24
    assert rows[1]["state"] == "waiting"


def test_a_run_that_ended_names_the_next_command(invoke: Any, workspace: Any) -> None:
    RunRecord(workspace.artifacts, "a-run").start(resolve("tiny"), ("data",))
    assert "has not ended" in invoke(status).output

    outcome = {"state": "failed", "why": "no disk", "report": None}
    workspace.artifacts.put_json("runs/a-run/outcome.json", outcome)

    assert "Ended: failed: no disk. Next: voltx report a-run" in invoke(status).output
