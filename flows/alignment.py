"""Phase 4: alignment, each step on the model of the one before."""

from tasks.dispatch import Waits, run_stage
from tasks.run import Run


def e2e(run: Run, *after: Waits) -> Waits:
    """End to end: from query to running program."""
    return run_stage(run, "e2e", "4.1 · end to end", *after)


def rlvf(run: Run, *after: Waits) -> Waits:
    """Reinforcement learning from the verdicts of the judge."""
    return run_stage(run, "rlvf", "4.2 · RLVF", *after)


def sleep(run: Run, *after: Waits) -> Waits:
    """Consolidation, kept only if it helps."""
    return run_stage(run, "sleep", "4.3 · sleep", *after)
