"""pass@k: the chance that at least one of k samples solves a problem."""

from collections.abc import Iterable


def pass_at_k(samples: int, passed: int, k: int) -> float:
    """Unbiased estimate of pass@k of one problem from ``samples`` >= k drawn programs.

    1 - C(n-c, k) / C(n, k), as a product so that nothing overflows.

    Args:
        samples: n, programs drawn.
        passed: c, how many of them passed every test.
        k: Attempts allowed.

    Returns:
        A probability in [0, 1].

    Raises:
        ValueError: k is larger than n (no unbiased estimate exists), or the counts make no sense.

    Source: Chen et al. 2021, "Evaluating Large Language Models Trained on Code", equation 1.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    if k > samples:
        raise ValueError(
            f"pass@{k} cannot be estimated from {samples} samples a problem; draw at least {k}"
        )
    if not 0 <= passed <= samples:
        raise ValueError(f"{passed} of {samples} samples passed: not a possible count")
    failing = 1.0  # chance that k draws without replacement all fail
    for i in range(k):
        failing *= max(samples - passed - i, 0) / (samples - i)
    return 1.0 - failing


def pass_at_k_each(counts: Iterable[tuple[int, int]], k: int) -> list[float]:
    """``pass_at_k`` of every problem, given (samples, passed) pairs; their mean is the score."""
    return [pass_at_k(samples, passed, k) for samples, passed in counts]
