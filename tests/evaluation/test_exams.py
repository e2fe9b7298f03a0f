"""Exams from the files the data stage writes."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voltx_core.data.jsonl import write_problems
from voltx_core.data.problem import Problem
from voltx_core.errors import DataError
from voltx_core.evaluation.exams import (
    Exam,
    checked_against,
    generated_exams,
    published_exams,
    spread,
)


def problem(name: str, **facts) -> Problem:
    return Problem(id=name, query="q", solution="s", tests=("assert True",), **facts)


@pytest.fixture
def folder(tmp_path):
    write_problems(tmp_path / "heldout.jsonl", [problem(f"h{n}") for n in range(5)])
    write_problems(tmp_path / "compositions.jsonl", [problem(f"c{n}") for n in range(3)])
    words = ["seen-words", "unseen-words", "seen-words"]
    write_problems(
        tmp_path / "phrasing.jsonl",
        [problem(f"p{n}", traits={"phrasing": w}) for n, w in enumerate(words)],
    )
    return tmp_path


def test_the_phrasing_set_is_examined_in_its_two_halves(folder):
    exams = {e.name: len(e.problems) for e in generated_exams(folder, 100)}
    assert exams == {"heldout": 5, "compositions": 3, "seen-words": 2, "unseen-words": 1}


def test_no_exam_exceeds_the_limit(folder):
    assert max(len(e.problems) for e in generated_exams(folder, 2)) == 2


def test_a_missing_generated_set_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"heldout\.jsonl"):
        generated_exams(tmp_path, 10)


def test_a_suite_that_is_not_here_is_named_with_the_reason(folder):
    write_problems(
        folder / "exams" / "humaneval.jsonl",
        [problem("a", traits={"contaminated": True}), problem("b")],
    )
    write_problems(folder / "exams" / "rusty.jsonl", [problem("r", language="rust")])
    exams, absent = published_exams(folder, ["humaneval", "mbpp", "rusty"], 10)
    assert [(e.name, len(e.problems), e.contaminated) for e in exams] == [("humaneval", 2, 1)]
    assert set(absent) == {"mbpp", "rusty"}
    assert "VOLTX_DATA_DIR" in absent["mbpp"]


def test_a_problem_that_was_trained_on_is_found_whatever_its_label_says():
    text = "find the longest run of equal neighbours in a list of at least seventeen numbers"
    known = Problem(id="x", query=text, solution="s", tests=("t",))
    fresh = Problem(id="y", query="parse a date", solution="s", tests=("t",))
    copied = Problem(id="t", query=f"please {text}", solution="other", tests=("t",))
    (clean,) = checked_against([Exam("e", (known, fresh), published=True)], [fresh_train()])
    (seen,) = checked_against([Exam("e", (known, fresh), published=True)], [copied])
    assert (clean.contaminated, seen.contaminated) == (0, 1)
    assert seen.contaminates(known)
    assert not seen.contaminates(fresh)
    assert checked_against([], [copied]) == []


def fresh_train() -> Problem:
    return Problem(id="t", query="add two numbers", solution="a + b", tests=("t",))


@given(st.integers(0, 60), st.integers(1, 30))
def test_a_sample_is_evenly_spread_in_order_and_without_repeats(count, most):
    problems = [problem(str(n)) for n in range(count)]
    chosen = [int(p.id) for p in spread(problems, most)]
    assert len(chosen) == min(count, most)
    assert chosen == sorted(set(chosen))
    gaps = [b - a for a, b in pairwise(chosen)]
    assert not gaps or max(gaps) - min(gaps) <= 1
