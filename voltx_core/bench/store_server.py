"""An S3 server as a process of its own on loopback, for measurements."""

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from voltx_core.errors import StoreError

SERVERS = ("rclone", "moto")
BUCKET = "bench"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "bench",
    "AWS_SECRET_ACCESS_KEY": "benchbench",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}
"""What clients of the server need in their environment, and none of the machine's settings."""
_START_S = 60.0


@dataclass(frozen=True, slots=True)
class Server:
    """A running server with an empty bucket ``BUCKET``."""

    kind: str
    url: str
    pid: int


def available() -> str | None:
    """The server that would be started: ``rclone serve s3`` before moto, None without both."""
    if program("rclone"):
        return "rclone"
    return "moto" if importlib.util.find_spec("moto") else None


def program(name: str) -> str | None:
    """Where a program is: beside this Python, else on PATH."""
    beside = Path(sys.executable).parent / name
    return str(beside) if os.access(beside, os.X_OK) else shutil.which(name)


@contextmanager
def serving(kind: str, folder: Path, *, port: int | None = None) -> Iterator[Server]:
    """Run a server while the block lasts.

    Args:
        kind: ``rclone`` (keeps objects as files, in Go) or ``moto`` (in memory, in Python).
        folder: For its data and log; rclone finds there what it kept before.
        port: To listen on; default: a free one.

    Raises:
        StoreError: It did not start.
    """
    data, log = folder / "objects", folder / "server.log"
    (data / BUCKET).mkdir(parents=True, exist_ok=True)
    port = port or _free_port()
    keys = f"{CREDENTIALS['AWS_ACCESS_KEY_ID']},{CREDENTIALS['AWS_SECRET_ACCESS_KEY']}"
    rclone = (program("rclone") or "rclone", "serve", "s3", str(data))
    command = {
        "rclone": [*rclone, "--addr", f"127.0.0.1:{port}", "--auth-key", keys],
        "moto": [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
    }[kind]
    url = f"http://127.0.0.1:{port}"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, env=os.environ | {"RCLONE_CONFIG": os.devnull}
        )
    try:
        _await(process, url, log)
        if kind == "moto":
            request = urllib.request.Request(f"{url}/{BUCKET}", method="PUT")
            urllib.request.urlopen(request, timeout=30).close()
        yield Server(kind, url, process.pid)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except urllib.error.HTTPError:
            return  # it refuses a nameless request, so it is there
        except OSError:
            time.sleep(0.05)
    said = log.read_text(errors="replace").strip().splitlines()
    raise StoreError(
        f"the S3 server {' '.join(map(str, process.args))} did not start: "  # type: ignore[arg-type]
        f"{said[-1] if said else 'it said nothing'}. Choose another one with --server."
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
