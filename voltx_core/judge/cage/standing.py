"""The zygote's hold on a candidate and its checker, which stand ready before an order comes.

A fresh candidate is forked and confined while the slot has nothing else to do; it and the checker
then wait for the next order together, and the zygote sleeps until the checker has judged it.
"""

import contextlib
import os
import select
import signal
import socket
import struct
from functools import partial

from . import candidate, kernel
from .checker import DONE, END, ENDED, LAST, LOST, OTHER, START, serve_checks
from .frames import ChannelClosed
from .jail import Confinement, Fence, Jail, die_with_parent
from .process import NotStarted, Process
from .wire import DIED, FAULT, FINISHED, ORDER, OVERDUE

_TWO = struct.Struct("@ii")
_WALL = 0x40000000  # wait for children that announce their end by no signal, too


class AnotherKind(Exception):
    """The order that came is none for a checker; its header has been read."""

    def __init__(self, header: bytes) -> None:
        super().__init__(header)
        self.header = header


class StandingPair:
    """One fresh candidate at a time, and a checker process that outlives many of them.

    The checker is no child in the usual sense: it is waited for by its own id only, so "no children
    left" still says that nothing of a run survives.

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
        self._begun = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._starts = 0

    def judge(self, header: bytes) -> tuple[bytes, int, float]:
        """Have an order judged, the next one that comes if it has not begun to come.

        Args:
            header: of the order if it was read already, else empty.

        Returns:
            How it ended, the checker's exit code if it died, the candidate's CPU seconds.

        Raises:
            NotStarted: there is no process to be had, or the checker died before any order came.
            AnotherKind: it is another's.
            ChannelClosed: the judge is gone.
        """
        if self._control is not None and self._gone():
            self._end()
        if self._control is None:
            self._start()  # before there are pipes that it would hold open
        order_read, order_write = os.pipe()
        reply_read, reply_write = os.pipe()
        try:
            process = Process(partial(candidate.serve, self._fence, order_read, reply_write))
            self._send(START.pack(process.pid) + header, [order_write, reply_read])
        finally:
            for fd in (order_read, order_write, reply_read, reply_write):
                os.close(fd)
        try:
            how, exit_code = self._await(process)
        finally:
            process.kill()
        return how, exit_code, process.cpu_used_s

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
                serve_checks(self._jail, theirs, self._request, self._report, self._begun)
                status = 0
            finally:
                os._exit(status)
        theirs.close()
        self._poll.register(self._control, select.POLLIN)

    def _send(self, message: bytes, descriptors: list[int]) -> None:
        assert self._control
        # What socket.send_fds does, which is written in Python and costs 13 page faults here.
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, _TWO.pack(*descriptors))]
        try:
            self._control.sendmsg([message], rights)
        except (BrokenPipeError, ConnectionResetError):  # ended with the last run's stragglers
            self._end()
            self._start()
            self._control.sendmsg([message], rights)
        self._starts += 1

    def _await(self, process: Process) -> tuple[bytes, int]:
        """Until the checker is done or gone, or the judge is gone."""
        assert self._control
        while True:
            events = self._poll.poll()
            if events[0][0] == self._request and len(events) == 1:
                self._end()
                raise ChannelClosed
            word = self._control.recv(1 + ORDER.size)
            if word == END:
                exit_code = process.kill()
                try:
                    self._control.send(ENDED.pack(exit_code))
                except (BrokenPipeError, ConnectionResetError):  # killed this very moment
                    return self._died(b"")
            elif word == DONE:
                return FINISHED, 0
            elif word[:1] == OTHER:
                raise AnotherKind(word[1:])
            else:
                return self._died(word)

    def _gone(self) -> bool:
        """Whether the checker ended between two runs."""
        assert self._control
        control = self._control.fileno()
        return any(fd == control and event & select.POLLHUP for fd, event in self._poll.poll(0))

    def _died(self, word: bytes) -> tuple[bytes, int]:
        exit_code, begun = self._end(at_once=not word)
        if not begun:
            raise NotStarted("the checker ended before there was anything to judge")
        if exit_code == -signal.SIGALRM:
            return OVERDUE, exit_code
        return {LAST: FINISHED, LOST: FAULT}.get(word, DIED), exit_code

    def _end(self, *, at_once: bool = True) -> tuple[int, bool]:
        """Reap the checker; its exit code, and whether it had begun all that it was sent."""
        assert self._control
        self._poll.unregister(self._control)
        self._control.close()
        if at_once:
            os.kill(self._pid, signal.SIGKILL)
        _, status = os.waitpid(self._pid, _WALL)
        begun = 0
        with contextlib.suppress(BlockingIOError):
            begun = os.eventfd_read(self._begun)
        all_begun = begun == self._starts
        self._control, self._starts = None, 0
        return os.waitstatus_to_exitcode(status), all_begun
