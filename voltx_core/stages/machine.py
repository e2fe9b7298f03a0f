"""Facts about the machine a stage runs on; recorded with every result."""

import os
import platform
from importlib import metadata
from typing import Any

RECORDED = ("torch", "numpy", "tokenizers", "safetensors", "faiss-cpu", "scikit-learn", "voltx")


def device(wanted: str) -> str:
    """``auto`` becomes ``cuda`` where there is one, else ``cpu``."""
    import torch

    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return wanted


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
