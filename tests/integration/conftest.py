"""Real services for the integration tests: a server and workers in a temporary folder."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from deployments.departure import take_down
from deployments.local import Up, bring_up
from voltx_core.stages.runs import RunRecord
from voltx_core.stages.workspace import Workspace


@dataclass
class Project:
    """A project folder whose services are up."""

    folder: Path
    environ: dict[str, str]
    services: Up

    @property
    def workspace(self) -> Workspace:
        return Workspace.open(environ=self.environ)

    def start(self, **parameters: Any) -> tuple[Any, str]:
        """Ask for a run of the graph; its flow run id and run id."""
        from deployments.client import connect, start_run

        with connect(self.services.api_url) as client:
            run = start_run(client, "voltx/full", {"preset": "tiny", **parameters})
        return run.id, run.name

    def state(self, flow_run_id: Any) -> dict[str, Any] | None:
        from deployments.client import connect, final_state

        with connect(self.services.api_url) as client:
            return final_state(client, flow_run_id)

    def end(self, flow_run_id: Any, *, timeout_s: float) -> dict[str, Any]:
        """Wait for the end of a run."""
        found = self.until(lambda: self.state(flow_run_id), timeout_s=timeout_s)
        assert found is not None
        return found

    @staticmethod
    def until(look: Callable[[], Any], *, timeout_s: float, pause_s: float = 0.2) -> Any:
        """The first true answer; fails the test when there is none in time."""
        deadline = time.monotonic() + timeout_s
        while not (found := look()):
            assert time.monotonic() < deadline, f"nothing happened for {timeout_s} s"
            time.sleep(pause_s)
        return found

    def record(self, run_id: str, stage: str) -> dict[str, Any]:
        return RunRecord(self.workspace.artifacts, run_id).of(stage)

    def rows(self, run_id: str) -> list[dict[str, Any]]:
        return RunRecord(self.workspace.artifacts, run_id).rows()


@contextmanager
def up(folder: Path) -> Iterator[Project]:
    kept = {k: v for k, v in os.environ.items() if k not in ("PREFECT_API_URL", "VOLTX_DATA_DIR")}
    environ = kept | {"VOLTX_HOME": str(folder / ".voltx"), "VOLTX_STORE": str(folder / "store")}
    said: list[str] = []
    try:
        yield Project(folder, environ, bring_up(said.append, project=folder, environ=environ))
    finally:
        take_down(said.append, environ=environ)


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Services that all tests share."""
    with up(tmp_path_factory.mktemp("project")) as made:
        yield made


@pytest.fixture
def fresh_project(tmp_path: Path) -> Iterator[Project]:
    """Services of one test."""
    with up(tmp_path) as made:
        yield made
