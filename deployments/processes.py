"""Identity of processes: a pid alone may belong to a stranger by the time it is used."""

import contextlib
import os
import signal
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from tasks.pulse import started


@dataclass(frozen=True, slots=True)
class Identity:
    """A process that can be told apart from a later one with the same pid."""

    pid: int
    started: str
    """Boot and clock ticks of its start; another process never has the same pair."""

    @classmethod
    def of(cls, pid: int) -> "Identity | None":
        """Identify a running process; None when there is none (a zombie is none)."""
        since = started(pid)
        return cls(pid=pid, started=since) if since else None

    @classmethod
    def read(cls, record: object) -> "Identity | None":
        """From the JSON form of ``record``; None when it is not one."""
        if not isinstance(record, dict) or not isinstance(record.get("pid"), int):
            return None
        return cls(pid=record["pid"], started=str(record.get("started")))

    def record(self) -> dict[str, object]:
        """JSON-ready."""
        return asdict(self)

    def alive(self) -> bool:
        """Whether this very process still runs."""
        return Identity.of(self.pid) == self

    def send(self, number: signal.Signals) -> None:
        """Signal this very process, nobody else."""
        if self.alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def listens(self, port: int) -> bool:
        """Whether this very process, and not somebody else's, answers on a TCP port."""
        if not self.alive():
            return False
        process = psutil.Process(self.pid)
        # psutil 6 renamed it.
        connections = getattr(process, "net_connections", None) or process.connections
        try:
            found = connections(kind="tcp")
        except psutil.Error:
            return False
        return any(c.status == psutil.CONN_LISTEN and c.laddr.port == port for c in found)

    def children(self) -> "list[Identity]":
        """Direct child processes that run."""
        if not self.alive():
            return []
        try:
            found = [Identity.of(child.pid) for child in psutil.Process(self.pid).children()]
        except psutil.Error:
            return []
        return [child for child in found if child is not None]


def of_home(home: Path, module: str = "") -> list[Identity]:
    """Processes that were started for a home, whoever their parents are by now.

    Args:
        home: Their VOLTX_HOME.
        module: Only those that `python -m` runs this module in.
    """
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("VOLTX_HOME") != str(home):
                continue
            if module in ("", *process.cmdline()) and (identity := Identity.of(process.pid)):
                found.append(identity)
        except (psutil.Error, OSError):  # it ended, or is somebody else's
            continue
    return found


def stop(identities: Iterable[Identity], *, grace_s: float) -> list[Identity]:
    """End processes: SIGTERM, and SIGKILL for those left after ``grace_s`` seconds.

    Returns:
        Those that were running and no longer are.
    """
    running = [identity for identity in identities if identity.alive()]
    for identity in running:
        identity.send(signal.SIGTERM)
    if not wait(running, timeout_s=grace_s):
        for identity in running:
            identity.send(signal.SIGKILL)
        wait(running, timeout_s=5.0)
    return [identity for identity in running if not identity.alive()]


def wait(identities: Iterable[Identity], *, timeout_s: float) -> bool:
    """Whether all of them ended within the time."""
    deadline = time.monotonic() + timeout_s
    left = list(identities)
    while left := [identity for identity in left if identity.alive()]:
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.05)
    return True
