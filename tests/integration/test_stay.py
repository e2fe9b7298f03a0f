"""A worker that stays in the foreground leaves when it is asked to or idle; others go on."""

import re
import signal
import subprocess
import sys
from typing import Any

import pytest

from deployments.processes import of_home, stop
from deployments.registration import register

pytestmark = pytest.mark.integration


class Worker:
    """`voltx worker --stay` in a folder of its own."""

    def __init__(self, project: Any, name: str, *options: str) -> None:
        self.folder = project.folder / name
        self.folder.mkdir()
        self.home = self.folder / ".voltx"
        command = (sys.executable, "-m", "voltx_core.cli.main", "worker", "--pool", "cpu", "--stay")
        self.process = subprocess.Popen(
            [*command, "--server", project.services.ui_url, *options],
            cwd=self.folder,
            env={**project.environ, "VOLTX_HOME": str(self.home)},
            stdout=(self.folder / "said.txt").open("wb"),
            stderr=subprocess.STDOUT,
        )

    def said(self) -> str:
        return (self.folder / "said.txt").read_text()

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        stop(of_home(self.home), grace_s=0.0)


def test_a_worker_that_is_asked_to_leave_saves_and_another_one_that_idles_ends(
    server: Any,
) -> None:
    workers = [Worker(server, "first")]
    try:
        server.until(lambda: "Stays until" in workers[0].said(), timeout_s=120)
        flow_run, run_id = server.start(rehearse_s=12.0, until="data")
        pid = server.until(
            lambda: (r := server.record(run_id, "data")).get("state") == "running" and r["pid"],
            timeout_s=120,
        )
        workers[0].process.send_signal(signal.SIGTERM)
        assert workers[0].process.wait(60) == 0, workers[0].said()
        assert "Leaving: asked to" in workers[0].said()
        assert "progress is saved" in workers[0].said()
        assert re.search(r"at \$\d+\.\d\d an hour, .* of it idle", workers[0].said())
        assert of_home(workers[0].home) == []

        assert "Other code" not in workers[0].said()

        register(server.services.api_url, "several", "the digest of other code")
        # Long enough that it is not gone before the run is handed to it, however slow this is.
        workers.append(Worker(server, "second", "--idle-minutes", "2", "--usd-per-hour", "9"))
        assert server.end(flow_run, timeout_s=200)["state"] == "completed"
        record = server.record(run_id, "data")
        assert record["pid"] != pid
        assert len(record["earlier"]) == 1
        assert workers[1].process.wait(240) == 0, workers[1].said()
        assert "Leaving: nothing to do" in workers[1].said()
        assert "Other code than the server's is installed here." in workers[1].said()
        assert "at $9.00 an hour" in workers[1].said()
        print(workers[0].said(), workers[1].said(), sep="\n")
    finally:
        for worker in workers:
            worker.end()
