"""What the kernel lets a container have; psutil and the like see the whole host instead."""

import math
from collections.abc import Iterator
from pathlib import Path

ROOT, OWN = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
CONTROLLERS = ("", "memory", "cpu", "cpu,cpuacct")
"""Folders under the root: none of their own in version 2, one each in version 1."""


def memory_gib(root: Path = ROOT, own: Path = OWN) -> float:
    """The least limit of memory on this process, in GiB; infinite without one.

    Args:
        root: Where control groups are mounted.
        own: Names the groups of this process, a line a hierarchy.
    """
    names = ("memory.max", "memory.limit_in_bytes")
    found = (_numbers(folder / name) for folder in _groups(root, own) for name in names)
    return min((limit[0] / 2**30 for limit in found if limit), default=math.inf)


def cores(root: Path = ROOT, own: Path = OWN) -> float:
    """The least limit of processor time on this process, in cores; infinite without one."""
    quotas = []
    for folder in _groups(root, own):
        first = _numbers(folder / "cpu.max")
        second = _numbers(folder / "cpu.cfs_quota_us") + _numbers(folder / "cpu.cfs_period_us")
        quotas += [pair[0] / pair[1] for pair in (first, second) if len(pair) == 2 and pair[0] > 0]
    return min(quotas, default=math.inf)


def _groups(root: Path, own: Path) -> Iterator[Path]:
    """Folders of the groups that this process is in, and of those round them.

    In a container the group may be mounted as the root and still be named as on the host.
    """
    lines = own.read_text().splitlines() if own.exists() else []
    named = [Path(line.split(":", 2)[2].lstrip("/")) for line in lines]
    for place in {Path(), *named, *(parent for path in named for parent in path.parents)}:
        for controller in CONTROLLERS:
            yield root / controller / place


def _numbers(path: Path) -> list[float]:
    """The numbers of a file; empty when it is missing or says that there is no limit."""
    try:
        words = path.read_text().split()
    except OSError:
        return []
    return [] if "max" in words else [float(word) for word in words]
