"""Folders of files to and from a store, every file verified on the way.

A folder is stored under a name made of the digest of all its names and bytes. Two writers thus
either write the same bytes to the same places, which harms nobody since every object is replaced
atomically, or write to different places.
"""

import os
import stat
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from voltx_core.errors import StoreError
from voltx_core.store.digest import sha256_file
from voltx_core.store.keys import check_key
from voltx_core.store.landing import part_name
from voltx_core.store.manifest import FileEntry, tree
from voltx_core.store.objects import CorruptObjectError, MissingObjectError, Store, never

_AT_ONCE = 4


def tree_name(files: dict[str, FileEntry]) -> str:
    """The folder name for these files: 64 bits of their common digest."""
    return tree(files)[:16]


def scan(folder: Path) -> dict[str, FileEntry]:
    """Hash every file under ``folder``.

    Raises:
        StoreError: It is no folder, or holds what is not a plain file or cannot be a key.
    """
    if not folder.is_dir():
        raise StoreError(f"there is no folder {folder} to store. The stage wrote no outputs.")
    files = {}
    for path in sorted(folder.rglob("*")):
        mode = path.lstat().st_mode
        if stat.S_ISDIR(mode):
            continue
        if not stat.S_ISREG(mode):
            raise StoreError(
                f"{path} is a link or a special file and cannot be stored. Write a plain file."
            )
        name = check_key(path.relative_to(folder).as_posix())
        files[name] = FileEntry(sha256=sha256_file(path), size=path.stat().st_size)
    return files


def upload(
    store: Store,
    prefix: str,
    folder: Path,
    files: dict[str, FileEntry],
    poll: Callable[[], None] = never,
) -> None:
    """Store the scanned ``files`` of ``folder`` under ``prefix/``; go on where one stopped.

    ``poll`` is called often, from several threads; what it raises breaks off.
    """

    def send(name: str) -> None:
        key = f"{prefix}/{name}"
        if not _holds(store, key, files[name]):
            store.put_file(key, folder / name, sha256=files[name].sha256, poll=poll)

    for_each(send, files)


def download(store: Store, prefix: str, files: dict[str, FileEntry], into: Path) -> None:
    """Make the folder ``into`` hold exactly ``files``, fetching what is not there intact.

    Raises:
        CorruptObjectError: A file is damaged or gone.
    """

    def fetch(name: str) -> None:
        target, entry = into / name, files[name]
        if target.is_file() and sha256_file(target) == entry.sha256:
            return
        try:
            store.get_file(f"{prefix}/{name}", target, sha256=entry.sha256)
        except MissingObjectError as error:
            raise gone(store, f"{prefix}/{name}", entry) from error

    into.mkdir(parents=True, exist_ok=True)
    begun = {part_name(entry.sha256) for entry in files.values()}
    _remove_strays(into, files, begun)
    for_each(fetch, files)
    _remove_strays(into, files, set())


def replace_folder(into: Path, fill: Callable[[Path], None]) -> None:
    """Let ``fill`` make a folder and put it at ``into`` when it is whole.

    What an earlier attempt left beside it is offered to ``fill`` again.

    Raises:
        StoreError: ``into`` holds something already.
    """
    if into.is_dir() and any(into.iterdir()):
        raise StoreError(f"{into} is not empty: name an empty or a new folder.")
    part = into.with_name(f".{into.name}.part")
    fill(part)
    os.replace(part, into)


def gone(store: Store, key: str, entry: FileEntry) -> CorruptObjectError:
    """The error for a file that a manifest lists and the store does not hold."""
    return CorruptObjectError(
        key,
        where=store.url,
        expected=entry.sha256,
        got="nothing",
        remedy="The object was deleted although its manifest stands: restore it from a backup, "
        "or delete the manifest.json beside it and run the stage again.",
    )


def for_each(do: Callable[[str], None], names: Iterable[str]) -> None:
    """Several at once; the first error stops what has not begun and is raised."""
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="voltx-store") as pool:
        futures = [pool.submit(do, name) for name in sorted(names)]
        try:
            for future in futures:
                future.result()
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _remove_strays(folder: Path, files: dict[str, FileEntry], begun: set[str]) -> None:
    """Remove what is neither one of ``files`` nor named as a ``begun`` fetch of one."""
    for path in folder.rglob("*"):
        if path.is_dir() or path.relative_to(folder).as_posix() in files:
            continue
        if path.name not in begun:
            path.unlink()


def _holds(store: Store, key: str, entry: FileEntry) -> bool:
    """Whether an earlier, interrupted upload already stored this file, intact."""
    found = store.stat(key)
    if found is None or found.size != entry.size:
        return False
    if found.sha256 is not None:
        return found.sha256 == entry.sha256
    path = store.local_path(key)
    return path is not None and sha256_file(path) == entry.sha256
