"""`voltx down` while a run is at work: everything ends, and nothing comes back by itself."""

import time
from pathlib import Path
from typing import Any

import pytest

from deployments.local import bring_up, take_down
from deployments.processes import Identity
from deployments.services import Running

pytestmark = pytest.mark.integration


def test_down_ends_everything_it_started_and_up_does_not_revive_the_run(
    fresh_project: Any,
) -> None:
    project = fresh_project
    home = Path(project.environ["VOLTX_HOME"])
    flow_run, run_id = project.start(rehearse_s=60.0, until="data")
    pid = project.until(
        lambda: (r := project.record(run_id, "data")).get("state") == "running" and r["pid"],
        timeout_s=120,
    )
    stage = Identity.of(pid)
    everyone = [stage, *Running.load(home).alive().values()]

    stopped = take_down(lambda _: None, environ=project.environ)

    assert any("server" in what for what in stopped)
    assert any(run_id in what for what in stopped)
    assert [identity for identity in everyone if identity.alive()] == []
    assert not (project.folder / "prefect.toml").exists()
    assert take_down(lambda _: None, environ=project.environ) == []

    project.services = bring_up(lambda _: None, project=project.folder, environ=project.environ)
    time.sleep(12)  # longer than a revival takes
    assert project.state(flow_run)["state"] == "failed"  # cancelled, and left so
    assert project.record(run_id, "data")["pid"] == pid
