"""Preflight: what can be known to fail is found before anything is spent."""

import shutil

import psutil

from voltx_core.config import VoltxConfig
from voltx_core.errors import StageError, StoreError
from voltx_core.stages.contract import StageSpec
from voltx_core.stages.machine import device
from voltx_core.stages.workspace import Workspace

DISK_MIB = {"tiny": 64, "laptop": 512, "single-gpu": 20_000, "cloud": 100_000}
"""Free disk a stage of each preset wants in its work folder."""
MEMORY_MIB = {"tiny": 512, "laptop": 1_024, "single-gpu": 16_000, "cloud": 32_000}


def preflight(spec: StageSpec, config: VoltxConfig, workspace: Workspace) -> None:
    """Check store, disk, memory, device and judge for one stage.

    Raises:
        StageError: Lists everything that is wrong, each with its remedy.
    """
    mistakes: list[str] = []
    try:
        workspace.artifacts.store.check()
    except StoreError as error:
        mistakes.append(str(error))
    workspace.home.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(workspace.home).free // 2**20
    if free < DISK_MIB[config.preset]:
        mistakes.append(
            f"{workspace.home} has {free} MiB of free disk, preset {config.preset} wants "
            f"{DISK_MIB[config.preset]}. Free some, or set VOLTX_HOME to another disk."
        )
    memory = psutil.virtual_memory().available // 2**20
    if memory < MEMORY_MIB[config.preset]:
        mistakes.append(
            f"{memory} MiB of memory are available, preset {config.preset} wants "
            f"{MEMORY_MIB[config.preset]}. Close something, or take a smaller preset."
        )
    if config.compute.device == "cuda" and device("auto") != "cuda":
        mistakes.append(
            "compute.device is cuda but torch sees no GPU. Check nvidia-smi and the installed "
            "torch build, or set compute.device=auto."
        )
    if spec.judges:
        mistakes += _judge(config)
    if mistakes:
        raise StageError(
            f"Stage {spec.number} {spec.name} did not start:\n"
            + "\n".join(f"  {n}. {text}" for n, text in enumerate(mistakes, 1))
        )


def _judge(config: VoltxConfig) -> list[str]:
    from voltx_core.judge import isolation

    if config.judge.level == "auto" and isolation().level == "none":
        return [
            "No isolation for generated code works here. See voltx doctor, or accept the risk "
            "with judge.level=none."
        ]
    return []
