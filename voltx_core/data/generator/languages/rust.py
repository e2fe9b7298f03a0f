"""The families written in Rust: owned vectors and strings, shadowed from step to step."""

from typing import Any

from voltx_core.data.generator.families.family import Kind
from voltx_core.data.generator.languages.dialect import Dialect
from voltx_core.data.generator.languages.snippet import Snippet

TYPES: dict[Kind, str] = {
    "ints": "Vec<i64>",
    "int": "i64",
    "text": "String",
    "words": "Vec<String>",
    "flag": "bool",
}

SNIPPETS: dict[str, Snippet] = {
    "keep_even": Snippet("$v.into_iter().filter(|x| x % 2 == 0).collect()"),
    "keep_odd": Snippet("$v.into_iter().filter(|x| x % 2 != 0).collect()"),
    "keep_positive": Snippet("$v.into_iter().filter(|&x| x > 0).collect()"),
    "keep_negative": Snippet("$v.into_iter().filter(|&x| x < 0).collect()"),
    "keep_multiples": Snippet("$v.into_iter().filter(|x| x % $k == 0).collect()"),
    "keep_greater": Snippet("$v.into_iter().filter(|&x| x > $k).collect()"),
    "keep_less": Snippet("$v.into_iter().filter(|&x| x < $k).collect()"),
    "remove_value": Snippet("$v.into_iter().filter(|&x| x != $k).collect()"),
    "keep_primes": Snippet(
        "$v.into_iter().filter(|&x| is_prime(x)).collect()",
        helper="fn is_prime(x: i64) -> bool {\n    x > 1 && (2..x).all(|d| x % d != 0)\n}",
    ),
    "square": Snippet("$v.iter().map(|x| x * x).collect()"),
    "double": Snippet("$v.iter().map(|x| x * 2).collect()"),
    "negate": Snippet("$v.iter().map(|x| -x).collect()"),
    "absolute": Snippet("$v.iter().map(|x| x.abs()).collect()"),
    "add_each": Snippet("$v.iter().map(|x| x + $k).collect()"),
    "multiply_each": Snippet("$v.iter().map(|x| x * $k).collect()"),
    "subtract_each": Snippet("$v.iter().map(|x| x - $k).collect()"),
    "mod_each": Snippet("$v.iter().map(|x| x.rem_euclid($k)).collect()"),
    "zero_negatives": Snippet("$v.iter().map(|&x| x.max(0)).collect()"),
    "cube": Snippet(
        "$v.into_iter().map(cube).collect()",
        helper="fn cube(x: i64) -> i64 {\n    x * x * x\n}",
    ),
    "sign": Snippet(
        "$v.into_iter().map(sign).collect()",
        helper="fn sign(x: i64) -> i64 {\n    x.signum()\n}",
    ),
    "clamp": Snippet(
        "$v.into_iter().map(clamp).collect()",
        helper="fn clamp(x: i64) -> i64 {\n    x.clamp(0, $k)\n}",
    ),
    "initials": Snippet(
        "$v.iter().map(initial).collect()",
        helper="fn initial(w: &String) -> &str {\n    &w[..1]\n}",
    ),
    "digit_sums": Snippet(
        "$v.into_iter().map(digit_sum).collect()",
        helper="fn digit_sum(x: i64) -> i64 {\n"
        "    if x == 0 { 0 } else { x % 10 + digit_sum(x / 10) }\n}",
    ),
    "divisor_counts": Snippet(
        "$v.into_iter().map(divisors).collect()",
        helper="fn divisors(x: i64) -> i64 {\n    (1..=x).filter(|d| x % d == 0).count() as i64\n}",
    ),
    "take_first": Snippet("$v.into_iter().take($k).collect()"),
    "take_last": Snippet("$v[$v.len().saturating_sub($k)..].to_vec()"),
    "drop_first": Snippet("$v.into_iter().skip($k).collect()"),
    "every_second": Snippet("$v.into_iter().step_by(2).collect()"),
    "reverse": Snippet("$v.into_iter().rev().collect()"),
    "sort_ascending": Snippet("$v", body="let mut $v = $v;\n$v.sort();"),
    "sort_descending": Snippet("$v", body="let mut $v = $v;\n$v.sort_by(|a, b| b.cmp(a));"),
    "unique": Snippet(
        "$out",
        body="let mut $out = vec![];\nfor x in $v {\n    if !$out.contains(&x) {\n"
        "        $out.push(x);\n    }\n}",
    ),
    "differences": Snippet("$v.windows(2).map(|w| w[1] - w[0]).collect()"),
    "running_sums": Snippet(
        "$out",
        body="let mut $out = vec![];\nlet mut $total = 0;\nfor x in $v {\n    $total += x;\n"
        "    $out.push($total);\n}",
    ),
    "running_maximum": Snippet(
        "$out",
        body="let mut $out = vec![];\nlet mut $best = i64::MIN;\nfor x in $v {\n"
        "    $best = $best.max(x);\n    $out.push($best);\n}",
    ),
    "rotate": Snippet("$v.iter().skip($k).chain($v.iter().take($k)).copied().collect()"),
    "sum": Snippet("$v.iter().sum()"),
    "product": Snippet("$v.iter().product()"),
    "maximum": Snippet("*$v.iter().max().unwrap()"),
    "minimum": Snippet("*$v.iter().min().unwrap()"),
    "length": Snippet("$v.len() as i64"),
    "mean": Snippet("$v.iter().sum::<i64>().div_euclid($v.len() as i64)"),
    "first": Snippet("$v[0]"),
    "last": Snippet("$v[$v.len() - 1]"),
    "spread": Snippet("$v.iter().max().unwrap() - $v.iter().min().unwrap()"),
    "count_even": Snippet("$v.iter().filter(|&x| x % 2 == 0).count() as i64"),
    "count_greater": Snippet("$v.iter().filter(|&&x| x > $k).count() as i64"),
    "count_distinct": Snippet("$v.len() as i64", body="let mut $v = $v;\n$v.sort();\n$v.dedup();"),
    "is_sorted": Snippet("$v.windows(2).all(|w| w[0] <= w[1])"),
    "contains": Snippet("$v.contains(&$k)"),
    "add_number": Snippet("$v + $k"),
    "multiply_number": Snippet("$v * $k"),
    "square_number": Snippet("$v * $v"),
    "factorial": Snippet("(1..=$v).product()"),
    "digit_total": Snippet(
        "$total",
        body="let mut $v = $v;\nlet mut $total = 0;\nwhile $v > 0 {\n    $total += $v % 10;\n"
        "    $v /= 10;\n}",
    ),
    "reverse_digits": Snippet(
        "$out",
        body="let mut $v = $v;\nlet mut $out = 0;\nwhile $v > 0 {\n"
        "    $out = $out * 10 + $v % 10;\n    $v /= 10;\n}",
    ),
    "is_even": Snippet("$v % 2 == 0"),
    "range_to": Snippet("(1..=$v).collect()"),
    "digits": Snippet("$v.to_string().bytes().map(|d| (d - b'0') as i64).collect()"),
    "upper": Snippet("$v.to_uppercase()"),
    "lower": Snippet("$v.to_lowercase()"),
    "reverse_text": Snippet("$v.chars().rev().collect()"),
    "remove_vowels": Snippet('$v.chars().filter(|&c| !"aeiouAEIOU".contains(c)).collect()'),
    "remove_spaces": Snippet('$v.replace(" ", "")'),
    "repeat_text": Snippet("$v.repeat($k)"),
    "first_letters": Snippet("$v.chars().take($k).collect()"),
    "sort_letters": Snippet(
        "$letters.into_iter().collect()",
        body="let mut $letters: Vec<char> = $v.chars().collect();\n$letters.sort();",
    ),
    "reverse_each_word": Snippet(
        '$v.split_whitespace().map(flip).collect::<Vec<_>>().join(" ")',
        helper="fn flip(w: &str) -> String {\n    w.chars().rev().collect()\n}",
    ),
    "count_vowels": Snippet('$v.chars().filter(|&c| "aeiou".contains(c)).count() as i64'),
    "text_length": Snippet("$v.len() as i64"),
    "split_words": Snippet("$v.split_whitespace().map(String::from).collect()"),
    "sort_words": Snippet("$v", body="let mut $v = $v;\n$v.sort();"),
    "long_words": Snippet("$v.into_iter().filter(|w| w.len() > $k).collect()"),
    "reverse_words": Snippet("$v.into_iter().rev().collect()"),
    "word_lengths": Snippet("$v.iter().map(|w| w.len() as i64).collect()"),
    "join_words": Snippet('$v.join(" ")'),
    "longest_word": Snippet("$v.into_iter().rev().max_by_key(|w| w.len()).unwrap()"),
    "gcd": Snippet(
        "$g.abs()",
        body="let mut $g: i64 = 0;\nfor mut x in $v {\n    while x != 0 {\n"
        "        ($g, x) = (x, $g % x);\n    }\n}",
    ),
    "max_subarray": Snippet(
        "$best",
        body="let (mut $best, mut $run) = (0, 0);\nfor x in $v {\n    $run = 0.max($run + x);\n"
        "    $best = $best.max($run);\n}",
    ),
    "best_profit": Snippet(
        "$best",
        body="let (mut $best, mut $low) = (0, i64::MAX);\nfor x in $v {\n    $low = $low.min(x);\n"
        "    $best = $best.max(x - $low);\n}",
    ),
    "longest_rise": Snippet(
        "$best",
        body="let (mut $best, mut $run) = (0, 0);\nfor w in $v.windows(2) {\n"
        "    $run = if w[0] < w[1] { $run + 1 } else { 0 };\n    $best = $best.max($run);\n}",
    ),
    "count_pairs": Snippet(
        "$count",
        body="let mut $count = 0;\nfor i in 0..$v.len() {\n    for j in 0..i {\n"
        "        if $v[i] + $v[j] == $k {\n            $count += 1;\n        }\n    }\n}",
    ),
    "search": Snippet("$v.binary_search(&$k).is_ok()"),
    "insertion_sort": Snippet(
        "$out",
        body="let mut $out = vec![];\nfor x in $v {\n"
        "    let i = $out.iter().filter(|&&y| y < x).count();\n    $out.insert(i, x);\n}",
    ),
    "is_prime": Snippet("$v > 1 && (2..$v).all(|d| $v % d != 0)"),
    "fibonacci": Snippet(
        "$a",
        body="let (mut $a, mut $b) = (0, 1);\nfor _ in 0..$v {\n    ($a, $b) = ($b, $a + $b);\n}",
    ),
    "collatz": Snippet(
        "$steps",
        body="let mut $v = $v;\nlet mut $steps = 0;\nwhile $v != 1 {\n"
        "    $v = if $v % 2 == 0 { $v / 2 } else { 3 * $v + 1 };\n    $steps += 1;\n}",
    ),
    "digital_root": Snippet("if $v == 0 { 0 } else { 1 + ($v - 1) % 9 }"),
    "square_root": Snippet(
        "$r", body="let mut $r = 0;\nwhile ($r + 1) * ($r + 1) <= $v {\n    $r += 1;\n}"
    ),
    "count_primes": Snippet(
        "$count",
        body="let mut $seen = vec![false; $v as usize];\nlet mut $count = 0;\n"
        "for p in 2..$seen.len() {\n    if !$seen[p] {\n        $count += 1;\n    }\n"
        "    for q in (p..$seen.len()).step_by(p) {\n        $seen[q] = true;\n    }\n}",
    ),
    "power_mod": Snippet("$p", body="let mut $p = 1;\nfor _ in 0..$v {\n    $p = $p * 2 % $k;\n}"),
    "prime_factors": Snippet(
        "$out",
        body="let mut $v = $v;\nlet mut $out = vec![];\nlet mut $d = 2;\nwhile $v > 1 {\n"
        "    if $v % $d == 0 {\n        $out.push($d);\n        $v /= $d;\n    } else {\n"
        "        $d += 1;\n    }\n}",
    ),
    "pascal_row": Snippet(
        "$row",
        body="let mut $row = vec![1];\nfor i in 0..$v {\n"
        "    $row.push($row[i as usize] * ($v - i) / (i + 1));\n}",
    ),
    "base_digits": Snippet(
        "$out",
        body="let mut $v = $v;\nlet mut $out = vec![];\nwhile $v > 0 {\n"
        "    $out.insert(0, $v % $k);\n    $v /= $k;\n}",
    ),
    "is_palindrome": Snippet("$v.chars().eq($v.chars().rev())"),
    "balanced": Snippet(
        "$depth == 0",
        body="let mut $depth = 0;\nfor c in $v.chars() {\n    if c == '(' {\n"
        "        $depth += 1;\n    }\n    if c == ')' {\n        $depth -= 1;\n    }\n"
        "    if $depth < 0 {\n        return false;\n    }\n}",
    ),
    "caesar": Snippet(
        "$v.bytes().map(shift).collect()",
        helper="fn shift(c: u8) -> char {\n"
        "    (if c.is_ascii_lowercase() { (c - 97 + $k) % 26 + 97 } else { c }) as char\n}",
    ),
    "mismatches": Snippet(
        "$v.chars().zip($v.chars().rev()).filter(|(a, b)| a != b).count() as i64"
    ),
}


def literal(value: Any) -> str:
    """The value as Rust source, owned, as an argument of ``solve``."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{value}".to_string()'
    if isinstance(value, list):
        return "vec![" + ", ".join(literal(item) for item in value) + "]"
    return str(value)


def write_test(argument: Any, expected: Any, _takes: Kind, gives: Kind) -> str:
    """One ``assert_eq!`` on ``solve``."""
    want = literal(expected)
    if expected == [] and gives in ("ints", "words"):
        want = f"{TYPES[gives].replace('<', '::<')}::new()"
    return f"assert_eq!(solve({literal(argument)}), {want});"


RUST = Dialect(
    snippets=SNIPPETS,
    write_test=write_test,
    opening="fn solve($name: $type) -> $gives {",
    declaration="let $name: $type = $value;",
    assignment="let $name: $type = $value;",
    result="$value",
    types=TYPES,
)
