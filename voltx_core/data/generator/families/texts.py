"""Families that start from a string or from a list of words."""

from voltx_core.data.generator.families.constants import SMALL
from voltx_core.data.generator.families.family import Family, family, require

VOWELS = "aeiou"


def _reverse_each_word(s: str) -> str:
    return " ".join("".join(reversed(w)) for w in s.split())


def _longest(words: list[str]) -> str:
    require(len(words) > 0)
    best = words[0]
    for w in words:
        if len(w) > len(best):
            best = w
    return best


TEXTS: tuple[Family, ...] = (
    family(
        "upper",
        "text -> text",
        lambda s: "".join(chr(ord(c) - 32) if "a" <= c <= "z" else c for c in s),
        train=(
            "convert the string to uppercase",
            "make the text uppercase",
            "turn all letters into uppercase",
            "change the letters to uppercase",
        ),
        nested="the uppercase form of {}",
        seen=("convert the letters to uppercase",),
        unseen=("render it using capitals",),
    ),
    family(
        "lower",
        "text -> text",
        lambda s: "".join(chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in s),
        train=(
            "convert the string to lowercase",
            "make the text lowercase",
            "turn all letters into lowercase",
            "change the letters to lowercase",
        ),
        nested="the lowercase form of {}",
        seen=("convert the letters to lowercase",),
        unseen=("render it using minuscules",),
    ),
    family(
        "reverse_text",
        "text -> text",
        lambda s: "".join(reversed(s)),
        train=(
            "reverse the string",
            "reverse the text",
            "reverse the order of the letters",
            "put the letters in reverse order",
        ),
        nested="the reversed form of {}",
        seen=("put the text in reverse order",),
        unseen=("spell it backwards",),
    ),
    family(
        "remove_vowels",
        "text -> text",
        lambda s: "".join(c for c in s if c.lower() not in VOWELS),
        train=(
            "remove the vowels",
            "drop all vowels",
            "remove every vowel from the string",
            "drop the vowels from the text",
        ),
        nested="{} without vowels",
        seen=("drop every vowel",),
        unseen=("discard the aeiou characters",),
    ),
    family(
        "remove_spaces",
        "text -> text",
        lambda s: "".join(c for c in s if c != " "),
        train=(
            "remove the spaces",
            "drop all spaces",
            "remove every space from the string",
            "drop the spaces from the text",
        ),
        nested="{} without spaces",
        seen=("drop every space",),
        unseen=("discard the blanks",),
    ),
    family(
        "repeat_text",
        "text -> text",
        lambda s, k: "".join(s for _ in range(k)),
        constants=SMALL,
        train=(
            "repeat the string {k} times",
            "repeat the text {k} times",
            "join {k} copies of the string",
            "write the text {k} times",
        ),
        nested="{k} copies of {}",
        seen=("write {k} copies of the text",),
        unseen=("replicate it {k} fold",),
    ),
    family(
        "first_letters",
        "text -> text",
        lambda s, k: "".join(c for i, c in enumerate(s) if i < k),
        constants=SMALL,
        train=(
            "take the first {k} letters",
            "keep the first {k} characters",
            "keep only the first {k} letters",
            "select the first {k} characters",
        ),
        nested="the first {k} letters of {}",
        seen=("select only the first {k} letters",),
        unseen=("retain a prefix of size {k}",),
    ),
    family(
        "sort_letters",
        "text -> text",
        lambda s: "".join(map(chr, sorted(map(ord, s)))),
        train=(
            "sort the letters",
            "sort the characters of the string",
            "put the letters in ascending order",
            "sort the letters of the text",
        ),
        nested="the sorted letters of {}",
        seen=("put the characters in ascending order",),
        unseen=("alphabetize the glyphs",),
    ),
    family(
        "reverse_each_word",
        "text -> text",
        _reverse_each_word,
        train=(
            "reverse each word",
            "reverse every word in the string",
            "reverse each word of the text",
            "reverse the letters of each word",
        ),
        nested="the reversed words of {}",
        seen=("reverse the letters of every word",),
        unseen=("flip individual terms around",),
    ),
    family(
        "count_vowels",
        "text -> int",
        lambda s: len([c for c in s if c in VOWELS]),
        train=(
            "count the vowels",
            "return the number of vowels",
            "count how many vowels there are",
            "return how many letters are vowels",
        ),
        nested="the number of vowels in {}",
        seen=("count how many letters are vowels",),
        unseen=("tally the aeiou characters",),
    ),
    family(
        "text_length",
        "text -> int",
        lambda s: sum(1 for _ in s),
        train=(
            "count the characters",
            "return the length of the string",
            "return the length of the text",
            "return how many characters there are",
        ),
        nested="the number of characters in {}",
        seen=("count how many characters there are",),
        unseen=("measure its size",),
    ),
    family(
        "split_words",
        "text -> words",
        lambda s: [w for w in s.split(" ") if w],
        train=(
            "split the string into words",
            "split the text into words",
            "list the words",
            "make the list of words",
        ),
        nested="the words in {}",
        seen=("make the list of words of the text",),
        unseen=("tokenize at blanks",),
    ),
)

