"""How long training waits for its saves while they go to disk and on to an S3 server.

A real training of a network whose state (weights and AdamW's moments) has the wanted size saves
through the same ``Checkpoints``, ``RemoteProgress`` and ``Mirror`` as every stage.
"""

import shutil
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from voltx_core.errors import StoreError
from voltx_core.stages.remote_progress import RemoteProgress, take_over
from voltx_core.store import ArtifactStore, Mirror, Store

if TYPE_CHECKING:
    from torch import nn

_STAGE = ("bench", "stall")
_WIDTH = 1024
_BATCH = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Stall:
    """What was seen.

    Attributes:
        share: Of the training time, spent waiting for saves.
        train_s: Wall time of training.
        stall_s: Of every save, how long training waited.
        write_s: Of every save, until it was safe on disk.
        step_s: Median seconds of a step.
        arrived: Newest checkpoint that was brought back from the server, intact.
        saves: How many there were.
        state_mb: Size of one.
    """

    share: float
    train_s: float
    stall_s: list[float]
    write_s: list[float]
    step_s: float
    arrived: int
    saves: int
    state_mb: float


def measure_stall(
    store: Store, folder: Path, *, state_mb: float, interval_s: float, saves: int
) -> Stall:
    """Train until ``saves`` saves, one every ``interval_s``, are made and one more interval passed.

    Args:
        store: Where the checkpoints go.
        folder: For the local ones; emptied.
        state_mb: Size of the state in MB.
        interval_s: Seconds between two saves.
        saves: How many.

    Raises:
        StoreError: What came back from the server is not what was saved last.
    """
    import torch

    from voltx_core.stages.machine import pin_threads
    from voltx_core.training.checkpoint import Checkpoints

    pin_threads(1)  # as stages do; the other core is the server's
    # Weights and two moments, four bytes each.
    depth = max(1, round(state_mb * 1e6 / 12 / _WIDTH**2))
    network = torch.nn.Sequential(*(torch.nn.Linear(_WIDTH, _WIDTH) for _ in range(depth)))
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-4)
    generator = torch.Generator().manual_seed(0)
    artifacts = ArtifactStore(store, folder / "cache")
    steps: list[float] = []
    with Mirror(capacity=1) as mirror:
        remote = RemoteProgress(artifacts, *_STAGE, keep=2, outbox=folder / "outbox", mirror=mirror)
        _step(network, optimiser, generator)  # AdamW makes its moments
        with Checkpoints(
            folder / "progress", interval_s=interval_s, mirror=remote.send
        ) as checkpoints:
            started = time.perf_counter()
            while len(checkpoints.stall_seconds) < saves or not checkpoints.due():
                began = time.perf_counter()
                _step(network, optimiser, generator)
                steps.append(time.perf_counter() - began)
                if checkpoints.due() and len(checkpoints.stall_seconds) < saves:
                    state = _state(network, optimiser)
                    checkpoints.save("bench", len(steps), state, {"loss": 0.0}, wait=False)
            train_s = time.perf_counter() - started
    if mirror.failures:
        raise StoreError(f"a checkpoint did not reach the server: {mirror.failures[0]}")
    shutil.rmtree(folder / "progress")
    take_over(artifacts, *_STAGE, folder / "progress")
    back = Checkpoints(folder / "progress")
    saved = back.restore("bench")
    last = _state(network, optimiser)
    if saved is None or {k: v.shape for k, v in saved.tensors.items()} != {
        k: v.shape for k, v in last.items()
    }:
        raise StoreError("the checkpoint that came back is not the one that was saved")
    return Stall(
        share=sum(checkpoints.stall_seconds) / train_s,
        train_s=train_s,
        stall_s=checkpoints.stall_seconds,
        write_s=checkpoints.write_seconds,
        step_s=statistics.median(steps),
        arrived=max(back.sequences()),
        saves=len(checkpoints.stall_seconds),
        state_mb=sum(t.numel() * t.element_size() for t in saved.tensors.values()) / 1e6,
    )


def _step(network: "nn.Module", optimiser, generator) -> None:
    import torch

    x = torch.randn(_BATCH, _WIDTH, generator=generator)  # [B, width]
    loss = (network(x) - x).square().mean()
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    optimiser.step()


def _state(network: "nn.Module", optimiser) -> dict:
    tensors = {f"model.{name}": value for name, value in network.state_dict().items()}
    for number, moments in optimiser.state_dict()["state"].items():
        for name, value in moments.items():
            tensors[f"optimiser.{number}.{name}"] = value
    return tensors
