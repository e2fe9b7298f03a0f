"""Facts about the machine a stage runs on; recorded with every result."""

import os
import platform
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from voltx_core.stages.contract import Pool

RECORDED = ("torch", "numpy", "tokenizers", "safetensors", "faiss-cpu", "scikit-learn", "voltx")


def device(wanted: str) -> str:
    """``auto`` becomes ``cuda`` where there is one, else ``cpu``."""
    import torch

    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return wanted


def kind() -> Pool:
    """What this machine is, and is priced as: without a GPU, with one, or with several.

    Counted by their device files: whoever plans need not load torch for that.
    """
    found = [path for path in Path("/dev").glob("nvidia*") if path.name[6:].isdigit()]
    return "cpu" if not found else "gpu" if len(found) == 1 else "multi-gpu"


@cache
def boot() -> str:
    """This life of this machine: another one after every start of it."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def pin_threads(threads: int) -> None:
    """Fix the CPU threads of this process: their count changes the last bits of sums."""
    import torch

    if threads:
        torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


def describe(used_device: str, threads: int) -> dict[str, Any]:
    """Versions and hardware, JSON-ready."""
    import torch

    facts: dict[str, Any] = {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "processors": os.cpu_count(),
        "threads": threads,
        "device": used_device,
        "versions": {name: _version(name) for name in RECORDED},
    }
    if used_device == "cuda":
        facts["gpu"] = torch.cuda.get_device_name()
        facts["cuda"] = torch.version.cuda
    return facts


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
