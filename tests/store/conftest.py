"""Stores to test: a folder, and a bucket of a real S3 server process on loopback."""

import http.client
import http.server
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from voltx_core.store import ArtifactEntry, ArtifactStore, Manifest, Store, open_store

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(autouse=True)
def _aws_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Known credentials, and none of the machine's own settings."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "VOLTX_S3_"))]:
        monkeypatch.delenv(name)
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """Address of an S3 server process of this session."""
    for _ in range(3):  # another process may take the port between choosing and binding
        port = free_port()
        server = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=os.environ | CREDENTIALS,
        )
        url = f"http://127.0.0.1:{port}"
        if _answers(url, server):
            break
        server.kill()
        server.wait()
    else:
        pytest.fail("the S3 server did not start")
    yield url
    server.terminate()
    try:
        server.wait(10)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _answers(url: str, server: "subprocess.Popen[bytes]") -> bool:
    for _ in range(600):
        if server.poll() is not None:
            return False
        try:
            with urllib.request.urlopen(f"{url}/moto-api/", timeout=5):
                return True
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.05)
    return False


@pytest.fixture
def bucket(s3_server: str) -> str:
    """A new, empty bucket of the S3 server."""
    name = f"bucket-{uuid.uuid4().hex[:12]}"
    request = urllib.request.Request(f"{s3_server}/{name}", method="PUT")
    with urllib.request.urlopen(request, timeout=10):
        return name


@pytest.fixture(params=["folder", "bucket"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str | None]:
    """URL and endpoint of an empty store of each kind."""
    if request.param == "folder":
        return str(tmp_path / "store"), None
    bucket = request.getfixturevalue("bucket")
    return f"s3://{bucket}/some/prefix", request.getfixturevalue("s3_server")


@pytest.fixture
def store(address: tuple[str, str | None]) -> Store:
    """An empty store of each kind."""
    url, endpoint = address
    return open_store(url, endpoint_url=endpoint)


@pytest.fixture
def artifacts(store: Store, tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(store, tmp_path / "cache")


@pytest.fixture
def outputs(tmp_path: Path) -> Callable[..., Path]:
    """Makes a folder of files: ``outputs({"a/b.txt": b"..."})``."""

    def make(files: dict[str, bytes], name: str = "outputs") -> Path:
        folder = tmp_path / name
        for relpath, data in files.items():
            path = folder / relpath
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return folder

    return make


@pytest.fixture
def draft() -> Callable[..., Manifest]:
    """Makes an uncommitted manifest of stage ``codebook`` with artifact paths."""

    def make(fingerprint: str = "f00d", **artifacts: str) -> Manifest:
        return Manifest(
            stage="codebook",
            number="0.3",
            version=1,
            fingerprint=fingerprint,
            config={"codebook": {"size": 64, "lr": 0.1}},
            inputs={"frames": "ab" * 32},
            artifacts={name: ArtifactEntry(path=path) for name, path in artifacts.items()},
        )

    return make


class FaultyProxy:
    """A server before the S3 server that does wrong what networks and servers do wrong.

    Each fault is a number of requests for objects still to be spoiled.
    """

    def __init__(self, target: str) -> None:
        self.ignore_conditions = self.ignore_ranges = False
        self.truncate_reads = self.flip_reads = self.lose_answers = self.refuse = 0
        self.fail_parts_from: int | None = None
        self.odd_etags = False
        self.requests: list[tuple[str, str]] = []
        self.lock = threading.Lock()
        proxy, host = self, urlsplit(target).netloc

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def forward(self) -> None:
                proxy.handle(self, host)

            do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = forward

            def log_message(self, *_: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()

    def take(self, fault: str) -> bool:
        """Whether this request is to be spoiled so; counts down."""
        with self.lock:
            left = getattr(self, fault)
            setattr(self, fault, max(0, left - 1))
            return bool(left)

    def handle(self, request: http.server.BaseHTTPRequestHandler, host: str) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length", 0)))
        method, path = request.command, request.path
        with self.lock:
            self.requests.append((method, path))
        headers = dict(request.headers)
        if self.ignore_conditions:
            headers.pop("If-None-Match", None)
        if self.ignore_ranges:
            headers.pop("Range", None)
        if self.fail_parts_from is not None and f"partNumber={self.fail_parts_from}" in path:
            return self.answer(request, 403, {}, b"<Error><Code>AccessDenied</Code></Error>")
        if self.take("refuse"):
            return self.answer(request, 503, {}, b"<Error><Code>SlowDown</Code></Error>")
        onward = http.client.HTTPConnection(host, timeout=30)
        onward.request(method, path, body, headers)
        answer = onward.getresponse()
        content, fields = answer.read(), dict(answer.getheaders())
        onward.close()
        is_object = "?" not in path and path.count("/") > 1 and ".voltx" not in path
        if self.odd_etags and method == "PUT" and "ETag" in fields:
            fields["ETag"] = '"not-a-digest"'
        if is_object and method == "PUT" and self.take("lose_answers"):
            request.close_connection = True
            return None
        if is_object and method == "GET" and content and self.take("flip_reads"):
            content = bytes([content[0] ^ 1]) + content[1:]
        cut = is_object and method == "GET" and len(content) > 1 and self.take("truncate_reads")
        if method == "HEAD":
            return self.answer(request, answer.status, fields, b"", keep_length=True)
        return self.answer(request, answer.status, fields, content, cut=cut)

    def answer(
        self,
        request: http.server.BaseHTTPRequestHandler,
        status: int,
        fields: dict[str, str],
        content: bytes,
        *,
        cut: bool = False,
        keep_length: bool = False,
    ) -> None:
        request.send_response_only(status)
        for name, value in fields.items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                request.send_header(name, value)
        length = fields.get("Content-Length", "0") if keep_length else str(len(content))
        request.send_header("Content-Length", length)
        request.end_headers()
        request.wfile.write(content[: len(content) // 2] if cut else content)
        request.close_connection = request.close_connection or cut

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def proxy(s3_server: str) -> Iterator[FaultyProxy]:
    """A proxy before the S3 server that spoils what a test asks it to."""
    faulty = FaultyProxy(s3_server)
    yield faulty
    faulty.stop()
