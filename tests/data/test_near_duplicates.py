"""Repeated files go, similar-looking ones stay, and the estimate agrees with the exact index."""

import random

import numpy as np
import pytest

from voltx_core.data.near_duplicates import DuplicateReport, drop_near_duplicates
from voltx_core.data.ngrams import code_tokens_of, gram_hashes
from voltx_core.data.source_file import SourceFile
from voltx_core.errors import DataError


def source(text: str, path: str = "a.py") -> SourceFile:
    return SourceFile(path=path, text=text)


def random_code(seed: int, lines: int = 120) -> list[str]:
    draw = random.Random(seed)
    return [
        f"value_{draw.randrange(999)} = compute_{draw.randrange(999)}({draw.randrange(999)})"
        for _ in range(lines)
    ]


def changed(lines: list[str], share: float, seed: int) -> list[str]:
    draw = random.Random(seed)
    return [line if draw.random() > share else f"new_{draw.random()}()" for line in lines]


def exact_jaccard(one: str, other: str) -> float:
    first, second = (set(gram_hashes(code_tokens_of(text), 5).tolist()) for text in (one, other))
    return len(first & second) / len(first | second)


def test_exact_and_reformatted_copies_are_dropped_and_told_apart_from_near_ones():
    lines = random_code(1)
    files = [
        source("\n".join(lines), "first.py"),
        source("\n\n".join(lines), "reformatted.py"),
        source("\n".join([*lines, "extra = 1"]), "extended.py"),
        source("\n".join(random_code(2)), "other.py"),
    ]
    report = DuplicateReport()
    kept = [file.path for file in drop_near_duplicates(files, report=report)]
    assert kept == ["first.py", "other.py"]
    assert (report.seen, report.kept, report.exact, report.near) == (4, 2, 1, 1)
    assert report.examples == [("reformatted.py", "first.py"), ("extended.py", "first.py")]


def test_the_decision_follows_the_exact_overlap_away_from_the_threshold():
    wrong = []
    for seed in range(40):
        original = random_code(seed)
        text = "\n".join(original)
        copy = "\n".join(changed(original, random.Random(seed).random() * 0.5, seed))
        overlap = exact_jaccard(text, copy)
        if abs(overlap - 0.7) < 0.15:  # three standard errors of 64 permutations
            continue
        kept = len(list(drop_near_duplicates([source(text), source(copy, "b.py")], threshold=0.7)))
        if (kept == 1) != (overlap > 0.7):
            wrong.append((seed, overlap))
    assert wrong == []


def test_the_result_is_a_function_of_the_seed():
    files = [source("\n".join(changed(random_code(n % 7), 0.06, n)), f"{n}.py") for n in range(60)]
    runs = [[file.path for file in drop_near_duplicates(files, seed=4)] for _ in range(2)]
    assert runs[0] == runs[1]
    assert 7 <= len(runs[0]) < 60


def test_empty_and_tiny_files_pass_through():
    files = [source("", "empty.py"), source("x", "x.py"), source("y", "y.py")]
    assert [file.path for file in drop_near_duplicates(files)] == ["empty.py", "x.py", "y.py"]


def test_memory_is_bounded_by_refusing_too_many_files():
    files = (source("\n".join(random_code(n, 10)), f"{n}.py") for n in range(9))
    with pytest.raises(DataError, match="more than 5 distinct files"):
        list(drop_near_duplicates(files, most_kept=5))


def test_gram_hashes_depend_on_the_tokens_and_their_order():
    words = ["a", "b", "c", "d"]
    assert len(gram_hashes(words, 3)) == 2
    assert len(gram_hashes(words, 5)) == 0
    assert gram_hashes(words, 3)[1] == gram_hashes(["b", "c", "d"], 3)[0]
    assert gram_hashes(["a", "b"], 2)[0] != gram_hashes(["b", "a"], 2)[0]
    many = gram_hashes([str(n) for n in range(20_000)], 3)
    assert len(np.unique(many)) == len(many)
