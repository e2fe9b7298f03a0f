"""One store into another: a backup, an upload, a download, all resumable and verified.

What is there with the same bytes already is left alone, so a copy that was broken off, or one that
is made every hour, costs only what is new. What a manifest names is copied only as the manifest
has it, so that rot in the source never reaches a backup. Manifests go last: at every moment the
copy is a store in which every stage that exists is whole.
"""

import re
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from voltx_core.errors import StoreError
from voltx_core.store.digest import sha256_bytes, sha256_file
from voltx_core.store.local import SCRATCH
from voltx_core.store.manifest import FileEntry, Manifest, Progress, decode
from voltx_core.store.objects import (
    CorruptObjectError,
    MissingObjectError,
    ObjectInfo,
    Store,
    never,
)
from voltx_core.store.trees import tree_name

AT_ONCE = 4
SMALL = 1 << 20
"""Bytes that are read rather than asked about, where a store does not know the digest."""
TRIES = 3
RUNS = "runs/"
MANIFEST = re.compile(r"(stages/[^/]+/[^/]+/)(progress/[^/]+/)?manifest\.json")
BEATS = ".pulse.json"
"""Signs of life of processes; they mean nothing in a copy."""


@dataclass(frozen=True, slots=True)
class Copied:
    """What a copy did."""

    objects: int
    """In the source."""
    sent: int
    sent_bytes: int
    gone: int
    """Removed from the source meanwhile, as progress is when its stage has finished."""
    unverified: int
    """Sent without knowing what they should be: the source has no digest of them."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What became of one object."""

    sent: bool = False
    gone: bool = False
    verified: bool = True


def copy_store(
    source: Store,
    target: Store,
    *,
    poll: Callable[[], None] = never,
    tell: Callable[[int, int], None] = lambda *_: None,
) -> Copied:
    """Make sure that everything of one store is in another; nothing is ever removed there.

    Args:
        source: Where from.
        target: Where to.
        poll: Called between objects and parts; what it raises breaks the copy off.
        tell: Told how many of how many objects are there.

    Raises:
        CorruptObjectError: What was read, or what arrived, is not what the source, or a manifest
            in it, promised; nothing was replaced by it.
        StoreError: One of the stores failed.
    """
    found = [info for info in source.list() if not info.key.endswith(BEATS)]
    manifests = [info for info in found if MANIFEST.fullmatch(info.key)]
    runs = [info for info in found if info.key.startswith(RUNS)]
    last = {info.key for info in (*manifests, *runs)}
    files = [info for info in found if info.key not in last]
    done = sent = sent_bytes = gone = unverified = 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        named: dict[str, FileEntry] = {}
        for of_one in pool.map(lambda info: _named(source, info.key)[1], manifests):
            named |= of_one

        def copy_file(info: ObjectInfo) -> _Outcome:
            return _copy(source, target, info, named.get(info.key), poll)

        def copy_manifest(info: ObjectInfo) -> _Outcome:
            return _copy_manifest(source, target, info, poll)

        # What others point at comes first: files, then the manifests that name them, then runs.
        for copy, infos in ((copy_file, files), (copy_manifest, manifests), (copy_file, runs)):
            futures = [pool.submit(copy, info) for info in infos]
            try:
                for future, info in zip(futures, infos, strict=True):
                    outcome = future.result()
                    done, gone = done + 1, gone + outcome.gone
                    unverified += not outcome.verified
                    if outcome.sent:
                        sent, sent_bytes = sent + 1, sent_bytes + info.size
                    tell(done, len(found))
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
    return Copied(len(found), sent, sent_bytes, gone, unverified)


def _named(store: Store, key: str) -> tuple[bytes, dict[str, FileEntry]]:
    """A manifest, and by key what it names; nothing when it is gone.

    Raises:
        CorruptObjectError: It is damaged.
    """
    try:
        data = store.get_bytes(key)
    except MissingObjectError:
        return b"", {}
    shape = MANIFEST.fullmatch(key)
    assert shape is not None
    home, step = shape.groups()
    record = (
        decode(data, Progress, key=key, url=store.url)
        if step
        else decode(data, Manifest, key=key, url=store.url)
    )
    files = record.files
    folder = f"{home}{step or 'outputs/'}{tree_name(files)}"
    return data, {f"{folder}/{name}": entry for name, entry in files.items()}


