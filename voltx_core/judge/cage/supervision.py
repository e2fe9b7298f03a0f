"""Runs that a supervisor of their own sees to: whole programs, other languages, tests beside code.

A supervisor is forked for one order, reads it from the wire itself, and forks the candidates.
"""

import contextlib
import os
import select
import signal
import struct
from collections.abc import Callable

from . import kernel
from .execution import run_beside, run_script, run_steps
from .jail import Jail
from .process import NotStarted
from .wire import BESIDE, DIED, FAULT, FINISHED, ORDER, OVERDUE, SCRIPT, STEPS

_RUNS: dict[bytes, Callable[..., None]] = {
    BESIDE: run_beside,
    SCRIPT: run_script,
    STEPS: run_steps,
}
_FAULT_STATUS = 75
_GRACE_S = 2.0


class Supervision:
    """The zygote's side of such runs.

    Args:
        jail: what everybody here is locked into.
        request: descriptor from which a supervisor reads its order.
        report: descriptor to which it writes its report.
    """

    def __init__(self, jail: Jail, request: int, report: int) -> None:
        self._jail, self._request, self._report = jail, request, report
        self._pids, self._announced = os.pipe()
        os.set_blocking(self._pids, False)

    def run(self, header: bytes) -> tuple[bytes, int, list[int]]:
        """Have an order carried out whose header was read.

        Returns:
            How it ended, the supervisor's exit code, the processes it started.
        """
        kind, length, wall_s = ORDER.unpack(header)
        pid = kernel.fork()
        if pid == 0:
            self._supervise(kind, length)
        how, exit_code = self._wait(pid, wall_s + _GRACE_S)
        started: list[int] = []
        with contextlib.suppress(BlockingIOError):
            started = [pid for (pid,) in struct.iter_unpack("<i", os.read(self._pids, 4096))]
        return how, exit_code, started

    def _supervise(self, kind: bytes, length: int) -> None:
        """The child's whole life; never returns."""

        def announce(pid: int) -> None:
            os.write(self._announced, struct.pack("<i", pid))

        status = 1
        try:
            kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
            _RUNS[kind](self._jail, self._request, length, self._report, announce)
            status = 0
        except NotStarted:
            status = _FAULT_STATUS
        finally:
            os._exit(status)

    def _wait(self, pid: int, wall_s: float) -> tuple[bytes, int]:
        """Until the supervisor ends, the time is over, or the judge is gone."""
        poll = select.poll()
        pidfd = os.pidfd_open(pid)
        poll.register(pidfd, select.POLLIN)
        poll.register(self._request, select.POLLRDHUP)
        events = poll.poll(int(wall_s * 1000))
        in_time = any(fd == pidfd for fd, _ in events)
        if not in_time:
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        os.close(pidfd)
        exit_code = os.waitstatus_to_exitcode(status)
        if not events:
            return OVERDUE, exit_code
        return {0: FINISHED, _FAULT_STATUS: FAULT}.get(exit_code, DIED), exit_code
