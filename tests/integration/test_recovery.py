"""Real processes are killed, and the run completes all the same.

Rehearsals are used: every stage is a process of its own that waits instead of working, so that
these tests are about the carrying, not about the carried.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deployments.processes import Identity
from deployments.services import Running
from tasks.pulse import key_of

pytestmark = pytest.mark.integration


def pid_of_running(project: Any, run_id: str, stage: str) -> int | None:
    record = project.record(run_id, stage)
    return record.get("pid") if record.get("state") == "running" else None


def beat(project: Any, run_id: str) -> dict[str, Any]:
    """What the parent flow said last."""
    return dict(project.workspace.artifacts.get_json(key_of(run_id, "graph")))


def service(project: Any, name: str) -> Identity:
    return Running.load(project.home).services[name]


def test_the_whole_graph_runs_each_stage_in_a_process_of_its_own(project: Any) -> None:
    flow_run, run_id = project.start(rehearse_s=0.0)

    outcome = project.end(flow_run, timeout_s=400)

    rows = project.rows(run_id)
    assert outcome["state"] == "completed", outcome
    assert [row["state"] for row in rows] == ["rehearsed"] * 16
    pids = {project.record(run_id, row["name"])["pid"] for row in rows}
    assert len(pids) == 16


def test_a_stage_process_that_is_killed_is_started_again(project: Any) -> None:
    flow_run, run_id = project.start(rehearse_s=8.0, until="data")
    pid = project.until(lambda: pid_of_running(project, run_id, "data"), timeout_s=120)

    os.kill(pid, signal.SIGKILL)

    assert project.end(flow_run, timeout_s=200)["state"] == "completed"
    record = project.record(run_id, "data")
    assert record["pid"] != pid
    assert len(record["earlier"]) == 1


def test_a_stage_that_is_asked_to_leave_saves_and_is_started_again(project: Any) -> None:
    flow_run, run_id = project.start(rehearse_s=8.0, until="data")
    pid = project.until(lambda: pid_of_running(project, run_id, "data"), timeout_s=120)

    os.kill(pid, signal.SIGTERM)

    assert project.end(flow_run, timeout_s=200)["state"] == "completed"
    assert project.record(run_id, "data")["pid"] != pid


def test_a_worker_that_is_killed_is_replaced_and_its_runs_go_on_meanwhile(project: Any) -> None:
    flow_run, run_id = project.start(rehearse_s=12.0, until="data")
    pid = project.until(lambda: pid_of_running(project, run_id, "data"), timeout_s=120)
    parent = beat(project, run_id)["pid"]
    before = service(project, "worker")

    before.send(signal.SIGKILL)

    assert project.end(flow_run, timeout_s=200)["state"] == "completed"
    record = project.record(run_id, "data")
    assert record["pid"] == pid
    assert record["earlier"] == []
    assert beat(project, run_id)["pid"] == parent
    after = service(project, "worker")
    assert after != before
    assert after.alive()


def test_a_worker_that_is_asked_to_leave_lets_its_runs_save_and_others_go_on(
    project: Any,
) -> None:
    flow_run, run_id = project.start(rehearse_s=25.0, until="data")
    pid = project.until(lambda: pid_of_running(project, run_id, "data"), timeout_s=120)
    before = service(project, "worker")
    stage = Identity.of(pid)

    before.send(signal.SIGTERM)

    project.until(lambda: not before.alive(), timeout_s=60)
    assert not stage.alive()  # the worker waited for it
    assert project.end(flow_run, timeout_s=300)["state"] == "completed"
    record = project.record(run_id, "data")
    assert record["pid"] != pid
    assert len(record["earlier"]) == 1


def test_the_parent_flow_that_is_killed_goes_on_as_the_same_run(project: Any) -> None:
    flow_run, run_id = project.start(rehearse_s=20.0, until="data")
    pid = project.until(lambda: pid_of_running(project, run_id, "data"), timeout_s=120)
    project.until(lambda: not beat(project, run_id)["starting"], timeout_s=60)
    parent = beat(project, run_id)["pid"]

    os.kill(parent, signal.SIGKILL)

    assert project.end(flow_run, timeout_s=300)["state"] == "completed"
    record = project.record(run_id, "data")
    assert record["pid"] == pid  # the stage never noticed: its new parent found it
    assert "earlier" not in record or record["earlier"] == []


def test_a_server_that_is_killed_comes_back_and_the_run_goes_on(project: Any) -> None:
    earlier, _ = project.start(rehearse_s=0.0, until="data")
    assert project.end(earlier, timeout_s=120)["state"] == "completed"
    flow_run, run_id = project.start(rehearse_s=6.0, until="data")
    project.until(lambda: pid_of_running(project, run_id, "data"), timeout_s=120)
    before = service(project, "server")

    before.send(signal.SIGKILL)

    assert project.end(flow_run, timeout_s=300)["state"] == "completed"
    assert service(project, "server") != before
    assert project.state(earlier)["state"] == "completed"  # the same database


def test_a_stage_that_fails_the_same_way_three_times_stops_and_says_what_to_do(
    fresh_project: Any,
) -> None:
    project = fresh_project
    in_the_way = project.home / "work"
    in_the_way.write_text("not a folder")

    flow_run, _ = project.start(until="data")
    outcome = project.end(flow_run, timeout_s=300)

    assert outcome["state"] == "failed"
    assert "Stage 1.0 data failed 3 times with the same error" in outcome["why"]
    assert "Not a directory" in outcome["why"]
    assert "`voltx doctor` checks this machine" in outcome["why"]
    in_the_way.unlink()
    again, _ = project.start(until="data")
    assert project.end(again, timeout_s=300)["state"] == "completed"


def test_the_plain_prefect_command_finds_the_server_in_the_project(project: Any) -> None:
    environ = {k: v for k, v in project.environ.items() if not k.startswith("PREFECT_")}
    prefect = Path(sys.executable).with_name("prefect")

    found = subprocess.run(
        [prefect, "deployment", "inspect", "voltx/full"],
        cwd=project.folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert found.returncode == 0, found.stderr
    assert "flows.full.voltx" in found.stdout


def test_up_again_starts_nothing(project: Any) -> None:
    from deployments.local import bring_up

    again = bring_up(lambda _: None, project=project.folder, environ=project.environ)

    assert not again.started
    assert again.running.supervisor == project.services.running.supervisor


def test_a_dead_supervisor_is_replaced_by_one_that_takes_over(project: Any) -> None:
    from deployments.local import bring_up

    home = project.home
    before = Running.load(home)
    before.supervisor.send(signal.SIGKILL)
    project.until(lambda: not before.supervisor.alive(), timeout_s=10)

    bring_up(lambda _: None, project=project.folder, environ=project.environ)

    after = Running.load(home)
    assert after.supervisor.alive()
    assert after.supervisor != before.supervisor
    assert after.services == before.services
    assert Identity.of(after.services["server"].pid) == before.services["server"]
