"""The families written in Go (1.19 and later), as loops: the language has no list expressions."""

from typing import Any

from voltx_core.data.generator.families.family import Kind
from voltx_core.data.generator.languages.dialect import Dialect
from voltx_core.data.generator.languages.snippet import Snippet

TYPES: dict[Kind, str] = {
    "ints": "[]int",
    "int": "int",
    "text": "string",
    "words": "[]string",
    "flag": "bool",
}
# An unused import is an error in Go; the blank uses let every solution import the same.
SETUP = """package main

import (
\t"fmt"
\t"math"
\t"sort"
\t"strconv"
\t"strings"
)

var (
\t_ = fmt.Sprint
\t_ = math.Abs
\t_ = sort.Ints
\t_ = strconv.Itoa
\t_ = strings.Join
)"""


def _filter(condition: str) -> Snippet:
    return Snippet(
        "$out",
        body=f"$out := []int{{}}\nfor _, x := range $v {{\n\tif {condition} {{\n"
        "\t\t$out = append($out, x)\n\t}\n}",
    )


def _map(expression: str, helper: str = "") -> Snippet:
    body = f"$out := []int{{}}\nfor _, x := range $v {{\n\t$out = append($out, {expression})\n}}"
    return Snippet("$out", body=body, helper=helper)


def _count(condition: str) -> Snippet:
    return Snippet(
        "$count",
        body=f"$count := 0\nfor _, x := range $v {{\n\tif {condition} {{\n\t\t$count++\n\t}}\n}}",
    )


def _best(condition: str) -> Snippet:
    return Snippet(
        "$best",
        body=f"$best := $v[0]\nfor _, x := range $v {{\n\tif {condition} {{\n"
        "\t\t$best = x\n\t}\n}",
    )


