"""Families that turn a list of integers into a list of integers."""

from itertools import accumulate, pairwise

from voltx_core.data.generator.family import Family, family, require

SMALL = tuple(range(2, 10))
FACTORS = tuple(range(3, 10))


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


FILTERS: tuple[Family, ...] = (
    family(
        "keep_even",
        "ints -> ints",
        lambda xs: [x for x in xs if not x & 1],
        train=(
            "keep the even numbers",
            "keep only even values",
            "select the even elements",
            "drop the odd numbers",
        ),
        nested="the even numbers in {}",
        seen=("select only the numbers that are even",),
        unseen=("retain the even entries",),
    ),
    family(
        "keep_odd",
        "ints -> ints",
        lambda xs: [x for x in xs if x & 1],
        train=(
            "keep the odd numbers",
            "keep only odd values",
            "select the odd elements",
            "drop the even numbers",
        ),
        nested="the odd numbers in {}",
        seen=("select only the numbers that are odd",),
        unseen=("retain the odd entries",),
    ),
    family(
        "keep_positive",
        "ints -> ints",
        lambda xs: [x for x in xs if x >= 1],
        train=(
            "keep the positive numbers",
            "keep only positive values",
            "select the positive elements",
            "keep the numbers above zero",
        ),
        nested="the positive numbers in {}",
        seen=("select only the values that are positive",),
        unseen=("discard everything nonpositive",),
    ),
    family(
        "keep_negative",
        "ints -> ints",
        lambda xs: [x for x in xs if x <= -1],
        train=(
            "keep the negative numbers",
            "keep only negative values",
            "select the negative elements",
            "keep the numbers below zero",
        ),
        nested="the negative numbers in {}",
        seen=("select only the values that are negative",),
        unseen=("discard everything nonnegative",),
    ),
    family(
        "keep_multiples",
        "ints -> ints",
        lambda xs, k: [x for x in xs if x // k * k == x],
        constants=FACTORS,
        train=(
            "keep the multiples of {k}",
            "keep numbers divisible by {k}",
            "select the values divisible by {k}",
            "keep only multiples of {k}",
        ),
        nested="the multiples of {k} in {}",
        seen=("select only the numbers that are divisible by {k}",),
        unseen=("retain whatever {k} divides",),
    ),
    family(
        "keep_greater",
        "ints -> ints",
        lambda xs, k: [x for x in xs if not x <= k],
        constants=SMALL,
        train=(
            "keep numbers greater than {k}",
            "keep the values above {k}",
            "select the elements larger than {k}",
            "keep only numbers over {k}",
        ),
        nested="the numbers greater than {k} in {}",
        seen=("select only the values that are over {k}",),
        unseen=("retain entries exceeding {k}",),
    ),
    family(
        "keep_less",
        "ints -> ints",
        lambda xs, k: [x for x in xs if not x >= k],
        constants=SMALL,
        train=(
            "keep numbers less than {k}",
            "keep the values below {k}",
            "select the elements smaller than {k}",
            "keep only numbers under {k}",
        ),
        nested="the numbers less than {k} in {}",
        seen=("select only the values that are under {k}",),
        unseen=("retain entries beneath {k}",),
    ),
    family(
        "remove_value",
        "ints -> ints",
        lambda xs, k: [x for x in xs if x - k],
        constants=SMALL,
        train=(
            "remove every {k}",
            "drop all values equal to {k}",
            "remove the elements equal to {k}",
            "keep numbers different from {k}",
        ),
        nested="the numbers different from {k} in {}",
        seen=("drop every element equal to {k}",),
        unseen=("discard any occurrence of {k}",),
    ),
    family(
        "keep_primes",
        "ints -> ints",
        lambda xs: [x for x in xs if prime(x)],
        train=(
            "keep the prime numbers",
            "keep only primes",
            "select the prime values",
            "keep the elements that are prime",
        ),
        nested="the prime numbers in {}",
        seen=("select only the primes",),
        unseen=("discard all composites",),
    ),
)

MAPS: tuple[Family, ...] = (
    family(
        "square",
        "ints -> ints",
        lambda xs: [x**2 for x in xs],
        train=(
            "square each number",
            "square every element",
            "replace each value by its square",
            "square all the values",
        ),
        nested="the squares of {}",
        seen=("replace every number by its square",),
        unseen=("raise each entry to its second power",),
    ),
    family(
        "double",
        "ints -> ints",
        lambda xs: [x + x for x in xs],
        train=(
            "double each number",
            "double every element",
            "replace each value by its double",
            "double all the values",
        ),
        nested="the doubles of {}",
        seen=("replace every number by its double",),
        unseen=("scale each entry twofold",),
    ),
    family(
        "negate",
        "ints -> ints",
        lambda xs: [0 - x for x in xs],
        train=(
            "negate each number",
            "negate every element",
            "flip the sign of each value",
            "change the sign of all numbers",
        ),
        nested="the negations of {}",
        seen=("change the sign of every element",),
        unseen=("invert the polarity of each entry",),
    ),
    family(
        "absolute",
        "ints -> ints",
        lambda xs: [x if x > 0 else -x for x in xs],
        train=(
            "take the absolute value of each number",
            "make every element absolute",
            "replace each value by its absolute value",
            "take absolute values",
        ),
        nested="the absolute values of {}",
        seen=("replace every number by its absolute value",),
        unseen=("take the magnitude of each entry",),
    ),
    family(
        "add_each",
        "ints -> ints",
        lambda xs, k: [k + x for x in xs],
        constants=SMALL,
        train=(
            "add {k} to each number",
            "add {k} to every element",
            "increase each value by {k}",
            "increase all numbers by {k}",
        ),
        nested="each number plus {k} in {}",
        seen=("increase every element by {k}",),
        unseen=("raise all entries upward by {k}",),
    ),
    family(
        "multiply_each",
        "ints -> ints",
        lambda xs, k: [k * x for x in xs],
        constants=FACTORS,
        train=(
            "multiply each number by {k}",
            "multiply every element by {k}",
            "multiply all the values by {k}",
            "replace each value by {k} times it",
        ),
        nested="each number times {k} in {}",
        seen=("multiply the elements by {k}",),
        unseen=("scale entries by factor {k}",),
    ),
    family(
        "subtract_each",
        "ints -> ints",
        lambda xs, k: [-(k - x) for x in xs],
        constants=SMALL,
        train=(
            "subtract {k} from each number",
            "subtract {k} from every element",
            "decrease each value by {k}",
            "decrease all numbers by {k}",
        ),
        nested="each number minus {k} in {}",
        seen=("decrease every element by {k}",),
        unseen=("lower all entries by {k}",),
    ),
    family(
        "mod_each",
        "ints -> ints",
        lambda xs, k: [x - k * (x // k) for x in xs],
        constants=FACTORS,
        train=(
            "take each number modulo {k}",
            "replace each value by its remainder modulo {k}",
            "reduce every element modulo {k}",
            "take the remainder of each number by {k}",
        ),
        nested="the remainders by {k} of {}",
        seen=("replace every number by its remainder by {k}",),
        unseen=("wrap each entry around {k}",),
    ),
    family(
        "zero_negatives",
        "ints -> ints",
        lambda xs: [max(x, 0) for x in xs],
        train=(
            "replace negative numbers with zero",
            "set negative values to zero",
            "change every negative element to zero",
            "turn negative numbers into zero",
        ),
        nested="{} with negatives set to zero",
        seen=("set every negative number to zero",),
        unseen=("clamp entries at a zero floor",),
    ),
    family(
        "digit_sums",
        "ints -> ints",
        lambda xs: [digit_total(x) for x in xs],
        train=(
            "replace each number by its digit sum",
            "take the digit sum of every element",
            "replace each value by the sum of its digits",
            "turn each number into its digit sum",
        ),
        nested="the digit sums of {}",
        seen=("turn every element into the sum of its digits",),
        unseen=("collapse each entry onto its digit total",),
        samples=([12, 305, 9], [47, 47, 100, 8], [0, 999], [31, 4, 26, 58], [123, 45, 6]),
    ),
    family(
        "divisor_counts",
        "ints -> ints",
        lambda xs: [divisor_count(x) for x in xs],
        train=(
            "replace each number by its number of divisors",
            "count the divisors of each number",
            "turn each value into its divisor count",
            "take the divisor count of every element",
        ),
        nested="the divisor counts of {}",
        seen=("count the divisors of every element",),
        unseen=("tally how many factors each entry has",),
        samples=([12, 7, 1], [6, 28, 13, 16], [24, 9], [2, 4, 8], [30, 30, 11]),
    ),
)

SHAPES: tuple[Family, ...] = (
    family(
        "take_first",
        "ints -> ints",
        lambda xs, k: [x for i, x in enumerate(xs) if i < k],
        constants=SMALL,
        train=(
            "take the first {k} numbers",
            "keep the first {k} elements",
            "select the first {k} values",
            "keep only the first {k} numbers",
        ),
        nested="the first {k} numbers of {}",
        seen=("select only the first {k} elements",),
        unseen=("retain the initial {k} entries",),
    ),
    family(
        "take_last",
        "ints -> ints",
        lambda xs, k: [x for i, x in enumerate(xs) if i >= len(xs) - k],
        constants=SMALL,
        train=(
            "take the last {k} numbers",
            "keep the last {k} elements",
            "select the last {k} values",
            "keep only the last {k} numbers",
        ),
        nested="the last {k} numbers of {}",
        seen=("select only the last {k} elements",),
        unseen=("retain the trailing {k} entries",),
    ),
    family(
        "drop_first",
        "ints -> ints",
        lambda xs, k: [x for i, x in enumerate(xs) if i >= k],
        constants=SMALL,
        train=(
            "drop the first {k} numbers",
            "remove the first {k} elements",
            "skip the first {k} values",
            "skip the first {k} numbers",
        ),
        nested="{} without the first {k} numbers",
        seen=("remove the first {k} values",),
        unseen=("discard the initial {k} entries",),
    ),
    family(
        "every_second",
        "ints -> ints",
        lambda xs: [x for i, x in enumerate(xs) if i % 2 == 0],
        train=(
            "take every second element",
            "keep every other number",
            "keep every second value",
            "select every other element",
        ),
        nested="every second element of {}",
        seen=("select every other value",),
        unseen=("retain alternate entries",),
    ),
    family(
        "reverse",
        "ints -> ints",
        lambda xs: list(reversed(xs)),
        train=(
            "reverse the list",
            "reverse the numbers",
            "reverse the order of the elements",
            "put the list in reverse order",
        ),
        nested="the reverse of {}",
        seen=("put the numbers in reverse order",),
        unseen=("arrange everything backwards",),
    ),
    family(
        "sort_ascending",
        "ints -> ints",
        lambda xs: [x for _, x in sorted((x, x) for x in xs)],
        train=(
            "sort the numbers",
            "sort the list in ascending order",
            "sort the values from smallest to largest",
            "put the numbers in ascending order",
        ),
        nested="the sorted values of {}",
        seen=("put the elements in order from smallest to largest",),
        unseen=("rank the entries upward",),
    ),
    family(
        "sort_descending",
        "ints -> ints",
        lambda xs: [-x for x in sorted(-x for x in xs)],
        train=(
            "sort the numbers in descending order",
            "sort the list in descending order",
            "sort the values from largest to smallest",
            "put the numbers in descending order",
        ),
        nested="the descending values of {}",
        seen=("put the elements in order from largest to smallest",),
        unseen=("rank the entries downward",),
    ),
    family(
        "unique",
        "ints -> ints",
        lambda xs: [x for i, x in enumerate(xs) if x not in xs[:i]],
        train=(
            "remove duplicates",
            "remove duplicate numbers",
            "keep the unique values",
            "drop duplicate elements",
        ),
        nested="the unique values of {}",
        seen=("keep only unique elements",),
        unseen=("deduplicate the entries",),
    ),
    family(
        "differences",
        "ints -> ints",
        lambda xs: [b - a for a, b in pairwise(xs)],
        train=(
            "take the differences of neighbours",
            "compute the differences between neighbours",
            "subtract each number from the next one",
            "replace the list by differences of neighbours",
        ),
        nested="the neighbour differences of {}",
        seen=("compute differences of the neighbours",),
        unseen=("find consecutive gaps",),
    ),
    family(
        "running_sums",
        "ints -> ints",
        lambda xs: list(accumulate(xs)),
        train=(
            "compute the running sums",
            "take the running totals",
            "replace each number by the running sum",
            "build the list of running sums",
        ),
        nested="the running sums of {}",
        seen=("build the running totals",),
        unseen=("accumulate partial additions",),
    ),
    family(
        "running_maximum",
        "ints -> ints",
        lambda xs: list(accumulate(xs, max)),
        train=(
            "compute the running maximum",
            "take the running maxima",
            "replace each number by the running maximum",
            "build the list of running maxima",
        ),
        nested="the running maxima of {}",
        seen=("build the running maximum",),
        unseen=("track the record high so far",),
    ),
    family(
        "rotate",
        "ints -> ints",
        lambda xs, k: [*xs[k:], *xs[:k]],
        constants=SMALL,
        train=(
            "move the first {k} elements to the end",
            "move the first {k} numbers to the end",
            "rotate the list left by {k}",
            "rotate the numbers left by {k}",
        ),
        nested="{} rotated left by {k}",
        seen=("rotate the elements left by {k}",),
        unseen=("shift leftward cyclically {k} places",),
    ),
)
