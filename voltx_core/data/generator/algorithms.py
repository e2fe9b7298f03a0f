"""Families whose solution is an algorithm: state, loops, a known name."""

from itertools import accumulate, groupby, pairwise
from math import gcd, isqrt

from voltx_core.data.generator.family import Family, family, require
from voltx_core.data.generator.lists import FACTORS, SMALL, prime


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


def _balanced(s: str) -> bool:
    inner = "".join(c for c in s if c in "()")
    while "()" in inner:
        inner = inner.replace("()", "")
    return not inner


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


def _shift(s: str, k: int) -> str:
    return "".join(
        "abcdefghijklmnopqrstuvwxyz"[(ord(c) - 97 + k) % 26] if "a" <= c <= "z" else c for c in s
    )


ALGORITHMS: tuple[Family, ...] = (
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
    family(
        "is_palindrome",
        "text -> flag",
        lambda s: all(a == b for a, b in zip(s, reversed(s), strict=True)),
        algorithm=True,
        train=(
            "check whether the string is a palindrome",
            "tell if the text is a palindrome",
            "return whether the string is a palindrome",
            "check if it is a palindrome",
        ),
        nested="whether {} is a palindrome",
        seen=("tell whether the string is a palindrome",),
        unseen=("verify mirror symmetry",),
        samples=("level", "noon", "abca", "a", "never even", "racecar", "ab"),
    ),
    family(
        "balanced",
        "text -> flag",
        _balanced,
        algorithm=True,
        train=(
            "check whether the brackets are balanced",
            "tell if the brackets are balanced",
            "return whether all brackets match",
            "check if every bracket is closed",
        ),
        nested="whether the brackets in {} are balanced",
        seen=("tell whether every bracket is closed",),
        unseen=("verify parentheses nesting",),
        samples=("()", "(())()", "(()", "())(", ")(", "a(b)c", "((a)(b))", "())"),
    ),
    family(
        "run_length",
        "text -> text",
        lambda s: "".join(f"{c}{len(list(group))}" for c, group in groupby(s)),
        algorithm=True,
        train=(
            "run length encode the string",
            "encode the runs of the string",
            "compute the run length encoding",
            "encode the text by run length",
        ),
        nested="the run length encoding of {}",
        seen=("encode the string by run length",),
        unseen=("compress successive repeats",),
        samples=("aaabb", "abbbbc", "zz", "a", "aabbaa", "mississippi"),
    ),
    family(
        "caesar",
        "text -> text",
        _shift,
        algorithm=True,
        constants=SMALL,
        train=(
            "shift the letters by {k}",
            "apply a caesar shift of {k}",
            "shift each letter by {k}",
            "encode the string with a caesar shift of {k}",
        ),
        nested="the caesar shift by {k} of {}",
        seen=("apply a caesar shift of {k} to the letters",),
        unseen=("encipher alphabetically forward {k}",),
    ),
    family(
        "mismatches",
        "text -> int",
        lambda s: sum(s[i] != s[len(s) - 1 - i] for i in range(len(s))),
        algorithm=True,
        train=(
            "count the hamming distance to the reverse",
            "compute the hamming distance to its reverse",
            "return the hamming distance to the reverse",
            "count the positions where it differs from its reverse",
        ),
        nested="the hamming distance of {} to its reverse",
        seen=("count the hamming distance to its reverse",),
        unseen=("tally asymmetric spots",),
        samples=("level", "abca", "abcd", "noon", "stats"),
    ),
    family(
        "all_anagrams",
        "words -> flag",
        lambda words: all(sorted(a) == sorted(b) for a, b in pairwise(words)),
        algorithm=True,
        train=(
            "check whether the words are anagrams",
            "tell if all words are anagrams",
            "return whether the words are anagrams",
            "check if the words have the same letters",
        ),
        nested="whether {} are anagrams",
        seen=("tell whether all the words are anagrams",),
        unseen=("verify they permute one another",),
        samples=(["ab", "ba"], ["tea", "eat", "ate"], ["ab", "abb"], ["cat", "act", "dog"], []),
    ),
)