def _copy(
    source: Store,
    target: Store,
    info: ObjectInfo,
    entry: FileEntry | None,
    poll: Callable[[], None],
) -> _Outcome:
    """Have an object in the target, as its manifest has it where one names it."""
    poll()
    for left in reversed(range(TRIES)):
        try:
            promised = entry.sha256 if entry is not None else _digest(source, info)
            there = target.stat(info.key)
            if there is not None and promised is not None and _digest(target, there) == promised:
                return _Outcome()
            if entry is not None:
                _refuse_rot(source, info.key, entry)
            _send(source, target, info.key, promised, poll)
        except (MissingObjectError, FileNotFoundError):
            return _Outcome(gone=True)
        except CorruptObjectError:
            # Records of a run that goes on change between two looks; nothing else may.
            if not left or not info.key.startswith(RUNS):
                raise
        else:
            return _Outcome(sent=True, verified=promised is not None)
    raise AssertionError("the last try returns or raises")


def _copy_manifest(
    source: Store, target: Store, info: ObjectInfo, poll: Callable[[], None]
) -> _Outcome:
    """Have a manifest in the target, and before it all that it names.

    It may be newer than the list of the source, and so may what it names.
    """
    poll()
    data, files = _named(source, info.key)
    if not data:
        return _Outcome(gone=True)
    try:
        if target.get_bytes(info.key) == data:
            return _Outcome()
    except MissingObjectError:
        pass
    for key, entry in files.items():
        there = target.stat(key)
        if there is None or there.size != entry.size:
            late = ObjectInfo(key=key, size=entry.size)
            if _copy(source, target, late, entry, poll).gone:
                return _Outcome(gone=True)  # its stage was made anew meanwhile
    target.put_bytes(info.key, data)
    return _Outcome(sent=True)


def _refuse_rot(source: Store, key: str, entry: FileEntry) -> None:
    """Say of a damaged file on this disk what it is; from elsewhere it is verified on arrival."""
    path = source.local_path(key)
    if path is None or (got := sha256_file(path)) == entry.sha256:
        return
    raise CorruptObjectError(
        key,
        where=source.url,
        expected=entry.sha256,
        got=got,
        remedy=f"The file {path} was damaged or changed after it was stored, and was not copied: "
        f"restore it from a backup, or delete the manifest.json of its stage and run the stage "
        f"again.",
    )


def _send(
    source: Store, target: Store, key: str, promised: str | None, poll: Callable[[], None]
) -> None:
    path = source.local_path(key)
    if path is not None:
        target.put_file(key, path, sha256=promised, poll=poll)
        return
    with _room(target) as folder:
        landed = folder / "object"
        source.get_file(key, landed, sha256=promised)
        target.put_file(key, landed, sha256=promised, poll=poll)


def _digest(store: Store, info: ObjectInfo) -> str | None:
    """The SHA-256 of an object, by what is cheapest; None where only a download would tell."""
    path = store.local_path(info.key)
    if path is not None:
        return sha256_file(path)
    known = info.sha256 or (store.stat(info.key) or info).sha256
    if known is None and info.size <= SMALL:
        known = sha256_bytes(store.get_bytes(info.key))
    return known


@contextmanager
def _room(target: Store) -> Iterator[Path]:
    """A folder for what passes through: in a local target itself, whose disk has room for it."""
    place = target.local_path("x")
    scratch = None if place is None else place.parent / SCRATCH
    try:
        if scratch is not None:
            scratch.mkdir(parents=True, exist_ok=True)
        made = tempfile.TemporaryDirectory(prefix="copy-", dir=scratch)
    except OSError as error:
        raise StoreError(
            f"could not copy into {target.url}: {error.strerror or error}. Name a folder on a "
            f"disk with room that this user may write to."
        ) from error
    with made as folder:
        yield Path(folder)
