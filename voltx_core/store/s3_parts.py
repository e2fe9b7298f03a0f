"""Large objects to and from S3 in parts: parallel, each part checked and tried again by itself."""

import hashlib
import os
import random
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from queue import SimpleQueue
from threading import Event
from typing import Any, TypeVar

from voltx_core.errors import StoreError
from voltx_core.store.digest import CHUNK_BYTES
from voltx_core.store.objects import never
from voltx_core.store.s3_client import DAMAGED_ON_ARRIVAL, content_md5, error_code, md5

_MIB = 1 << 20
_MOST_PARTS = 9_000  # S3 ends at 10,000
_READS = 5
_UPLOADS = 3
_SENDS = 3
_LOST = ("NoSuchUpload", "InvalidPart", "InvalidPartOrder")

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What a sending came to.

    Attributes:
        expected: The ETag that the bytes must have where ETags are digests.
        answered: The one the server gave, quoted.
    """

    expected: str
    answered: str


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
    in_flight: int = 10

    @property
    def _range_bytes(self) -> int:
        # A range is streamed to disk, a part waits in memory: ranges may be larger.
        return 2 * self.part_bytes

    def upload(self, path: Path, sha256: str, poll: Callable[[], None] = never) -> Sent:
        """Send a file as a multipart upload, going on with one that was broken off.

        A part that the server already holds with the right MD5 is not sent again, whoever
        began the upload.

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
                etags = self._send_parts(path, sha256, upload_id, held, poll)
                if not resumed or self._carries(sha256):
                    return etags
            except SourceChanged:
                self.client.abort_multipart_upload(**self.target, UploadId=upload_id)
                raise
            except Exception as error:
                # A concurrent writer of this key may have finished or aborted "our" upload, or
                # the server forgotten it in a restart, and then may refuse parts by hanging up.
                lost = error_code(error) in _LOST or self._is_gone(upload_id)
                if not lost or attempt == _UPLOADS - 1:
                    raise
        raise AssertionError("unreachable")

    def download(self, path: Path, size: int, etag: str) -> str:
        """Fetch the object into the file ``path`` by parallel ranges.

        Args:
            path: When it exists with this size, it is what an earlier attempt left: holes in it
                are fetched, the rest is believed until the digest is compared. Otherwise it is
                made anew.
            size: Bytes of the object.
            etag: The version meant: a replaced object fails with HTTP 412, never mixes.

        Returns:
            The SHA-256 of the file, computed while later ranges are on their way.
        """
        with path.open("r+b" if path.exists() else "xb") as file:
            begun = os.fstat(file.fileno()).st_size == size
            if not begun:
                file.truncate(0)
                file.truncate(size)
        with path.open("r+b", buffering=0) as file:
            descriptor = file.fileno()
            starts = range(0, size, self._range_bytes)
            slices = [(start, min(start + self._range_bytes, size)) for start in starts]
            futures = []
            for start, stop in slices:
                missing = _first_hole(descriptor, start, stop) if begun else start
                futures.append(
                    self.pool.submit(self._fetch_range, descriptor, missing, stop, size, etag)
                )
            return _digest_in_order(descriptor, slices, futures)

    def _is_gone(self, upload_id: str) -> bool:
        """Whether the server says that it knows no such upload."""
        try:
            self.client.list_parts(**self.target, UploadId=upload_id, MaxParts=1)
        except Exception as error:
            return error_code(error) == "NoSuchUpload"
        return False

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
        self,
        path: Path,
        sha256: str,
        upload_id: str,
        held: dict[int, tuple[int, str]],
        poll: Callable[[], None],
    ) -> Sent:
        digest, odd, failed = hashlib.sha256(), Event(), Event()
        # Buffers go round: fresh memory for every part would cost more than sending it.
        free: SimpleQueue[bytearray | None] = SimpleQueue()
        for _ in range(self.in_flight):
            free.put(None)

        def send(data: bytearray, number: int) -> tuple[str, bytes]:
            try:
                return self._send_part(data, number, upload_id, held.get(number), odd)
            except BaseException:
                failed.set()
                raise
            finally:
                free.put(data)

        futures: list[Future[tuple[str, bytes]]] = []
        try:
            with path.open("rb", buffering=0) as file:
                while not failed.is_set():
                    poll()
                    buffer = free.get() or bytearray(self.part_bytes)
                    if not _fill(buffer, file):
                        break
                    digest.update(buffer)
                    futures.append(self.pool.submit(send, buffer, len(futures) + 1))
            sent = [future.result() for future in futures]
        finally:
            for future in futures:
                future.cancel()
        if digest.hexdigest() != sha256:
            raise SourceChanged(digest.hexdigest())
        expected = f"{md5(b''.join(part for _, part in sent)).hex()}-{len(sent)}"
        return Sent(expected=expected, answered=self._complete(upload_id, sent, expected))

    def _complete(self, upload_id: str, sent: list[tuple[str, bytes]], expected: str) -> str:
        """Make one object of the parts; its ETag."""
        parts = [
            {"PartNumber": number, "ETag": f'"{etag}"'}
            for number, (etag, _) in enumerate(sent, start=1)
        ]
        try:
            answer = self.client.complete_multipart_upload(
                **self.target, UploadId=upload_id, MultipartUpload={"Parts": parts}
            )
        except Exception as error:
            # When the answer was lost and botocore asked again, the upload was done already.
            if error_code(error) == "NoSuchUpload" and self._stored() == f'"{expected}"':
                return f'"{expected}"'
            raise
        return str(answer["ETag"])

    def _stored(self) -> str | None:
        """The ETag of what is stored now, None when nothing is or it cannot be told."""
        with suppress(Exception):
            return str(self.client.head_object(**self.target)["ETag"])
        return None

    def _send_part(
        self,
        data: bytearray,
        number: int,
        upload_id: str,
        held: tuple[int, str] | None,
        odd: Event,
    ) -> tuple[str, bytes]:
        """Send one part until the server's ETag for it is its MD5.

        Only a part that arrived damaged is sent again with Content-MD5: servers hash everything
        once more to check that header.

        Args:
            data: The bytes.
            number: Of the part.
            upload_id: The upload it belongs to.
            held: What the server already has under this number.
            odd: Set once the server's ETags turn out to be no digests.
        """
        own = md5(data)
        if held == (len(data), own.hex()):
            return own.hex(), own
        etag = ""
        for attempt in range(_SENDS):
            checked = {"ContentMD5": content_md5(own)} if attempt or odd.is_set() else {}
            try:
                answer = self.client.upload_part(
                    **self.target, UploadId=upload_id, PartNumber=number, Body=data, **checked
                )
            except Exception as error:
                if error_code(error) not in DAMAGED_ON_ARRIVAL or attempt == _SENDS - 1:
                    raise
                continue
            etag = answer["ETag"].strip('"')
            if etag == own.hex() or odd.is_set():
                return etag, own
            if answer.get("ServerSideEncryption", "AES256") != "AES256":
                break  # ETags under other encryption are no digests
        odd.set()
        return etag, own

    def _fetch_range(self, descriptor: int, start: int, stop: int, size: int, etag: str) -> None:
        if start == stop:
            return
        from botocore.exceptions import IncompleteReadError

        # One range that is everything is asked for plainly: some servers botch ranged answers.
        ranged = {} if stop - start == size else {"Range": f"bytes={start}-{stop - 1}"}

        def read() -> None:
            answer = self.client.get_object(**self.target, IfMatch=etag, **ranged)
            length = int(answer["ContentLength"])
            if length == size != stop - start:
                raise StoreError(
                    f"the server answers all {length} bytes of {self.target['Key']!r} when asked "
                    f"for {stop - start}: it ignores Range. A proxy before it may be the cause: "
                    f"connect without it."
                )
            if length != stop - start:
                raise IncompleteReadError(actual_bytes=length, expected_bytes=stop - start)
            offset = start
            for chunk in answer["Body"].iter_chunks(CHUNK_BYTES):  # raises when cut short
                _write_at(descriptor, chunk, offset)
                offset += len(chunk)

        read_patiently(read)


