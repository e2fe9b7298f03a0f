"""Families that boil a list of integers down to one integer or one truth value."""

from math import prod

from voltx_core.data.generator.families.constants import SMALL
from voltx_core.data.generator.families.family import Family, family, require


def _defined_on_items(operation):
    """The operation, undefined on the empty list."""

    def guarded(xs: list[int]) -> int:
        require(len(xs) > 0)
        return operation(xs)

    return guarded


REDUCTIONS: tuple[Family, ...] = (
    family(
        "sum",
        "ints -> int",
        sum,
        train=(
            "return the sum",
            "add up all the numbers",
            "compute the total",
            "sum the values",
        ),
        nested="the sum of {}",
        seen=("sum up the numbers",),
        unseen=("give the grand aggregate",),
    ),
    family(
        "product",
        "ints -> int",
        prod,
        train=(
            "return the product",
            "multiply all the numbers together",
            "compute the product",
            "multiply the values together",
        ),
        nested="the product of {}",
        seen=("multiply all elements together",),
        unseen=("give the multiplicative aggregate",),
    ),
    family(
        "maximum",
        "ints -> int",
        _defined_on_items(lambda xs: sorted(xs)[-1]),
        train=(
            "return the maximum",
            "find the largest number",
            "return the largest value",
            "find the maximum",
        ),
        nested="the maximum of {}",
        seen=("return the largest element",),
        unseen=("give the biggest entry",),
    ),
    family(
        "minimum",
        "ints -> int",
        _defined_on_items(lambda xs: sorted(xs)[0]),
        train=(
            "return the minimum",
            "find the smallest number",
            "return the smallest value",
            "find the minimum",
        ),
        nested="the minimum of {}",
        seen=("return the smallest element",),
        unseen=("give the tiniest entry",),
    ),
    family(
        "length",
        "ints -> int",
        lambda xs: sum(1 for _ in xs),
        train=(
            "count the numbers",
            "return the length of the list",
            "count the elements",
            "return how many numbers there are",
        ),
        nested="the number of elements in {}",
        seen=("return how many elements there are",),
        unseen=("report the population size",),
    ),
    family(
        "mean",
        "ints -> int",
        _defined_on_items(lambda xs: sum(xs) // len(xs)),
        train=(
            "return the mean rounded down",
            "compute the average rounded down",
            "find the floor of the mean",
            "return the integer average",
        ),
        nested="the mean rounded down of {}",
        seen=("compute the mean rounded down",),
        unseen=("give the arithmetic centre truncated",),
    ),
    family(
        "first",
        "ints -> int",
        _defined_on_items(lambda xs: next(iter(xs))),
        train=(
            "return the first number",
            "take the first element",
            "return the first value",
            "pick the first number",
        ),
        nested="the first element of {}",
        seen=("pick the first value",),
        unseen=("give the leading entry",),
    ),
    family(
        "last",
        "ints -> int",
        _defined_on_items(lambda xs: next(reversed(xs))),
        train=(
            "return the last number",
            "take the last element",
            "return the last value",
            "pick the last number",
        ),
        nested="the last element of {}",
        seen=("pick the last value",),
        unseen=("give the final tail entry",),
    ),
    family(
        "spread",
        "ints -> int",
        _defined_on_items(lambda xs: sorted(xs)[-1] - sorted(xs)[0]),
        train=(
            "return the range of the values",
            "subtract the minimum from the maximum",
            "compute the difference of maximum and minimum",
            "return the maximum minus the minimum",
        ),
        nested="the range of {}",
        seen=("compute the maximum minus the minimum",),
        unseen=("give the overall span",),
    ),
    family(
        "count_even",
        "ints -> int",
        lambda xs: len([x for x in xs if not x & 1]),
        train=(
            "count the even numbers",
            "return how many values are even",
            "count how many elements are even",
            "return the number of even values",
        ),
        nested="the number of even values in {}",
        seen=("count the even elements",),
        unseen=("tally the even entries",),
    ),
    family(
        "count_greater",
        "ints -> int",
        lambda xs, k: len([x for x in xs if not x <= k]),
        constants=SMALL,
        train=(
            "count the numbers greater than {k}",
            "return how many values are above {k}",
            "count how many elements are larger than {k}",
            "return the number of values over {k}",
        ),
        nested="the number of values greater than {k} in {}",
        seen=("count the elements above {k}",),
        unseen=("tally entries exceeding {k}",),
    ),
    family(
        "count_distinct",
        "ints -> int",
        lambda xs: sum(x not in xs[:i] for i, x in enumerate(xs)),
        train=(
            "count the distinct numbers",
            "return how many distinct values there are",
            "count the different values",
            "return the number of distinct elements",
        ),
        nested="the number of distinct values in {}",
        seen=("count the distinct elements",),
        unseen=("report the cardinality without repeats",),
    ),
    family(
        "is_sorted",
        "ints -> flag",
        lambda xs: all(xs[i] <= xs[i + 1] for i in range(len(xs) - 1)),
        train=(
            "check whether the numbers are sorted",
            "check if the list is in ascending order",
            "return whether the values are sorted",
            "tell if the list is sorted",
        ),
        nested="whether {} is sorted",
        seen=("tell whether the values are in ascending order",),
        unseen=("verify a monotone arrangement",),
        samples=([1, 2, 3], [1, 1, 2, 9], [2, 1], [-5, -5, 0]),
    ),
    family(
        "contains",
        "ints -> flag",
        lambda xs, k: any(x == k for x in xs),
        constants=SMALL,
        train=(
            "check whether {k} is in the list",
            "return whether the list contains {k}",
            "check if any number equals {k}",
            "tell if {k} is among the values",
        ),
        nested="whether {} contains {k}",
        seen=("tell whether {k} is among the numbers",),
        unseen=("verify the presence of {k}",),
    ),
)
