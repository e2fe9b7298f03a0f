"""Looks at the processes below this one from outside: how many, how large, how much they store."""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

_EVERY_S = 0.015
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass
class Footprint:
    """The most that was seen at one moment."""

    threads: int = 0
    memory_bytes: int = 0
    stored_bytes: int = 0
    stored_files: int = 0

    def widen(self, other: "Footprint") -> None:
        for name in vars(other):
            setattr(self, name, max(getattr(self, name), getattr(other, name)))


def descendants() -> list[int]:
    """Living processes below this one."""
    return [pid for pid in _below(os.getpid()) if _state(pid) not in ("Z", "X", "")]


def _below(pid: int) -> Iterator[int]:
    children: list[str] = []
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            children += Path(f"/proc/{pid}/task/{task}/children").read_text().split()
    for child in children:
        yield int(child)
        yield from _below(int(child))


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def footprint(folder: Path) -> Footprint:
    """What all processes below this one take now.

    Args:
        folder: where the judge keeps its scratch folders.
    """
    total = Footprint()
    for pid in descendants():
        with contextlib.suppress(OSError, ValueError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total.threads += int(fields[17])
            total.memory_bytes += int(fields[21]) * _PAGE
        with contextlib.suppress(OSError):  # a private mount, seen with a tracer's rights only
            space = os.statvfs(f"/proc/{pid}/root/scratch")
            total.stored_bytes = max(
                total.stored_bytes, (space.f_blocks - space.f_bfree) * space.f_bsize
            )
            total.stored_files = max(total.stored_files, space.f_files - space.f_ffree)
    space = os.statvfs(folder)
    if os.path.ismount(folder.parent):  # the arena's own: nobody else writes there
        total.stored_bytes = max(
            total.stored_bytes, (space.f_blocks - space.f_bfree) * space.f_bsize
        )
    else:
        total.stored_bytes = max(total.stored_bytes, _disk_used(folder))
    total.stored_files = max(total.stored_files, _count_files(folder))
    return total


def _disk_used(folder: Path) -> int:
    used = 0
    for path, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                used += os.lstat(os.path.join(path, name)).st_blocks * 512
    return used


def _count_files(folder: Path) -> int:
    count = 0
    for _, folders, names in os.walk(folder):
        count += len(folders) + len(names)
        if count > 50_000:
            break
    return count


class Lookout:
    """Watches in a thread while an attack runs, and does what the arena's bustle does."""

    def __init__(self, folder: Path, bustle: Callable[[], None]) -> None:
        self._folder, self._bustle = folder, bustle
        self.peak = Footprint()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> "Lookout":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(_EVERY_S):
            self._bustle()
            self.peak.widen(footprint(self._folder))
