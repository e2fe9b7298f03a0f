"""The whole graph on a fleet: a server, three workers and the store, each a machine of its own.

A machine is a namespace of networks, of processes and of host names, with a folder and a cache of
its own; what they share is a switch. One worker's cable is pulled in the middle of a stage.
"""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
import pytest

from deployments.processes import of_home, wait
from voltx_core.bench.s3_server import CREDENTIALS
from voltx_core.stages.runs import RunRecord, latest
from voltx_core.stages.workspace import Workspace

pytestmark = pytest.mark.integration

POOLS = {
    "worker-a": ("cpu", "gpu"),
    "worker-b": ("gpu", "multi-gpu"),
    "worker-c": ("cpu", "multi-gpu"),
}
"""Whoever is lost, the other two serve every pool."""
PASSWORD = "voltx:5f0c-of-this-fleet"
LONG = ("translator.steps=200", "checkpoint.interval_s=1.0", "compute.threads_alone=1")
"""Enough to be cut off in the middle of it."""


class Machine:
    """A machine on the switch, with one command in its foreground."""

    def __init__(
        self, name: str, room: Any, folder: Path, environ: dict[str, str], *command: str
    ) -> None:
        folder.mkdir()
        self.name, self.room, self.folder, self.home = name, room, folder, folder / ".voltx"
        self._environ = {**environ, "VOLTX_HOME": str(self.home)}
        unshare = ("unshare", "--pid", "--uts", "--fork", "--kill-child", "--mount-proc")
        text = f"hostname {name} && {' '.join(command)}"
        self.process = subprocess.Popen(
            room.within(*unshare, "sh", "-c", text),
            cwd=folder,
            env=self._environ,
            stdout=(folder / "said.txt").open("wb"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def call(self, *command: str) -> str:
        """Carry out another command on this machine; what it says."""
        (init,) = psutil.Process(self.process.pid).children()
        spaces = ("--pid", "--net", "--uts", "--mount", f"--wd={self.folder}")
        enter = ("nsenter", f"--target={init.pid}", *spaces)
        done = subprocess.run(
            (*enter, *command),
            cwd=self.folder,
            env=self._environ | {"COLUMNS": "120"},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def said(self) -> str:
        return (self.folder / "said.txt").read_text()

    def log(self) -> str:
        return (self.home / "logs" / "worker.log").read_text()

    def end(self) -> None:
        everyone = of_home(self.home)
        self.process.kill()
        self.process.wait()
        for process in everyone:
            process.send(signal.SIGKILL)
        assert wait(everyone, timeout_s=20)


class Fleet:
    """The machines, and the store as the tests see it."""

    def __init__(self, switch: Any, folder: Path, environ: dict[str, str]) -> None:
        self.switch, self.folder, self.environ = switch, folder, environ
        self.machines: list[Machine] = []

    def add(self, name: str, *command: str, room: Any = None) -> Machine:
        made = Machine(name, room or self.switch.room(), self.folder / name, self.environ, *command)
        self.machines.append(made)
        return made

    def named(self, name: str) -> Machine:
        return next(machine for machine in self.machines if machine.name == name)

    @property
    def workspace(self) -> Workspace:
        return Workspace.open(self.environ["VOLTX_STORE"], environ=self.environ)

    def until(self, look: Callable[[], Any], *, timeout_s: float) -> Any:
        deadline = time.monotonic() + timeout_s
        while not (found := look()):
            said = "\n".join(f"{m.name}: {m.said()[-1500:]}" for m in self.machines)
            assert time.monotonic() < deadline, f"nothing happened for {timeout_s} s\n{said}"
            time.sleep(0.3)
        return found

    def run(self, *arguments: str) -> str:
        """Start a run from the machine of the graph; its id."""
        before = latest(self.workspace.artifacts)
        self.named("server").call("voltx", "run", "--preset", "tiny", *arguments)
        return str(self.until(lambda: self.newer(before), timeout_s=60))

    def newer(self, before: str | None) -> str | None:
        run_id = latest(self.workspace.artifacts)
        return run_id if run_id != before else None

    def stage(self, run_id: str, name: str) -> dict[str, Any]:
        return RunRecord(self.workspace.artifacts, run_id).of(name)

    def outcome(self, run_id: str) -> dict[str, Any] | None:
        found = self.workspace.artifacts.get_json(f"runs/{run_id}/outcome.json")
        return found if found and "report" in found else None

    def manifests(self) -> dict[str, str]:
        """Every committed stage by the digest of its manifest."""
        store = self.workspace.artifacts.store
        return {
            info.key: store.get_bytes(info.key).hex()
            for info in store.list("stages/")
            if info.key.endswith("/manifest.json") and "/progress/" not in info.key
        }


@pytest.fixture
def fleet(switch: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    if switch is None:
        pytest.skip("network namespaces need root, ip, unshare and nsenter")
    binaries = str(Path(sys.executable).parent)
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("VOLTX_", "PREFECT_"))}
    s3, server = switch.room(), switch.room()
    endpoint = f"http://{s3.address}:5000"
    environ = {
        **kept,
        **CREDENTIALS,
        "PATH": os.pathsep.join([binaries, os.environ["PATH"]]),
        "VOLTX_S3_ENDPOINT": endpoint,
        "VOLTX_STORE": "s3://voltx/fleet",
        "PREFECT_API_AUTH_STRING": PASSWORD,
    }
    for name in (*CREDENTIALS, "VOLTX_S3_ENDPOINT"):
        monkeypatch.setenv(name, environ[name])
    made = Fleet(switch, tmp_path, environ)
    try:
        moto = ("exec", sys.executable, "-m", "moto.server", "-H", s3.address, "-p", "5000")
        made.add("store", *moto, room=s3)
        made.until(lambda: _answers(endpoint), timeout_s=60)
        bucket = urllib.request.Request(f"{endpoint}/voltx", method="PUT")
        urllib.request.urlopen(bucket, timeout=30).close()
        serve = ("voltx", "up", "--role", "server", "--listen", server.address)
        made.add("server", *serve, "&&", "exec", "sleep", "3600", room=server)
        made.until(lambda: "Stop: voltx down" in made.named("server").said(), timeout_s=180)
        for name, pools in POOLS.items():
            wanted = [word for pool in pools for word in ("--pool", pool)]
            address = f"http://{server.address}:4200"
            made.add(name, "exec", "voltx", "worker", *wanted, "--server", address, "--stay")
        for name in POOLS:
            made.until(lambda n=name: "Stays until" in made.named(n).said(), timeout_s=180)
        yield made
    finally:
        for machine in made.machines:
            machine.end()


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=5).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def test_a_fleet_trains_the_graph_though_a_worker_is_cut_off_in_the_middle(fleet: Fleet) -> None:
    artifacts = fleet.workspace.artifacts
    run_id = fleet.run(*(word for text in LONG for word in ("--set", text)))

    def stored() -> list[int]:
        fingerprint = fleet.stage(run_id, "translator").get("fingerprint")
        return artifacts.progress_steps("translator", fingerprint) if fingerprint else []

    fleet.until(stored, timeout_s=300)
    lost = fleet.named(fleet.stage(run_id, "translator")["host"])
    seen = stored()[-1]
    fleet.switch.cut(lost.room)
    outcome = fleet.until(lambda: fleet.outcome(run_id), timeout_s=600)
    made = fleet.manifests()

    timeline = fleet.named("server").call("voltx", "status", "--timeline", run_id)
    print(f"{lost.name} was cut off with checkpoint {seen} in the store\n{timeline}")
    assert outcome["state"] == "completed", outcome
    rows = RunRecord(artifacts, run_id).rows()
    assert [row["state"] for row in rows] == ["committed"] * 16
    record = fleet.stage(run_id, "translator")
    assert [attempt["host"] for attempt in record["earlier"]] == [lost.name]
    other = fleet.named(record["host"])
    assert other is not lost
    (taken,) = [line for line in other.log().splitlines() if "Took over checkpoint" in line]
    assert int(taken.partition("checkpoint ")[2].split()[0]) >= seen
    assert len(made) == 16

    # Back on the network, the lost machine may finish what it was at: nothing changes by that.
    fleet.switch.mend(lost.room)
    again = fleet.run(*(word for text in LONG for word in ("--set", text)))
    end = fleet.until(lambda: fleet.outcome(again), timeout_s=300)
    took = datetime.fromisoformat(end["finished_at"]) - datetime.fromisoformat(end["started_at"])
    print(f"All 16 stages reused in {took.total_seconds():.1f} s")
    assert [row["state"] for row in RunRecord(artifacts, again).rows()] == ["reused"] * 16
    assert fleet.manifests() == made

    # The password is neither in the files of any machine nor in the store.
    secret = PASSWORD.encode()
    written = [
        path
        for machine in fleet.machines
        for path in machine.folder.rglob("*")
        if path.is_file() and secret in path.read_bytes()
    ]
    store = fleet.workspace.artifacts.store
    stored = [info.key for info in store.list() if secret in store.get_bytes(info.key)]
    assert (written, stored) == ([], [])
