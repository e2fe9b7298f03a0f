"""The store on an S3 bucket: AWS or any server that speaks its protocol.

Servers differ in what they honour and several accept wrong checksums, so nothing is believed:
a write is compared with the ETag the bytes must have, or read back where ETags are not digests;
a read is hashed; conditional creation is tried out once before it is relied on.
"""

import logging
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any

from voltx_core.errors import StoreError
from voltx_core.store.digest import sha256_bytes, sha256_file
from voltx_core.store.keys import RESERVED, check_key, check_prefix, folder_prefix
from voltx_core.store.landing import landing
from voltx_core.store.objects import CorruptObjectError, MissingObjectError, ObjectInfo, never
from voltx_core.store.s3_client import (
    REFUSED_CREDENTIALS,
    connect,
    error_code,
    error_status,
    explained,
    metadata,
    resolve_endpoint,
)
from voltx_core.store.s3_parts import PartTransfer, Sent, SourceChanged, part_size, read_patiently
from voltx_core.store.s3_probe import honours_conditions
from voltx_core.store.s3_writes import Writing

logger = logging.getLogger(__name__)

_READS = 3
_IN_MEMORY = "memory"


class S3Store:
    """Objects in a bucket under a prefix.

    A broken-off upload of a large file stays on the server, so that it can go on; buckets want a
    lifecycle rule AbortIncompleteMultipartUpload for those that never do.

    Args:
        url: ``s3://bucket/prefix``.
        endpoint_url: The server; default from the environment, else AWS.
        part_bytes: Least size of the parts of an upload (S3 asks for 5 MiB or more); downloads
            go in ranges of twice that.
        threads: Parts in flight at once, for all transfers of this store together.
        attempts: Tries of each request.
        connect_timeout_s: Seconds for one try to connect.
        page_keys: Keys asked for or deleted by one request, at most 1,000.
    """

    def __init__(
        self,
        url: str,
        *,
        endpoint_url: str | None = None,
        part_bytes: int = 8 << 20,
        threads: int = 10,
        attempts: int = 5,
        connect_timeout_s: float = 10.0,
        page_keys: int = 1000,
    ) -> None:
        bucket, _, prefix = url.removeprefix("s3://").partition("/")
        if not url.startswith("s3://") or not bucket:
            raise StoreError(f"{url!r} is not an S3 address: write s3://bucket/prefix.")
        prefix = check_prefix(prefix.rstrip("/"))
        self.bucket, self._prefix = bucket, f"{prefix}/" if prefix else ""
        self.endpoint_url = resolve_endpoint(endpoint_url)
        self._part_bytes, self._threads = part_bytes, threads
        self._page_keys = page_keys
        self._attempts, self._connect_timeout_s = attempts, connect_timeout_s
        self._atomic_create: bool | None = None
        self._probing = Lock()

    @property
    def url(self) -> str:
        return f"s3://{self.bucket}/{self._prefix}".rstrip("/")

    def put_file(
        self,
        key: str,
        path: Path,
        *,
        sha256: str | None = None,
        poll: Callable[[], None] = never,
    ) -> ObjectInfo:
        check_key(key)
        try:
            poll()
            size = path.stat().st_size
            promised = sha256 or sha256_file(path)
            if size <= part_size(size, self._part_bytes):
                return self._put(key, path.read_bytes(), promised, source=str(path))

            def send() -> Sent:
                with self._explained("upload", key):
                    return self._transfer(key, size).upload(path, promised, poll)

            self._writing(key).deliver(promised, send)
        except SourceChanged as changed:
            raise self._changed(key, str(path), promised, changed.got) from None
        except OSError as error:
            raise StoreError(f"could not read {path}: {error.strerror or error}.") from error
        return ObjectInfo(key=key, size=size, sha256=promised)

    def put_bytes(self, key: str, data: bytes) -> ObjectInfo:
        return self._put(check_key(key), data, sha256_bytes(data), source=_IN_MEMORY)

    def create(self, key: str, data: bytes) -> bool:
        writing = self._writing(check_key(key))
        return writing.create(data, conditional=self._creates_atomically())

    def get_bytes(self, key: str) -> bytes:
        check_key(key)
        promised, got = "", ""
        for _ in range(_READS):
            data, promised = self._read(key)
            got = sha256_bytes(data)
            if promised in ("", got):
                return data
            logger.warning("%s: %s arrived damaged, reading it again", self.url, key)
        raise self._corrupt(key, promised, got)

    def get_file(self, key: str, path: Path, *, sha256: str | None = None) -> None:
        check_key(key)
        expected, got = sha256 or "", "a new version at every attempt"
        with landing(path, sha256=expected) as part:
            for _ in range(_READS):
                head = self._head(key)
                if head is None:
                    raise MissingObjectError(key, self.url)
                stored = head["Metadata"].get("sha256", "")
                expected = sha256 or stored
                if stored not in ("", expected):
                    got = stored
                    break  # another object altogether: reading it again would not help
                arrived = self._download(key, part, head)
                if arrived is None:
                    continue
                if expected in ("", arrived):
                    return
                got = arrived
                os.truncate(part, 0)
                logger.warning("%s: %s arrived damaged, reading it again", self.url, key)
            raise self._corrupt(key, expected, got)

    def stat(self, key: str) -> ObjectInfo | None:
        head = self._head(check_key(key))
        if head is None:
            return None
        sha256 = head["Metadata"].get("sha256")
        return ObjectInfo(key=key, size=int(head["ContentLength"]), sha256=sha256)

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        check_prefix(prefix)
        for page in self._pages(prefix):
            for found in page.get("Contents", []):
                key = found["Key"].removeprefix(self._prefix)
                # Consoles mark "folders" by empty objects whose key ends in a slash.
                if not key.startswith(RESERVED) and not key.endswith("/"):
                    yield ObjectInfo(key=key, size=int(found["Size"]))

    def folders(self, prefix: str = "") -> Iterator[str]:
        folder = folder_prefix(prefix) if prefix else ""
        for page in self._pages(folder, Delimiter="/"):
            for found in page.get("CommonPrefixes", []):
                name = found["Prefix"].removeprefix(self._prefix + folder).rstrip("/")
                if folder or not name.startswith(RESERVED):
                    yield name

    def delete(self, key: str) -> None:
        check_key(key)
        with self._explained("delete", key):
            self._client.delete_object(**self._target(key))

    def delete_prefix(self, prefix: str) -> int:
        keys = [found.key for found in self.list(folder_prefix(prefix))]
        for start in range(0, len(keys), self._page_keys):
            batch = [{"Key": self._prefix + k} for k in keys[start : start + self._page_keys]]
            with self._explained("delete", prefix):
                answer = self._client.delete_objects(
                    Bucket=self.bucket, Delete={"Objects": batch, "Quiet": True}
                )
            for fault in answer.get("Errors", []):
                raise StoreError(
                    f"could not delete {fault.get('Key')!r} in {self.url}: {fault.get('Message')}. "
                    f"The credentials need s3:DeleteObject."
                )
        return len(keys)

    def local_path(self, key: str) -> Path | None:
        check_key(key)
        return None

    def check(self) -> None:
        # A client of less patience: the usual retries would keep a waiting user for a minute.
        timeout_s = min(5.0, self._connect_timeout_s)
        with self._explained("use", self._prefix or "/"):
            client = connect(self.endpoint_url, attempts=2, connect_timeout_s=timeout_s)
            self._atomic_create = honours_conditions(client, self.bucket, self._prefix)

    @cached_property
    def _client(self) -> Any:
        return connect(
            self.endpoint_url,
            attempts=self._attempts,
            connect_timeout_s=self._connect_timeout_s,
        )

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self._threads, thread_name_prefix="voltx-s3")

    def _target(self, key: str) -> dict[str, str]:
        return {"Bucket": self.bucket, "Key": self._prefix + key}

    def _transfer(self, key: str, size: int) -> PartTransfer:
        return PartTransfer(
            client=self._client,
            pool=self._pool,
            target=self._target(key),
            part_bytes=part_size(size, self._part_bytes),
        )

    def _writing(self, key: str) -> Writing:
        return Writing(
            client=self._client,
            target=self._target(key),
            key=key,
            url=self.url,
            explained=self._explained,
        )

    @contextmanager
    def _explained(self, doing: str, key: str) -> Iterator[None]:
        try:
            with explained(f"{doing} {key!r}", self.url, self.endpoint_url):
                yield
        except StoreError as error:
            if error_code(error.__cause__) in REFUSED_CREDENTIALS:
                # They may have been renewed in their file: the next call reads it again.
                self.__dict__.pop("_client", None)
            raise

    def _creates_atomically(self) -> bool:
        with self._probing, self._explained("use", self._prefix or "/"):
            if self._atomic_create is None:
                self._atomic_create = honours_conditions(self._client, self.bucket, self._prefix)
            return self._atomic_create

    def _put(self, key: str, data: bytes, sha256: str, *, source: str) -> ObjectInfo:
        got = sha256_bytes(data)
        if got != sha256:
            raise self._changed(key, source, sha256, got)
        self._writing(key).put(data, sha256)
        return ObjectInfo(key=key, size=len(data), sha256=sha256)

    def _read(self, key: str) -> tuple[bytes, str]:
        """An object and the SHA-256 it was stored with ("" when that is not known)."""

        def read() -> tuple[bytes, str]:
            answer = self._client.get_object(**self._target(key))
            return answer["Body"].read(), metadata(answer).get("sha256", "")

        try:
            with self._explained("read", key):
                return read_patiently(read)
        except StoreError as error:
            if error_code(error.__cause__) in ("NoSuchKey", "404"):
                raise MissingObjectError(key, self.url) from error
            raise

    def _download(self, key: str, path: Path, head: dict[str, Any]) -> str | None:
        """Fetch the version that ``head`` describes; its SHA-256, None when it was replaced."""
        size = int(head["ContentLength"])
        try:
            with self._explained("download", key):
                return self._transfer(key, size).download(path, size, head["ETag"])
        except StoreError as error:
            if error_status(error.__cause__) in (404, 412):
                return None
            raise

    def _head(self, key: str) -> dict[str, Any] | None:
        try:
            with self._explained("look at", key):
                answer: dict[str, Any] = self._client.head_object(**self._target(key))
        except StoreError as error:
            if error_status(error.__cause__) == 404:
                return None
            raise
        return answer | {"Metadata": metadata(answer)}

    def _pages(self, prefix: str, **how: str) -> Iterator[dict[str, Any]]:
        with self._explained("list", prefix):
            yield from self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket,
                Prefix=self._prefix + prefix,
                PaginationConfig={"PageSize": self._page_keys},
                **how,
            )

    def _changed(self, key: str, source: str, expected: str, got: str) -> CorruptObjectError:
        return CorruptObjectError(
            key,
            where=source,
            expected=expected,
            got=got,
            remedy="The file changed while it was being stored: let its writer finish and store "
            "it again. The store was not changed.",
        )

    def _corrupt(self, key: str, expected: str, got: str) -> CorruptObjectError:
        return CorruptObjectError(
            key,
            where=self.url,
            expected=expected,
            got=got,
            remedy="Reading it again did not help, so the stored object is damaged: restore it "
            "from a backup, or delete it and run again the stage that made it.",
        )
