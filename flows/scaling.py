"""Phase 5.1: a larger velocity field from the trained one."""

from tasks.dispatch import Waits, run_stage
from tasks.run import Run


def scaling(run: Run, *after: Waits) -> Waits:
    """Up the ladder of sizes."""
    return run_stage(run, "scaling", "5.1 · scaling", *after)