SNIPPETS: dict[str, Snippet] = {
    "keep_even": _filter("x%2 == 0"),
    "keep_odd": _filter("x%2 != 0"),
    "keep_positive": _filter("x > 0"),
    "keep_negative": _filter("x < 0"),
    "keep_multiples": _filter("x%$k == 0"),
    "keep_greater": _filter("x > $k"),
    "keep_less": _filter("x < $k"),
    "remove_value": _filter("x != $k"),
    "square": _map("x*x"),
    "double": _map("x*2"),
    "negate": _map("-x"),
    "add_each": _map("x+$k"),
    "multiply_each": _map("x*$k"),
    "subtract_each": _map("x-$k"),
    "mod_each": _map("(x%$k+$k)%$k"),
    "absolute": Snippet(
        "$out",
        body="$out := []int{}\nfor _, x := range $v {\n\tif x < 0 {\n\t\tx = -x\n\t}\n"
        "\t$out = append($out, x)\n}",
    ),
    "zero_negatives": Snippet(
        "$out",
        body="$out := []int{}\nfor _, x := range $v {\n\tif x < 0 {\n\t\tx = 0\n\t}\n"
        "\t$out = append($out, x)\n}",
    ),
    "keep_primes": Snippet(
        "$out",
        body="$out := []int{}\nfor _, x := range $v {\n\tif isPrime(x) {\n"
        "\t\t$out = append($out, x)\n\t}\n}",
        helper="func isPrime(x int) bool {\n\tfor d := 2; d < x; d++ {\n\t\tif x%d == 0 {\n"
        "\t\t\treturn false\n\t\t}\n\t}\n\treturn x > 1\n}",
    ),
    "cube": _map("cube(x)", helper="func cube(x int) int {\n\treturn x * x * x\n}"),
    "clamp": _map(
        "clamp(x)",
        helper="func clamp(x int) int {\n\tif x < 0 {\n\t\treturn 0\n\t}\n\tif x > $k {\n"
        "\t\treturn $k\n\t}\n\treturn x\n}",
    ),
    "digit_sums": _map(
        "digitSum(x)",
        helper="func digitSum(x int) int {\n\tif x == 0 {\n\t\treturn 0\n\t}\n"
        "\treturn x%10 + digitSum(x/10)\n}",
    ),
    "divisor_counts": _map(
        "divisors(x)",
        helper="func divisors(x int) int {\n\tcount := 0\n\tfor d := 1; d <= x; d++ {\n"
        "\t\tif x%d == 0 {\n\t\t\tcount++\n\t\t}\n\t}\n\treturn count\n}",
    ),
    "take_first": Snippet("$v", body="if len($v) > $k {\n\t$v = $v[:$k]\n}"),
    "take_last": Snippet("$v", body="if len($v) > $k {\n\t$v = $v[len($v)-$k:]\n}"),
    "drop_first": Snippet(
        "$out",
        body="$out := []int{}\nif len($v) > $k {\n\t$out = $v[$k:]\n}",
    ),
    "every_second": Snippet(
        "$out",
        body="$out := []int{}\nfor i := 0; i < len($v); i += 2 {\n\t$out = append($out, $v[i])\n}",
    ),
    "reverse": Snippet(
        "$out",
        body="$out := []int{}\nfor i := len($v) - 1; i >= 0; i-- {\n"
        "\t$out = append($out, $v[i])\n}",
    ),
    "sort_ascending": Snippet("$v", body="sort.Ints($v)"),
    "sort_descending": Snippet("$v", body="sort.Sort(sort.Reverse(sort.IntSlice($v)))"),
    "unique": Snippet(
        "$out",
        body="$out := []int{}\n$seen := map[int]bool{}\nfor _, x := range $v {\n"
        "\tif !$seen[x] {\n\t\t$seen[x] = true\n\t\t$out = append($out, x)\n\t}\n}",
    ),
    "differences": Snippet(
        "$out",
        body="$out := []int{}\nfor i := 1; i < len($v); i++ {\n"
        "\t$out = append($out, $v[i]-$v[i-1])\n}",
    ),
    "running_sums": Snippet(
        "$out",
        body="$out := []int{}\n$total := 0\nfor _, x := range $v {\n\t$total += x\n"
        "\t$out = append($out, $total)\n}",
    ),
    "running_maximum": Snippet(
        "$v",
        body="for i := 1; i < len($v); i++ {\n\tif $v[i] < $v[i-1] {\n\t\t$v[i] = $v[i-1]\n\t}\n}",
    ),
    "sum": Snippet("$total", body="$total := 0\nfor _, x := range $v {\n\t$total += x\n}"),
    "product": Snippet("$total", body="$total := 1\nfor _, x := range $v {\n\t$total *= x\n}"),
    "maximum": _best("x > $best"),
    "minimum": _best("x < $best"),
    "length": Snippet("len($v)"),
    "mean": Snippet(
        "int(math.Floor(float64($total) / float64(len($v))))",
        body="$total := 0\nfor _, x := range $v {\n\t$total += x\n}",
    ),
    "first": Snippet("$v[0]"),
    "last": Snippet("$v[len($v)-1]"),
    "spread": Snippet("$v[len($v)-1] - $v[0]", body="sort.Ints($v)"),
    "count_even": _count("x%2 == 0"),
    "count_greater": _count("x > $k"),
    "count_distinct": Snippet(
        "len($seen)",
        body="$seen := map[int]bool{}\nfor _, x := range $v {\n\t$seen[x] = true\n}",
    ),
    "is_sorted": Snippet("sort.IntsAreSorted($v)"),
    "contains": Snippet(
        "false", body="for _, x := range $v {\n\tif x == $k {\n\t\treturn true\n\t}\n}"
    ),
    "add_number": Snippet("$v + $k"),
    "multiply_number": Snippet("$v * $k"),
    "square_number": Snippet("$v * $v"),
    "factorial": Snippet(
        "$total", body="$total := 1\nfor i := 1; i <= $v; i++ {\n\t$total *= i\n}"
    ),
    "digit_total": Snippet(
        "$total", body="$total := 0\nfor ; $v > 0; $v /= 10 {\n\t$total += $v % 10\n}"
    ),
    "reverse_digits": Snippet(
        "$out", body="$out := 0\nfor ; $v > 0; $v /= 10 {\n\t$out = $out*10 + $v%10\n}"
    ),
    "is_even": Snippet("$v%2 == 0"),
    "range_to": Snippet(
        "$out", body="$out := []int{}\nfor i := 1; i <= $v; i++ {\n\t$out = append($out, i)\n}"
    ),
    "digits": Snippet(
        "$out",
        body="$out := []int{}\nfor _, d := range strconv.Itoa($v) {\n"
        "\t$out = append($out, int(d-'0'))\n}",
    ),
    "upper": Snippet("strings.ToUpper($v)"),
    "lower": Snippet("strings.ToLower($v)"),
    "reverse_text": Snippet(
        "$out", body='$out := ""\nfor _, c := range $v {\n\t$out = string(c) + $out\n}'
    ),
    "remove_vowels": Snippet(
        "$out",
        body='$out := ""\nfor _, c := range $v {\n'
        '\tif !strings.ContainsRune("aeiouAEIOU", c) {\n\t\t$out += string(c)\n\t}\n}',
    ),
    "remove_spaces": Snippet('strings.ReplaceAll($v, " ", "")'),
    "repeat_text": Snippet("strings.Repeat($v, $k)"),
    "first_letters": Snippet("$v", body="if len($v) > $k {\n\t$v = $v[:$k]\n}"),
    "sort_letters": Snippet(
        'strings.Join($letters, "")',
        body='$letters := strings.Split($v, "")\nsort.Strings($letters)',
    ),
    "count_vowels": Snippet(
        "$count",
        body='$count := 0\nfor _, c := range $v {\n\tif strings.ContainsRune("aeiou", c) {\n'
        "\t\t$count++\n\t}\n}",
    ),
    "text_length": Snippet("len($v)"),
    "split_words": Snippet("strings.Fields($v)"),
    "sort_words": Snippet("$v", body="sort.Strings($v)"),
    "long_words": Snippet(
        "$out",
        body="$out := []string{}\nfor _, w := range $v {\n\tif len(w) > $k {\n"
        "\t\t$out = append($out, w)\n\t}\n}",
    ),
    "reverse_words": Snippet(
        "$out",
        body="$out := []string{}\nfor i := len($v) - 1; i >= 0; i-- {\n"
        "\t$out = append($out, $v[i])\n}",
    ),
    "word_lengths": Snippet(
        "$out", body="$out := []int{}\nfor _, w := range $v {\n\t$out = append($out, len(w))\n}"
    ),
    "join_words": Snippet('strings.Join($v, " ")'),
    "longest_word": Snippet(
        "$best",
        body="$best := $v[0]\nfor _, w := range $v {\n\tif len(w) > len($best) {\n"
        "\t\t$best = w\n\t}\n}",
    ),
    "gcd": Snippet(
        "$g",
        body="$g := 0\nfor _, x := range $v {\n\tfor x != 0 {\n\t\t$g, x = x, $g%x\n\t}\n}\n"
        "if $g < 0 {\n\t$g = -$g\n}",
    ),
    "max_subarray": Snippet(
        "$best",
        body="$best, $run := 0, 0\nfor _, x := range $v {\n\t$run += x\n\tif $run < 0 {\n"
        "\t\t$run = 0\n\t}\n\tif $run > $best {\n\t\t$best = $run\n\t}\n}",
    ),
    "best_profit": Snippet(
        "$best",
        body="$best := 0\nfor i := range $v {\n\tfor j := 0; j < i; j++ {\n"
        "\t\tif $v[i]-$v[j] > $best {\n\t\t\t$best = $v[i] - $v[j]\n\t\t}\n\t}\n}",
    ),
    "longest_rise": Snippet(
        "$best",
        body="$best, $run := 0, 0\nfor i := 1; i < len($v); i++ {\n\t$run++\n"
        "\tif $v[i-1] >= $v[i] {\n\t\t$run = 0\n\t}\n\tif $run > $best {\n"
        "\t\t$best = $run\n\t}\n}",
    ),
    "count_pairs": Snippet(
        "$count",
        body="$count := 0\nfor i := range $v {\n\tfor j := 0; j < i; j++ {\n"
        "\t\tif $v[i]+$v[j] == $k {\n\t\t\t$count++\n\t\t}\n\t}\n}",
    ),
    "search": Snippet(
        "$i < len($v) && $v[$i] == $k",
        body="$i := sort.SearchInts($v, $k)",
    ),
    "insertion_sort": Snippet(
        "$v",
        body="for i := range $v {\n\tfor j := i; j > 0 && $v[j-1] > $v[j]; j-- {\n"
        "\t\t$v[j-1], $v[j] = $v[j], $v[j-1]\n\t}\n}",
    ),
    "is_prime": Snippet(
        "$v > 1",
        body="for d := 2; d < $v; d++ {\n\tif $v%d == 0 {\n\t\treturn false\n\t}\n}",
    ),
    "fibonacci": Snippet(
        "$a",
        body="$a, $b := 0, 1\nfor i := 0; i < $v; i++ {\n\t$a, $b = $b, $a+$b\n}",
    ),
    "collatz": Snippet(
        "$steps",
        body="$steps := 0\nfor $v != 1 {\n\tif $v%2 == 0 {\n\t\t$v /= 2\n\t} else {\n"
        "\t\t$v = 3*$v + 1\n\t}\n\t$steps++\n}",
    ),
    "digital_root": Snippet("$v", body="for $v > 9 {\n\t$v = $v/10 + $v%10\n}"),
    "square_root": Snippet("$r", body="$r := 0\nfor ($r+1)*($r+1) <= $v {\n\t$r++\n}"),
    "count_primes": Snippet(
        "$count",
        body="$seen := make([]bool, $v)\n$count := 0\nfor p := 2; p < $v; p++ {\n"
        "\tif !$seen[p] {\n\t\t$count++\n\t}\n\tfor q := p; q < $v; q += p {\n"
        "\t\t$seen[q] = true\n\t}\n}",
    ),
    "power_mod": Snippet("$p", body="$p := 1\nfor i := 0; i < $v; i++ {\n\t$p = $p * 2 % $k\n}"),
    "prime_factors": Snippet(
        "$out",
        body="$out := []int{}\nfor d := 2; d <= $v; d++ {\n\tfor ; $v%d == 0; $v /= d {\n"
        "\t\t$out = append($out, d)\n\t}\n}",
    ),
    "pascal_row": Snippet(
        "$row",
        body="$row := []int{1}\nfor i := 0; i < $v; i++ {\n"
        "\t$row = append($row, $row[i]*($v-i)/(i+1))\n}",
    ),
    "base_digits": Snippet(
        "$out",
        body="$out := []int{}\nfor ; $v > 0; $v /= $k {\n"
        "\t$out = append([]int{$v % $k}, $out...)\n}",
    ),
    "binary": Snippet(
        "$out",
        body='$out := ""\nfor ; $v > 0; $v /= 2 {\n\t$out = strconv.Itoa($v%2) + $out\n}',
    ),
    "is_palindrome": Snippet(
        "len($v) < 2",
        body="for len($v) > 1 && $v[0] == $v[len($v)-1] {\n\t$v = $v[1 : len($v)-1]\n}",
    ),
    "balanced": Snippet(
        "$depth == 0",
        body="$depth := 0\nfor _, c := range $v {\n\tif c == '(' {\n\t\t$depth++\n\t}\n"
        "\tif c == ')' {\n\t\t$depth--\n\t}\n\tif $depth < 0 {\n\t\treturn false\n\t}\n}",
    ),
    "caesar": Snippet(
        "$out",
        body="$out := \"\"\nfor _, c := range $v {\n\tif c >= 'a' && c <= 'z' {\n"
        "\t\tc = (c-'a'+$k)%26 + 'a'\n\t}\n\t$out += string(c)\n}",
    ),
    "mismatches": Snippet(
        "$count",
        body="$count := 0\nfor i := range $v {\n\tif $v[i] != $v[len($v)-1-i] {\n"
        "\t\t$count++\n\t}\n}",
    ),
}


def literal(value: Any, kind: Kind) -> str:
    """The value as Go source."""
    if kind == "ints":
        return "[]int{" + ", ".join(str(x) for x in value) + "}"
    if kind == "words":
        return "[]string{" + ", ".join(f'"{w}"' for w in value) + "}"
    if kind == "text":
        return f'"{value}"'
    if kind == "flag":
        return "true" if value else "false"
    return str(value)


def write_test(argument: Any, expected: Any, takes: Kind, gives: Kind) -> str:
    """One statement that panics unless ``solve`` gives the expected value.

    Lists are compared in their printed form, so that a nil slice equals an empty one.
    """
    got, want = f"solve({literal(argument, takes)})", literal(expected, gives)
    if gives in ("ints", "words"):
        verb = "%T %v" if gives == "ints" else "%T %q"
        got, want = (f'fmt.Sprintf("{verb}", {side})' for side in (got, want))
    return f'if {got} != {want} {{ panic("mismatch") }}'


GO = Dialect(
    snippets=SNIPPETS,
    write_test=write_test,
    opening="func solve($name $type) $gives {",
    declaration="$name := $value",
    assignment="$name = $value",
    result="return $value",
    types=TYPES,
    shift="\t",
    setup=SETUP,
)
