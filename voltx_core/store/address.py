"""From the address of a store to the store."""

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from voltx_core.errors import StoreError
from voltx_core.store.objects import Store


def open_store(url: str, *, endpoint_url: str | None = None) -> Store:
    """Open the store at ``url``; nothing is written or contacted yet (see ``Store.check``).

    Args:
        url: A folder (``./volt-store``, ``/abs``, ``~/x``, ``file:///abs``) or
            ``s3://bucket/prefix``.
        endpoint_url: An S3-compatible server; default VOLTX_S3_ENDPOINT, AWS_ENDPOINT_URL_S3 or
            AWS_ENDPOINT_URL from the environment, else AWS.

    Raises:
        StoreError: The address is of no known kind.
    """
    scheme, separator, _ = url.partition("://")
    if separator and scheme == "s3":
        from voltx_core.store.s3 import S3Store

        return S3Store(url, endpoint_url=endpoint_url)
    from voltx_core.store.local import LocalStore

    if separator and scheme == "file":
        parts = urlsplit(url)
        if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
            raise StoreError(f"{url!r} names a folder of another machine: write file:///folder.")
        return LocalStore(Path(unquote(parts.path)))
    meant_otherwise = re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/", url)  # s3:/bucket, say
    if separator or meant_otherwise or not url:
        raise StoreError(
            f"{url!r} is no address of a store. VOLTX_STORE takes a folder (./volt-store, "
            f"file:///data/store) or a bucket (s3://bucket/prefix)."
        )
    return LocalStore(Path(url))
