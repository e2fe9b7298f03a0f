"""Phase 5.2: other languages, independent of each other."""

from tasks.dispatch import Waits, run_stage
from tasks.run import Run


def javascript(run: Run, *after: Waits) -> Waits:
    """JavaScript, judged by node."""
    return run_stage(run, "javascript", "5.2a · JavaScript", *after)


def java(run: Run, *after: Waits) -> Waits:
    """Java, judged by the JDK."""
    return run_stage(run, "java", "5.2b · Java", *after)


def rust_go(run: Run, *after: Waits) -> Waits:
    """Rust and Go, judged by their compilers."""
    return run_stage(run, "rust_go", "5.2c · Rust and Go", *after)
