"""A machine is lost in the middle of a stage; another one goes on from the store.

Where this may be done (as root, with `ip` and `unshare`) each machine is a network and pid
namespace of its own, so that killing its first process takes everything along and nobody else's
kernel says that it is gone. Elsewhere a machine is what runs for a home of its own.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from deployments.aside import Aside, aside
from deployments.pools import served
from deployments.processes import of_home, wait
from voltx_core.bench.s3_server import CREDENTIALS, serving

pytestmark = pytest.mark.integration

POOLS = ("voltx-cpu", "voltx-gpu")
LONG = {"translator.steps": 200, "checkpoint.interval_s": 1.0, "compute.threads_alone": 1}
"""Enough to be killed in the middle of it."""


class Machine:
    """Another machine, with a folder of its own, that joins the graph by `voltx worker`."""

    def __init__(self, folder: Path, environ: dict[str, str], room: Any) -> None:
        folder.mkdir()
        self.folder, self.home, self.room = folder, folder / ".voltx", room
        pools = " ".join(f"--pool {pool}" for pool in POOLS)
        self.process = subprocess.Popen(
            self._within("sh", "-c", f"voltx worker {pools} && exec sleep 3600"),
            cwd=folder,
            env={**environ, "VOLTX_HOME": str(self.home)},
            stdout=(folder / "said.txt").open("wb"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def _within(self, *command: str) -> list[str]:
        if self.room is None:
            return list(command)
        unshare = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
        return list(self.room.within(*unshare, *command))

    def lose(self) -> None:
        """Kill all of it at once."""
        everyone = of_home(self.home)
        self.process.kill()
        self.process.wait()
        for process in everyone:
            process.send(signal.SIGKILL)
        assert wait(everyone, timeout_s=20)

    def said(self) -> str:
        return (self.folder / "said.txt").read_text()

    def log(self) -> str:
        return (self.home / "logs" / "worker.log").read_text()


@dataclass
class Fleet:
    """A graph whose stages run on machines of their own, with a store that all of them reach."""

    graph: Aside
    folder: Path
    rooms: tuple[Any, ...]
    machines: list[Machine]

    def rent(self) -> Machine:
        """Let another machine join."""
        number = len(self.machines)
        binaries = str(Path(sys.executable).parent)
        environ = self.graph.environ | {
            "PREFECT_API_URL": self.graph.services.api_url,
            "PATH": os.pathsep.join([binaries, os.environ["PATH"]]),
        }
        folder = self.folder / f"machine-{number}"
        self.machines.append(Machine(folder, environ, self.rooms[number]))
        return self.machines[-1]


@pytest.fixture
def fleet(switch: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "voltx:of-this-test")
    with ExitStack() as stack:
        address = switch.here if switch else "127.0.0.1"
        server = serving("moto", tmp_path / "s3", buckets=("voltx",), address=address)
        endpoint = stack.enter_context(server).url
        for name, value in {**CREDENTIALS, "VOLTX_S3_ENDPOINT": endpoint}.items():
            monkeypatch.setenv(name, value)
        folder = tmp_path / "graph"
        folder.mkdir()
        graph = stack.enter_context(
            aside(
                folder=folder,
                serve=served("several"),
                listen=address,
                VOLTX_STORE="s3://voltx/fleet",
            )
        )
        rooms = (switch.room(), switch.room()) if switch else (None, None)
        made = Fleet(graph, tmp_path, rooms, [])
        yield made
        for machine in made.machines:
            machine.lose()


def test_a_second_machine_goes_on_from_the_checkpoint_in_the_store(fleet: Fleet) -> None:
    graph, artifacts = fleet.graph, fleet.graph.workspace.artifacts
    first = fleet.rent()
    flow_run, run_id = graph.start(until="translator", overrides=LONG)

    def stored() -> list[int]:
        fingerprint = graph.record(run_id, "translator").get("fingerprint")
        return artifacts.progress_steps("translator", fingerprint) if fingerprint else []

    deadline = time.monotonic() + 300
    while not stored():
        assert time.monotonic() < deadline, first.said()
        time.sleep(0.2)
    seen = stored()[-1]
    first.lose()
    second = fleet.rent()
    graph.complete(flow_run, timeout_s=600)

    record, made = graph.record(run_id, "translator"), artifacts.manifests("translator")[0]
    taken = [line for line in second.log().splitlines() if "Took over checkpoint" in line]
    print(f"lost with checkpoint {seen} in the store, {'apart' if first.room else 'beside'}")
    print(*taken, sep="\n")
    print({key: record[key] for key in ("earlier", "started_at", "finished_at", "host", "pid")})
    assert len(taken) == 1
    assert int(taken[0].partition("checkpoint ")[2].split()[0]) >= seen
    assert len(record["earlier"]) == 1
    assert record["state"] == "committed"

    undisturbed, _ = graph.start(until="translator", overrides=LONG, force=["translator"])
    graph.complete(undisturbed, timeout_s=400)
    again = artifacts.manifests("translator")[0]
    assert again.run_id != made.run_id
    digests = {name: entry.sha256 for name, entry in made.artifacts.items()}
    assert {name: entry.sha256 for name, entry in again.artifacts.items()} == digests
