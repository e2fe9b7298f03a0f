"""Stores to test: a folder, and a bucket of a real S3 server process on loopback."""

import os
import subprocess
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from voltx_core.bench.faults import FaultPlan, FaultyProxy
from voltx_core.bench.s3_server import serving
from voltx_core.store import ArtifactEntry, ArtifactStore, Manifest, Store, open_store
from voltx_core.store.s3 import S3Store

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
}


@pytest.fixture(autouse=True)
def _aws_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Known credentials, and none of the machine's own settings."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "VOLTX_S3_"))]:
        monkeypatch.delenv(name)
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of an S3 server process of this session."""
    with serving("moto", tmp_path_factory.mktemp("s3"), buckets=()) as server:
        yield server.url


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


@pytest.fixture
def proxy(s3_server: str) -> Iterator[FaultyProxy]:
    """A proxy before the S3 server that spoils what a test orders it to."""
    with FaultyProxy(s3_server, FaultPlan()) as faulty:
        yield faulty


@pytest.fixture
def remote(bucket: str, proxy: FaultyProxy) -> S3Store:
    """A store behind the faulty proxy, with the smallest parts that S3 allows."""
    return S3Store(f"s3://{bucket}/p", endpoint_url=proxy.url, part_bytes=5 << 20)


@pytest.fixture
def direct(bucket: str, s3_server: str) -> S3Store:
    """The same store without the proxy: what the server really holds."""
    return S3Store(f"s3://{bucket}/p", endpoint_url=s3_server)


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("mounting a tiny file system needs root")
    options = ["-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    mounted = subprocess.run(["mount", *options], capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"mounting a tiny file system failed: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)
