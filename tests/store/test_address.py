"""Addresses of stores."""

import subprocess
import sys
from pathlib import Path

import pytest

from voltx_core.errors import StoreError
from voltx_core.store import open_store
from voltx_core.store.local import LocalStore
from voltx_core.store.s3 import S3Store


def test_folders_open_by_every_spelling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    spaced = tmp_path / "a store"
    for url in ("a store", "./a store", "~/a store", str(spaced), f"file://{tmp_path}/a%20store"):
        store = open_store(url)
        assert isinstance(store, LocalStore)
        assert store.root == spaced
        assert store.url == str(spaced)


def test_buckets_open_with_and_without_prefix() -> None:
    store = open_store("s3://bucket/a/b/", endpoint_url="http://127.0.0.1:9")
    assert isinstance(store, S3Store)
    assert (store.bucket, store.url) == ("bucket", "s3://bucket/a/b")
    assert open_store("s3://bucket").url == "s3://bucket"


def test_the_endpoint_comes_from_the_nearest_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    def endpoint(given: str | None = None) -> str | None:
        store = open_store("s3://bucket", endpoint_url=given)
        assert isinstance(store, S3Store)
        return store.endpoint_url

    assert endpoint() is None
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://general")
    assert endpoint() == "http://general"
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://s3")
    assert endpoint() == "http://s3"
    monkeypatch.setenv("VOLTX_S3_ENDPOINT", "http://voltx")
    assert endpoint() == "http://voltx"
    assert endpoint("http://given") == "http://given"


@pytest.mark.parametrize(
    "url", ["", "gs://bucket/x", "s3:///prefix", "s3://", "file://host/x", "s3://b/../x", "s3:/b"]
)
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(StoreError):
        open_store(url)


def test_opening_a_folder_imports_no_boto3() -> None:
    code = (
        "import sys; from voltx_core.store import open_store; open_store('./x'); "
        "sys.exit('boto3' in sys.modules or 'torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
