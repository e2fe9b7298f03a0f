"""The trusted side: runs the tests, with a proxy wherever they call the candidate.

A checker is a process of its own that judges one program after another. Candidates are forked from
the zygote, which never reads an order, so the tests and the values they expect have never been in
the memory a candidate inherits. What comes back is decoded to exact builtin types; an exception
comes back as the nearest builtin class.

A checker that ran tests which could have changed more than their own namespace ends itself, and so
does one that has grown: the next program meets a new one.
"""

import builtins
import importlib
import marshal
import os
import random
import resource
import signal
import socket
import struct
import sys
from collections.abc import Callable
from typing import Any

from .assertions import NothingAsserted, run_compiled
from .frames import HEADER, ChannelClosed, read_exact, write_all
from .jail import Jail
from .process import NotStarted
from .remote import Candidate, CandidateGone
from .values import encode
from .wire import CALLS, ORDER, TAKEN

START = struct.Struct("<i")
"""From the zygote: the candidate's pid, then the order's header if that was read already; with it
the candidate's descriptors."""

ENDED = struct.Struct("<i")
"""From the zygote: the candidate's exit code."""

END, DONE, LAST, LOST, OTHER = b"e", b"d", b"l", b"x", b"o"
"""To the zygote: end the candidate; the report is written; likewise, and the checker ends itself;
the machine failed; the order that came (its header follows) is not for a checker."""

STATELESS_MODULES = frozenset(
    {
        *("abc", "array", "bisect", "cmath", "collections", "collections.abc", "copy", "datetime"),
        *("fractions", "functools", "heapq", "itertools", "json", "math", "numbers", "operator"),
        *("random", "re", "statistics", "string", "struct", "textwrap", "time", "types", "typing"),
        "unicodedata",
    }
)
"""What tests may import without leaving a trace that the next tests could see."""

_MAX_DETAIL = 500
_MEMORY, _MEMORY_OF_TESTS = 2 << 30, 384 << 20
_RUNS = 1000
_GRACE_S = 2.0
_MAX_GROWTH_KIB = 64 << 10


def serve_checks(jail: Jail, control: socket.socket, request: int, report: int, begun: int) -> None:
    """Judge programs until the zygote closes ``control`` or the process is worn out.

    The kernel ends a run, and this process, when its wall limit is over.

    Args:
        jail: what this process is locked into.
        control: words from and to the zygote.
        request: orders come from here,
        report: and what was seen goes there.
        begun: an event descriptor that counts orders whose header was read.
    """
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    largest = _size_kib() + _MAX_GROWTH_KIB
    for run in range(1, _RUNS + 1):
        message, ends, _, _ = socket.recv_fds(control, START.size + ORDER.size, 2)
        if not message:
            return
        try:
            header = message[START.size :] or read_exact(request, ORDER.size)
        except (ChannelClosed, ConnectionResetError):
            return
        os.eventfd_write(begun, 1)
        kind, length, wall_s = ORDER.unpack(header)
        if kind != CALLS:
            for fd in ends:
                os.close(fd)
            control.send(OTHER + header)
            continue
        signal.setitimer(signal.ITIMER_REAL, wall_s + _GRACE_S)
        (pid,) = START.unpack_from(message)
        try:
            traceless = _check(jail, control, request, length, report, (pid, ends), wall_s)
        except NotStarted:
            control.send(LOST)
            return
        signal.setitimer(signal.ITIMER_REAL, 0)
        worn = not traceless or run == _RUNS or _size_kib() > largest
        if jail.level == "none":  # nothing keeps a candidate there from stopping its parent
            os.kill(os.getppid(), signal.SIGCONT)
        control.send(LAST if worn else DONE)
        if worn:
            return


def _check(
    jail: Jail,
    control: socket.socket,
    request: int,
    length: int,
    report: int,
    process: tuple[int, list[int]],
    wall_s: float,
) -> bool:
    """Judge one program: read its order, run its tests, write the frame with what was seen."""
    payload = read_exact(request, length)
    os.write(report, TAKEN)  # the order is off the wire, whatever happens now
    order = marshal.loads(payload)
    _limit(order["cpu_s"], order["memory_mib"])

    def end_it() -> int:
        os.kill(pid, signal.SIGKILL)  # at once; the zygote, whose child it is, sees to the rest
        if jail.level == "none":
            os.kill(os.getppid(), signal.SIGCONT)
        control.send(END)
        exit_code: int = ENDED.unpack(control.recv(ENDED.size))[0]
        return exit_code

    pid, ends = process
    remote = Candidate(pid, ends, end_it, cpu_s=order["cpu_s"], wall_s=wall_s)
    seen, traceless = _judge(remote, order)
    remote.close()
    frame = encode(seen)
    write_all(report, HEADER.pack(len(frame)) + frame)
    return traceless and order["traceless"]


