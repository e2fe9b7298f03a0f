"""Answering from memory."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voltx_core.data.problem import Problem
from voltx_core.evaluation.examination import Sampling
from voltx_core.evaluation.nearest_neighbour import NearestNeighbour, renamed


def problem(query: str, solution: str = "", entry_point: str | None = "solve") -> Problem:
    return Problem(
        id=query, query=query, solution=solution, tests=("assert True",), entry_point=entry_point
    )


MEMORY = [
    problem("return the sum of the list", "def solve(x):\n    return sum(x)"),
    problem("return the largest item of the list", "def solve(x):\n    return max(x)"),
    problem("return the list with 3 added to each item", "def solve(x):\n    return [v + 3]"),
]


@pytest.mark.parametrize(
    ("query", "answer"),
    [("the sum of a list", "sum(x)"), ("the largest", "max(x)"), ("3 added to each", "v + 3")],
)
def test_the_query_with_the_most_telling_words_in_common_answers(query, answer):
    (program,) = NearestNeighbour(MEMORY).write([problem(query)], Sampling())
    assert answer in program


def test_a_remembered_query_finds_itself_with_cosine_one():
    for remembered in MEMORY:
        found, cosine = NearestNeighbour(MEMORY).nearest(remembered.query)
        assert found is remembered
        assert cosine == pytest.approx(1.0)


def test_rare_words_weigh_more_than_common_ones():
    memory = [problem("the the the list", "common"), problem("reverse", "rare")]
    assert NearestNeighbour([*memory, *MEMORY]).nearest("the reverse")[0].solution == "rare"


def test_word_order_counts():
    memory = [problem("double then sum", "a"), problem("sum then double", "b")]
    assert NearestNeighbour(memory).nearest("please sum then double")[0].solution == "b"


@given(st.text(max_size=60))
def test_any_text_has_a_nearest_problem(query):
    _, cosine = NearestNeighbour(MEMORY).nearest(query)
    assert 0 <= cosine <= 1 + 1e-9


def test_the_function_takes_the_name_the_tests_call():
    source = problem("x", "def solve(x):\n    return 0 if x else solve(x - 1) + resolve(x)")
    assert renamed(source, "f") == "def f(x):\n    return 0 if x else f(x - 1) + resolve(x)"
    assert renamed(source, None) == source.solution


def test_an_empty_memory_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        NearestNeighbour([])
