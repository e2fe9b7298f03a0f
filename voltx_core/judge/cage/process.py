"""A candidate process as its supervisor sees it: started, watched against its budget, killed."""

import os
import select
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from . import kernel
from .jail import die_with_parent
from .quota import INTERVAL_S, Quota

_SHORTEST_WAIT_S = 0.004
_CONFINED = b"C"


class NotStarted(Exception):
    """The machine failed to start a candidate; none of its code ran, so it is not to blame."""


class Budget:
    """What a process may still use, as whoever waits for it sees it; no child of one's own needed.

    The clock that decides is its CPU time: a wait lasts no longer than the CPU time left (it
    cannot be spent faster by one thread), is then checked and renewed, so nothing is polled but
    the quota of one that stores files where nothing else bounds them.
    """

    def __init__(
        self, pid: int, *, cpu_s: float, wall_s: float, quota: Quota | None = None
    ) -> None:
        self._pid = pid
        self._quota = quota
        self._cpu_s = cpu_s
        self._look = 0.0  # before then the CPU time cannot be used up
        self._end = time.monotonic() + wall_s

    def time_left(self) -> float:
        """Seconds until the budget can be over at the earliest; 0 when it is."""
        now = time.monotonic()
        if now >= self._look:
            cpu_left = self._cpu_s - self._cpu_used()
            if cpu_left <= 0:
                return 0.0
            self._look = now + cpu_left
        left = min(self._look, self._end) - now
        return max(left, _SHORTEST_WAIT_S) if now < self._end else 0.0

    def _cpu_used(self) -> float:
        try:
            return kernel.cpu_seconds(self._pid)
        except OSError:  # it has just ended: the wait that follows will see that
            return 0.0

    def wait_for(self, poll: select.poll) -> list[tuple[int, int]]:
        """Events of ``poll``; empty when the budget is over."""
        while True:
            left = 0.0 if self._quota and self._quota.exceeded() else self.time_left()
            wait = min(left, INTERVAL_S) if self._quota else left
            events = poll.poll(int(wait * 1000) + 1) if left else []
            if events or not left:
                return events


class Process:
    """One forked process in its own session.

    Args:
        body: its whole life.

    Raises:
        NotStarted: there is no process to be had.
    """

    def __init__(self, body: Callable[[], None]) -> None:
        parent = os.getpid()
        try:
            self.pid = kernel.fork()
        except OSError as error:
            raise NotStarted(str(error)) from None
        if self.pid == 0:
            try:
                os.setsid()
                die_with_parent(parent)
                body()
            except BaseException as error:
                os.write(2, f"{type(error).__name__}: {error}".encode("utf-8", "replace"))
            finally:
                os._exit(1)
        self.exit_code: int | None = None
        self.cpu_used_s = 0.0

    def kill(self) -> int:
        """Kill the process and its whole group, reap it, and return its exit code."""
        if self.exit_code is None:
            try:
                os.killpg(self.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):  # it has no group yet
                os.kill(self.pid, signal.SIGKILL)
            _, status, usage = os.wait4(self.pid, 0)
            self.exit_code = os.waitstatus_to_exitcode(status)
            self.cpu_used_s = usage.ru_utime + usage.ru_stime
        return self.exit_code


def _take(descriptors: list[int]) -> None:
    """Make ``descriptors`` 0, 1, 2 ... and close everything else."""
    high = [os.dup2(fd, 200 + index) for index, fd in enumerate(descriptors)]
    for index, fd in enumerate(high):
        os.dup2(fd, index, inheritable=True)
    os.closerange(len(descriptors), 1024)


@dataclass(frozen=True)
class Ending:
    """How a watched process ended and what it wrote.

    Attributes:
        exit_code: negative for the signal that killed it.
        reason: ``exited``, ``timeout`` or ``output`` (it wrote more than allowed).
        outputs: what came out of descriptors 1, 2 and 3.
    """

    exit_code: int
    reason: str
    outputs: tuple[bytes, bytes, bytes]
    cpu_s: float


def watch(
    confine: Callable[[], None],
    body: Callable[[], None],
    stdin: bytes | memoryview,
    *,
    cpu_s: float,
    wall_s: float,
    output_bytes: int,
    announce: Callable[[int], None],
    quota: Quota | None = None,
) -> Ending:
    """Run ``body`` in a process with piped descriptors 0 to 3 until it ends or is over budget.

    Raises:
        NotStarted: there was no process, or it did not get through ``confine``.
    """

    def confined_body() -> None:
        _take(inside)
        confine()
        os.write(3, _CONFINED)
        body()

    pipes = [os.pipe() for _ in range(4)]
    inside = [pipes[0][0], *(write for _, write in pipes[1:])]
    process = Process(confined_body)
    pidfd = os.pidfd_open(process.pid)
    budget = Budget(process.pid, cpu_s=cpu_s, wall_s=wall_s, quota=quota)
    announce(process.pid)
    for fd in inside:
        os.close(fd)
    feed, sources = pipes[0][1], [read for read, _ in pipes[1:]]
    for fd in (feed, *sources):
        os.set_blocking(fd, False)
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    for fd in sources:
        poll.register(fd, select.POLLIN)
    poll.register(feed, select.POLLOUT)
    collected = {fd: bytearray() for fd in sources}
    pending = memoryview(stdin)
    reason, feeding = "", True
    while not reason:
        events = budget.wait_for(poll)
        if not events:
            reason = "timeout"
        for fd, _ in events:
            if fd == pidfd:
                reason = reason or "exited"
            elif fd == feed:
                pending = _feed(feed, pending)
                if not pending and feeding:
                    poll.unregister(feed)
                    os.close(feed)
                    feeding = False
            elif not _collect(fd, collected[fd]):
                poll.unregister(fd)
            elif sum(map(len, collected.values())) > output_bytes:
                reason = "output"
    exit_code = process.kill()
    os.close(pidfd)
    for fd in sources:  # what was still in the pipes
        while len(collected[fd]) <= output_bytes and _collect(fd, collected[fd]):
            pass
        os.close(fd)
    if feeding:
        os.close(feed)
    if reason != "timeout" and not collected[sources[2]].startswith(_CONFINED):
        why = bytes(collected[sources[1]]).decode("utf-8", "replace")
        raise NotStarted(why or f"it ended with {exit_code} before it was confined")
    del collected[sources[2]][: len(_CONFINED)]
    if exit_code == -signal.SIGXCPU:
        reason = "timeout"
    if reason == "exited" and sum(map(len, collected.values())) > output_bytes:
        reason = "output"
    outputs = [bytes(collected[fd][:output_bytes]) for fd in sources]
    return Ending(exit_code, reason, (outputs[0], outputs[1], outputs[2]), process.cpu_used_s)


def _feed(fd: int, pending: memoryview) -> memoryview:
    """Write what fits; nothing is left to write once the reader is gone."""
    try:
        return pending[os.write(fd, pending) :] if pending else pending
    except BlockingIOError:
        return pending
    except BrokenPipeError:
        return pending[len(pending) :]


def _collect(fd: int, into: bytearray) -> bool:
    """Read what is there; False at the end of the stream or when there is nothing now."""
    try:
        data = os.read(fd, 1 << 16)
    except BlockingIOError:
        return False
    into += data
    return bool(data)
