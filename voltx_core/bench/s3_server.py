"""An S3 server on loopback, as a process of its own, for measurements and rehearsals.

It keeps everything in memory and checks no credentials, so what it holds ends with it.
"""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from voltx_core.errors import StoreError

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench"}
"""Any will do."""
START_S = 60.0
PORTS_TRIED = 3


@contextmanager
def s3_server(*buckets: str, address: str = "127.0.0.1") -> Iterator[str]:
    """The endpoint of a new server with these buckets; it ends with the block.

    Args:
        buckets: To create.
        address: Of this machine, to listen on.

    Raises:
        StoreError: The server is not installed or does not start.
    """
    if find_spec("moto") is None:
        raise StoreError("This needs an S3 server to measure with: pip install '.[bench]'.")
    server, endpoint = _start(address)
    try:
        for bucket in buckets:
            request = urllib.request.Request(f"{endpoint}/{bucket}", method="PUT")
            with urllib.request.urlopen(request, timeout=10):
                pass
        yield endpoint
    finally:
        server.kill()
        server.wait()


def _start(address: str) -> tuple["subprocess.Popen[bytes]", str]:
    for _ in range(PORTS_TRIED):  # another process may take the port between choosing and binding
        with socket.socket() as probe:
            probe.bind((address, 0))
            port = int(probe.getsockname()[1])
        server = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", address, "-p", str(port)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=os.environ | CREDENTIALS,
        )
        endpoint = f"http://{address}:{port}"
        if _answers(server, endpoint):
            return server, endpoint
        server.kill()
        server.wait()
    raise StoreError(f"The S3 server did not start ({PORTS_TRIED} tries). Free some memory.")


def _answers(server: "subprocess.Popen[bytes]", endpoint: str) -> bool:
    deadline = time.monotonic() + START_S
    while server.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{endpoint}/moto-api/", timeout=5):
                return True
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    return False
