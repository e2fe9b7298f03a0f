"""Algorithms on a list of integers."""

from itertools import accumulate, pairwise
from math import gcd

from voltx_core.data.generator.families.constants import SMALL
from voltx_core.data.generator.families.family import Family, family, require


def _found_in_sorted(xs: list[int], k: int) -> bool:
    require(all(a <= b for a, b in pairwise(xs)))
    return any(x == k for x in xs)


def _longest_rise(xs: list[int]) -> int:
    best = 0
    for start in range(len(xs)):
        end = start + 1
        while end < len(xs) and xs[end] > xs[end - 1]:
            end += 1
        best = max(best, end - start - 1)
    return best


def _max_subarray(xs: list[int]) -> int:
    sums = [0, *accumulate(xs)]
    return max(b - a for i, a in enumerate(sums) for b in sums[i:])


def _best_profit(xs: list[int]) -> int:
    return max((b - a for i, a in enumerate(xs) for b in xs[i:]), default=0)


LIST_ALGORITHMS: tuple[Family, ...] = (
    family(
        "gcd",
        "ints -> int",
        lambda xs: gcd(*xs),
        algorithm=True,
        train=(
            "compute the greatest common divisor",
            "return the gcd of the numbers",
            "find the gcd",
            "find the greatest common divisor of the values",
        ),
        nested="the greatest common divisor of {}",
        seen=("compute the gcd of the values",),
        unseen=("determine the highest shared factor",),
        samples=([12, 18], [9, 27, 6], [35, 14, 21], [8], [10, 4, 6], [-12, 30]),
    ),
    family(
        "max_subarray",
        "ints -> int",
        _max_subarray,
        algorithm=True,
        train=(
            "find the maximum subarray sum",
            "return the largest sum of a subarray",
            "compute the maximum subarray sum",
            "return the maximum sum of a subarray",
        ),
        nested="the maximum subarray sum of {}",
        seen=("find the largest subarray sum",),
        unseen=("determine the best contiguous block",),
        samples=([-2, 1, -3, 4, -1, 2, 1, -5, 4], [-3, -1], [5, -9, 6, 1], [2, -1, 2]),
    ),
    family(
        "best_profit",
        "ints -> int",
        _best_profit,
        algorithm=True,
        train=(
            "find the best profit of buy and sell",
            "compute the largest profit",
            "return the best buy and sell profit",
            "find the largest gain from buy to sell",
        ),
        nested="the best profit of {}",
        seen=("compute the best profit from buy to sell",),
        unseen=("determine optimal stock earnings",),
        samples=([7, 1, 5, 3, 6, 4], [9, 4, 2], [2, 8, 1, 5], [3, 3, 10]),
    ),
    family(
        "longest_rise",
        "ints -> int",
        _longest_rise,
        algorithm=True,
        train=(
            "find the longest run of increases",
            "return the length of the longest run of increases",
            "compute the longest run of increases",
            "count the longest run of increases",
        ),
        nested="the longest run of increases in {}",
        seen=("find the length of the longest run of increases",),
        unseen=("determine the greatest climbing streak",),
        samples=([1, 2, 3, 1, 2], [5, 4, 3], [2, 2, 3, 4, 9, 0]),
    ),
    family(
        "count_pairs",
        "ints -> int",
        lambda xs, k: sum(a + b == k for i, a in enumerate(xs) for b in xs[:i]),
        algorithm=True,
        constants=SMALL,
        train=(
            "count the pairs with sum {k}",
            "count pairs that add up to {k}",
            "return how many pairs sum to {k}",
            "return the number of pairs with sum {k}",
        ),
        nested="the number of pairs with sum {k} in {}",
        seen=("count how many pairs add up to {k}",),
        unseen=("tally couples totalling {k}",),
        samples=([1, 2, 3, 4, 5, 6], [1, 1, 2, 2, 3], [0, 3, 4, 5, 6, 7, 8, 9], [2, 2, 1, 3, 4]),
    ),
    family(
        "search",
        "ints -> flag",
        _found_in_sorted,
        algorithm=True,
        constants=SMALL,
        train=(
            "binary search for {k}",
            "check by binary search if {k} is there",
            "tell by binary search whether {k} is in the list",
            "find {k} by binary search",
        ),
        nested="by binary search whether {} contains {k}",
        seen=("check whether {k} is in the list by binary search",),
        unseen=("bisect toward {k}",),
        samples=(
            [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
            [2, 3, 5, 8, 8, 9, 12],
            [-4, 0, 2, 2, 4, 6, 7, 9],
            [5],
            [1, 3, 5, 7, 9, 11],
            [2, 4, 6, 8, 10],
        ),
    ),
    family(
        "insertion_sort",
        "ints -> ints",
        lambda xs: sorted(xs),
        algorithm=True,
        train=(
            "insertion sort the numbers",
            "sort the list with insertion sort",
            "apply insertion sort",
            "insertion sort the list",
        ),
        nested="the insertion sorted values of {}",
        seen=("sort the numbers with insertion sort",),
        unseen=("order by shifting into place",),
    ),
)
