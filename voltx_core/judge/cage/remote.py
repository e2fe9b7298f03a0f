"""The candidate as the checker sees it: calls go out, answers come back, time runs."""

import builtins
import fcntl
import marshal
import os
import select
import signal
import struct
from collections.abc import Callable
from typing import Any

from . import candidate as hostile
from .frames import HEADER
from .process import Budget, NotStarted
from .values import decode, encode, overwrite

_FIONREAD = 0x541B


class CandidateGone(BaseException):
    """The candidate died, ran out of its budget or broke the protocol: no test can go on."""

    def __init__(self, outcome: str, detail: str) -> None:
        super().__init__(detail)
        self.outcome = outcome
        self.detail = detail


class Candidate:
    """A handle on the hostile process, which is another's child.

    Args:
        pid: of the process.
        ends: descriptors, owned from now on: where it reads, where it writes.
        end_it: kills and reaps it; gives its exit code.
    """

    def __init__(
        self,
        pid: int,
        ends: list[int],
        end_it: Callable[[], int],
        *,
        cpu_s: float,
        wall_s: float,
    ) -> None:
        self._outgoing, self._incoming = self._ends = ends
        self._pid = pid
        self._end_it = end_it
        self._budget = Budget(pid, cpu_s=cpu_s, wall_s=wall_s)
        os.set_blocking(self._outgoing, False)
        self._readable, self._writable = select.poll(), select.poll()
        self._readable.register(self._incoming, select.POLLIN)
        self._writable.register(self._outgoing, select.POLLOUT)
        self._buffer = bytearray()
        self._exit_code: int | None = None
        self.gone: CandidateGone | None = None

    def load(self, code: str, setup: str, wanted: list[str], cpu_s: float, memory_mib: int) -> Any:
        """Send limits and code; returns the candidate's account of how loading went.

        Raises:
            NotStarted: the process died before any of the code ran.
            CandidateGone: it died, or ran out of its budget, since.
        """
        order = marshal.dumps((code, setup, wanted))
        limits = hostile.LIMITS.pack(cpu_s, memory_mib, len(order))
        written = False
        try:
            self._write(limits + order)
            written = True
            reply = self._receive()
        except CandidateGone as gone:
            if gone.outcome == "crashed" and (not written or self._unread()):
                raise NotStarted(gone.detail) from None
            raise
        return self._decoded(reply)

    def _unread(self) -> bool:
        """Whether something sent was never read: the code is read once confinement is complete."""
        (count,) = struct.unpack("i", fcntl.ioctl(self._outgoing, _FIONREAD, b"\0" * 4))
        return bool(count)

    def call(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call a function over there, as if it were here.

        Raises:
            CannotCross: an argument is not plain data.
            CandidateGone: there is no answer.
            Exception: what the function raised, as the nearest builtin class.
        """
        if self.gone:
            raise self.gone
        payload = encode((name, args, kwargs))
        self._write(HEADER.pack(len(payload)) + payload)
        reply = self._decoded(self._receive())
        if reply[0] == "raised":
            raise _as_exception(reply[1], reply[2], reply[3])
        if reply[0] != "returned":
            raise self._lose("crashed", "the candidate broke the protocol")
        if reply[2]:
            new_args, new_kwargs = self._decoded(reply[2])
            overwrite(args, new_args)
            for key, value in kwargs.items():
                overwrite(value, new_kwargs.get(key))
        return self._decoded(reply[1])

    def end(self) -> int:
        """Have the process killed and reaped, whatever it does; its exit code."""
        if self._exit_code is None:
            self._exit_code = self._end_it()
        return self._exit_code

    def close(self) -> None:
        """Give the descriptors back."""
        for fd in self._ends:
            os.close(fd)

    def _decoded(self, data: bytes) -> Any:
        try:
            return decode(data)
        except ValueError as error:
            raise self._lose("crashed", f"the candidate broke the protocol: {error}") from None

    def _write(self, data: bytes) -> None:
        while data:
            try:
                data = data[os.write(self._outgoing, data) :]
            except BlockingIOError:
                if not self._budget.wait_for(self._writable):
                    raise self._lose("timeout", "over its time limit") from None
            except BrokenPipeError:
                raise self._died() from None

    def _receive(self) -> bytes:
        while True:
            if len(self._buffer) >= HEADER.size:
                (size,) = HEADER.unpack_from(self._buffer)
                if size > hostile.FRAME_LIMIT:
                    raise self._lose("crashed", "the candidate's answer is too large")
                end = HEADER.size + size
                if len(self._buffer) >= end:
                    payload = bytes(self._buffer[HEADER.size : end])
                    del self._buffer[:end]
                    return payload
            if not self._budget.wait_for(self._readable):
                raise self._lose("timeout", "over its time limit")
            data = os.read(self._incoming, 1 << 16)
            if not data:
                raise self._died()
            self._buffer += data

    def _died(self) -> CandidateGone:
        """The channel is closed: the process has ended, or pretends to and goes on."""
        pidfd = os.pidfd_open(self._pid)  # nobody else's: it is reaped on our word
        self._ends.append(pidfd)
        ended = select.poll()
        ended.register(pidfd, select.POLLIN)
        if not self._budget.wait_for(ended):
            return self._lose("timeout", "closed its channel and went on past its time limit")
        exit_code = self.end()
        if exit_code == -signal.SIGXCPU:
            return self._lose("timeout", "over its CPU limit")
        how = f"killed by signal {-exit_code}" if exit_code < 0 else f"exited with {exit_code}"
        return self._lose("crashed", f"the candidate's process was {how}".replace("was ex", "ex"))

    def _lose(self, outcome: str, detail: str) -> CandidateGone:
        self.end()
        self.gone = CandidateGone(outcome, detail)
        return self.gone


def _as_exception(names: list[str], args: tuple[Any, ...], text: str) -> BaseException:
    """A fresh exception of the nearest builtin class."""
    if not (isinstance(names, list) and isinstance(args, tuple) and isinstance(text, str)):
        return RuntimeError("the candidate raised something that cannot be described")
    for name in names:
        kind = getattr(builtins, name, None) if isinstance(name, str) else None
        if not (isinstance(kind, type) and issubclass(kind, Exception)):
            continue
        if issubclass(kind, StopIteration | StopAsyncIteration):
            break  # would silently end a loop of the test: all(map(f, cases)) must not pass
        try:
            return kind(*args)
        except Exception:
            continue
    return RuntimeError(f"the candidate raised {text}")
