"""Phase 2: the soft core."""

from tasks.dispatch import Waits, run_stage
from tasks.run import Run


def soft_core(run: Run, *after: Waits) -> Waits:
    """Velocity field, slot attention and diffusion, trained together."""
    return run_stage(run, "soft_core", "2 · soft core", *after)
