"""Real services for the integration tests: a server and workers in a temporary folder."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from deployments.aside import Aside, aside
from voltx_core.stages.runs import RunRecord


class Project(Aside):
    """A project folder whose services are up, and what tests ask of it."""

    @staticmethod
    def until(look: Callable[[], Any], *, timeout_s: float, pause_s: float = 0.2) -> Any:
        """The first true answer; fails the test when there is none in time."""
        deadline = time.monotonic() + timeout_s
        while not (found := look()):
            assert time.monotonic() < deadline, f"nothing happened for {timeout_s} s"
            time.sleep(pause_s)
        return found

    def end(self, flow_run_id: Any, *, timeout_s: float) -> dict[str, Any]:
        """Wait for the end of a run, however it ends."""
        return dict(self.until(lambda: self.state(flow_run_id), timeout_s=timeout_s))

    def rows(self, run_id: str) -> list[dict[str, Any]]:
        return RunRecord(self.workspace.artifacts, run_id).rows()


@contextmanager
def up(folder: Path, **options: Any) -> Iterator[Project]:
    with aside(folder=folder, **options) as made:
        yield Project(made.folder, made.environ, made.services)


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
