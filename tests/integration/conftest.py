"""Real services for the integration tests: servers, workers, and machines on a network."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from deployments.aside import Aside, aside
from deployments.pools import served
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


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Project]:
    """The machine of a graph whose stages are left to workers elsewhere."""
    with up(tmp_path, serve=served("several")) as made:
        yield made


@dataclass(frozen=True)
class Room:
    """A network namespace with one cable to the switch."""

    name: str
    address: str

    def within(self, *command: str | Path) -> list[str]:
        """The command, carried out in here."""
        return ["ip", "netns", "exec", self.name, *map(str, command)]


class Switch:
    """A switch, itself in a namespace of its own; the tests are plugged in at ``here``.

    Names and subnet come from the pid: several sessions of tests may run on one host.
    """

    def __init__(self) -> None:
        high, low = divmod(os.getpid(), 256)
        self._subnet = f"10.{128 + high % 128}.{low}"
        self.here = f"{self._subnet}.1"
        self._name, self._cable = f"voltx-{os.getpid()}", f"vx{os.getpid()}"
        self._rooms: list[Room] = []

    def start(self) -> bool:
        """Whether this may be done here: as root, with `ip` and `unshare`."""
        if os.geteuid() != 0 or not all(map(shutil.which, ("ip", "unshare", "nsenter"))):
            return False
        peer = ("peer", "name", "test", "netns", self._name)
        return (
            _ip("netns", "add", self._name)
            and _ip("-n", self._name, "link", "add", "switch", "type", "bridge")
            and _ip("-n", self._name, "link", "set", "switch", "up")
            and _ip("link", "add", self._cable, "type", "veth", *peer)
            and _ip("-n", self._name, "link", "set", "test", "master", "switch", "up")
            and _ip("address", "add", f"{self.here}/24", "dev", self._cable)
            and _ip("link", "set", self._cable, "up")
        )

    def room(self) -> Room:
        """Another namespace, plugged in."""
        number = len(self._rooms) + 2
        room = Room(f"{self._name}-{number}", f"{self._subnet}.{number}")
        self._rooms.append(room)
        port = self._port(room)
        peer = ("peer", "name", "eth", "netns", room.name)
        assert _ip("netns", "add", room.name)
        assert _ip("-n", self._name, "link", "add", port, "type", "veth", *peer)
        assert _ip("-n", self._name, "link", "set", port, "master", "switch", "up")
        assert _ip("-n", room.name, "address", "add", f"{room.address}/24", "dev", "eth")
        assert _ip("-n", room.name, "link", "set", "eth", "up")
        assert _ip("-n", room.name, "link", "set", "lo", "up")
        return room

    def cut(self, room: Room) -> None:
        """Pull the cable: what runs in the room goes on, and reaches nobody."""
        assert _ip("-n", self._name, "link", "set", self._port(room), "down")

    def mend(self, room: Room) -> None:
        """Plug the cable in again."""
        assert _ip("-n", self._name, "link", "set", self._port(room), "up")

    def stop(self) -> None:
        for room in self._rooms:
            _ip("netns", "delete", room.name)
        _ip("link", "delete", self._cable)
        _ip("netns", "delete", self._name)

    @property
    def addresses(self) -> str:
        """All that it may give out, as NO_PROXY lists them."""
        return ",".join([*(f"{self._subnet}.{n}" for n in range(1, 10)), "127.0.0.1", "localhost"])

    def _port(self, room: Room) -> str:
        return f"port{room.address.rpartition('.')[2]}"


def _ip(*arguments: str) -> bool:
    return subprocess.run(("ip", *arguments), capture_output=True).returncode == 0


@pytest.fixture
def switch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Switch | None]:
    """A network for machines; None where this user may not make one."""
    made = Switch()
    monkeypatch.setenv("NO_PROXY", made.addresses)
    try:
        yield made if made.start() else None
    finally:
        made.stop()
