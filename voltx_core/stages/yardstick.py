"""What stages took on a machine that is known, and how fast this one is beside it.

A stage that never ran in a store is expected to take what it took there, times how much slower
two short measurements are here: a matrix product on one core, and plain Python. The record is
made anew from the reports of runs on a quiet machine, on that very machine:

    python -m voltx_core.stages.yardstick runs/RUN/report.json... > voltx_core/stages/yardstick.json
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
from pathlib import Path
from typing import Any

from voltx_core.errors import DataError

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


def record(reports: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The record of some runs: the median of what each stage took at each size.

    Args:
        reports: Their ``report.json``. A stage that was reused has nothing to say; one of another
            version has: what a stage takes changes less than what it makes.

    Raises:
        DataError: A run had settings of its own, which its report does not list stage by stage.
    """
    from voltx_core.config import resolve
    from voltx_core.stages import graph
    from voltx_core.stages.fingerprint import settings

    took: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for report in reports:
        if report["overrides"]:
            changed = ", ".join(setting["key"] for setting in report["overrides"])
            raise DataError(f"{report['run_id']} is no plain run of its preset: it sets {changed}.")
        for stage in report["stages"]:
            spec = graph.specs().get(stage["name"])
            if spec and stage["state"] == "committed":
                took.setdefault((stage["name"], report["preset"]), []).append(stage)
    stages: dict[str, list[dict[str, Any]]] = {}
    for (name, preset), found in took.items():
        mark = Mark(
            seconds=round(statistics.median(stage["work_s"] for stage in found), 2),
            size=max(sum(a["size"] for a in stage["artifacts"].values()) for stage in found),
            settings=settings(graph.specs()[name], resolve(preset, environ={})),
        )
        stages.setdefault(name, []).append(asdict(mark))
    runs = [report["run_id"] for report in reports]
    return {"runs": runs, "speed": asdict(probe()), "stages": stages}


if __name__ == "__main__":
    print(json.dumps(record([json.loads(Path(p).read_text()) for p in sys.argv[1:]]), indent=1))
