"""How much of a run's wall time was work of its stages."""

from collections.abc import Sequence
from datetime import datetime

from voltx_core.report.content import StageCard, WallTime
from voltx_core.stages.timings import covered

LIFE_CYCLE = ("stage.preflight", "stage.pull", "stage.resume", "stage.run", "stage.commit")


def wall_time(
    started_at: datetime | None, finished_at: datetime | None, stages: Sequence[StageCard]
) -> WallTime:
    """Add up a run.

    Args:
        started_at: When the run was recorded.
        finished_at: Its last sign of life.
        stages: Those that were reused count as no work: their time was spent in another run.
    """
    spans = [(start, end or finished_at) for stage in stages for start, end in stage.spans]
    known = [(start, end) for start, end in spans if end is not None and end > start]
    wall_s = None
    if started_at is not None and finished_at is not None:
        wall_s = max(0.0, (finished_at - started_at).total_seconds())
    parts: dict[str, float] = {}
    for stage in stages:
        if stage.state == "committed":
            for name in (*LIFE_CYCLE, "checkpoint.saves"):
                if name in stage.timings_s:
                    parts[name] = parts.get(name, 0.0) + stage.timings_s[name]
    return WallTime(
        wall_s=wall_s,
        stages_s=sum((end - start).total_seconds() for start, end in known),
        covered_s=covered(known),
        parts_s=parts,
    )