WORDS: tuple[Family, ...] = (
    family(
        "sort_words",
        "words -> words",
        lambda words: sorted(words),
        train=(
            "sort the words",
            "put the words in ascending order",
            "sort the list of words",
            "sort all words in ascending order",
        ),
        nested="the sorted words of {}",
        seen=("put the list of words in ascending order",),
        unseen=("alphabetize the terms",),
    ),
    family(
        "long_words",
        "words -> words",
        lambda words, k: [w for w in words if not len(w) <= k],
        constants=tuple(range(2, 7)),
        train=(
            "keep words longer than {k}",
            "select the words longer than {k} letters",
            "keep only words with more than {k} letters",
            "keep words with length above {k}",
        ),
        nested="the words longer than {k} in {}",
        seen=("select only words with length above {k}",),
        unseen=("retain terms exceeding {k} glyphs",),
    ),
    family(
        "reverse_words",
        "words -> words",
        lambda words: list(reversed(words)),
        train=(
            "reverse the words",
            "reverse the order of the words",
            "put the words in reverse order",
            "reverse the list of words",
        ),
        nested="the words of {} in reverse order",
        seen=("put the list of words in reverse order",),
        unseen=("arrange the terms backwards",),
    ),
    family(
        "word_lengths",
        "words -> ints",
        lambda words: [sum(1 for _ in w) for w in words],
        train=(
            "take the length of each word",
            "replace each word by its length",
            "compute the length of every word",
            "list the lengths of the words",
        ),
        nested="the lengths of {}",
        seen=("compute the lengths of the words",),
        unseen=("measure the terms individually",),
    ),
    family(
        "initials",
        "words -> text",
        lambda words: "".join(next(iter(w)) for w in words),
        train=(
            "join the first letters of the words",
            "write the initials of the words",
            "join the initials",
            "take the first letter of each word",
        ),
        nested="the initials of {}",
        seen=("write the first letters of the words",),
        unseen=("concatenate the leading glyphs",),
    ),
    family(
        "join_words",
        "words -> text",
        lambda words: " ".join(words),
        train=(
            "join the words with spaces",
            "join the words",
            "join all words into one string",
            "write the words as one string",
        ),
        nested="{} joined with spaces",
        seen=("write all words as one string with spaces",),
        unseen=("concatenate the terms",),
    ),
    family(
        "longest_word",
        "words -> text",
        _longest,
        train=(
            "return the longest word",
            "find the longest word",
            "pick the longest word",
            "return the word with the largest length",
        ),
        nested="the longest word in {}",
        seen=("find the word with the largest length",),
        unseen=("give the lengthiest term",),
    ),
)
