"""Coming up beside other programs, and going down while a run is at work."""

import http.server
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deployments import local
from deployments.departure import take_down
from deployments.local import bring_up
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

    assert any("progress is saved" in what for what in stopped)
    assert any("server" in what for what in stopped)
    assert any(run_id in what for what in stopped)
    assert [identity for identity in everyone if identity.alive()] == []
    assert not (project.folder / "prefect.toml").exists()
    outcome = project.workspace.artifacts.get_json(f"runs/{run_id}/outcome.json")
    assert outcome["state"] == "cancelled"
    assert take_down(lambda _: None, environ=project.environ) == []

    project.services = bring_up(lambda _: None, project=project.folder, environ=project.environ)
    time.sleep(12)  # longer than a revival takes
    assert project.state(flow_run)["state"] == "failed"  # cancelled, and left so
    assert project.record(run_id, "data")["pid"] == pid


@pytest.fixture
def stranger() -> Iterator[int]:
    """Port of a program that answers everything with 200, as a Prefect server's health does."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def test_a_port_that_somebody_else_got_first_is_given_up(
    stranger: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = local.free_port
    ports = iter([stranger])
    monkeypatch.setattr(local, "free_port", lambda address: next(ports, None) or free(address))
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.setenv("VOLTX_HOME", str(tmp_path / ".voltx"))
    monkeypatch.setenv("VOLTX_STORE", str(tmp_path / "store"))
    try:
        services = bring_up(lambda _: None, project=tmp_path)
        port = services.running.wanted.port
        assert port != stranger
        assert services.running.services["server"].listens(port)
    finally:
        take_down(lambda _: None)
