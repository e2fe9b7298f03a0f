"""Entry of every process a worker starts for a run: `python -m tasks.process`.

It runs Prefect's engine for the flow run named in the environment, in the project's folder. First
it asks for a warm process (warm.py), which has imported Prefect, and torch where the run wants it,
and takes the run over at once; this process then only stands in for it: it hands on SIGTERM, dies
when it dies, takes it along when it is killed, and ends with its exit code. Without a warm
process the engine runs right here.

Only the standard library is imported before that is decided.
"""

import array
import contextlib
import json
import logging
import os
import runpy
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Any

WARM = "VOLTX_WARM"
"""Which warm process a deployment wants: ``prefect``, or ``torch`` for what computes at once."""
RUN_LOG = "VOLTX_RUN_LOG"
"""File that runs write to instead of their worker's pipe, which would break with the worker."""
ANSWER_S = 5.0


def folder() -> Path:
    """Where the warm processes of this home listen."""
    return Path(os.environ["VOLTX_HOME"]) / "warm"


def hand_over(name: str) -> int | None:
    """Let a warm process do it; its exit code, or None when there is none."""
    taken = _connect(f"{name}.sock")
    if taken is None:
        return None
    connection, pid = taken
    _on_end(lambda *_: _signal(pid))
    job = json.dumps({"environ": dict(os.environ), "cwd": os.getcwd()}).encode()
    streams = array.array("i", [0, 1, 2])
    try:
        size = [len(job).to_bytes(8, "big")]
        connection.sendmsg(size, [(socket.SOL_SOCKET, socket.SCM_RIGHTS, streams)])
        connection.sendall(job)
    except OSError:  # it died this very moment, without the whole job
        _on_end(signal.SIG_DFL)
        return None
    said = bytearray()
    while received := connection.recv(64):  # until it has ended, not only until it has said so
        said += received
    if not said:  # killed
        _on_end(signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGKILL)
    return int(said)


def _on_end(handler: Any) -> None:
    """What SIGTERM and SIGINT do."""
    for wish in (signal.SIGTERM, signal.SIGINT):
        signal.signal(wish, handler)


def _connect(name: str) -> tuple[socket.socket, int] | None:
    """Connect to a warm process; by relative path, because socket paths must be short."""
    here = os.getcwd()
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(ANSWER_S)
    try:
        os.chdir(folder())
        connection.connect(name)
        said = connection.recv(8, socket.MSG_WAITALL)
        if len(said) == 8:
            connection.settimeout(None)
            return connection, int.from_bytes(said, "big")
    except OSError:  # none was started, it was killed, or it is busy
        pass
    finally:
        os.chdir(here)
    connection.close()
    return None


def _signal(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)


def run_engine() -> None:
    """Prefect's engine, as a worker would start it; what the library says reaches the run's log."""
    logging.getLogger("voltx_core").setLevel(logging.INFO)  # Prefect adds handlers, no level
    sys.argv = sys.argv[:1]
    runpy.run_module("prefect.engine", run_name="__main__", alter_sys=True)


def _import_torch() -> None:
    import torch  # noqa: F401


def main() -> None:
    """Go to the project's folder and run, warm or cold."""
    if log := os.environ.get(RUN_LOG):
        file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        os.dup2(file, 1)
        os.dup2(file, 2)
        os.close(file)
    os.chdir(os.environ.get("VOLTX_PROJECT", "."))
    wanted = os.environ.get(WARM)
    if wanted:
        code = hand_over(wanted)
        if code is not None:
            sys.exit(code)
    if wanted == "torch":
        # Cold: torch is imported beside the engine, which waits for the server now and then.
        threading.Thread(target=_import_torch, name="import torch", daemon=True).start()
    run_engine()


if __name__ == "__main__":
    main()
