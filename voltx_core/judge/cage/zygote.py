"""The zygote: a small warm interpreter that locks itself in and forks the processes of each run.

It never reads a program or a test. For calls it forks a candidate and hands its ends to a checker
that stands by; for everything else it forks a supervisor, which forks the candidates. Either takes
the order from the wire itself, so nothing of one run can be found in the memory of the next. The
zygote only knows how long a run may last, ends what outlives it, and empties the scratch folder.

Wire, on the request socket: the judge sends ``ORDER`` (kind, length of what follows, wall limit)
and that many bytes of order; the zygote answers ``TRAILER`` once everything is over. The checker
or supervisor writes ``R`` and one frame to the report pipe.
"""

import contextlib
import gc
import importlib
import json
import os
import random
import select
import signal
import struct
import sys
import traceback
from collections.abc import Callable

from . import kernel
from .candidate import OUTGOING
from .execution import run_beside, run_script, run_steps
from .frames import ChannelClosed, read_exact, send, write_all
from .jail import Jail, enter, note_surroundings, owns_its_uid
from .process import NotStarted
from .scratch import empty
from .standing import DIED, FAULT, FINISHED, OVERDUE, StandingChecker

ORDER = struct.Struct("<cId")
TRAILER = struct.Struct("<ccb")
CALLS, BESIDE, SCRIPT, STEPS = b"c", b"b", b"s", b"x"
READY, SPENT = b"+", b"-"

_RUNS: dict[bytes, Callable[..., None]] = {
    BESIDE: run_beside,
    SCRIPT: run_script,
    STEPS: run_steps,
}
_FAULT_STATUS = 75
_GRACE_S = 2.0
PRELOADED = [
    "abc",
    "array",
    "bisect",
    "calendar",
    "cmath",
    "collections",
    "collections.abc",
    "contextlib",
    "copy",
    "dataclasses",
    "datetime",
    "decimal",
    "enum",
    "fractions",
    "functools",
    "hashlib",
    "heapq",
    "io",
    "itertools",
    "json",
    "math",
    "numbers",
    "operator",
    "os",
    "random",
    "re",
    "statistics",
    "string",
    "struct",
    "textwrap",
    "time",
    "types",
    "typing",
    "unicodedata",
]


def main(specification: str) -> None:
    """Serve until the judge closes the request socket.

    Args:
        specification: JSON: ``jail`` (the fields of Jail), ``request`` and ``report``
            (descriptors), ``warm`` (preload what solutions import), ``library`` (where the
            standard library is readable from inside, or null), ``hide`` (a path to forget).
    """
    given = json.loads(specification)
    sys.argv = [""]
    fields = {**given["jail"], "readable": tuple(given["jail"]["readable"])}
    jail = Jail(**fields)
    request, report = given["request"], given["report"]
    try:
        if given["warm"]:
            for name in PRELOADED:
                importlib.import_module(name)
            random.seed(0)
        _forget_paths(given["hide"], given["library"])
        note_surroundings()
        kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
        enforced = enter(jail)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        where = traceback.extract_tb(error.__traceback__)[-1].name
        send(request, json.dumps({"error": f"{reason} (in {where})"}).encode())
        return
    os.dup2(0, 2)  # /dev/null
    while os.dup(0) <= OUTGOING:  # what a candidate is given stays clear of its places
        pass
    send(request, json.dumps({"enforced": enforced}).encode())
    gc.collect()
    gc.freeze()
    _serve(jail, request, report)


def _forget_paths(hidden: str, library: str | None) -> None:
    sys.path = [path for path in sys.path if path != hidden]
    if library:
        original = os.path.dirname(os.__file__)
        sys.path = [path.replace(original, library) for path in sys.path]
        sys.path_importer_cache.clear()


def _serve(jail: Jail, request: int, report: int) -> None:
    pids, announced = os.pipe()
    os.set_blocking(pids, False)
    checker = StandingChecker(jail, request, report)
    while True:
        try:
            kind, length, wall_s = ORDER.unpack(read_exact(request, ORDER.size))
        except (ChannelClosed, ConnectionResetError):
            return
        if kind == CALLS:
            how, exit_code = _check(checker, length, wall_s + _GRACE_S)
        else:
            pid = kernel.fork()
            if pid == 0:
                _supervise(jail, request, report, announced, kind, length)
            how, exit_code = _wait(pid, request, wall_s + _GRACE_S)
        _sweep(jail, pids)
        clean = not jail.fills_scratch or _empty_scratch()
        with contextlib.suppress(BrokenPipeError):
            write_all(
                request,
                TRAILER.pack(how, READY if clean else SPENT, max(-128, min(127, exit_code))),
            )
        if not clean:
            return


def _check(checker: StandingChecker, length: int, wall_s: float) -> tuple[bytes, int]:
    try:
        return checker.judge(length, wall_s)
    except NotStarted:
        return FAULT, 0


def _supervise(
    jail: Jail, request: int, report: int, announced: int, kind: bytes, length: int
) -> None:
    """The child's whole life; never returns."""

    def announce(pid: int) -> None:
        os.write(announced, struct.pack("<i", pid))

    status = 1
    try:
        kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
        _RUNS[kind](jail, request, length, report, announce)
        status = 0
    except NotStarted:
        status = _FAULT_STATUS
    finally:
        os._exit(status)


def _wait(pid: int, request: int, wall_s: float) -> tuple[bytes, int]:
    """Until the supervisor ends, the time is over, or the judge is gone; how, and its exit code."""
    poll = select.poll()
    pidfd = os.pidfd_open(pid)
    poll.register(pidfd, select.POLLIN)
    poll.register(request, select.POLLRDHUP)
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


def _sweep(jail: Jail, pids: int) -> None:
    """Leave no process of the run behind: the zygote has become the parent of every orphan."""
    started: list[int] = []
    with contextlib.suppress(BlockingIOError):
        started = [pid for (pid,) in struct.iter_unpack("<i", os.read(pids, 4096))]
    while True:
        try:
            if os.waitpid(-1, os.WNOHANG)[0]:
                continue
        except ChildProcessError:
            return
        if owns_its_uid(jail):
            with contextlib.suppress(ProcessLookupError):
                os.kill(-1, signal.SIGKILL)  # everyone else with this uid in this pid namespace
        for pid in [*started, *_children_in_sight(jail)]:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
        os.waitpid(-1, 0)


def _children_in_sight(jail: Jail) -> list[int]:
    """Orphans in sessions of their own, which only ``none`` lets a candidate start."""
    if jail.level != "none":
        return []
    with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
        children = [int(pid) for pid in file.read().split()]
    for pid in children:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return children


def _empty_scratch() -> bool:
    """Remove what the run left in the working directory; False if that does not work."""
    try:
        empty(".")
    except OSError:
        return False
    return True
