"""Limits of a problem from what its reference solution needs.

A loop that never ends costs as much as hundreds of programs when every problem has the same
generous limit. Ten times the reference's own CPU time ends it early and leaves room for solutions
that are merely slow; the wall clock stands far behind, because on a busy machine it measures the
machine.
"""

import dataclasses
import math

from voltx_core.judge.program import Limits

FLOOR_CPU_S = 0.25
FACTOR = 10.0
_STEPS_PER_OCTAVE = 4


def calibrated(reference_cpu_s: float, base: Limits) -> Limits:
    """Limits for programs that solve the same problem as a reference.

    CPU time is rounded up to a quarter of an octave, so that references measured twice mostly
    give the same limit.

    Args:
        reference_cpu_s: CPU seconds that the reference needed for all its tests.
        base: where the other limits come from; its wall limit is a lower bound.

    Returns:
        ``max(0.25 s, 10 x reference)`` of CPU time, and wall time of at least 10 times that.

    Raises:
        ValueError: the reference has used no or negative time: it was not run.
    """
    if not reference_cpu_s > 0:
        raise ValueError(f"reference_cpu_s is {reference_cpu_s}: run the reference first")
    steps = math.log2(max(1.0, FACTOR * reference_cpu_s / FLOOR_CPU_S)) * _STEPS_PER_OCTAVE
    cpu_s = FLOOR_CPU_S * 2 ** (math.ceil(steps) / _STEPS_PER_OCTAVE)
    return dataclasses.replace(
        base, cpu_s=round(cpu_s, 3), wall_s=max(base.wall_s, math.ceil(10 * cpu_s))
    )