def _judge(remote: Candidate, order: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """What was seen, and whether judging it has loaded nothing that stays."""
    results: list[str | None] = []  # None: passed; else why not
    traceless = True
    base: dict[str, Any] = {"__name__": "tests", "__builtins__": builtins}
    broken = order["broken"]
    if not broken:
        random.seed(0)
        try:
            exec(marshal.loads(order["before"]), base)
        except BaseException as error:
            broken = _text(error)
    if broken:
        return _seen("not_run", results, f"the tests' own code is broken: {broken}"), False
    entry_point: str | None = order["entry_point"]
    wanted = set(order["wanted"]) - base.keys()
    entry = {entry_point} if entry_point else set()
    try:
        reply = remote.load(
            order["code"],
            order["setup"],
            sorted(wanted | entry),
            order["cpu_s"],
            order["memory_mib"],
        )
        if reply[0] == "syntax":
            return _seen("syntax_error", results, str(reply[1])), traceless
        if reply[0] != "ready":
            return _seen("crashed", results, f"raised while loading: {reply[-1]}"), traceless
        functions, constants = reply[1], reply[2]
        base.update((name, value) for name, value in constants.items() if name in wanted)
        for name in wanted - constants.keys() - set(functions):
            if name in sys.stdlib_module_names:  # the tests rely on an import of the candidate's
                base[name] = importlib.import_module(name)
                traceless = traceless and name in STATELESS_MODULES
        proxies = {name for name in functions if name in wanted} | entry
        base.update((name, _proxy(remote, name, name in functions)) for name in proxies)
    except CandidateGone as gone:
        return _seen(gone.outcome, results, gone.detail), traceless
    except (TypeError, ValueError, AttributeError, IndexError):
        return _seen("crashed", results, "the candidate broke the protocol"), traceless
    for number, test in enumerate(order["tests"], 1):
        why = _run_test(remote, test, dict(base))
        results.append(why and f"test {number}: {why}")
        if remote.gone:
            why = f"test {number}: {remote.gone.detail}"
            return _seen(remote.gone.outcome, results, why), traceless
    first = next((why for why in results if why), "")
    return _seen("failed" if first or not results else "passed", results, first), traceless


def _seen(outcome: str, results: list[str | None], detail: str) -> dict[str, Any]:
    passed = sum(why is None for why in results)
    return {"outcome": outcome, "passed": passed, "detail": detail[:_MAX_DETAIL]}


def _proxy(remote: Candidate, name: str, exists: bool) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        if not exists:
            raise NameError(f"the candidate defines no function {name!r}")
        return remote.call(name, args, kwargs)

    call.__name__ = call.__qualname__ = name
    return call


def _run_test(remote: Candidate, test: bytes, namespace: dict[str, Any]) -> str | None:
    """None if the test passed, else why not."""
    try:
        code, has_assertions = marshal.loads(test)
        run_compiled(code, has_assertions, namespace)
    except CandidateGone as gone:
        return gone.detail
    except NothingAsserted as error:
        return remote.gone.detail if remote.gone else str(error)
    except BaseException as error:
        return _text(error)
    return remote.gone.detail if remote.gone else None  # the test may have swallowed it


def _text(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"[:_MAX_DETAIL].rstrip(": ")
    except Exception:
        return type(error).__name__


def _limit(cpu_s: float, memory_mib: int) -> None:
    """Bounds for what hostile data can make the tests do (``"x" * candidate(3)``)."""
    memory = min(_MEMORY, (memory_mib << 20) + _MEMORY_OF_TESTS)
    resource.setrlimit(resource.RLIMIT_AS, (memory, _MEMORY))
    usage = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(usage.ru_utime + usage.ru_stime + cpu_s * 2) + 10
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.RLIM_INFINITY))


def _size_kib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
