"""The families written in JavaScript."""

from typing import Any

from voltx_core.data.generator.families.family import Kind
from voltx_core.data.generator.languages.dialect import VARIABLES, Dialect
from voltx_core.data.generator.languages.snippet import Snippet

SNIPPETS: dict[str, Snippet] = {
    "keep_even": Snippet("$v.filter(x => x % 2 === 0)"),
    "keep_odd": Snippet("$v.filter(x => x % 2 !== 0)"),
    "keep_positive": Snippet("$v.filter(x => x > 0)"),
    "keep_negative": Snippet("$v.filter(x => x < 0)"),
    "keep_multiples": Snippet("$v.filter(x => x % $k === 0)"),
    "keep_greater": Snippet("$v.filter(x => x > $k)"),
    "keep_less": Snippet("$v.filter(x => x < $k)"),
    "remove_value": Snippet("$v.filter(x => x !== $k)"),
    "keep_primes": Snippet(
        "$v.filter(isPrime)",
        helper="function isPrime(x) {\n    for (let d = 2; d < x; d++) {\n"
        "        if (x % d === 0) return false;\n    }\n    return x > 1;\n}",
    ),
    "square": Snippet("$v.map(x => x * x)"),
    "double": Snippet("$v.map(x => x * 2)"),
    "negate": Snippet("$v.map(x => 0 - x)"),
    "absolute": Snippet("$v.map(x => Math.abs(x))"),
    "add_each": Snippet("$v.map(x => x + $k)"),
    "multiply_each": Snippet("$v.map(x => x * $k)"),
    "subtract_each": Snippet("$v.map(x => x - $k)"),
    "mod_each": Snippet("$v.map(x => (x % $k + $k) % $k)"),
    "zero_negatives": Snippet("$v.map(x => Math.max(x, 0))"),
    "cube": Snippet("$v.map(cube)", helper="function cube(x) {\n    return x * x * x;\n}"),
    "sign": Snippet("$v.map(sign)", helper="function sign(x) {\n    return (x > 0) - (x < 0);\n}"),
    "clamp": Snippet(
        "$v.map(clamp)",
        helper="function clamp(x) {\n    return Math.min(Math.max(x, 0), $k);\n}",
    ),
    "initials": Snippet(
        '$v.map(initial).join("")', helper="function initial(w) {\n    return w[0];\n}"
    ),
    "digit_sums": Snippet(
        "$v.map(digitSum)",
        helper="function digitSum(x) {\n"
        "    return [...String(x)].reduce((a, d) => a + Number(d), 0);\n}",
    ),
    "divisor_counts": Snippet(
        "$v.map(divisors)",
        helper="function divisors(x) {\n    let count = 0;\n"
        "    for (let d = 1; d <= x; d++) {\n        if (x % d === 0) count++;\n    }\n"
        "    return count;\n}",
    ),
    "take_first": Snippet("$v.slice(0, $k)"),
    "take_last": Snippet("$v.slice(-$k)"),
    "drop_first": Snippet("$v.slice($k)"),
    "every_second": Snippet("$v.filter((x, i) => i % 2 === 0)"),
    "reverse": Snippet("[...$v].reverse()"),
    "sort_ascending": Snippet("[...$v].sort((a, b) => a - b)"),
    "sort_descending": Snippet("[...$v].sort((a, b) => b - a)"),
    "unique": Snippet("[...new Set($v)]"),
    "differences": Snippet("$v.slice(1).map((x, i) => x - $v[i])"),
    "running_sums": Snippet(
        "$out",
        body="const $out = [];\nlet $total = 0;\nfor (const x of $v) {\n    $total += x;\n"
        "    $out.push($total);\n}",
    ),
    "running_maximum": Snippet(
        "$out",
        body="const $out = [];\nlet $best = -Infinity;\nfor (const x of $v) {\n"
        "    $best = Math.max($best, x);\n    $out.push($best);\n}",
    ),
    "rotate": Snippet("$v.slice($k).concat($v.slice(0, $k))"),
    "sum": Snippet("$v.reduce((a, x) => a + x, 0)"),
    # "+ 0" turns -0, which is not deepStrictEqual to 0, into 0.
    "product": Snippet("$v.reduce((a, x) => a * x, 1) + 0"),
    "maximum": Snippet("Math.max(...$v)"),
    "minimum": Snippet("Math.min(...$v)"),
    "length": Snippet("$v.length"),
    "mean": Snippet("Math.floor($v.reduce((a, x) => a + x, 0) / $v.length)"),
    "first": Snippet("$v[0]"),
    "last": Snippet("$v[$v.length - 1]"),
    "spread": Snippet("Math.max(...$v) - Math.min(...$v)"),
    "count_even": Snippet(
        "$count",
        body="let $count = 0;\nfor (const x of $v) {\n    if (x % 2 === 0) $count++;\n}",
    ),
    "count_greater": Snippet(
        "$count",
        body="let $count = 0;\nfor (const x of $v) {\n    if (x > $k) $count++;\n}",
    ),
    "count_distinct": Snippet("new Set($v).size"),
    "is_sorted": Snippet("$v.every((x, i) => i === 0 || $v[i - 1] <= x)"),
    "contains": Snippet("$v.includes($k)"),
    "add_number": Snippet("$v + $k"),
    "multiply_number": Snippet("$v * $k"),
    "square_number": Snippet("$v * $v"),
    "factorial": Snippet(
        "$total",
        body="let $total = 1;\nfor (let i = 1; i <= $v; i++) {\n    $total *= i;\n}",
    ),
    "digit_total": Snippet("[...String($v)].reduce((a, d) => a + Number(d), 0)"),
    "reverse_digits": Snippet('Number([...String($v)].reverse().join(""))'),
    "is_even": Snippet("$v % 2 === 0"),
    "range_to": Snippet(
        "$out",
        body="const $out = [];\nfor (let i = 1; i <= $v; i++) {\n    $out.push(i);\n}",
    ),
    "digits": Snippet("[...String($v)].map(Number)"),
    "upper": Snippet("$v.toUpperCase()"),
    "lower": Snippet("$v.toLowerCase()"),
    "reverse_text": Snippet('[...$v].reverse().join("")'),
    "remove_vowels": Snippet('$v.replace(/[aeiou]/gi, "")'),
    "remove_spaces": Snippet('$v.replaceAll(" ", "")'),
    "repeat_text": Snippet("$v.repeat($k)"),
    "first_letters": Snippet("$v.slice(0, $k)"),
    "sort_letters": Snippet('[...$v].sort().join("")'),
    "reverse_each_word": Snippet(
        '$v.split(" ").filter(w => w).map(flip).join(" ")',
        helper='function flip(w) {\n    return [...w].reverse().join("");\n}',
    ),
    "count_vowels": Snippet(
        "$count",
        body='let $count = 0;\nfor (const c of $v) {\n    if ("aeiou".includes(c)) $count++;\n}',
    ),
    "text_length": Snippet("$v.length"),
    "split_words": Snippet('$v.split(" ").filter(w => w)'),
    "sort_words": Snippet("[...$v].sort()"),
    "long_words": Snippet("$v.filter(w => w.length > $k)"),
    "reverse_words": Snippet("[...$v].reverse()"),
    "word_lengths": Snippet("$v.map(w => w.length)"),
    "join_words": Snippet('$v.join(" ")'),
    "longest_word": Snippet("$v.reduce((a, w) => w.length > a.length ? w : a)"),
    "gcd": Snippet(
        "Math.abs($g)",
        body="let $g = 0;\nfor (let x of $v) {\n    while (x !== 0) {\n"
        "        [$g, x] = [x, $g % x];\n    }\n}",
    ),
    "max_subarray": Snippet(
        "$best",
        body="let $best = 0;\nlet $run = 0;\nfor (const x of $v) {\n"
        "    $run = Math.max($run + x, 0);\n    $best = Math.max($best, $run);\n}",
    ),
    "best_profit": Snippet(
        "$best",
        body="let $best = 0;\nlet $low = Infinity;\nfor (const x of $v) {\n"
        "    $low = Math.min($low, x);\n    $best = Math.max($best, x - $low);\n}",
    ),
    "longest_rise": Snippet(
        "$best",
        body="let $best = 0;\nlet $run = 0;\nfor (let i = 1; i < $v.length; i++) {\n"
        "    $run = $v[i - 1] < $v[i] ? $run + 1 : 0;\n    $best = Math.max($best, $run);\n}",
    ),
    "count_pairs": Snippet(
        "$count",
        body="let $count = 0;\nfor (let i = 0; i < $v.length; i++) {\n"
        "    for (let j = 0; j < i; j++) {\n        if ($v[i] + $v[j] === $k) $count++;\n"
        "    }\n}",
    ),
    "search": Snippet(
        "$v[0] === $k",
        body="while ($v.length > 1) {\n    const mid = $v.length >> 1;\n"
        "    $v = $v[mid] <= $k ? $v.slice(mid) : $v.slice(0, mid);\n}",
    ),
    "insertion_sort": Snippet(
        "$out",
        body="const $out = [];\nfor (const x of $v) {\n"
        "    const i = $out.filter(y => y < x).length;\n    $out.splice(i, 0, x);\n}",
    ),
    "is_prime": Snippet(
        "$v > 1",
        body="for (let d = 2; d < $v; d++) {\n    if ($v % d === 0) return false;\n}",
    ),
    "fibonacci": Snippet(
        "$a",
        body="let [$a, $b] = [0, 1];\nfor (let i = 0; i < $v; i++) {\n"
        "    [$a, $b] = [$b, $a + $b];\n}",
    ),
    "collatz": Snippet(
        "$steps",
        body="let $steps = 0;\nwhile ($v !== 1) {\n    $v = $v % 2 === 0 ? $v / 2 : 3 * $v + 1;\n"
        "    $steps++;\n}",
    ),
    "digital_root": Snippet(
        "$v",
        body="while ($v > 9) {\n    $v = [...String($v)].reduce((a, d) => a + Number(d), 0);\n}",
    ),
    "square_root": Snippet(
        "$r", body="let $r = 0;\nwhile (($r + 1) * ($r + 1) <= $v) {\n    $r++;\n}"
    ),
    "count_primes": Snippet(
        "$sieve.size",
        body="const $sieve = new Set();\nfor (let p = 2; p < $v; p++) $sieve.add(p);\n"
        "for (let p = 2; p < $v; p++) {\n"
        "    for (let q = p * p; q < $v; q += p) $sieve.delete(q);\n}",
    ),
    "power_mod": Snippet(
        "$p", body="let $p = 1;\nfor (let i = 0; i < $v; i++) {\n    $p = $p * 2 % $k;\n}"
    ),
    "prime_factors": Snippet(
        "$out",
        body="const $out = [];\nfor (let d = 2; d <= $v; d++) {\n    while ($v % d === 0) {\n"
        "        $out.push(d);\n        $v /= d;\n    }\n}",
    ),
    "pascal_row": Snippet(
        "$row",
        body="let $row = [1];\nfor (let i = 0; i < $v; i++) {\n"
        "    $row = [...$row, 0].map((x, j) => x + ($row[j - 1] || 0));\n}",
    ),
    "base_digits": Snippet(
        "$out",
        body="const $out = [];\nwhile ($v > 0) {\n    $out.unshift($v % $k);\n"
        "    $v = Math.floor($v / $k);\n}",
    ),
    "binary": Snippet(
        "$out",
        body='let $out = "";\nwhile ($v > 0) {\n    $out = $v % 2 + $out;\n'
        "    $v = Math.floor($v / 2);\n}",
    ),
    "is_palindrome": Snippet(
        "$v.length < 2",
        body="while ($v.length > 1 && $v[0] === $v[$v.length - 1]) {\n    $v = $v.slice(1, -1);\n}",
    ),
    "balanced": Snippet(
        "$depth === 0",
        body='let $depth = 0;\nfor (const c of $v) {\n    if (c === "(") $depth++;\n'
        '    if (c === ")") $depth--;\n    if ($depth < 0) return false;\n}',
    ),
    "run_length": Snippet("$v.replace(/(.)\\1*/g, (run, c) => c + run.length)"),
    "caesar": Snippet(
        "$v.replace(/[a-z]/g, c => String.fromCharCode((c.charCodeAt(0) - 97 + $k) % 26 + 97))"
    ),
    "mismatches": Snippet(
        "$count",
        body="let $count = 0;\nfor (let i = 0; i < $v.length; i++) {\n"
        "    if ($v[i] !== $v[$v.length - 1 - i]) $count++;\n}",
    ),
    "all_anagrams": Snippet(
        "new Set($keys).size < 2", body='const $keys = $v.map(w => [...w].sort().join(""));'
    ),
}


def literal(value: Any) -> str:
    """The value as JavaScript source."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value + '"'
    if isinstance(value, list):
        return "[" + ", ".join(literal(item) for item in value) + "]"
    return str(value)


def write_test(argument: Any, expected: Any, _takes: Kind, _gives: Kind) -> str:
    """One strict assertion on ``solve``."""
    return f"assert.deepStrictEqual(solve({literal(argument)}), {literal(expected)});"


JAVASCRIPT = Dialect(
    snippets=SNIPPETS,
    write_test=write_test,
    opening="function solve($name) {",
    declaration="let $name = $value;",
    assignment="$name = $value;",
    result="return $value;",
    types=dict.fromkeys(VARIABLES, ""),
    setup="const assert = require('assert');",
)
