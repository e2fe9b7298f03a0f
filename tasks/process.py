"""Entry of every process a worker starts for a run: `python -m tasks.process`.

It runs Prefect's engine for the flow run named in the environment, in the project's folder. For a
stage it first asks for a warm process (warm.py), which has imported Prefect and torch already and
takes the run over at once; this process then only stands in for it: it hands on SIGTERM, dies
when it dies, takes it along when it is killed, and ends with its exit code. Without a warm
process the engine runs right here.

Only the standard library is imported before that is decided.
"""

import array
import contextlib
import json
import os
import runpy
import signal
import socket
import sys
import threading
from pathlib import Path

WARM = "VOLTX_WARM"
"""Set by deployments of stages; the parent flow must not carry torch along."""


def folder() -> Path:
    """Where warm processes of this home listen."""
    return Path(os.environ["VOLTX_HOME"]) / "warm"


def hand_over() -> int | None:
    """Let a warm process do it; its exit code, or None when there is none."""
    taken = _connect()
    if taken is None:
        return None
    connection, pid = taken
    signal.signal(signal.SIGTERM, lambda *_: _signal(pid))
    job = json.dumps({"environ": dict(os.environ), "cwd": os.getcwd()}).encode()
    streams = array.array("i", [0, 1, 2])
    try:
        size = [len(job).to_bytes(8, "big")]
        connection.sendmsg(size, [(socket.SOL_SOCKET, socket.SCM_RIGHTS, streams)])
        connection.sendall(job)
    except OSError:  # it died this very moment, without the whole job
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        return None
    said = bytearray()
    while received := connection.recv(64):  # until it has ended, not only until it has said so
        said += received
    if not said:  # killed
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGKILL)
    return int(said)


def _connect() -> tuple[socket.socket, int] | None:
    """Connect to a warm process; by relative path, because socket paths must be short."""
    here = os.getcwd()
    try:
        names = sorted(os.listdir(folder()))
        os.chdir(folder())
    except OSError:
        return None
    try:
        for name in (n for n in names if n.endswith(".sock")):
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connection.settimeout(5.0)
            try:
                connection.connect(name)
                if connection.recv(1) == b"!":  # it is ours, nobody else's
                    connection.settimeout(None)
                    return connection, int(name.removesuffix(".sock"))
            except OSError:
                pass
            connection.close()
    finally:
        os.chdir(here)
    return None


def _signal(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)


def run_engine() -> None:
    """Prefect's engine, as a worker would start it."""
    sys.argv = sys.argv[:1]
    runpy.run_module("prefect.engine", run_name="__main__", alter_sys=True)


def _import_torch() -> None:
    import torch  # noqa: F401


def main() -> None:
    """Go to the project's folder and run, warm or cold."""
    os.chdir(os.environ.get("VOLTX_PROJECT", "."))
    if os.environ.get(WARM):
        code = hand_over()
        if code is not None:
            sys.exit(code)
        # Cold: torch is imported beside the engine, which waits for the server now and then.
        threading.Thread(target=_import_torch, name="import torch", daemon=True).start()
    run_engine()


if __name__ == "__main__":
    main()
