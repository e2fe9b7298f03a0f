"""Phase 3: the hard core, three networks that do not need each other."""

from tasks.dispatch import Waits, run_stage
from tasks.run import Run


def router(run: Run, *after: Waits) -> Waits:
    """Which strand answers a query."""
    return run_stage(run, "router", "3.1 · router", *after)


def certainty(run: Run, *after: Waits) -> Waits:
    """How far an answer is to be trusted."""
    return run_stage(run, "certainty", "3.2 · certainty", *after)


def safety(run: Run, *after: Waits) -> Waits:
    """What is refused."""
    return run_stage(run, "safety", "3.3 · safety", *after)
