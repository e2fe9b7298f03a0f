"""The families written in Java. Every integer is a ``long``: one regular form, no overflow."""

from typing import Any

from voltx_core.data.generator.families.family import Kind
from voltx_core.data.generator.languages.dialect import Dialect
from voltx_core.data.generator.languages.snippet import Snippet

TYPES: dict[Kind, str] = {
    "ints": "long[]",
    "int": "long",
    "text": "String",
    "words": "String[]",
    "flag": "boolean",
}

SNIPPETS: dict[str, Snippet] = {
    "keep_even": Snippet("Arrays.stream($v).filter(x -> x % 2 == 0).toArray()"),
    "keep_odd": Snippet("Arrays.stream($v).filter(x -> x % 2 != 0).toArray()"),
    "keep_positive": Snippet("Arrays.stream($v).filter(x -> x > 0).toArray()"),
    "keep_negative": Snippet("Arrays.stream($v).filter(x -> x < 0).toArray()"),
    "keep_multiples": Snippet("Arrays.stream($v).filter(x -> x % $k == 0).toArray()"),
    "keep_greater": Snippet("Arrays.stream($v).filter(x -> x > $k).toArray()"),
    "keep_less": Snippet("Arrays.stream($v).filter(x -> x < $k).toArray()"),
    "remove_value": Snippet("Arrays.stream($v).filter(x -> x != $k).toArray()"),
    "keep_primes": Snippet(
        "Arrays.stream($v).filter(x -> isPrime(x)).toArray()",
        helper="static boolean isPrime(long x) {\n"
        "    return x > 1 && LongStream.range(2, x).allMatch(d -> x % d != 0);\n}",
    ),
    "square": Snippet("Arrays.stream($v).map(x -> x * x).toArray()"),
    "double": Snippet("Arrays.stream($v).map(x -> x * 2).toArray()"),
    "negate": Snippet("Arrays.stream($v).map(x -> -x).toArray()"),
    "absolute": Snippet("Arrays.stream($v).map(x -> Math.abs(x)).toArray()"),
    "add_each": Snippet("Arrays.stream($v).map(x -> x + $k).toArray()"),
    "multiply_each": Snippet("Arrays.stream($v).map(x -> x * $k).toArray()"),
    "subtract_each": Snippet("Arrays.stream($v).map(x -> x - $k).toArray()"),
    "mod_each": Snippet("Arrays.stream($v).map(x -> Math.floorMod(x, $k)).toArray()"),
    "zero_negatives": Snippet("Arrays.stream($v).map(x -> Math.max(x, 0)).toArray()"),
    "cube": Snippet(
        "Arrays.stream($v).map(x -> cube(x)).toArray()",
        helper="static long cube(long x) {\n    return x * x * x;\n}",
    ),
    "sign": Snippet(
        "Arrays.stream($v).map(x -> sign(x)).toArray()",
        helper="static long sign(long x) {\n    return Long.signum(x);\n}",
    ),
    "clamp": Snippet(
        "Arrays.stream($v).map(x -> clamp(x)).toArray()",
        helper="static long clamp(long x) {\n    return Math.min(Math.max(x, 0), $k);\n}",
    ),
    "digit_sums": Snippet(
        "Arrays.stream($v).map(x -> digitSum(x)).toArray()",
        helper="static long digitSum(long x) {\n"
        "    return x == 0 ? 0 : x % 10 + digitSum(x / 10);\n}",
    ),
    "divisor_counts": Snippet(
        "Arrays.stream($v).map(x -> divisors(x)).toArray()",
        helper="static long divisors(long x) {\n"
        "    return LongStream.rangeClosed(1, x).filter(d -> x % d == 0).count();\n}",
    ),
    "take_first": Snippet("Arrays.stream($v).limit($k).toArray()"),
    "take_last": Snippet("Arrays.stream($v).skip(Math.max(0, $v.length - $k)).toArray()"),
    "drop_first": Snippet("Arrays.stream($v).skip($k).toArray()"),
    "every_second": Snippet(
        "$out",
        body="long[] $out = new long[($v.length + 1) / 2];\n"
        "for (int i = 0; i < $out.length; i++) $out[i] = $v[2 * i];",
    ),
    "reverse": Snippet(
        "$out",
        body="long[] $out = new long[$v.length];\n"
        "for (int i = 0; i < $v.length; i++) $out[i] = $v[$v.length - 1 - i];",
    ),
    "sort_ascending": Snippet("Arrays.stream($v).sorted().toArray()"),
    "sort_descending": Snippet("Arrays.stream($v).map(x -> -x).sorted().map(x -> -x).toArray()"),
    "unique": Snippet("Arrays.stream($v).distinct().toArray()"),
    "differences": Snippet(
        "$out",
        body="long[] $out = new long[Math.max(0, $v.length - 1)];\n"
        "for (int i = 0; i < $out.length; i++) $out[i] = $v[i + 1] - $v[i];",
    ),
    "running_sums": Snippet(
        "$v", body="$v = $v.clone();\nfor (int i = 1; i < $v.length; i++) $v[i] += $v[i - 1];"
    ),
    "running_maximum": Snippet(
        "$v",
        body="$v = $v.clone();\n"
        "for (int i = 1; i < $v.length; i++) $v[i] = Math.max($v[i], $v[i - 1]);",
    ),
    "rotate": Snippet(
        "LongStream.concat(Arrays.stream($v).skip($k), Arrays.stream($v).limit($k)).toArray()"
    ),
    "sum": Snippet("Arrays.stream($v).sum()"),
    "product": Snippet("Arrays.stream($v).reduce(1, (a, x) -> a * x)"),
    "maximum": Snippet("Arrays.stream($v).max().getAsLong()"),
    "minimum": Snippet("Arrays.stream($v).min().getAsLong()"),
    "length": Snippet("$v.length"),
    "mean": Snippet("Math.floorDiv(Arrays.stream($v).sum(), $v.length)"),
    "first": Snippet("$v[0]"),
    "last": Snippet("$v[$v.length - 1]"),
    "spread": Snippet("Arrays.stream($v).max().getAsLong() - Arrays.stream($v).min().getAsLong()"),
    "count_even": Snippet("Arrays.stream($v).filter(x -> x % 2 == 0).count()"),
    "count_greater": Snippet("Arrays.stream($v).filter(x -> x > $k).count()"),
    "count_distinct": Snippet("Arrays.stream($v).distinct().count()"),
    "is_sorted": Snippet("Arrays.equals($v, Arrays.stream($v).sorted().toArray())"),
    "contains": Snippet("Arrays.stream($v).anyMatch(x -> x == $k)"),
    "add_number": Snippet("$v + $k"),
    "multiply_number": Snippet("$v * $k"),
    "square_number": Snippet("$v * $v"),
    "factorial": Snippet(
        "$total", body="long $total = 1;\nfor (long i = 1; i <= $v; i++) $total *= i;"
    ),
    "digit_total": Snippet(
        "$total", body="long $total = 0;\nfor (; $v > 0; $v /= 10) $total += $v % 10;"
    ),
    "reverse_digits": Snippet(
        "$out", body="long $out = 0;\nfor (; $v > 0; $v /= 10) $out = $out * 10 + $v % 10;"
    ),
    "is_even": Snippet("$v % 2 == 0"),
    "range_to": Snippet("LongStream.rangeClosed(1, $v).toArray()"),
    "digits": Snippet("Long.toString($v).chars().mapToLong(d -> d - '0').toArray()"),
    "upper": Snippet("$v.toUpperCase()"),
    "lower": Snippet("$v.toLowerCase()"),
    "reverse_text": Snippet("new StringBuilder($v).reverse().toString()"),
    "remove_vowels": Snippet('$v.replaceAll("[aeiouAEIOU]", "")'),
    "remove_spaces": Snippet('$v.replace(" ", "")'),
    "repeat_text": Snippet("$v.repeat($k)"),
    "first_letters": Snippet("$v.substring(0, Math.min($k, $v.length()))"),
    "sort_letters": Snippet(
        "new String($letters)",
        body="char[] $letters = $v.toCharArray();\nArrays.sort($letters);",
    ),
    "count_vowels": Snippet('$v.chars().filter(c -> "aeiou".indexOf(c) >= 0).count()'),
    "text_length": Snippet("$v.length()"),
    "split_words": Snippet(
        'Arrays.stream($v.split(" ")).filter(w -> !w.isEmpty()).toArray(String[]::new)'
    ),
    "sort_words": Snippet("Arrays.stream($v).sorted().toArray(String[]::new)"),
    "long_words": Snippet("Arrays.stream($v).filter(w -> w.length() > $k).toArray(String[]::new)"),
    "reverse_words": Snippet(
        "$out",
        body="String[] $out = new String[$v.length];\n"
        "for (int i = 0; i < $v.length; i++) $out[i] = $v[$v.length - 1 - i];",
    ),
    "word_lengths": Snippet("Arrays.stream($v).mapToLong(w -> w.length()).toArray()"),
    "join_words": Snippet('String.join(" ", $v)'),
    "longest_word": Snippet(
        "Arrays.stream($v).reduce((a, w) -> w.length() > a.length() ? w : a).get()"
    ),
    "gcd": Snippet(
        "Math.abs($g)",
        body="long $g = 0;\nfor (long x : $v) {\n    while (x != 0) {\n        long r = $g % x;\n"
        "        $g = x;\n        x = r;\n    }\n}",
    ),
    "max_subarray": Snippet(
        "$best",
        body="long $best = 0, $run = 0;\nfor (long x : $v) {\n    $run = Math.max($run + x, 0);\n"
        "    $best = Math.max($best, $run);\n}",
    ),
    "best_profit": Snippet(
        "$best",
        body="long $best = 0, $low = Long.MAX_VALUE;\nfor (long x : $v) {\n"
        "    $low = Math.min($low, x);\n    $best = Math.max($best, x - $low);\n}",
    ),
    "longest_rise": Snippet(
        "$best",
        body="long $best = 0, $run = 0;\nfor (int i = 1; i < $v.length; i++) {\n"
        "    $run = $v[i - 1] < $v[i] ? $run + 1 : 0;\n    $best = Math.max($best, $run);\n}",
    ),
    "count_pairs": Snippet(
        "$count",
        body="long $count = 0;\nfor (int i = 0; i < $v.length; i++) {\n"
        "    for (int j = 0; j < i; j++) {\n        if ($v[i] + $v[j] == $k) $count++;\n    }\n}",
    ),
    "search": Snippet("Arrays.binarySearch($v, $k) >= 0"),
    "insertion_sort": Snippet(
        "$v",
        body="$v = $v.clone();\nfor (int i = 0; i < $v.length; i++) {\n    long x = $v[i];\n"
        "    int j = i;\n    for (; j > 0 && $v[j - 1] > x; j--) $v[j] = $v[j - 1];\n"
        "    $v[j] = x;\n}",
    ),
    "is_prime": Snippet(
        "$v > 1", body="for (long d = 2; d < $v; d++) {\n    if ($v % d == 0) return false;\n}"
    ),
    "fibonacci": Snippet(
        "$a",
        body="long $a = 0, $b = 1;\nfor (long i = 0; i < $v; i++) {\n    long c = $a + $b;\n"
        "    $a = $b;\n    $b = c;\n}",
    ),
    "collatz": Snippet(
        "$steps",
        body="long $steps = 0;\nwhile ($v != 1) {\n    $v = $v % 2 == 0 ? $v / 2 : 3 * $v + 1;\n"
        "    $steps++;\n}",
    ),
    "digital_root": Snippet("$v == 0 ? 0 : 1 + ($v - 1) % 9"),
    "square_root": Snippet("$r", body="long $r = 0;\nwhile (($r + 1) * ($r + 1) <= $v) $r++;"),
    "count_primes": Snippet(
        "$count",
        body="boolean[] $seen = new boolean[(int) $v];\nlong $count = 0;\n"
        "for (int p = 2; p < $v; p++) {\n    if (!$seen[p]) $count++;\n"
        "    for (int q = p; q < $v; q += p) $seen[q] = true;\n}",
    ),
    "power_mod": Snippet(
        "$p", body="long $p = 1;\nfor (long i = 0; i < $v; i++) $p = $p * 2 % $k;"
    ),
    "prime_factors": Snippet(
        "$out.build().toArray()",
        body="LongStream.Builder $out = LongStream.builder();\nfor (long d = 2; d <= $v; d++) {\n"
        "    for (; $v % d == 0; $v /= d) $out.add(d);\n}",
    ),
    "pascal_row": Snippet(
        "$row",
        body="long[] $row = new long[(int) $v + 1];\n$row[0] = 1;\n"
        "for (int i = 1; i <= $v; i++) $row[i] = $row[i - 1] * ($v - i + 1) / i;",
    ),
    "base_digits": Snippet(
        "$out",
        body="long[] $out = {};\nfor (; $v > 0; $v /= $k) {\n"
        "    $out = LongStream.concat(LongStream.of($v % $k), Arrays.stream($out)).toArray();\n}",
    ),
    "binary": Snippet(
        "$out", body='String $out = "";\nfor (; $v > 0; $v /= 2) $out = $v % 2 + $out;'
    ),
    "is_palindrome": Snippet("new StringBuilder($v).reverse().toString().equals($v)"),
    "balanced": Snippet(
        "$depth == 0",
        body="int $depth = 0;\nfor (char c : $v.toCharArray()) {\n    if (c == '(') $depth++;\n"
        "    if (c == ')') $depth--;\n    if ($depth < 0) return false;\n}",
    ),
    "run_length": Snippet(
        "$out",
        body='String $out = "";\nfor (int i = 0, j = 0; i < $v.length(); i = j) {\n'
        "    while (j < $v.length() && $v.charAt(j) == $v.charAt(i)) j++;\n"
        '    $out += $v.charAt(i) + "" + (j - i);\n}',
    ),
    "caesar": Snippet(
        "$out",
        body='String $out = "";\nfor (char c : $v.toCharArray()) {\n'
        "    $out += Character.isLowerCase(c) ? (char) ((c - 97 + $k) % 26 + 97) : c;\n}",
    ),
    "mismatches": Snippet(
        "$count",
        body="long $count = 0;\nfor (int i = 0; i < $v.length(); i++) {\n"
        "    if ($v.charAt(i) != $v.charAt($v.length() - 1 - i)) $count++;\n}",
    ),
}


