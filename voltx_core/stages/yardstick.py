"""What stages took on a machine that is known, and how fast this one is beside it.

A stage that never ran in a store is expected to take what it took there, times how much slower
two short measurements are here: a matrix product on one core, and plain Python. The record is
made anew from a run of the laptop preset on a quiet machine:

    python -m voltx_core.stages.yardstick RUN... > voltx_core/stages/yardstick.json
"""

import json
import math
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib import resources
from typing import Any

from voltx_core.stages.workspace import Workspace

ROUNDS = 5
SIDE = 384
"""Rows of the matrices; a product takes about a millisecond."""
LOOPS = 200_000


@dataclass(frozen=True, slots=True)
class Speed:
    """What one core does."""

    matmul_gflops: float
    python_mops: float
    """Millions of rounds of an empty loop a second."""

    def slowdown(self, reference: "Speed") -> float:
        """How many times as long the same work takes here as there."""
        return math.sqrt(
            reference.matmul_gflops
            / self.matmul_gflops
            * (reference.python_mops / self.python_mops)
        )


@dataclass(frozen=True, slots=True)
class Mark:
    """One stage as it was measured."""

    seconds: float
    size: int
    """Bytes of its outputs."""
    settings: Mapping[str, Any]


@cache
def probe() -> Speed:
    """Measure this machine, in a quarter of a second; the best of some rounds, so that other work
    on it does not count."""
    import numpy as np
    from threadpoolctl import threadpool_limits

    a = np.random.default_rng(0).random((SIDE, SIDE), dtype=np.float32)
    with threadpool_limits(1):
        product_s = _best(lambda: a @ a)
    loop_s = _best(lambda: _loop(LOOPS))
    return Speed(matmul_gflops=2e-9 * SIDE**3 / product_s, python_mops=1e-6 * LOOPS / loop_s)


def _loop(rounds: int) -> int:
    total = 0
    for number in range(rounds):
        total += number
    return total


def _best(work: Callable[[], object]) -> float:
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)


@cache
def marks() -> tuple[Speed, Mapping[str, tuple[Mark, ...]]]:
    """The machine of the record, and what each stage took there."""
    text = resources.files(__package__).joinpath("yardstick.json").read_text()
    found = json.loads(text)
    stages = {name: tuple(Mark(**mark) for mark in made) for name, made in found["stages"].items()}
    return Speed(**found["speed"]), stages


def record(workspace: Workspace, run_ids: Sequence[str]) -> dict[str, Any]:
    """The record of some runs of a store: the median of what each stage took at each size."""
    from voltx_core.stages.lifecycle import read_report
    from voltx_core.stages.runs import RunRecord

    took: dict[tuple[str, str], list[Mark]] = {}
    for run_id in run_ids:
        for name, fingerprint in RunRecord(workspace.artifacts, run_id).fingerprints().items():
            manifest = workspace.artifacts.manifest(name, fingerprint)
            if manifest is None or manifest.run_id != run_id:
                continue
            seconds = read_report(workspace, manifest)["timings_s"]["total"]
            size = sum(entry.size for entry in manifest.files.values())
            key = json.dumps(manifest.config, sort_keys=True)
            took.setdefault((name, key), []).append(Mark(seconds, size, manifest.config))
    stages: dict[str, list[dict[str, Any]]] = {}
    for (name, _), found in took.items():
        median = statistics.median(mark.seconds for mark in found)
        stages.setdefault(name, []).append(asdict(found[0]) | {"seconds": round(median, 2)})
    return {"runs": list(run_ids), "speed": asdict(probe()), "stages": stages}


if __name__ == "__main__":
    print(json.dumps(record(Workspace.open(), sys.argv[1:]), indent=1, sort_keys=True))
