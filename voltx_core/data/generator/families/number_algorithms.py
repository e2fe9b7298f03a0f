"""Algorithms on one integer."""

from itertools import pairwise
from math import isqrt

from voltx_core.data.generator.families.arithmetic import prime
from voltx_core.data.generator.families.constants import FACTORS
from voltx_core.data.generator.families.family import Family, family, require


def _fibonacci(n: int) -> int:
    require(n <= 60)
    a, b = 0, 1
    while n > 0:
        a, b, n = b, a + b, n - 1
    return a


def _collatz(n: int) -> int:
    require(1 <= n <= 1000)
    return 0 if n == 1 else 1 + _collatz(3 * n + 1 if n & 1 else n // 2)


def _binary(n: int) -> str:
    require(n >= 0)
    return format(n, "b") if n else ""


def _base_digits(n: int, k: int) -> list[int]:
    require(n >= 0)
    out = []
    while n:
        out.insert(0, n % k)
        n //= k
    return out


def _digital_root(n: int) -> int:
    require(n >= 0)
    return 0 if n == 0 else 1 + (n - 1) % 9


def _pascal(n: int) -> list[int]:
    require(0 <= n <= 20)
    row = [1]
    for _ in range(n):
        row = [1, *(a + b for a, b in pairwise(row)), 1]
    return row


def _prime_factors(n: int) -> list[int]:
    require(1 <= n <= 10_000)
    for d in range(2, n + 1):
        if n % d == 0:
            return [d, *_prime_factors(n // d)]
    return []


def _root(n: int) -> int:
    require(0 <= n <= 100_000)
    return isqrt(n)


def _primes_below(n: int) -> int:
    require(2 <= n <= 2000)
    return sum(prime(i) for i in range(n))


def _power_mod(n: int, k: int) -> int:
    require(0 <= n <= 200)
    return pow(2, n, k)


NUMBER_ALGORITHMS: tuple[Family, ...] = (
    family(
        "is_prime",
        "int -> flag",
        prime,
        algorithm=True,
        train=(
            "check whether the number is prime",
            "tell if the result is prime",
            "return whether the number is prime",
            "check if the number is a prime",
        ),
        nested="whether {} is prime",
        seen=("tell whether the number is a prime",),
        unseen=("verify it is indivisible",),
        samples=(1, 2, 4, 9, 13, 25, 29, 49),
    ),
    family(
        "fibonacci",
        "int -> int",
        _fibonacci,
        algorithm=True,
        train=(
            "compute the fibonacci number",
            "return the fibonacci number at that index",
            "find the fibonacci number of the result",
            "take the fibonacci number of n",
        ),
        nested="the fibonacci number of {}",
        seen=("find the fibonacci number at that index",),
        unseen=("determine the rabbit series term",),
    ),
    family(
        "collatz",
        "int -> int",
        _collatz,
        algorithm=True,
        train=(
            "count the collatz steps",
            "return the number of collatz steps",
            "compute how many collatz steps reach 1",
            "count collatz steps to 1",
        ),
        nested="the number of collatz steps of {}",
        seen=("compute the number of collatz steps to 1",),
        unseen=("measure the hailstone trajectory",),
        samples=(1, 2, 3, 6, 7, 11, 27),
    ),
    family(
        "digital_root",
        "int -> int",
        _digital_root,
        algorithm=True,
        train=(
            "compute the digital root",
            "return the digital root of the number",
            "sum digits until one digit is left",
            "add the digits until one is left",
        ),
        nested="the digital root of {}",
        seen=("add digits until one digit is left",),
        unseen=("collapse numerals repeatedly",),
        samples=(48, 305, 9999, 12, 7001, 199),
    ),
    family(
        "square_root",
        "int -> int",
        _root,
        algorithm=True,
        train=(
            "compute the integer square root",
            "return the square root rounded down",
            "find the integer square root of the number",
            "take the square root rounded down",
        ),
        nested="the integer square root of {}",
        seen=("find the square root of the number rounded down",),
        unseen=("determine the truncated radical",),
        samples=(0, 1, 3, 4, 15, 16, 50, 99),
    ),
    family(
        "count_primes",
        "int -> int",
        _primes_below,
        algorithm=True,
        train=(
            "count the primes below n",
            "return the number of primes below the number",
            "count primes with a sieve",
            "sieve the primes below n and count them",
        ),
        nested="the number of primes below {}",
        seen=("count primes below the number with a sieve",),
        unseen=("tally unfactorable integers beneath it",),
        samples=(2, 3, 4, 10, 11, 30, 50, 100),
    ),
    family(
        "power_mod",
        "int -> int",
        _power_mod,
        algorithm=True,
        constants=FACTORS,
        train=(
            "compute 2 to the power n modulo {k}",
            "return the power of 2 modulo {k}",
            "find 2 to the power n modulo {k}",
            "take the power of 2 modulo {k}",
        ),
        nested="2 to the power {} modulo {k}",
        seen=("find the power of 2 modulo {k}",),
        unseen=("exponentiate two within residues {k}",),
    ),
    family(
        "prime_factors",
        "int -> ints",
        _prime_factors,
        algorithm=True,
        train=(
            "list the prime factors",
            "split the number into prime factors",
            "find the prime factors of the number",
            "make the list of prime factors",
        ),
        nested="the prime factors of {}",
        seen=("find the list of prime factors",),
        unseen=("decompose it multiplicatively",),
        samples=(1, 2, 12, 60, 49, 97, 90),
    ),
    family(
        "pascal_row",
        "int -> ints",
        _pascal,
        algorithm=True,
        train=(
            "build the row of the pascal triangle",
            "return row n of the pascal triangle",
            "compute the pascal triangle row",
            "make the pascal triangle row of n",
        ),
        nested="the pascal triangle row of {}",
        seen=("compute row n of the pascal triangle",),
        unseen=("produce binomial coefficients",),
    ),
    family(
        "base_digits",
        "int -> ints",
        _base_digits,
        algorithm=True,
        constants=FACTORS,
        train=(
            "list the digits in base {k}",
            "convert the number to base {k}",
            "write the number in base {k}",
            "find the base {k} digits",
        ),
        nested="the base {k} digits of {}",
        seen=("convert to base {k} digits",),
        unseen=("express radix {k} numerals",),
        samples=(0, 5, 48, 100, 81, 255, 12),
    ),
    family(
        "binary",
        "int -> text",
        _binary,
        algorithm=True,
        train=(
            "convert the number to binary",
            "write the number in binary",
            "return the binary digits as a string",
            "build the binary string of the number",
        ),
        nested="the binary string of {}",
        seen=("convert the number to a binary string",),
        unseen=("express it bitwise",),
        samples=(1, 2, 5, 10, 37, 64, 0),
    ),
)
