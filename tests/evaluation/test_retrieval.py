"""Retrieval metrics and the two baselines they are compared with."""

import numpy as np
import pytest

from voltx_core.evaluation.retrieval import bag_scores, bm25_scores, ranks, retrieval_metrics

DOCUMENTS = [
    "def read_file(path): return open(path).read()",
    "def add(a, b): return a + b",
    "def sort_numbers(numbers): return sorted(numbers)",
]
QUERIES = ["read the file at a path", "add two values b", "sort some numbers"]


def test_a_perfect_ranking_scores_one_and_a_reversed_one_the_reciprocal_of_its_rank() -> None:
    assert retrieval_metrics(np.eye(4)) == {"mrr": 1.0, "recall@1": 1.0, "recall@10": 1.0}
    worst = retrieval_metrics(1 - np.eye(20))
    assert worst["mrr"] == pytest.approx(1 / 20)
    assert worst["recall@10"] == 0.0


def test_a_tie_counts_against_the_right_answer() -> None:
    assert ranks(np.ones((3, 3))).tolist() == [3, 3, 3]


@pytest.mark.parametrize("scores", [bm25_scores, bag_scores])
def test_word_overlap_finds_the_function_even_inside_identifiers(scores) -> None:
    assert retrieval_metrics(scores(QUERIES, DOCUMENTS))["recall@1"] == 1.0


def test_bm25_agrees_with_its_formula() -> None:
    documents = ["a a b", "b c"]
    found = bm25_scores(["a"], documents)
    rarity = np.log(1 + (2 - 1 + 0.5) / (1 + 0.5))
    length = 1.5 * (1 - 0.75 + 0.75 * 3 / 2.5)
    assert found[0, 0] == pytest.approx(rarity * 2 * 2.5 / (2 + length))
    assert found[0, 1] == 0.0


def test_the_right_answer_may_stand_in_any_column() -> None:
    scores = np.array([[0.1, 0.9, 0.5], [0.2, 0.3, 0.9]])
    assert ranks(scores, np.array([1, 1])).tolist() == [1, 2]
    assert retrieval_metrics(scores, np.array([2, 2]))["mrr"] == pytest.approx(0.75)
