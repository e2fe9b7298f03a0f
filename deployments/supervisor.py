"""Keeps server and workers of one project alive: `python -m deployments.supervisor HOME`.

Started by `voltx up`, ended by `voltx down`. It imports neither Prefect nor torch and sleeps
almost always. Should it be killed, server and workers go on, and the next `voltx up` starts a
supervisor that takes them over.
"""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deployments.processes import Identity, stop
from deployments.services import (
    ENDING,
    LEAVE_S,
    RESERVE,
    Running,
    Wanted,
    environment,
    write_json,
)

CHECK_S = 0.25
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
STEADY_S = 60.0
"""A service that ran this long starts again at once; on a busy machine imports take half of it."""
KILLED = (-signal.SIGKILL, -signal.SIGTERM)
"""And so does one that somebody ended: that is no mistake of its own."""


@dataclass(slots=True)
class Service:
    """One process that shall run."""

    name: str
    command: Sequence[str]
    ready: Callable[[], bool]
    """Whether what it needs is there, so that starting it makes sense."""
    identity: Identity | None = None
    started: float = 0.0
    pause_s: float = FIRST_PAUSE_S
    not_before: float = 0.0
    early_ends: int = 0
    """How often in a row it ended by itself before it was steady."""


def services(wanted: Wanted) -> list[Service]:
    """What shall run, in the order of starting."""
    wished = []
    if wanted.port is not None:
        address = ("--host", wanted.listen, "--port", str(wanted.port))
        command = (sys.executable, "-m", "prefect", "server", "start", *address)
        wished.append(Service("server", command, ready=lambda: True))
    worker = (sys.executable, "-m", "deployments.worker", *wanted.pools)
    registered = Path(wanted.home) / "registered"
    wished.append(
        Service("worker", worker, ready=lambda: registered.exists() and healthy(wanted.api_url))
    )
    warm = (sys.executable, "-m", "tasks.warm", str(Path(wanted.home) / "warm"))
    wished.append(Service(RESERVE, warm, ready=registered.exists))
    return wished


def healthy(api_url: str, *, timeout_s: float = 2.0) -> bool:
    """Whether a Prefect server answers."""
    try:
        with urllib.request.urlopen(f"{api_url}/health", timeout=timeout_s) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError, ValueError):
        return False


def supervise(home: Path) -> None:
    """Start what is wanted, start again what ends, until SIGTERM."""
    wanted = Wanted.load(home)
    if wanted is None:
        raise SystemExit(f"{home}/services.json is missing: start with `voltx up`.")
    ending: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _: ending.append(received))
    keeper = _Keeper(home, wanted)
    while not ending:
        keeper.look()
        time.sleep(CHECK_S)
    keeper.end()


class _Keeper:
    def __init__(self, home: Path, wanted: Wanted) -> None:
        self._home, self._wanted = home, wanted
        self._services = services(wanted)
        self._children: dict[int, subprocess.Popen[bytes]] = {}
        earlier = Running.load(home)
        for service in self._services:
            identity = earlier.services.get(service.name) if earlier else None
            if identity and identity.alive():  # an earlier supervisor was killed, this one lives
                service.identity = identity
        self._publish()

    def look(self) -> None:
        now, ending = time.monotonic(), (self._home / ENDING).exists()
        ends = {pid: code for pid, c in self._children.items() if (code := c.poll()) is not None}
        for pid in ends:
            del self._children[pid]
        for service in self._services:
            if service.identity and service.identity.alive():
                continue
            if service.identity:
                self._note(f"{service.name} (pid {service.identity.pid}) ended")
                killed = ends.get(service.identity.pid) in KILLED
                steady = killed or now - service.started >= STEADY_S
                service.early_ends = 0 if steady else service.early_ends + 1
                service.pause_s = (
                    FIRST_PAUSE_S if steady else min(service.pause_s * 2, LONGEST_PAUSE_S)
                )
                service.not_before = now + service.pause_s
                service.identity = None
                self._publish()
            if not ending and now >= service.not_before and service.ready():
                self._start(service)

    def end(self) -> None:
        for service in reversed(self._services):
            if service.identity:
                stop([service.identity], grace_s=LEAVE_S + 5.0)  # a worker waits for its runs
        (self._home / "up.json").unlink(missing_ok=True)
        self._note("ended")

    def _start(self, service: Service) -> None:
        log = self._home / "logs" / f"{service.name}.log"
        with log.open("ab") as file:
            child = subprocess.Popen(
                service.command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env=environment(self._wanted),
                cwd=self._home,  # a prefect.toml of the project is not for them
            )
        self._children[child.pid] = child
        service.identity, service.started = Identity.of(child.pid), time.monotonic()
        self._note(f"{service.name} started as pid {child.pid}")
        self._publish()

    def _publish(self) -> None:
        me = Identity.of(os.getpid())
        content: dict[str, Any] = {
            "api_url": self._wanted.api_url,
            "ui_url": self._wanted.ui_url,
            "port": self._wanted.port,
            "supervisor": me.record() if me else None,
            "early_ends": {s.name: s.early_ends for s in self._services},
            "services": {s.name: s.identity.record() for s in self._services if s.identity},
        }
        write_json(self._home / "up.json", content)

    def _note(self, text: str) -> None:
        print(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}", flush=True)


if __name__ == "__main__":
    supervise(Path(sys.argv[1]))
