"""Whether this machine is what was meant to be rented for a pool: `voltx doctor --pool gpu`."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from voltx_core.cli.doctor import Check
from voltx_core.config.instances import CRITERIA, Criteria, cuda_text
from voltx_core.errors import ConfigError

SLACK = 0.95
"""What is sold as 24 GiB shows as a little less from within."""
COUNTED = ("cores", "GPUs")
"""But not what is counted."""


@dataclass(frozen=True, slots=True)
class Found:
    """What this machine is."""

    cores: int
    memory_gib: float
    disk_gib: float
    vram_gib: tuple[float, ...] = ()
    """Of each GPU."""
    cuda: tuple[int, int] | None = None


def checks(pool: str) -> Iterator[Check]:
    """This machine beside the criteria of a pool.

    Raises:
        ConfigError: There is no such pool.
    """
    if pool not in CRITERIA:
        raise ConfigError(f"No pool is called {pool!r}. There are {', '.join(CRITERIA)}.")
    yield from compare(pool, CRITERIA[pool], look())


def compare(pool: str, wanted: Criteria, found: Found) -> Iterator[Check]:
    """A line a criterion."""
    least = [
        ("cores", found.cores, wanted.cores, "cores"),
        ("memory", found.memory_gib, wanted.memory_gib, "GiB of memory"),
        ("disk", found.disk_gib, wanted.disk_gib, "GiB of free disk"),
    ]
    if wanted.gpus:
        weakest = min(found.vram_gib, default=0.0)
        least += [
            ("GPUs", len(found.vram_gib), wanted.gpus, "GPUs"),
            ("VRAM", weakest, wanted.vram_gib, "GiB of memory of the weakest GPU"),
        ]
    for name, has, enough, unit in least:
        met = has >= (enough if unit in COUNTED else SLACK * enough)
        yield _line(f"{pool}: {name}", met, f"{has:.4g} {unit}, wanted {enough} or more")
    if wanted.cuda is not None:
        has_cuda = "none" if found.cuda is None else cuda_text(found.cuda)
        enough = found.cuda is not None and found.cuda >= wanted.cuda
        words = f"CUDA {has_cuda} by the driver, wanted {cuda_text(wanted.cuda)} or later"
        yield _line(f"{pool}: CUDA", enough, words)
    yield Check(
        name=f"{pool}: offer",
        state="ok",
        found=f"cannot be seen from within: reliability over {wanted.reliability:g}, at most "
        f"${wanted.usd_per_hour:,.2f} an hour. Search on vast.ai: {wanted.query()}",
    )


def look() -> Found:
    """Measure this machine, or the part of it that a container may use."""
    import os

    import psutil

    from voltx_core.cli import cgroup
    from voltx_core.stages.workspace import DEFAULT_HOME

    home = Path(os.environ.get("VOLTX_HOME", DEFAULT_HOME)).absolute()
    there = next(folder for folder in (home, *home.parents) if folder.exists())
    vram, cuda = _gpus()
    return Found(
        cores=int(min(len(os.sched_getaffinity(0)), cgroup.cores())),
        memory_gib=min(psutil.virtual_memory().total / 2**30, cgroup.memory_gib()),
        disk_gib=shutil.disk_usage(there).free / 2**30,
        vram_gib=vram,
        cuda=cuda,
    )


def _gpus() -> tuple[tuple[float, ...], tuple[int, int] | None]:
    """Memory of each GPU in GiB, and the CUDA of the driver."""
    if shutil.which("nvidia-smi") is None:
        return (), None
    query = ("nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits")
    return parse(_said(*query), _said("nvidia-smi"))


def parse(memory: str, summary: str) -> tuple[tuple[float, ...], tuple[int, int] | None]:
    """What nvidia-smi said: MiB a line, and a table with ``CUDA Version: 12.8`` in its head."""
    vram = tuple(int(line) / 1024 for line in memory.split() if line.isdigit())
    version = re.search(r"CUDA Version:\s*(\d+)\.(\d+)", summary)
    return vram, (int(version[1]), int(version[2])) if version else None


def _said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False).stdout


def _line(name: str, enough: bool, found: str) -> Check:
    return Check(
        name=name,
        state="ok" if enough else "failed",
        found=found,
        remedy="" if enough else "Give this machine back and take one that meets the criteria.",
    )
