"""The families written in Python: one canonical form each."""

from typing import Any

from voltx_core.data.generator.families.family import Kind
from voltx_core.data.generator.languages.dialect import VARIABLES, Dialect
from voltx_core.data.generator.languages.snippet import Snippet

SNIPPETS: dict[str, Snippet] = {
    "keep_even": Snippet("[x for x in $v if x % 2 == 0]"),
    "keep_odd": Snippet("[x for x in $v if x % 2 == 1]"),
    "keep_positive": Snippet("[x for x in $v if x > 0]"),
    "keep_negative": Snippet("[x for x in $v if x < 0]"),
    "keep_multiples": Snippet("[x for x in $v if x % $k == 0]"),
    "keep_greater": Snippet("[x for x in $v if x > $k]"),
    "keep_less": Snippet("[x for x in $v if x < $k]"),
    "remove_value": Snippet("[x for x in $v if x != $k]"),
    "keep_primes": Snippet(
        "[x for x in $v if is_prime(x)]",
        helper="def is_prime(x):\n    return x > 1 and all(x % d for d in range(2, x))",
    ),
    "square": Snippet("[x * x for x in $v]"),
    "double": Snippet("[x * 2 for x in $v]"),
    "negate": Snippet("[-x for x in $v]"),
    "absolute": Snippet("[abs(x) for x in $v]"),
    "add_each": Snippet("[x + $k for x in $v]"),
    "multiply_each": Snippet("[x * $k for x in $v]"),
    "subtract_each": Snippet("[x - $k for x in $v]"),
    "mod_each": Snippet("[x % $k for x in $v]"),
    "zero_negatives": Snippet(
        "out",
        body="out = []\nfor x in $v:\n    if x < 0:\n        x = 0\n    out.append(x)",
    ),
    "cube": Snippet(
        "[cube(x) for x in $v]",
        helper="def cube(x):\n    return x * x * x",
    ),
    "sign": Snippet(
        "[sign(x) for x in $v]",
        helper="def sign(x):\n    return (x > 0) - (x < 0)",
    ),
    "clamp": Snippet(
        "[clamp(x) for x in $v]",
        helper="def clamp(x):\n    return min(max(x, 0), $k)",
    ),
    "initials": Snippet(
        '"".join(initial(w) for w in $v)',
        helper="def initial(w):\n    return w[0]",
    ),
    "digit_sums": Snippet(
        "[digit_sum(x) for x in $v]",
        helper="def digit_sum(x):\n    return sum(int(d) for d in str(x))",
    ),
    "divisor_counts": Snippet(
        "[divisors(x) for x in $v]",
        helper="def divisors(x):\n    return sum(x % d == 0 for d in range(1, x + 1))",
    ),
    "take_first": Snippet("$v[:$k]"),
    "take_last": Snippet("$v[-$k:]"),
    "drop_first": Snippet("$v[$k:]"),
    "every_second": Snippet("$v[::2]"),
    "reverse": Snippet("$v[::-1]"),
    "sort_ascending": Snippet("sorted($v)"),
    "sort_descending": Snippet("sorted($v, reverse=True)"),
    "unique": Snippet("list(dict.fromkeys($v))"),
    "differences": Snippet("[b - a for a, b in zip($v, $v[1:])]"),
    "running_sums": Snippet(
        "out",
        body="out = []\ntotal = 0\nfor x in $v:\n    total += x\n    out.append(total)",
    ),
    "running_maximum": Snippet(
        "out",
        body="out = $v[:1]\nfor x in $v[1:]:\n    out.append(max(out[-1], x))",
    ),
    "rotate": Snippet("$v[$k:] + $v[:$k]"),
    "sum": Snippet("sum($v)"),
    "product": Snippet("total", body="total = 1\nfor x in $v:\n    total *= x"),
    "maximum": Snippet("max($v)"),
    "minimum": Snippet("min($v)"),
    "length": Snippet("len($v)"),
    "mean": Snippet("sum($v) // len($v)"),
    "first": Snippet("$v[0]"),
    "last": Snippet("$v[-1]"),
    "spread": Snippet("max($v) - min($v)"),
    "count_even": Snippet(
        "count",
        body="count = 0\nfor x in $v:\n    if x % 2 == 0:\n        count += 1",
    ),
    "count_greater": Snippet(
        "count",
        body="count = 0\nfor x in $v:\n    if x > $k:\n        count += 1",
    ),
    "count_distinct": Snippet("len(set($v))"),
    "is_sorted": Snippet("$v == sorted($v)"),
    "contains": Snippet("$k in $v"),
    "add_number": Snippet("$v + $k"),
    "multiply_number": Snippet("$v * $k"),
    "square_number": Snippet("$v * $v"),
    "factorial": Snippet("total", body="total = 1\nfor i in range(1, $v + 1):\n    total *= i"),
    "digit_total": Snippet("sum(int(d) for d in str($v))"),
    "reverse_digits": Snippet("int(str($v)[::-1])"),
    "is_even": Snippet("$v % 2 == 0"),
    "range_to": Snippet("list(range(1, $v + 1))"),
    "digits": Snippet("[int(d) for d in str($v)]"),
    "upper": Snippet("$v.upper()"),
    "lower": Snippet("$v.lower()"),
    "reverse_text": Snippet("$v[::-1]"),
    "remove_vowels": Snippet('"".join(c for c in $v if c not in "aeiouAEIOU")'),
    "remove_spaces": Snippet('$v.replace(" ", "")'),
    "repeat_text": Snippet("$v * $k"),
    "first_letters": Snippet("$v[:$k]"),
    "sort_letters": Snippet('"".join(sorted($v))'),
    "reverse_each_word": Snippet(
        '" ".join(flip(w) for w in $v.split())',
        helper="def flip(w):\n    return w[::-1]",
    ),
    "count_vowels": Snippet(
        "count",
        body='count = 0\nfor c in $v:\n    if c in "aeiou":\n        count += 1',
    ),
    "text_length": Snippet("len($v)"),
    "split_words": Snippet("$v.split()"),
    "sort_words": Snippet("sorted($v)"),
    "long_words": Snippet("[w for w in $v if len(w) > $k]"),
    "reverse_words": Snippet("$v[::-1]"),
    "word_lengths": Snippet("[len(w) for w in $v]"),
    "join_words": Snippet('" ".join($v)'),
    "longest_word": Snippet("max($v, key=len)"),
    "gcd": Snippet(
        "abs(g)",
        body="g = 0\nfor x in $v:\n    while x:\n        g, x = x, g % x",
    ),
    "max_subarray": Snippet(
        "best",
        body="best = run = 0\nfor x in $v:\n    run = max(run + x, 0)\n    best = max(best, run)",
    ),
    "best_profit": Snippet(
        "best",
        body="best = 0\nfor i, x in enumerate($v):\n    best = max(best, max($v[i:]) - x)",
    ),
    "longest_rise": Snippet(
        "best",
        body="best = run = 0\nfor a, b in zip($v, $v[1:]):\n"
        "    run = run + 1 if a < b else 0\n    best = max(best, run)",
    ),
    "count_pairs": Snippet(
        "count",
        body="count = 0\nfor i, x in enumerate($v):\n    count += $v[:i].count($k - x)",
    ),
    "search": Snippet(
        "$v == [$k]",
        body="while len($v) > 1:\n    mid = len($v) // 2\n"
        "    $v = $v[mid:] if $v[mid] <= $k else $v[:mid]",
    ),
    "insertion_sort": Snippet(
        "out",
        body="out = []\nfor x in $v:\n    i = sum(y < x for y in out)\n    out.insert(i, x)",
    ),
    "is_prime": Snippet(
        "$v > 1",
        body="for d in range(2, $v):\n    if $v % d == 0:\n        return False",
    ),
    "fibonacci": Snippet("a", body="a, b = 0, 1\nfor _ in range($v):\n    a, b = b, a + b"),
    "collatz": Snippet(
        "steps",
        body="steps = 0\nwhile $v != 1:\n    $v = $v // 2 if $v % 2 == 0 else 3 * $v + 1\n"
        "    steps += 1",
    ),
    "digital_root": Snippet(
        "$v",
        body="while $v > 9:\n    $v = sum(int(d) for d in str($v))",
    ),
    "square_root": Snippet("r", body="r = 0\nwhile (r + 1) * (r + 1) <= $v:\n    r += 1"),
    "count_primes": Snippet(
        "len(sieve)",
        body="sieve = set(range(2, $v))\nfor p in range(2, $v):\n"
        "    sieve -= set(range(p * p, $v, p))",
    ),
    "power_mod": Snippet("p", body="p = 1\nfor _ in range($v):\n    p = p * 2 % $k"),
    "prime_factors": Snippet(
        "out",
        body="out = []\nd = 2\nwhile $v > 1:\n    if $v % d == 0:\n        out.append(d)\n"
        "        $v //= d\n    else:\n        d += 1",
    ),
    "pascal_row": Snippet(
        "row",
        body="row = [1]\nfor _ in range($v):\n"
        "    row = [a + b for a, b in zip([0] + row, row + [0])]",
    ),
    "base_digits": Snippet(
        "out",
        body="out = []\nwhile $v > 0:\n    out = [$v % $k] + out\n    $v //= $k",
    ),
    "binary": Snippet(
        "out",
        body='out = ""\nwhile $v > 0:\n    out = str($v % 2) + out\n    $v //= 2',
    ),
    "is_palindrome": Snippet(
        "len($v) < 2",
        body="while len($v) > 1 and $v[0] == $v[-1]:\n    $v = $v[1:-1]",
    ),
    "balanced": Snippet(
        "depth == 0",
        body='depth = 0\nfor c in $v:\n    depth += (c == "(") - (c == ")")\n'
        "    if depth < 0:\n        return False",
    ),
    "run_length": Snippet(
        "out",
        body='out = ""\nwhile $v:\n    rest = $v.lstrip($v[0])\n'
        "    out += $v[0] + str(len($v) - len(rest))\n    $v = rest",
    ),
    "caesar": Snippet(
        "out",
        body='out = ""\nfor c in $v:\n    if c.islower():\n'
        "        c = chr((ord(c) - 97 + $k) % 26 + 97)\n    out += c",
    ),
    "mismatches": Snippet(
        "count",
        body="count = 0\nfor a, b in zip($v, $v[::-1]):\n    if a != b:\n        count += 1",
    ),
    "all_anagrams": Snippet(
        "True",
        body="for w in $v:\n    if sorted(w) != sorted($v[0]):\n        return False",
    ),
}


def literal(value: Any) -> str:
    """The value as Python source."""
    if isinstance(value, str):
        return '"' + value + '"'
    if isinstance(value, list):
        return "[" + ", ".join(literal(item) for item in value) + "]"
    return repr(value)


def write_test(argument: Any, expected: Any, _takes: Kind, _gives: Kind) -> str:
    """One assert on ``solve``."""
    return f"assert solve({literal(argument)}) == {literal(expected)}"


PYTHON = Dialect(
    snippets=SNIPPETS,
    write_test=write_test,
    opening="def solve($name):",
    declaration="$name = $value",
    assignment="$name = $value",
    result="return $value",
    types=dict.fromkeys(VARIABLES, ""),
    closing=(),
    gap=2,
)
