"""Algorithms on a string or a list of words."""

from itertools import groupby, pairwise

from voltx_core.data.generator.families.constants import SMALL
from voltx_core.data.generator.families.family import Family, family


def _balanced(s: str) -> bool:
    inner = "".join(c for c in s if c in "()")
    while "()" in inner:
        inner = inner.replace("()", "")
    return not inner


def _shift(s: str, k: int) -> str:
    return "".join(
        "abcdefghijklmnopqrstuvwxyz"[(ord(c) - 97 + k) % 26] if "a" <= c <= "z" else c for c in s
    )


TEXT_ALGORITHMS: tuple[Family, ...] = (
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