def literal(value: Any, kind: Kind) -> str:
    """The value as Java source."""
    if kind == "ints":
        return "new long[]{" + ", ".join(literal(x, "int") for x in value) + "}"
    if kind == "words":
        return "new String[]{" + ", ".join(literal(w, "text") for w in value) + "}"
    if kind == "text":
        return '"' + value + '"'
    if kind == "flag":
        return "true" if value else "false"
    return str(value) if abs(value) < 2**31 else f"{value}L"


def write_test(argument: Any, expected: Any, takes: Kind, gives: Kind) -> str:
    """One statement that throws AssertionError unless ``solve`` gives the expected value."""
    got, want = f"Solution.solve({literal(argument, takes)})", literal(expected, gives)
    equal = {
        "ints": f"java.util.Arrays.equals({got}, {want})",
        "words": f"java.util.Arrays.equals({got}, {want})",
        "text": f"{want}.equals({got})",
    }
    wrong = f"!{equal[gives]}" if gives in equal else f"{got} != {want}"
    return f"if ({wrong}) throw new AssertionError();"


JAVA = Dialect(
    snippets=SNIPPETS,
    write_test=write_test,
    opening="static $gives solve($type $name) {",
    declaration="$type $name = $value;",
    assignment="$name = $value;",
    result="return $value;",
    types=TYPES,
    around=("class Solution {", "}"),
    setup="import java.util.*;\nimport java.util.stream.*;",
)
