"""Number theory that several families mean."""

from voltx_core.data.generator.families.family import require


def digit_total(n: int) -> int:
    """The sum of the decimal digits of a non-negative integer."""
    require(n >= 0)
    total = 0
    while n:
        n, digit = divmod(n, 10)
        total += digit
    return total


def divisor_count(n: int) -> int:
    """How many positive integers divide a positive integer (zero for anything below one)."""
    require(n <= 2000)
    return sum(n % d == 0 for d in range(1, n + 1))


def prime(n: int) -> bool:
    """Whether an integer is prime, by trial division up to its root."""
    require(n <= 100_000)
    if n < 2:
        return False
    d = 2
    while d * d <= n:
        if n % d == 0:
            return False
        d += 1
    return True
