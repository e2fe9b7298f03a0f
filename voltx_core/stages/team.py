"""Other processes that train a stage together with its own; see ``training.ranks``.

    with team(run, processes=2) as shared:
        climb(shared)

Each is started with what the stage was given and calls the same function of the same module. They
read checkpoints and never write any, say nothing, and end with the stage: when one of them dies,
the stage fails with its name, and goes on from its last checkpoint when it is started again.
"""

import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from voltx_core.config import VoltxConfig
from voltx_core.errors import Interrupted, StageError
from voltx_core.judge.cage.jail import die_with_parent
from voltx_core.stages import graph
from voltx_core.stages.contract import StageRun, StopFlag, viewed
from voltx_core.stages.machine import pin_threads
from voltx_core.training.checkpoint import Checkpoints
from voltx_core.training.ranks import Ranks

Work = Callable[[StageRun], object]
PATIENCE_S = 3_600.0
"""The others wait so long for rank 0, which evaluates between two parts of the training."""
_LOOK_S = 0.2
_END_S = 20.0


class _Read(Checkpoints):
    """Checkpoints of the stage as another of its processes may use them."""

    def due(self) -> bool:
        return False

    def save(self, *_: Any, **__: Any) -> None:
        """Rank 0 saves."""


class _Silent:
    def progress(self, done: int, total: int, unit: str, note: str = "") -> None: ...

    def metrics(self, values: Mapping[str, float], step: int) -> None: ...

    def figure(self, name: str, path: Path) -> None: ...


@contextmanager
def team(run: StageRun, work: Work, processes: int) -> Iterator[StageRun]:
    """The run as rank 0 of so many processes; the others do ``work`` meanwhile.

    Args:
        run: The stage's run.
        work: A function of a module; every process calls it with its own run.
        processes: How many in all; with one nothing is started.

    Raises:
        StageError: One of them died, or there are fewer GPUs than processes.
    """
    if processes == 1:
        yield run
        return
    _require_devices(run.device, processes)
    with tempfile.TemporaryDirectory(prefix="voltx-team-") as room:
        others = [_start(run, work, rank, processes, Path(room)) for rank in range(1, processes)]
        try:
            _await(others, Path(room), run.stop)
            with _joined(run.device, 0, processes, Path(room)) as ranks:
                yield replace(run, device=_device(run.device, 0), ranks=ranks)
        except RuntimeError as error:  # what torch.distributed raises when a peer is gone
            raise _lost(others, Path(room)) or error from None
        finally:
            _end(others)


def _start(
    run: StageRun, work: Work, rank: int, count: int, room: Path
) -> "subprocess.Popen[bytes]":
    import torch

    order = {
        "stage": run.spec.name,
        "work": f"{work.__module__}:{work.__qualname__}",
        "config": viewed(run.config).model_dump(mode="json"),
        "inputs": {name: str(path) for name, path in run.inputs.items()},
        "progress": str(run.checkpoints.folder),
        "device": run.device,
        "threads": torch.get_num_threads(),
        "rank": rank,
        "count": count,
        "room": str(room),
        "leader": os.getpid(),
    }
    path = room / f"rank-{rank}.json"
    path.write_text(json.dumps(order))
    with (room / f"rank-{rank}.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "voltx_core.stages.team", str(path)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )


def _await(others: "list[subprocess.Popen[bytes]]", room: Path, stop: StopFlag) -> None:
    """Until all have imported what they need; from then on they are soon there.

    Raises:
        StageError: One of them ended.
        Interrupted: A stop was asked for.
    """
    while not all((room / f"rank-{rank}.up").exists() for rank in range(1, len(others) + 1)):
        stop.check()
        if any(process.poll() is not None for process in others):
            raise _lost(others, room) or StageError("A rank ended before it began.")
        time.sleep(_LOOK_S)


def main(path: Path) -> None:
    """The life of a process that is not rank 0."""
    # A machine that is taken away tells all its processes: rank 0 decides, saves and ends them.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    order = json.loads(path.read_text())
    die_with_parent(order["leader"])
    pin_threads(order["threads"])
    room, rank = Path(order["room"]), int(order["rank"])
    spec = graph.specs()[order["stage"]]
    module, _, name = order["work"].partition(":")
    work: Work = getattr(importlib.import_module(module), name)
    (room / f"rank-{rank}.up").touch()
    with _joined(order["device"], rank, order["count"], room) as ranks:
        run = StageRun(
            spec=spec,
            config=StageRun.view(spec, VoltxConfig.model_validate(order["config"])),
            inputs={name: Path(path) for name, path in order["inputs"].items()},
            folder=room / f"rank-{rank}",
            device=_device(order["device"], rank),
            checkpoints=_Read(Path(order["progress"])),
            observer=_Silent(),
            stop=StopFlag(),
            ranks=ranks,
        )
        try:
            work(run)
        except Interrupted:  # rank 0 was told to stop, and has saved
            return


@contextmanager
def _joined(device: str, rank: int, count: int, room: Path) -> Iterator[Ranks]:
    """A member of the group while the block lasts."""
    import torch
    import torch.distributed as distributed

    on_gpu = device.startswith("cuda")
    if on_gpu:
        torch.cuda.set_device(rank)
    patience = timedelta(seconds=PATIENCE_S)
    distributed.init_process_group(
        "nccl" if on_gpu else "gloo",
        init_method=f"file://{room}/meeting",
        rank=rank,
        world_size=count,
        timeout=patience,
    )
    try:
        words = distributed.new_group(backend="gloo", timeout=patience)
        yield Ranks(rank, count, words)
    finally:
        distributed.destroy_process_group()


def _device(device: str, rank: int) -> str:
    return f"cuda:{rank}" if device.startswith("cuda") else device


def _require_devices(device: str, processes: int) -> None:
    import torch

    if device.startswith("cuda") and torch.cuda.device_count() < processes:
        raise StageError(
            f"{processes} processes want a GPU each and there are {torch.cuda.device_count()}. "
            "Set scaling.processes to the number of GPUs."
        )


def _lost(others: "list[subprocess.Popen[bytes]]", room: Path) -> StageError | None:
    """What is known of a process that is gone; None when none is."""
    for rank, process in enumerate(others, 1):
        try:
            status = process.wait(_END_S / 4)
        except subprocess.TimeoutExpired:
            continue
        if status:
            how = f"was killed by signal {-status}" if status < 0 else f"ended with {status}"
            said = (room / f"rank-{rank}.log").read_text(errors="replace").strip().splitlines()
            last = f" Its last words: {said[-1]}" if said else ""
            return StageError(
                f"Rank {rank} of {len(others) + 1} {how}. Start the stage again: it goes on from "
                f"its last checkpoint.{last}"
            )
    return None


def _end(others: "list[subprocess.Popen[bytes]]") -> None:
    for process in others:
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
