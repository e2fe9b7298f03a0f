"""One store into another: a backup, an upload, a download, all resumable and verified.

What is there with the same bytes already is left alone, so a copy that was broken off, or one that
is made every hour, costs only what is new. Manifests go last: at every moment the copy is a
store in which every stage that exists is whole.
"""

import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from voltx_core.store.digest import sha256_bytes, sha256_file
from voltx_core.store.objects import (
    CorruptObjectError,
    MissingObjectError,
    ObjectInfo,
    Store,
    never,
)

AT_ONCE = 4
SMALL = 1 << 20
"""Bytes that are read rather than asked about, where a store does not know the digest."""
TRIES = 3
RUNS = "runs/"
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
        CorruptObjectError: What was read, or what arrived, is not what the source promised.
        StoreError: One of the stores failed.
    """
    found = [info for info in source.list() if not info.key.endswith(BEATS)]
    # What others point at comes first: files, then the manifests that name them, then runs.
    ranks: tuple[list[ObjectInfo], ...] = ([], [], [])
    for info in found:
        rank = 2 if info.key.startswith(RUNS) else int(info.key.endswith("manifest.json"))
        ranks[rank].append(info)
    done = sent = sent_bytes = gone = 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for infos in ranks:
            futures = [pool.submit(_copy, source, target, info, poll) for info in infos]
            try:
                for future, info in zip(futures, infos, strict=True):
                    outcome = future.result()
                    done, gone = done + 1, gone + (outcome is None)
                    if outcome:
                        sent, sent_bytes = sent + 1, sent_bytes + info.size
                    tell(done, len(found))
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
    return Copied(len(found), sent, sent_bytes, gone)


def _copy(source: Store, target: Store, info: ObjectInfo, poll: Callable[[], None]) -> bool | None:
    """Whether the object had to be sent; None when it is gone."""
    poll()
    for left in reversed(range(TRIES)):
        try:
            promised = _digest(source, info)
            there = target.stat(info.key)
            if there is not None and promised is not None and _digest(target, there) == promised:
                return False
            _send(source, target, info.key, promised, poll)
        except (MissingObjectError, FileNotFoundError):
            return None
        except CorruptObjectError:
            # Records of a run that goes on change between two looks; nothing else may.
            if not left or not info.key.startswith(RUNS):
                raise
        else:
            return True
    raise AssertionError("the last try returns or raises")


def _send(
    source: Store, target: Store, key: str, promised: str | None, poll: Callable[[], None]
) -> None:
    path = source.local_path(key)
    if path is not None:
        target.put_file(key, path, sha256=promised, poll=poll)
        return
    with tempfile.TemporaryDirectory(prefix="voltx-copy-", dir=_room(target)) as folder:
        landed = Path(folder) / "object"
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


def _room(target: Store) -> str | None:
    """A folder on the disk of a local target, so that what passes through it fits as well."""
    place = target.local_path("x")
    return None if place is None or not place.parent.is_dir() else str(place.parent.parent)
