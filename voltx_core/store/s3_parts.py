"""Large objects to and from S3 in parts: parallel, each part checked and tried again by itself."""

import hashlib
import os
import random
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from voltx_core.errors import StoreError
from voltx_core.store.digest import CHUNK_BYTES
from voltx_core.store.s3_client import content_md5, error_code, md5

_MIB = 1 << 20
_MOST_PARTS = 9_000  # S3 ends at 10,000
_READS = 5
_UPLOADS = 3
_LOST = ("NoSuchUpload", "InvalidPart", "InvalidPartOrder")

T = TypeVar("T")


class SourceChanged(Exception):
    """The file being uploaded has other bytes than it was said to have."""

    def __init__(self, got: str) -> None:
        super().__init__(got)
        self.got = got


def part_size(size: int, least: int) -> int:
    """Bytes of one part so that an object of ``size`` bytes stays within S3's part count."""
    return max(least, -(-size // _MOST_PARTS // _MIB) * _MIB)


def read_patiently(read: Callable[[], T]) -> T:
    """Call ``read`` until the body of its answer arrives whole.

    botocore retries requests; once the body flows it does not, and connections do break there.
    """
    from botocore import exceptions

    for attempt in range(_READS):
        try:
            return read()
        except (
            exceptions.IncompleteReadError,
            exceptions.ReadTimeoutError,
            exceptions.ResponseStreamingError,
            exceptions.ConnectionClosedError,
        ):
            if attempt == _READS - 1:
                raise
            time.sleep(random.uniform(0.5, 1.0) * 0.1 * 4**attempt)
    raise AssertionError("unreachable")


@dataclass(frozen=True, slots=True, kw_only=True)
class PartTransfer:
    """One object on its way. ``target`` is ``{"Bucket": ..., "Key": ...}``."""

    client: Any
    pool: ThreadPoolExecutor
    target: dict[str, str]
    part_bytes: int
    in_flight: int = 8

    @property
    def _range_bytes(self) -> int:
        # A range is streamed to disk, a part waits in memory: ranges may be larger.
        return 2 * self.part_bytes

    def upload(self, path: Path, sha256: str) -> tuple[str, str]:
        """Send a file as a multipart upload, going on with one that was broken off.

        A part that the server already holds with the right MD5 is not sent again, whoever
        began the upload.

        Returns:
            The ETag the object must have where ETags are digests, and the one it has.

        Raises:
            SourceChanged: The bytes read are not those of ``sha256``; nothing was stored.
        """
        for attempt in range(_UPLOADS):
            upload_id, held = self._broken_off() if attempt == 0 else (None, {})
            resumed = upload_id is not None
            if upload_id is None:
                upload_id = self.client.create_multipart_upload(
                    **self.target, Metadata={"sha256": sha256}
                )["UploadId"]
            try:
                etags = self._send_parts(path, sha256, upload_id, held)
                if not resumed or self._carries(sha256):
                    return etags
            except SourceChanged:
                self.client.abort_multipart_upload(**self.target, UploadId=upload_id)
                raise
            except Exception as error:
                # A concurrent writer of this key may have finished or aborted "our" upload.
                if error_code(error) not in _LOST or attempt == _UPLOADS - 1:
                    raise
        raise AssertionError("unreachable")

    def download(self, path: Path, size: int, etag: str) -> None:
        """Fetch the object into the new file ``path`` by parallel ranges.

        Args:
            path: Must not exist.
            size: Bytes of the object.
            etag: The version meant: a replaced object fails with HTTP 412, never mixes.
        """
        with path.open("xb") as file:
            file.truncate(size)
            ranges = range(0, size, self._range_bytes)
            _gather(
                [self.pool.submit(self._fetch_range, file, start, size, etag) for start in ranges]
            )

    def _carries(self, sha256: str) -> bool:
        """Whether the upload gone on with was begun for these bytes: its metadata stay."""
        metadata = self.client.head_object(**self.target).get("Metadata", {})
        return sha256 in metadata.values()

    def _broken_off(self) -> tuple[str | None, dict[int, tuple[int, str]]]:
        """The newest unfinished upload of this key and its parts: number → size, ETag."""
        bucket, key = self.target["Bucket"], self.target["Key"]
        with suppress(Exception):  # servers without these calls: begin anew
            listed = self.client.list_multipart_uploads(Bucket=bucket, Prefix=key)
            uploads = [u for u in listed.get("Uploads", []) if u["Key"] == key]
            if uploads:
                upload_id = max(uploads, key=lambda u: u["Initiated"])["UploadId"]
                pages = self.client.get_paginator("list_parts").paginate(
                    **self.target, UploadId=upload_id
                )
                parts = [part for page in pages for part in page.get("Parts", [])]
                held = {p["PartNumber"]: (int(p["Size"]), p["ETag"].strip('"')) for p in parts}
                return upload_id, held
        return None, {}

    def _send_parts(
        self, path: Path, sha256: str, upload_id: str, held: dict[int, tuple[int, str]]
    ) -> tuple[str, str]:
        digest = hashlib.sha256()
        sent: list[tuple[str, bytes]] = []
        waiting: deque[Future[tuple[str, bytes]]] = deque()
        try:
            with path.open("rb") as file:
                while data := file.read(self.part_bytes):
                    digest.update(data)
                    number = len(sent) + len(waiting) + 1
                    waiting.append(
                        self.pool.submit(self._send_part, data, number, upload_id, held.get(number))
                    )
                    if len(waiting) >= self.in_flight:
                        sent.append(waiting.popleft().result())
            while waiting:
                sent.append(waiting.popleft().result())
        finally:
            for future in waiting:
                future.cancel()
        if digest.hexdigest() != sha256:
            raise SourceChanged(digest.hexdigest())
        answer = self.client.complete_multipart_upload(
            **self.target,
            UploadId=upload_id,
            MultipartUpload={
                "Parts": [
                    {"PartNumber": number, "ETag": f'"{etag}"'}
                    for number, (etag, _) in enumerate(sent, start=1)
                ]
            },
        )
        composed = md5(b"".join(part for _, part in sent)).hex()
        return f"{composed}-{len(sent)}", str(answer["ETag"])

    def _send_part(
        self, data: bytes, number: int, upload_id: str, held: tuple[int, str] | None
    ) -> tuple[str, bytes]:
        own = md5(data)
        if held == (len(data), own.hex()):
            return own.hex(), own
        answer = self.client.upload_part(
            **self.target,
            UploadId=upload_id,
            PartNumber=number,
            Body=data,
            ContentMD5=content_md5(own),
        )
        return answer["ETag"].strip('"'), own

    def _fetch_range(self, file: BinaryIO, start: int, size: int, etag: str) -> None:
        stop = min(start + self._range_bytes, size)
        # One range that is everything is asked for plainly: some servers botch ranged answers.
        ranged = {} if stop - start == size else {"Range": f"bytes={start}-{stop - 1}"}

        def read() -> None:
            answer = self.client.get_object(**self.target, IfMatch=etag, **ranged)
            if int(answer["ContentLength"]) != stop - start:
                raise StoreError(
                    f"the server answers {answer['ContentLength']} bytes of "
                    f"{self.target['Key']!r} when asked for {stop - start}: it ignores Range. "
                    f"A proxy before it may be the cause: connect without it."
                )
            offset = start
            for chunk in answer["Body"].iter_chunks(CHUNK_BYTES):  # raises when cut short
                os.pwrite(file.fileno(), chunk, offset)
                offset += len(chunk)

        read_patiently(read)


def _gather(futures: list[Future[None]]) -> None:
    """Wait for all; the first failure cancels what has not begun, and is raised at the end."""
    failure: BaseException | None = None
    for future in futures:
        if failure is not None and future.cancel():
            continue
        failure = failure or future.exception()
    if failure is not None:
        raise failure
