"""The zygote's hold on its checker: started when needed, told to judge, replaced when it ends."""

import os
import select
import signal
import socket
import time
from functools import partial

from . import candidate, kernel
from .checker import DONE, END, ENDED, LAST, LOST, START, serve_checks
from .jail import Confinement, Fence, Jail, die_with_parent
from .process import NotStarted, Process

_WALL = 0x40000000  # wait for children that announce their end by no signal, too
FINISHED, DIED, OVERDUE, FAULT = b"f", b"d", b"o", b"e"


class StandingChecker:
    """A checker process that outlives the programs it judges.

    It is no child in the usual sense: it is waited for by its own id only, so "no children left"
    still says that nothing of a run survives.

    Args:
        jail: what everybody here is locked into.
        request: descriptor from which a checker reads orders.
        report: descriptor to which it writes reports.
    """

    def __init__(self, jail: Jail, request: int, report: int) -> None:
        self._jail, self._request, self._report = jail, request, report
        self._fence = Fence(jail, Confinement())
        self._poll = select.poll()
        self._poll.register(request, select.POLLRDHUP)
        self._control: socket.socket | None = None
        self._pid = 0

    def judge(self, length: int, wall_s: float) -> tuple[bytes, int]:
        """Have one order judged; how it ended, and the checker's exit code if it died.

        Raises:
            NotStarted: there is no process to be had.
        """
        if self._control is None:
            self._start()
        order_read, order_write = os.pipe()
        reply_read, reply_write = os.pipe()
        try:
            process = Process(partial(candidate.serve, self._fence, order_read, reply_write))
            self._send(START.pack(length, wall_s, process.pid), [order_write, reply_read])
        finally:
            for fd in (order_read, order_write, reply_read, reply_write):
                os.close(fd)
        try:
            return self._await(process, time.monotonic() + wall_s)
        finally:
            process.kill()

    def _start(self) -> None:
        zygote = os.getpid()
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            self._pid = kernel.fork_unwaited()
        except OSError as error:
            self._control = None
            raise NotStarted(str(error)) from None
        if self._pid == 0:
            status = 1
            try:
                die_with_parent(zygote)
                self._control.close()
                serve_checks(self._jail, theirs, self._request, self._report)
                status = 0
            finally:
                os._exit(status)
        theirs.close()
        self._poll.register(self._control, select.POLLIN)

    def _send(self, message: bytes, descriptors: list[int]) -> None:
        assert self._control
        try:
            socket.send_fds(self._control, [message], descriptors)
        except (BrokenPipeError, ConnectionResetError):  # ended with the last run's stragglers
            self._end()
            self._start()
            socket.send_fds(self._control, [message], descriptors)

    def _await(self, process: Process, end: float) -> tuple[bytes, int]:
        """Until the checker is done or gone, the time is over, or the judge is gone."""
        assert self._control
        while True:
            events = self._poll.poll(max(0, int((end - time.monotonic()) * 1000)))
            if not events:
                return OVERDUE, self._end()
            if events[0][0] == self._request and len(events) == 1:  # the judge is gone
                return DIED, self._end()
            word = self._control.recv(1)
            if word == END:
                exit_code = process.kill()
                self._control.send(ENDED.pack(exit_code, process.cpu_used_s))
            elif word == DONE:
                return FINISHED, 0
            else:
                exit_code = self._end(at_once=not word)
                return {LAST: FINISHED, LOST: FAULT}.get(word, DIED), exit_code

    def _end(self, *, at_once: bool = True) -> int:
        """Reap the checker; its exit code."""
        assert self._control
        self._poll.unregister(self._control)
        self._control.close()
        self._control = None
        if at_once:
            os.kill(self._pid, signal.SIGKILL)
        _, status = os.waitpid(self._pid, _WALL)
        return os.waitstatus_to_exitcode(status)
