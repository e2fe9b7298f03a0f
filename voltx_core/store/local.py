"""The store on a folder of this machine.

Every object is a plain read-only file at ``<root>/<key>``. It is written beside the tree first
(``.voltx-scratch``), forced to disk, and then renamed or linked into place, so that a kill or a
power cut at any moment leaves the old object, the new one, or none.
"""

import errno
import fcntl
import io
import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from voltx_core.errors import StoreError
from voltx_core.store.digest import CHUNK_BYTES, copy_hashed, sha256_bytes
from voltx_core.store.keys import RESERVED, check_key, check_prefix, folder_prefix
from voltx_core.store.landing import landing
from voltx_core.store.objects import CorruptObjectError, MissingObjectError, ObjectInfo, never

SCRATCH = f"{RESERVED}-scratch"
"""Where what is on its way into a store lies, below its root."""
_PROBE = f"{RESERVED}-probe"
_ABANDONED_AFTER_S = 60.0
_OBJECT_MODE = 0o444  # consumers read stored files in place: none may change one by accident


class LocalStore:
    """Objects as files under one folder, which is made at the first write."""

    def __init__(self, root: Path) -> None:
        self.root = Path(os.path.abspath(root.expanduser()))
        self._swept = False

    @property
    def url(self) -> str:
        return str(self.root)

    def put_file(
        self,
        key: str,
        path: Path,
        *,
        sha256: str | None = None,
        poll: Callable[[], None] = never,
    ) -> ObjectInfo:
        check_key(key)
        poll()
        with _reading(path), path.open("rb") as source:
            return self._put(key, source, sha256)

    def put_bytes(self, key: str, data: bytes) -> ObjectInfo:
        check_key(key)
        return self._put(key, io.BytesIO(data), sha256_bytes(data))

    def create(self, key: str, data: bytes) -> bool:
        return self._create(check_key(key), data)

    def get_bytes(self, key: str) -> bytes:
        with self._explained("read", key), self._open(key) as file:
            return file.read()

    def get_file(self, key: str, path: Path, *, sha256: str | None = None) -> None:
        with self._explained("read", key), self._open(key) as source, landing(path) as part:
            with part.open("xb") as target:
                got = copy_hashed(source, target)
            if sha256 not in (None, got):
                raise CorruptObjectError(
                    key,
                    where=self.url,
                    expected=str(sha256),
                    got=got,
                    remedy=f"The file {source.name} is damaged: restore it from a backup, or "
                    f"delete it and run again the stage that made it.",
                )

    def stat(self, key: str) -> ObjectInfo | None:
        path = self.root / check_key(key)
        with self._explained("look at", key):
            try:
                return ObjectInfo(key=key, size=path.stat().st_size) if path.is_file() else None
            except FileNotFoundError:  # deleted between the two looks
                return None

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        check_prefix(prefix)
        folder = prefix[: prefix.rfind("/") + 1]
        with self._explained("list", prefix):
            yield from self._walk(folder, prefix)

    def folders(self, prefix: str = "") -> Iterator[str]:
        folder = self.root / folder_prefix(prefix) if prefix else self.root
        with self._explained("list", prefix), suppress(FileNotFoundError, NotADirectoryError):
            names = [entry.name for entry in os.scandir(folder) if entry.is_dir()]
            yield from sorted(name for name in names if prefix or not name.startswith(RESERVED))

    def delete(self, key: str) -> None:
        check_key(key)
        path = self.root / key
        with self._explained("delete", key):
            with suppress(FileNotFoundError, NotADirectoryError):
                path.unlink()
            self._remove_empty(path.parent)

    def delete_prefix(self, prefix: str) -> int:
        keys = [found.key for found in self.list(folder_prefix(prefix))]
        for key in keys:
            self.delete(key)
        return len(keys)

    def local_path(self, key: str) -> Path:
        return self.root / check_key(key)

    def check(self) -> None:
        # 64 KiB, so that a disk with room for names but not for data is found full.
        probe, content = f"{_PROBE}/{uuid.uuid4().hex}", os.urandom(1 << 16)
        try:
            if not self._create(probe, content) or self._create(probe, b""):
                raise StoreError(
                    f"{self.url} does not honour exclusive creation, which protects concurrent "
                    f"writers from each other. Use a folder on a local file system, or S3."
                )
            if (self.root / probe).read_bytes() != content:
                raise StoreError(
                    f"{self.url} returned other bytes than were written to it. The disk or the "
                    f"network file system is failing: use another folder."
                )
        except OSError as error:
            raise StoreError(f"could not read back from {self.url}: {error}.") from error
        finally:
            with suppress(OSError):
                (self.root / probe).unlink()
                self._remove_empty((self.root / probe).parent)

    def _put(self, key: str, source: BinaryIO, sha256: str | None) -> ObjectInfo:
        with self._explained("write", key), self._scratch() as scratch:
            got = copy_hashed(source, scratch)
            if sha256 is not None and got != sha256:
                raise CorruptObjectError(
                    key,
                    where=getattr(source, "name", "memory"),
                    expected=sha256,
                    got=got,
                    remedy="The file changed while it was being stored: let its writer finish "
                    "and store it again. The store was not changed.",
                )
            size = scratch.tell()
            self._publish(scratch, key, os.replace)
        return ObjectInfo(key=key, size=size, sha256=got)

    def _create(self, key: str, data: bytes) -> bool:
        with self._explained("create", key), self._scratch() as scratch:
            scratch.write(data)
            try:
                self._publish(scratch, key, os.link)  # the one call that fails when it exists
            except FileExistsError:
                if (self.root / key).is_dir():
                    raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR)) from None
                # NFS may lose the answer to a link that was made, and then find it existing.
                return os.fstat(scratch.fileno()).st_nlink > 1
        return True

    @contextmanager
    def _scratch(self) -> Iterator[BinaryIO]:
        folder = self.root / SCRATCH
        folder.mkdir(parents=True, exist_ok=True)
        self._sweep(folder)
        path = folder / uuid.uuid4().hex
        with path.open("xb", buffering=CHUNK_BYTES) as file:
            # Held until the file is closed, even by a kill: what is unlocked is abandoned.
            with suppress(OSError):  # network file systems may know no locks: then no sweeping
                fcntl.flock(file, fcntl.LOCK_EX)
            try:
                yield file
            finally:
                path.unlink(missing_ok=True)

    def _sweep(self, folder: Path) -> None:
        """Remove what killed writers left behind; once for each open store."""
        if self._swept:
            return
        self._swept = True
        for path in folder.iterdir():
            with suppress(OSError):
                if time.time() - path.stat().st_mtime < _ABANDONED_AFTER_S:
                    continue
                with path.open("rb") as file:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    path.unlink()

    def _publish(self, file: BinaryIO, key: str, place: Callable[[str, Path], None]) -> None:
        """Force a scratch file to disk and give it its final name by ``place``."""
        file.flush()
        os.fchmod(file.fileno(), _OBJECT_MODE)
        os.fsync(file.fileno())
        target = self.root / key
        for attempt in range(8):
            self._make_folder(target.parent)
            try:
                place(file.name, target)
                break
            except FileNotFoundError:  # another process removed the folder when it became empty
                if attempt == 7:
                    raise
        _sync_folder(target.parent)

    def _make_folder(self, folder: Path) -> None:
        missing = []
        while not folder.is_dir():
            missing.append(folder)
            folder = folder.parent
        for new in reversed(missing):
            with suppress(FileExistsError, FileNotFoundError):
                new.mkdir()
                _sync_folder(new.parent)

    def _remove_empty(self, folder: Path) -> None:
        with suppress(OSError):  # not empty, or already gone
            while folder != self.root:
                folder.rmdir()
                folder = folder.parent

    def _open(self, key: str) -> BinaryIO:
        try:
            return (self.root / check_key(key)).open("rb")
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise MissingObjectError(key, self.url) from None

    def _walk(self, folder: str, prefix: str) -> Iterator[ObjectInfo]:
        try:
            entries = list(os.scandir(self.root / folder))
        except (FileNotFoundError, NotADirectoryError):
            return
        # A folder sorts with its slash: 'a.b' before 'a/b', as keys do.
        keyed = sorted((folder + entry.name + "/" * entry.is_dir(), entry) for entry in entries)
        for key, entry in keyed:
            if not folder and entry.name.startswith(RESERVED):
                continue
            if key.endswith("/"):
                if key.startswith(prefix) or prefix.startswith(key):
                    yield from self._walk(key, prefix)
            elif key.startswith(prefix):
                with suppress(FileNotFoundError):
                    yield ObjectInfo(key=key, size=entry.stat().st_size)

    @contextmanager
    def _explained(self, doing: str, key: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreError(
                f"could not {doing} {key!r} in {self.url}: {error.strerror or error}. "
                f"{self._remedy(error)}"
            ) from error

    def _remedy(self, error: OSError) -> str:
        match error.errno:
            case errno.ENOSPC | errno.EDQUOT:
                return "The disk or quota is full: free some space, or set VOLTX_STORE elsewhere."
            case errno.EROFS | errno.EACCES | errno.EPERM:
                return (
                    "This user may not write there, or the file system is read-only or knows no "
                    "hard links: set VOLTX_STORE to a folder on a local disk that you own."
                )
            case errno.ENOTDIR | errno.EISDIR | errno.EEXIST:
                return "A file stands where a folder is needed, or the reverse: move it away."
            case errno.EXDEV:
                return (
                    "The folder spans two file systems, so nothing can be renamed into place: "
                    "make the whole store, not a part of it, the link or mount."
                )
            case _:
                return "Look at the disk's health (dmesg), or set VOLTX_STORE to another folder."


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Errors of the source file as such: they say nothing about the store."""
    try:
        yield
    except OSError as error:
        raise StoreError(f"could not read {path}: {error.strerror or error}.") from error


def _sync_folder(folder: Path) -> None:
    with suppress(FileNotFoundError):  # already deleted again: nothing to keep
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
