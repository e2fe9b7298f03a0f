"""A warm process: `python -m tasks.warm FOLDER` imports Prefect and torch and waits for one run.

Imports are most of what starting a stage costs, and they need not wait for the stage before it.
The supervisor keeps one warm process ready; process.py hands a run over to it. It is spawned
afresh and never forked, takes exactly one run, and lives no longer than whoever handed it over.
"""

import array
import importlib
import json
import os
import signal
import socket
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

from tasks.process import run_engine

IMPORTS = ("prefect.engine", "prefect.flow_engine", "tasks.stage", "torch")
"""What every stage needs."""
STREAMS = 3


def wait(folder: Path) -> socket.socket:
    """Listen as ``<pid>.sock`` until somebody hands a run over; the socket file goes then."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.chdir(folder)
    name = f"{os.getpid()}.sock"
    Path(name).unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(name)
        listener.listen(1)
        try:
            connection, _ = listener.accept()
        finally:
            Path(name).unlink(missing_ok=True)
    connection.sendall(b"!")
    return connection


def receive(connection: socket.socket) -> dict[str, Any]:
    """The run: standard streams are taken over, environment and folder are returned."""
    streams = array.array("i")
    size, ancillary, _, _ = connection.recvmsg(8, socket.CMSG_LEN(STREAMS * streams.itemsize))
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            streams.frombytes(content[: len(content) - len(content) % streams.itemsize])
    while len(size) < 8:
        size += _more(connection, 8 - len(size))
    job = b""
    while len(job) < int.from_bytes(size, "big"):
        job += _more(connection, int.from_bytes(size, "big") - len(job))
    sys.stdout.flush()
    sys.stderr.flush()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    found: dict[str, Any] = json.loads(job)
    return found


def _more(connection: socket.socket, size: int) -> bytes:
    received = connection.recv(size)
    if not received:
        raise SystemExit("whoever handed the run over is gone")
    return received


def _die_with(connection: socket.socket) -> None:
    """The stand-in was killed: end at once, as it would have."""
    connection.recv(1)
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Warm up, wait, and run what is handed over."""
    for name in IMPORTS:
        importlib.import_module(name)
    connection = wait(Path(sys.argv[1]))
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
