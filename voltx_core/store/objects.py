"""What a store is: keys to bytes, with the few promises that everything above relies on."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from voltx_core.errors import StoreError


class MissingObjectError(StoreError):
    """The store holds nothing under this key."""

    def __init__(self, key: str, url: str) -> None:
        super().__init__(
            f"{url} holds no object {key!r}. Either it was never written (its stage has not "
            f"finished) or it was deleted. Run the stage that makes it, or point VOLTX_STORE at "
            f"the store that holds it."
        )
        self.key = key


class CorruptObjectError(StoreError):
    """Bytes differ from the digest they were promised to have."""

    def __init__(self, key: str, *, where: str, expected: str, got: str, remedy: str) -> None:
        super().__init__(
            f"{key!r} in {where} is not what was promised: expected sha256 {expected}, got {got}. "
            f"{remedy}"
        )
        self.key = key
        self.expected = expected
        self.got = got


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectInfo:
    """One object of a store. ``sha256`` is None where only reading it all would tell."""

    key: str
    size: int
    sha256: str | None = None


def never() -> None:
    """A poll that breaks nothing off."""


class Store(Protocol):
    """Keys to bytes, on a folder or in a bucket.

    Keys are relative paths with forward slashes (see ``keys.py``). Every write is atomic: a
    reader sees the old object, the new one, or none, never a part. What a call has returned from
    survives a crash of the machine (folder) or is acknowledged by the server (bucket).
    All methods may be called from several threads and processes at once and raise ``StoreError``
    with the cause and a remedy.
    """

    @property
    def url(self) -> str:
        """The address this store was opened under; ``open_store`` takes it back."""
        ...

    def put_file(
        self,
        key: str,
        path: Path,
        *,
        sha256: str | None = None,
        poll: Callable[[], None] = never,
    ) -> ObjectInfo:
        """Store a file, replacing what was there.

        Args:
            key: Where to.
            path: The file to read; it must not change meanwhile.
            sha256: The digest it is known to have, when known.
            poll: Called at first, and between parts that go over a network; what it raises breaks
                the transfer off, and the next one goes on with what has arrived.

        Raises:
            CorruptObjectError: What was read or what arrived has another digest; nothing was
                replaced.
        """
        ...

    def put_bytes(self, key: str, data: bytes) -> ObjectInfo:
        """Store a small object, replacing what was there."""
        ...

    def create(self, key: str, data: bytes) -> bool:
        """Store a small object unless the key exists; of concurrent callers one gets True."""
        ...

    def get_bytes(self, key: str) -> bytes:
        """The whole object.

        Raises:
            MissingObjectError: There is none.
        """
        ...

    def get_file(self, key: str, path: Path, *, sha256: str | None = None) -> None:
        """Copy an object to ``path``, which is replaced only by verified bytes.

        Raises:
            MissingObjectError: There is none.
            CorruptObjectError: It has another digest than ``sha256`` or than it was stored with.
        """
        ...

    def stat(self, key: str) -> ObjectInfo | None:
        """What is known of an object without reading it; None when there is none."""
        ...

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """All objects whose key starts with ``prefix``, sorted by key."""
        ...

    def folders(self, prefix: str = "") -> Iterator[str]:
        """Names of the folders directly in ``prefix`` (``""`` or ending in ``/``), sorted."""
        ...

    def delete(self, key: str) -> None:
        """Remove an object; nothing happens when there is none."""
        ...

    def delete_prefix(self, prefix: str) -> int:
        """Remove every object in the folder ``prefix``.

        Returns:
            How many objects were removed.
        """
        ...

    def local_path(self, key: str) -> Path | None:
        """Where the object or folder lies on this machine's disk, None where it does not."""
        ...

    def check(self) -> None:
        """Prove that the store can be reached, written, read and conditionally written.

        Raises:
            StoreError: It cannot; the message has the cause and a remedy.
        """
        ...
