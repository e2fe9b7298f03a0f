"""Tables beside the scores."""

import pytest
import torch

from voltx_core.data.problem import Problem
from voltx_core.evaluation.examination import Answer
from voltx_core.evaluation.exams import Exam
from voltx_core.evaluation.tables import compute_efficiency, iterations_by_difficulty, overlaps
from voltx_core.frame import TensorFrame
from voltx_core.soft_core.rar import Trajectory


def problem(name: str, difficulty: str | None, **traits) -> Problem:
    return Problem(
        id=name, query="q", solution="s", tests=("t",), difficulty=difficulty, traits=traits
    )


def answer(passed: bool) -> Answer:
    return Answer(
        problem="p",
        difficulty=None,
        contaminated=False,
        outcome="passed" if passed else "failed",
        pass_rate=float(passed),
        samples=0,
        passed=0,
    )


def test_iterations_are_grouped_by_difficulty():
    exam = Exam(
        "e", (problem("a", "easy"), problem("b", "hard"), problem("c", "easy")), published=False
    )
    moved = Trajectory(
        frame=TensorFrame.of(torch.randn(3, 16, 4)),
        iterations=torch.tensor([2, 9, 4]),
        converged=torch.tensor([True, False, True]),
        converged_share=torch.ones(3),
        speed=torch.zeros(3),
        drift=torch.zeros(3),
    )
    easy, hard = iterations_by_difficulty(exam, [answer(True), answer(False), answer(False)], moved)
    assert (easy["difficulty"], easy["problems"], easy["mean iterations"]) == ("easy", 2, 3.0)
    assert (easy["solved share"], easy["converged share"]) == (0.5, 1.0)
    assert (hard["mean iterations"], hard["converged share"]) == (9.0, 0.0)


def test_a_score_is_divided_by_the_petaflops_it_took():
    rows = compute_efficiency(
        {"a": 0.5, "b": None}, {"a": 2e15, "b": 1e15, "free": 0.0}, {"a": "all", "b": "all"}
    )
    assert [(r["label"], r["score per PFLOP"]) for r in rows] == [("a", 0.25), ("b", None)]
    assert rows[0]["training PFLOP"] == pytest.approx(2.0)


def test_purity_is_counted_from_the_traits():
    exam = Exam(
        "e",
        (problem("a", None, contaminated=True), problem("b", None, solution_in_train=True)),
        published=True,
    )
    (row,) = overlaps([exam])
    assert (row["contaminated"], row["solution in train"], row["problems asked"]) == (1, 1, 2)
