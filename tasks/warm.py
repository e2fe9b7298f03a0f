"""Warm processes: `python -m tasks.warm FOLDER` imports what runs need and forks one for each.

Imports are most of what starting a run costs. Two processes wait in FOLDER: ``prefect.sock`` has
imported Prefect and serves graphs, and stages that load torch under settings of their own;
``torch.sock`` has torch too and serves every other stage. process.py hands a run over to them.

They import and fork, and never run anything themselves: no thread and no OpenMP pool is there
that a fork could break. A forked process takes exactly one run, and lives no longer than whoever
handed it over; the run does not need the process that forked it.
"""

import array
import contextlib
import ctypes
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import Any

from tasks.process import run_engine

IMPORTS = {
    "prefect": ("prefect.engine", "prefect.flow_engine", "tasks.stage", "tasks.conclusion"),
    "torch": ("torch", "boto3"),
}
"""What each of the two adds to the one before."""
LOOK_S = 0.5
AGAIN_S = 1.0
"""Before the second is forked again; it may have ended because torch cannot be imported."""
PR_SET_PDEATHSIG = 1


def listen(name: str) -> socket.socket:
    """A socket in the current folder; a relative name, because socket paths must be short."""
    Path(name).unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(name)
    listener.listen(16)
    return listener


def serve(listener: socket.socket, second: int | None = None) -> socket.socket | None:
    """Fork a process for everybody who connects.

    Args:
        listener: Where they connect.
        second: Pid of the other warm process, when it is a child of this one.

    Returns:
        In each forked process its connection; in this one None, when ``second`` has ended.
    """
    while True:
        ready, _, _ = select.select([listener], [], [], LOOK_S)
        while True:
            try:
                ended, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if ended == 0:
                break
            if ended == second:
                return None
        if ready:
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                connection.sendall(os.getpid().to_bytes(8, "big"))
                return connection
            connection.close()


def receive(connection: socket.socket) -> dict[str, Any]:
    """The run: standard streams are taken over, environment and folder are returned."""
    streams = array.array("i")
    size, ancillary, _, _ = connection.recvmsg(8, socket.CMSG_LEN(3 * streams.itemsize))
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            streams.frombytes(content[: len(content) - len(content) % streams.itemsize])
    size += _exactly(connection, 8 - len(size))
    job = _exactly(connection, int.from_bytes(size, "big"))
    sys.stdout.flush()
    sys.stderr.flush()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    found: dict[str, Any] = json.loads(job)
    return found


def _exactly(connection: socket.socket, size: int) -> bytes:
    received = b""
    while len(received) < size:
        more = connection.recv(size - len(received))
        if not more:
            raise SystemExit("whoever handed the run over is gone")
        received += more
    return received


def _die_with(connection: socket.socket) -> None:
    """The stand-in was killed: end at once, as it would have."""
    with contextlib.suppress(OSError):
        connection.recv(1)
    os.kill(os.getpid(), signal.SIGKILL)


def _die_with_parent(parent: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before that was said
        raise SystemExit("the first warm process is gone")


def _import(step: str) -> None:
    for name in IMPORTS[step]:
        importlib.import_module(name)
    gc.freeze()  # forked processes share what is never touched


def _wait() -> socket.socket:
    """Serve as both processes; returns in every forked one."""
    _import("prefect")
    first = listen("prefect.sock")
    while True:
        me = os.getpid()
        second = os.fork()
        if second == 0:
            first.close()
            _die_with_parent(me)
            _import("torch")
            connection = serve(listen("torch.sock"))
        else:
            connection = serve(first, second)
        if connection is not None:
            return connection
        time.sleep(AGAIN_S)


def main() -> None:
    """Warm up, and in every forked process run what is handed over."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.chdir(folder)
    connection = _wait()
    job = receive(connection)
    os.environ.clear()
    os.environ.update(job["environ"])
    os.chdir(job["cwd"])
    threading.Thread(target=_die_with, args=(connection,), daemon=True).start()
    code: Any = 1
    try:
        warnings.simplefilter("ignore", RuntimeWarning)  # runpy: the engine is imported already
        run_engine()
        code = 0
    except SystemExit as end:
        code = end.code
    finally:
        connection.sendall(str(code if isinstance(code, int) else int(code is not None)).encode())


if __name__ == "__main__":
    main()
