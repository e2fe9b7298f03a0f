"""Tables beside the scores."""

import pytest

from voltx_core.data.problem import Problem
from voltx_core.evaluation.exams import Exam
from voltx_core.evaluation.tables import (
    Cost,
    compute_efficiency,
    iterations_by_difficulty,
    overlaps,
    self_knowledge,
)
from voltx_core.generation import Generated
from voltx_core.hard_core.safety import Review


def problem(name: str, difficulty: str | None = None, **traits) -> Problem:
    return Problem(
        id=name, query="q", solution="s", tests=("t",), difficulty=difficulty, traits=traits
    )


def generated(
    *, gamma: float = 0.5, iterations: int = 1, converged: bool = True, safe: bool = True
) -> Generated:
    return Generated(
        query="q",
        code="",
        gamma=gamma,
        strands=(),
        iterations=iterations,
        converged=converged,
        moved=True,
        nearest=(),
        valid=True,
        review=Review(safe),
    )


def test_iterations_are_grouped_by_difficulty_without_refused_requests():
    exam = Exam(
        "e",
        (problem("a", "easy"), problem("b", "hard"), problem("c", "easy"), problem("d", "easy")),
        published=False,
    )
    answers = [
        generated(iterations=2),
        generated(iterations=9, converged=False),
        generated(iterations=4),
        generated(iterations=100, safe=False),
    ]
    easy, hard = iterations_by_difficulty(exam, answers, [1.0, 0.0, 0.0, 1.0])
    assert (easy["difficulty"], easy["problems"], easy["mean iterations"]) == ("easy", 2, 3.0)
    assert (easy["solved share"], easy["converged share"]) == (0.5, 1.0)
    assert (hard["mean iterations"], hard["converged share"]) == (9.0, 0.0)


def test_certainty_is_held_against_the_outcome_and_a_refusal_is_no_success():
    exam = Exam("e", tuple(problem(n) for n in "abcd"), published=False)
    answers = [
        generated(gamma=0.95),
        generated(gamma=0.9),
        generated(gamma=0.1),
        generated(gamma=0.0, safe=False),
    ]
    row = self_knowledge(exam, answers, [1.0, 0.0, 0.0, 1.0])
    assert (row["problems"], row["solved share"], row["refused"]) == (4, 0.25, 1)
    assert row["overconfident errors"] == 0.25
    assert row["mean certainty"] == pytest.approx(1.95 / 4)
    assert row["Brier"] == pytest.approx((0.05**2 + 0.9**2 + 0.1**2) / 4)


def test_a_score_is_divided_by_the_petaflops_it_took():
    def cost(label: str, flops: float) -> Cost:
        return Cost(label=label, flops=flops, parameters=7, counted="all")

    costs = [cost("a", 2e15), cost("b", 1e15), cost("free", 0.0)]
    rows = compute_efficiency({"a": 0.5, "b": None}, costs)
    assert [(r["label"], r["score per PFLOP"]) for r in rows] == [("a", 0.25), ("b", None)]
    assert rows[0]["training PFLOP"] == pytest.approx(2.0)


def test_purity_is_counted_from_the_traits():
    exam = Exam(
        "e", (problem("a", contaminated=True), problem("b", solution_in_train=True)), published=True
    )
    (row,) = overlaps([exam])
    assert (row["contaminated"], row["solution in train"], row["problems asked"]) == (1, 1, 2)
