"""Phase 0.3: the codebook of frames."""

from tasks.dispatch import Waits, run_stage
from tasks.run import Run


def codebook(run: Run, *after: Waits) -> Waits:
    """Centroids of corpus frames and their nearest-neighbour index."""
    return run_stage(run, "codebook", "0.3 · codebook", *after)
