"""Families that start from one integer."""

from math import prod

from voltx_core.data.generator.families.arithmetic import digit_total
from voltx_core.data.generator.families.constants import FACTORS, SMALL
from voltx_core.data.generator.families.family import Family, family, require


def _factorial(n: int) -> int:
    require(0 <= n <= 18)
    return prod(range(1, n + 1))


def _reverse_digits(n: int) -> int:
    require(n >= 0)
    out = 0
    while n:
        n, digit = divmod(n, 10)
        out = out * 10 + digit
    return out


def _digits(n: int) -> list[int]:
    require(n >= 0)
    out = [n % 10]
    while n >= 10:
        n //= 10
        out.insert(0, n % 10)
    return out


def _range_to(n: int) -> list[int]:
    require(n <= 40)
    out = []
    i = 1
    while i <= n:
        out.append(i)
        i += 1
    return out


NUMBERS: tuple[Family, ...] = (
    family(
        "add_number",
        "int -> int",
        lambda n, k: k + n,
        constants=SMALL,
        train=(
            "add {k} to the result",
            "add {k} to the number",
            "increase the number by {k}",
            "increase the result by {k}",
        ),
        nested="{} plus {k}",
        seen=("increase by {k} the result",),
        unseen=("bump it upward by {k}",),
    ),
    family(
        "multiply_number",
        "int -> int",
        lambda n, k: k * n,
        constants=FACTORS,
        train=(
            "multiply the result by {k}",
            "multiply the number by {k}",
            "return {k} times the number",
            "return {k} times the result",
        ),
        nested="{k} times {}",
        seen=("multiply by {k} the result",),
        unseen=("scale it by factor {k}",),
    ),
    family(
        "square_number",
        "int -> int",
        lambda n: n**2,
        train=(
            "square the result",
            "square the number",
            "return the square of the number",
            "return the square of the result",
        ),
        nested="the square of {}",
        seen=("compute the square of the number",),
        unseen=("raise it to its second power",),
    ),
    family(
        "factorial",
        "int -> int",
        _factorial,
        train=(
            "compute the factorial",
            "return the factorial of the number",
            "take the factorial of the result",
            "multiply all numbers up to it",
        ),
        nested="the factorial of {}",
        seen=("compute the factorial of the number",),
        unseen=("evaluate n bang",),
    ),
    family(
        "digit_total",
        "int -> int",
        digit_total,
        train=(
            "sum the digits",
            "return the sum of the digits",
            "add up the digits",
            "compute the digit sum of the number",
        ),
        nested="the sum of the digits of {}",
        seen=("compute the sum of the digits",),
        unseen=("total its numerals",),
        samples=(48, 305, 9999, 12, 70, 0),
    ),
    family(
        "reverse_digits",
        "int -> int",
        _reverse_digits,
        train=(
            "reverse the digits",
            "reverse the digits of the number",
            "put the digits in reverse order",
            "read the digits from the end",
        ),
        nested="the reversed digits of {}",
        seen=("put the digits of the number in reverse order",),
        unseen=("mirror its numerals",),
        samples=(48, 305, 120, 12, 7001, 0),
    ),
    family(
        "is_even",
        "int -> flag",
        lambda n: not n & 1,
        train=(
            "check whether the number is even",
            "tell if the result is even",
            "return whether the number is even",
            "check if the result is even",
        ),
        nested="whether {} is even",
        seen=("tell whether the number is even",),
        unseen=("verify its parity is even",),
    ),
    family(
        "range_to",
        "int -> ints",
        _range_to,
        train=(
            "list the numbers from 1 to n",
            "build the list from 1 to the number",
            "count from 1 to the number",
            "make the list of numbers up to n",
        ),
        nested="the numbers from 1 to {}",
        seen=("build the list of numbers from 1 to n",),
        unseen=("enumerate naturals through n",),
    ),
    family(
        "digits",
        "int -> ints",
        _digits,
        train=(
            "list the digits",
            "split the number into digits",
            "turn the number into its digits",
            "make the list of its digits",
        ),
        nested="the digits of {}",
        seen=("turn the number into the list of digits",),
        unseen=("decompose it as numerals",),
        samples=(48, 305, 9999, 12, 7001, 0),
    ),
)
