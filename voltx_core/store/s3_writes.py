"""Small objects to S3 in one request each, and the proof that a server holds what it was sent."""

import hashlib
import logging
import time
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from voltx_core.errors import StoreError
from voltx_core.store.digest import CHUNK_BYTES, sha256_bytes
from voltx_core.store.objects import CorruptObjectError
from voltx_core.store.s3_client import (
    DAMAGED_ON_ARRIVAL,
    content_md5,
    error_code,
    error_status,
    md5,
    metadata,
)
from voltx_core.store.s3_parts import Sent, read_patiently
from voltx_core.store.s3_probe import EXISTS

logger = logging.getLogger(__name__)

_SENDS = 3
_CONFLICTS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """Writes to one key.

    Args:
        client: Of S3.
        target: ``{"Bucket": ..., "Key": ...}``.
        key: As the user knows it.
        url: Of the store, for messages.
        explained: Makes ``StoreError`` of what boto3 raises while (doing) this key.
    """

    client: Any
    target: dict[str, str]
    key: str
    url: str
    explained: Callable[[str, str], AbstractContextManager[None]]

    def put(self, data: bytes, sha256: str) -> None:
        """Store ``data``, replacing what was there; see ``deliver``."""
        self.deliver(sha256, lambda: self._send(data))

    def create(self, data: bytes, *, conditional: bool) -> bool:
        """Store ``data`` unless the key exists; whether this call did.

        Args:
            data: All of it.
            conditional: Whether the server honours If-None-Match.
        """
        # The mark tells our own object from another's: when an answer is lost and botocore sends
        # the request again, the second try meets what the first one wrote.
        writer, sha256 = uuid.uuid4().hex, sha256_bytes(data)
        if conditional:
            sent = self._send_if_new(data, writer)
        else:
            sent = self._send(data, writer=writer) if self._head() is None else None
        if sent is None or not conditional:
            # Of several who found nothing on a server without conditions, the last is the creator.
            there = self._head()
            if there is None or metadata(there).get("writer") != writer:
                return False
            sent = Sent(expected=md5(data).hex(), answered=str(there["ETag"]))
        if self._differs(sha256, sent) is not None:
            self.deliver(sha256, lambda: self._send(data, writer=writer))
        return True

    def deliver(self, sha256: str, send: Callable[[], Sent]) -> None:
        """Send until the server holds what was sent.

        An ETag that is the digest of the bytes proves it. Where ETags are something else
        (encryption, other servers) the object is read back.

        Raises:
            CorruptObjectError: It never did.
        """
        for _ in range(_SENDS):
            got = self._differs(sha256, send())
            if got is None:
                return
            logger.warning("%s: %s was stored damaged, sending it again", self.url, self.key)
        raise CorruptObjectError(
            self.key,
            where=self.url,
            expected=sha256,
            got=str(got),
            remedy="Sending it again did not help: the server or a proxy before it damages data. "
            "Use another store.",
        )

    def _differs(self, sha256: str, sent: Sent) -> str | None:
        """The digest of what the server holds when it is not ``sha256``."""
        if sent.answered.strip('"') == sent.expected:
            return None

        def read() -> str:
            digest = hashlib.sha256()
            answer = self.client.get_object(**self.target, IfMatch=sent.answered)
            for chunk in answer["Body"].iter_chunks(CHUNK_BYTES):
                digest.update(chunk)
            return digest.hexdigest()

        try:
            with self.explained("read back", self.key):
                got = read_patiently(read)
        except StoreError as error:
            if error_status(error.__cause__) in (404, 412):
                return None  # replaced or deleted meanwhile: ours no longer matters
            raise
        return None if got == sha256 else got

    def _send(self, data: bytes, *, writer: str = "", **conditions: str) -> Sent:
        """Put the object in one request."""
        marks = {"sha256": sha256_bytes(data)} | ({"writer": writer} if writer else {})
        own = md5(data)
        for attempt in range(_SENDS):
            try:
                with self.explained("write", self.key):
                    answer = self.client.put_object(
                        **self.target,
                        Body=data,
                        ContentMD5=content_md5(own),
                        Metadata=marks,
                        **conditions,
                    )
                return Sent(expected=own.hex(), answered=str(answer["ETag"]))
            except StoreError as error:
                damaged = error_code(error.__cause__) in DAMAGED_ON_ARRIVAL
                if not damaged or attempt == _SENDS - 1:
                    raise
        raise AssertionError("unreachable")

    def _send_if_new(self, data: bytes, writer: str) -> Sent | None:
        """Put the object unless there is one; None when there is."""
        for attempt in range(_CONFLICTS):
            try:
                return self._send(data, writer=writer, IfNoneMatch="*")
            except StoreError as error:
                status = error_status(error.__cause__)
                if status == 409 and attempt < _CONFLICTS - 1:
                    time.sleep(0.05 * 2**attempt)  # another create of this key is under way
                elif status in EXISTS:
                    return None
                else:
                    raise
        raise AssertionError("unreachable")

    def _head(self) -> dict[str, Any] | None:
        """What the server says of the object, None when there is none."""
        try:
            with self.explained("look at", self.key):
                answer: dict[str, Any] = self.client.head_object(**self.target)
                return answer
        except StoreError as error:
            if error_status(error.__cause__) == 404:
                return None
            raise
