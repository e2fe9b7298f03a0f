"""Phase 5.3: what all of it is worth."""

from tasks.dispatch import Waits, run_stage
from tasks.run import Run


def benchmarks(run: Run, *after: Waits) -> Waits:
    """Suites, pass@k, ablations and the transformer of equal FLOPs."""
    return run_stage(run, "benchmarks", "5.3 · benchmarks", *after)
