"""human-eval's approach (Chen et al. 2021): threads, each starting a process per program.

For every program a ``multiprocessing`` manager brings up a server for the one-element result list,
a forked child defuses ``os``, ``shutil`` and ``builtins``, executes program and tests in a
temporary folder under an alarm, and appends its verdict.
"""

import builtins
import contextlib
import faulthandler
import io
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.managers import ListProxy

from voltx_core.bench.contenders.contender import Script, Seen

_TIMEOUT_S = 60.0
_DEFUSED = {
    builtins: ("exit", "quit", "help"),
    os: (
        *("kill", "killpg", "system", "putenv", "setuid", "fork", "forkpty", "chroot", "getcwd"),
        *("remove", "removedirs", "rmdir", "rename", "renames", "truncate", "replace", "unlink"),
        *("chdir", "fchdir", "chmod", "fchmod", "chown", "fchown", "lchown"),
    ),
    shutil: ("rmtree", "move", "chown"),
    subprocess: ("Popen",),
}
_HIDDEN = ("ipdb", "joblib", "resource", "psutil", "tkinter")


class HumanEval:
    def __init__(self, name: str, workers: int) -> None:
        del name
        self._pool = ThreadPoolExecutor(workers)
        self._fork = multiprocessing.get_context("fork")

    def run(self, scripts: list[Script]) -> list[Seen]:
        return list(self._pool.map(self._check, scripts))

    def _check(self, script: Script) -> Seen:
        began = time.monotonic()
        manager = self._fork.Manager()
        result = manager.list()
        process = self._fork.Process(target=_execute, args=(script.source, result))
        process.start()
        process.join(_TIMEOUT_S + 1)
        if process.is_alive():
            process.kill()
        passed = list(result) == ["passed"]
        manager.shutdown()
        return Seen(passed, time.monotonic() - began)

    def slots(self) -> list[int]:
        return []

    def close(self) -> None:
        self._pool.shutdown()


def _execute(source: str, result: ListProxy) -> None:
    with tempfile.TemporaryDirectory() as folder:
        kept = shutil.rmtree, os.rmdir, os.chdir, os.unlink, os.getcwd
        os.chdir(folder)
        _defuse()
        try:
            with _muted(), _alarm(_TIMEOUT_S):
                exec(source, {})
            result.append("passed")
        except BaseException as error:
            result.append(f"failed: {error}")
        # What removes the folder is needed again.
        shutil.rmtree, os.rmdir, os.chdir, os.unlink, os.getcwd = kept
        os.chdir("/")


def _defuse() -> None:
    """Take away what is dangerous by accident; it stops nobody who means it."""
    faulthandler.disable()
    os.environ["OMP_NUM_THREADS"] = "1"
    for module, names in _DEFUSED.items():
        for name in names:
            setattr(module, name, None)
    for name in _HIDDEN:
        sys.modules[name] = None  # type: ignore[assignment]


@contextlib.contextmanager
def _muted() -> Iterator[None]:
    stream = io.StringIO()
    with contextlib.redirect_stdout(stream), contextlib.redirect_stderr(stream):
        yield


@contextlib.contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    def ring(*_: object) -> None:
        raise TimeoutError

    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
