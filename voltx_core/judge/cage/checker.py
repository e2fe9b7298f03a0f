"""The trusted side: runs the tests, with a proxy wherever they call the candidate.

The candidate is forked before this process reads the order, so the tests and the values they
expect have never been in the memory the candidate inherits. What comes back is decoded to exact
builtin types; an exception comes back as the nearest builtin class.
"""

import ast
import builtins
import importlib
import os
import random
import resource
import select
import sys
from collections.abc import Callable
from typing import Any

from . import candidate as hostile
from .assertions import NothingAsserted, run_test
from .frames import HEADER, read_exact
from .jail import Jail
from .process import NotStarted, Process
from .values import decode, encode, overwrite

_MAX_DETAIL = 500
_CHECKER_MEMORY = 2 << 30


class CandidateGone(BaseException):
    """The candidate died, ran out of its budget or broke the protocol: no test can go on."""

    def __init__(self, outcome: str, detail: str) -> None:
        super().__init__(detail)
        self.outcome = outcome
        self.detail = detail


class Candidate:
    """A handle on the hostile process."""

    def __init__(self, jail: Jail, null: int, wall_s: float) -> None:
        order_read, self._outgoing = os.pipe()
        self._incoming, reply_write = os.pipe()
        self._process = Process(
            lambda: hostile.serve(jail),
            [null, null, null, order_read, reply_write],
            cpu_s=float("inf"),
            wall_s=wall_s,
        )
        os.close(order_read)
        os.close(reply_write)
        os.set_blocking(self._outgoing, False)
        self._readable, self._writable = select.poll(), select.poll()
        self._readable.register(self._incoming, select.POLLIN)
        self._writable.register(self._outgoing, select.POLLOUT)
        self._buffer = bytearray()
        self.gone: CandidateGone | None = None

    def load(self, order: dict[str, Any]) -> Any:
        """Send the code and return the candidate's account of how loading it went.

        Raises:
            NotStarted: the process died before any of the code ran.
            CandidateGone: it died, or ran out of its budget, since.
        """
        try:
            self._send(encode(order, limit=1 << 30))
            self._receive()  # "confined": from here on its own code uses the time
        except CandidateGone as gone:
            if gone.outcome == "crashed":
                raise NotStarted(gone.detail) from None
            raise
        self._process.allow_cpu(order["cpu_s"])
        return self._decoded(self._receive())

    def call(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call a function over there, as if it were here.

        Raises:
            CannotCross: an argument is not plain data.
            CandidateGone: there is no answer.
            Exception: what the function raised, as the nearest builtin class.
        """
        if self.gone:
            raise self.gone
        self._send(encode((name, args, kwargs)))
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

    def end(self) -> float:
        """Kill the process; returns the CPU seconds it has used."""
        self._process.kill()
        return self._process.cpu_used_s

    def _decoded(self, data: bytes) -> Any:
        try:
            return decode(data)
        except ValueError as error:
            raise self._lose("crashed", f"the candidate broke the protocol: {error}") from None

    def _send(self, payload: bytes) -> None:
        view = memoryview(HEADER.pack(len(payload)) + payload)
        while view:
            try:
                view = view[os.write(self._outgoing, view) :]
            except BlockingIOError:
                if not self._process.wait_for(self._writable):
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
            if not self._process.wait_for(self._readable):
                raise self._lose("timeout", "over its time limit")
            data = os.read(self._incoming, 1 << 18)
            if not data:
                raise self._died()
            self._buffer += data

    def _died(self) -> CandidateGone:
        exit_code = self._process.wait_exit()
        if exit_code is None:
            return self._lose("timeout", "closed its channel and went on past its time limit")
        if exit_code == -24:  # SIGXCPU
            return self._lose("timeout", "over its CPU limit")
        how = f"killed by signal {-exit_code}" if exit_code < 0 else f"exited with {exit_code}"
        return self._lose("crashed", f"the candidate's process was {how}".replace("was ex", "ex"))

    def _lose(self, outcome: str, detail: str) -> CandidateGone:
        self._process.kill()
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


def check(jail: Jail, null: int, request: int, length: int, report: int, wall_s: float) -> None:
    """Judge one program: read its order, run its tests, write the frame with what was seen."""
    remote = Candidate(jail, null, wall_s)
    payload = read_exact(request, length)
    os.write(report, b"R")  # the order is off the wire, whatever happens now
    order = decode(payload)
    _limit_self(order["cpu_s"])
    seen = _judge(remote, order)
    seen["cpu_s"] = remote.end()
    frame = encode(seen)
    os.write(report, HEADER.pack(len(frame)))
    with open(report, "wb", closefd=False) as file:
        file.write(frame)


def _judge(remote: Candidate, order: dict[str, Any]) -> dict[str, Any]:
    tests: list[str] = order["tests"]
    entry_point: str | None = order["entry_point"]
    results: list[str | None] = []  # None: passed; else why not
    try:
        trees = [ast.parse(test, f"<test {n}>") for n, test in enumerate(tests, 1)]
        base: dict[str, Any] = {"__name__": "tests", "__builtins__": builtins}
        random.seed(0)
        exec(compile(order["setup"], "<setup>", "exec"), base)
    except BaseException as error:
        return _seen("not_run", results, f"the tests' own code is broken: {_text(error)}")
    wanted = _free_names(trees, entry_point) - base.keys()
    entry = {entry_point} if entry_point else set()
    load = {key: order[key] for key in ("code", "setup", "cpu_s", "memory_mib")}
    try:
        reply = remote.load({**load, "wanted": sorted(wanted | entry)})
        if reply[0] == "syntax":
            return _seen("syntax_error", results, str(reply[1]))
        if reply[0] != "ready":
            return _seen("crashed", results, f"raised while loading: {reply[-1]}")
        functions, constants = reply[1], reply[2]
        base.update((name, value) for name, value in constants.items() if name in wanted)
        for name in wanted - constants.keys() - set(functions):
            if name in sys.stdlib_module_names:  # the tests rely on an import of the candidate's
                base[name] = importlib.import_module(name)
        proxies = {name for name in functions if name in wanted} | entry
        base.update((name, _proxy(remote, name, name in functions)) for name in proxies)
    except CandidateGone as gone:
        return _seen(gone.outcome, results, gone.detail)
    except (TypeError, ValueError, AttributeError, IndexError):
        return _seen("crashed", results, "the candidate broke the protocol")
    for number, tree in enumerate(trees, 1):
        why = _run_test(remote, tree, dict(base))
        results.append(why and f"test {number}: {why}")
        if remote.gone:
            return _seen(remote.gone.outcome, results, f"test {number}: {remote.gone.detail}")
    first = next((why for why in results if why), "")
    return _seen("failed" if first or not results else "passed", results, first)


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


def _free_names(trees: list[ast.Module], entry_point: str | None) -> set[str]:
    """Names the tests read and do not get from Python itself: those the candidate may supply.

    A builtin is never taken from the candidate (a forged ``abs`` or ``set`` would decide the
    comparison) unless it is the entry point.
    """
    loaded = {
        node.id
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }
    return {name for name in loaded if not hasattr(builtins, name) or name == entry_point}


def _run_test(remote: Candidate, tree: ast.Module, namespace: dict[str, Any]) -> str | None:
    """None if the test passed, else why not."""
    try:
        run_test(tree, namespace)
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


def _limit_self(cpu_s: float) -> None:
    """Bounds for what hostile data can make the tests do (``"x" * candidate(3)``)."""
    seconds = int(cpu_s * 2) + 10
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_AS, (_CHECKER_MEMORY, _CHECKER_MEMORY))
