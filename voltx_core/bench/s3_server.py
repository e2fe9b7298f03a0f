"""An S3 server as a process of its own on loopback, for measurements and rehearsals."""

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
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
_PORTS_TRIED = 3


@dataclass(frozen=True, slots=True)
class Server:
    """A running server with empty buckets."""

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
def serving(
    kind: str,
    folder: Path,
    *,
    buckets: Sequence[str] = (BUCKET,),
    address: str = "127.0.0.1",
    port: int | None = None,
) -> Iterator[Server]:
    """Run a server while the block lasts.

    Args:
        kind: ``rclone`` (keeps objects as files, in Go) or ``moto`` (in memory, in Python, asks for
            no credentials).
        folder: For its data and log; rclone finds there what it kept before.
        buckets: To create.
        address: Of this machine, to listen on.
        port: To listen on; default: a free one.

    Raises:
        StoreError: It is not installed or did not start.
    """
    if kind == "moto" and not importlib.util.find_spec("moto"):
        raise StoreError("This needs an S3 server to measure with: pip install '.[bench]'.")
    for bucket in buckets:
        (folder / "objects" / bucket).mkdir(parents=True, exist_ok=True)
    for left in reversed(range(_PORTS_TRIED)):
        try:
            process, url = _start(kind, folder, address, port or _free_port(address))
            break
        except StoreError:  # another process may have taken the port meanwhile
            if port or not left:
                raise
    try:
        if kind == "moto":
            for bucket in buckets:
                request = urllib.request.Request(f"{url}/{bucket}", method="PUT")
                urllib.request.urlopen(request, timeout=30).close()
        yield Server(kind, url, process.pid)
    finally:
        _end(process)


def _start(
    kind: str, folder: Path, address: str, port: int
) -> tuple["subprocess.Popen[bytes]", str]:
    keys = f"{CREDENTIALS['AWS_ACCESS_KEY_ID']},{CREDENTIALS['AWS_SECRET_ACCESS_KEY']}"
    rclone = (program("rclone") or "rclone", "serve", "s3", str(folder / "objects"))
    command = {
        "rclone": [*rclone, "--addr", f"{address}:{port}", "--auth-key", keys],
        "moto": [sys.executable, "-m", "moto.server", "-H", address, "-p", str(port)],
    }[kind]
    url, log = f"http://{address}:{port}", folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=os.environ | CREDENTIALS | {"RCLONE_CONFIG": os.devnull},
        )
    try:
        _await(process, url, log)
    except BaseException:
        _end(process)
        raise
    return process, url


def _end(process: "subprocess.Popen[bytes]") -> None:
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
        f"{said[-1] if said else 'it said nothing'}. Free its port and some memory, or choose "
        "another one with --server."
    )


def _free_port(address: str) -> int:
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])
