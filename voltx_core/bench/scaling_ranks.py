"""A rung of 5.1 by one process and by two: how far apart they end, and what being two costs.

The stage's own climb is what runs: the second process is a real one, the sums go through gloo (or
NCCL, where there are two GPUs). Both train on the same micro-batches, dealt out to as many
processes as there are, with as many threads each.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from voltx_core.bench.scaling_material import Material
from voltx_core.bench.session import NEVER_S, Console
from voltx_core.config import VoltxConfig
from voltx_core.data.jsonl import write_problems
from voltx_core.stages import graph
from voltx_core.stages.contract import StageRun, StopFlag
from voltx_core.stages.scaling import climb
from voltx_core.stages.team import team
from voltx_core.training.checkpoint import Checkpoints
from voltx_core.training.ranks import Ranks

ACCUMULATION = 4
"""Micro-batches a step: two for each of two processes, so that the order of sums differs."""
LESSONS, HELD_OUT = 640, 32
"""Problems to train and to validate on: enough for the steps that are timed."""


@dataclass(frozen=True, slots=True)
class Timed(Ranks):
    """Ranks that note how long each step waits for the others' numbers, sums included."""

    spent_s: list[float] = field(default_factory=list)

    def any(self, flag: bool) -> bool:
        return bool(self._time(Ranks.any, flag))

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        self._time(Ranks.sum_gradients, parameters)

    def sum_scalars(self, scalars: dict[str, Tensor]) -> dict[str, Tensor]:
        summed: dict[str, Tensor] = self._time(Ranks.sum_scalars, scalars)
        return summed

    def _time(self, what: Callable[..., Any], *arguments: Any) -> Any:
        began = time.perf_counter()
        try:
            return what(self, *arguments)
        finally:
            self.spent_s.append(time.perf_counter() - began)


def compare(
    material: Material,
    folder: Path,
    *,
    steps: int,
    repeat: int,
    on_turn: Callable[[str], object],
) -> dict[str, Any]:
    """Train the first rung by one process and by two, in turns.

    Args:
        material: Problems, translator and the core that is grown.
        folder: For what is written meanwhile.
        steps: Of every training.
        repeat: Turns of each; the times are medians.
        on_turn: Told who is next.

    Returns:
        ``difference``: the largest between any two weights; ``relative``: that over the largest
        weight; seconds of training of each turn; ``efficiency``: time of one over twice the time
        of two; ``communication_share``: of rank 0's time, waiting for a slower peer included.
    """
    config = _config(material, steps)
    inputs = _inputs(material, folder)
    device = material.device if torch.cuda.device_count() > 1 else "cpu"
    times: dict[int, list[float]] = {1: [], 2: []}
    weights: dict[int, dict[str, Tensor]] = {}
    shares: list[float] = []
    for number in range(repeat):
        for processes in (1, 2) if number % 2 == 0 else (2, 1):
            on_turn(f"{processes} process{'es' if processes > 1 else ''}")
            room = folder / f"{processes}-{number}"
            run = _stage_run(config, inputs, room, device, processes)
            with team(run, climb, processes) as shared:
                timed = Timed(shared.ranks.rank, shared.ranks.count, shared.ranks.words)
                climbed = climb(replace(shared, ranks=timed))
            seconds = climbed.report.timings_s["training rung 1"]
            times[processes].append(seconds)
            weights[processes] = {k: v.cpu() for k, v in climbed.core.state_dict().items()}
            if processes == 2:
                shares.append(sum(timed.spent_s) / seconds)
    apart = max(float((weights[1][k] - weights[2][k]).abs().max()) for k in weights[1])
    largest = max(float(v.abs().max()) for v in weights[1].values())
    alone, together = (sorted(times[n])[len(times[n]) // 2] for n in (1, 2))
    return {
        "difference": apart,
        "relative": apart / largest,
        "one_process_s": times[1],
        "two_processes_s": times[2],
        "efficiency": alone / (2 * together),
        "communication_share": sorted(shares)[len(shares) // 2],
        "steps": steps,
        "batch": config.scaling.batch,
        "device": device,
    }


def _config(material: Material, steps: int) -> VoltxConfig:
    scaling = material.config.scaling
    first = {"ladder": scaling.ladder[:1], "steps": steps, "accumulation": ACCUMULATION}
    return material.config.model_copy(update={"scaling": scaling.model_copy(update=first)})


def _inputs(material: Material, folder: Path) -> dict[str, Path]:
    """What the stage needs, with so few problems that encoding them is quick."""
    problems = folder / "problems"
    problems.mkdir(parents=True)
    for part, most in (("train", LESSONS), ("validation", HELD_OUT)):
        write_problems(problems / f"{part}.jsonl", material.problems(part)[:most])
    paths = {name: material.paths[name] for name in ("tokenizer", "encoder", "decoder")}
    return {**paths, "problems": problems, "soft_core_sleep": material.paths["soft_core"]}


def _stage_run(
    config: VoltxConfig, inputs: dict[str, Path], room: Path, device: str, processes: int
) -> StageRun:
    spec = graph.specs()["scaling"]
    own = config.scaling.model_copy(update={"processes": processes})
    return StageRun(
        spec=spec,
        config=StageRun.view(spec, config.model_copy(update={"scaling": own})),
        inputs=inputs,
        folder=room / "outputs",
        device=device,
        checkpoints=Checkpoints(room / "progress", interval_s=NEVER_S),
        observer=Console(say=lambda _: None),
        stop=StopFlag(),
    )
