"""The supervisor keeps real processes alive, adopts those of a killed one, and ends them."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deployments import supervisor
from deployments.processes import Identity
from deployments.services import ENDING, Running, Wanted, read_json

SERVICE = "import time; time.sleep(60)"
SUPERVISE = """
import sys
from pathlib import Path
from deployments import supervisor
supervisor.services = lambda wanted: [
    supervisor.Service("server", (sys.executable, "-c", {service!r}), ready=lambda: True)
]
supervisor.supervise(Path(sys.argv[1]))
"""


def until(look: Callable[[], object]) -> object:
    deadline = time.monotonic() + 20
    while not (found := look()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


class Home:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "logs").mkdir()
        Wanted(
            project=str(folder),
            home=str(folder),
            store=str(folder / "store"),
            api_url="http://127.0.0.1:1/api",
            port=1,
            pools=("control",),
        ).save()
        self.started: list[subprocess.Popen[bytes]] = []

    def supervise(self, service: str = SERVICE) -> "subprocess.Popen[bytes]":
        code = SUPERVISE.format(service=service)
        process = subprocess.Popen([sys.executable, "-c", code, str(self.folder)])
        self.started.append(process)
        until(lambda: process.pid == self.supervisor())
        return process

    def supervisor(self) -> int | None:
        running = Running.load(self.folder)
        return running.supervisor.pid if running and running.supervisor else None

    def service(self) -> Identity | None:
        running = Running.load(self.folder)
        found = running.services.get("server") if running else None
        return found if found and found.alive() else None


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = Home(tmp_path)
    yield made
    service = made.service()
    for process in made.started:
        process.kill()
        process.wait()
    if service:
        service.send(signal.SIGKILL)


def test_a_service_that_is_killed_is_started_again(home: Home) -> None:
    home.supervise()
    first = until(home.service)
    assert isinstance(first, Identity)

    first.send(signal.SIGKILL)

    until(lambda: home.service() not in (None, first))


def test_a_service_that_is_killed_again_and_again_starts_at_once_every_time(home: Home) -> None:
    home.supervise()
    for _ in range(4):
        service = until(home.service)
        assert isinstance(service, Identity)
        service.send(signal.SIGKILL)
        until(lambda service=service: home.service() not in (None, service))

    running = Running.load(home.folder)
    assert running is not None
    assert running.early_ends["server"] == 0  # no pause grows


def test_nothing_is_started_again_while_the_end_is_near(home: Home) -> None:
    home.supervise()
    service = until(home.service)
    assert isinstance(service, Identity)
    (home.folder / ENDING).touch()

    service.send(signal.SIGKILL)

    until(lambda: not service.alive())
    time.sleep(1.5)
    assert home.service() is None
    (home.folder / ENDING).unlink()
    until(home.service)


def test_a_new_supervisor_takes_over_what_runs(home: Home) -> None:
    killed = home.supervise()
    service = until(home.service)
    killed.kill()
    killed.wait()

    home.supervise()

    time.sleep(1.0)
    assert home.service() == service


def test_the_end_of_the_supervisor_ends_its_services_and_says_so(home: Home) -> None:
    process = home.supervise()
    service = until(home.service)
    assert isinstance(service, Identity)

    process.terminate()

    assert process.wait(timeout=30) == 0
    assert not service.alive()
    assert read_json(home.folder / "up.json") is None


def test_a_service_that_cannot_start_is_counted(home: Home) -> None:
    home.supervise("raise SystemExit(1)")

    def ends() -> bool:
        running = Running.load(home.folder)
        return running is not None and running.early_ends["server"] >= 2

    assert until(ends)


def test_nothing_answers_where_no_server_is() -> None:
    assert not supervisor.healthy("http://127.0.0.1:1/api", timeout_s=0.5)