def _write_at(descriptor: int, data: bytes, offset: int) -> None:
    """Write all of it; a disk that fills up takes a part first and refuses only then."""
    rest = memoryview(data)
    while rest:
        count = os.pwrite(descriptor, rest, offset)
        rest, offset = rest[count:], offset + count


def _first_hole(descriptor: int, start: int, stop: int) -> int:
    """Where the bytes end that an earlier attempt wrote from ``start`` on.

    It wrote each range from its beginning, and what it did not write is a hole of the file. Of
    the chunk that it may have been killed in, nothing is believed. Where files have no holes all
    seems written; the digest then tells, and everything is fetched anew.
    """
    try:
        hole = min(os.lseek(descriptor, start, os.SEEK_HOLE), stop)
    except OSError:
        return start
    return hole if hole == stop else hole - (hole - start) % CHUNK_BYTES


def _digest_in_order(
    descriptor: int, slices: list[tuple[int, int]], futures: list[Future[None]]
) -> str:
    """Hash each slice of a file as soon as its future and those before it are done.

    The first failure cancels what has not begun, and is raised when nothing is under way.
    """
    digest, buffer = hashlib.sha256(), memoryview(bytearray(CHUNK_BYTES))
    try:
        for (start, stop), future in zip(slices, futures, strict=True):
            future.result()
            for offset in range(start, stop, CHUNK_BYTES):
                chunk = buffer[: min(CHUNK_BYTES, stop - offset)]
                os.preadv(descriptor, [chunk], offset)
                digest.update(chunk)
    except BaseException:
        for future in futures:
            future.cancel()
        wait(futures)
        raise
    return digest.hexdigest()


def _fill(buffer: bytearray, file: FileIO) -> int:
    """Make the buffer the next bytes of the file, shortened at its end; how many they are."""
    filled = 0
    with memoryview(buffer) as view:
        while filled < len(buffer) and (count := file.readinto(view[filled:])):
            filled += count
    del buffer[filled:]
    return filled
