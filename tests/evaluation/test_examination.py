"""Examining: real programs through the real judge, scored."""

from dataclasses import replace

import pytest
import torch

from voltx_core.data.problem import Problem
from voltx_core.errors import Interrupted
from voltx_core.evaluation.examination import Answer, Examiner, Sampling, System, examine, score
from voltx_core.evaluation.exams import Exam
from voltx_core.judge import Judge, Limits


def problem(name: str, **facts) -> Problem:
    return Problem(
        id=name,
        query=f"what is {name}",
        solution="def f(x):\n    return x + 1",
        tests=("assert f(1) == 2", "assert f(5) == 6"),
        entry_point="f",
        **facts,
    )


RIGHT = "def f(x):\n    return x + 1"
HALF = "def f(x):\n    return 2"
BROKEN = "def f(x:"
EXAM = Exam(
    "adding",
    (problem("a"), problem("b", difficulty="hard"), problem("c", traits={"contaminated": True})),
    published=False,
)


class Counted:
    """The real judge, and how many programs it was given."""

    def __init__(self, judge: Judge) -> None:
        self.judge, self.programs = judge, 0

    def run(self, programs, **options):
        self.programs += len(programs)
        return self.judge.run(programs, **options)


@pytest.fixture(scope="module")
def judge():
    with Judge(workers=1) as opened:
        yield opened


@pytest.fixture
def counted(judge) -> Counted:
    return Counted(judge)


@pytest.fixture
def examiner(counted) -> Examiner:
    return Examiner(counted, Limits(cpu_s=2.0))


def system(*programs: str, samples: bool = False) -> System:
    return System(
        name="s",
        label="the system",
        kind="model",
        write=lambda problems, _: list(programs[: len(problems)]),
        samples=samples,
    )


def test_every_problem_gets_the_outcome_of_its_own_program(examiner):
    answers = examine(system(RIGHT, HALF, BROKEN), EXAM, examiner)
    assert [a.outcome for a in answers] == ["passed", "failed", "syntax_error"]
    assert [a.pass_rate for a in answers] == [1.0, 0.5, 0.0]
    assert [a.problem for a in answers] == ["a", "b", "c"]
    assert [a.difficulty for a in answers] == [None, "hard", None]
    assert [a.contaminated for a in answers] == [False, False, True]


def test_the_same_program_of_the_same_problem_runs_once(examiner, counted):
    examine(system(RIGHT, RIGHT, BROKEN), EXAM, examiner)
    examine(system(RIGHT, HALF, BROKEN), EXAM, examiner)
    assert counted.programs == examiner.executed == 4


def test_samples_are_counted_round_by_round(examiner):
    def write(problems, sampling: Sampling) -> list[str]:
        if sampling.temperature == 0:
            return [BROKEN] * len(problems)
        draws = torch.rand(len(problems), generator=sampling.generator).tolist()
        return [RIGHT if draw < 0.5 else HALF for draw in draws]

    rounds = [
        Sampling(temperature=1.0, generator=torch.Generator().manual_seed(n)) for n in range(6)
    ]
    expected = [
        sum(
            torch.rand(3, generator=torch.Generator().manual_seed(n)).tolist()[row] < 0.5
            for n in range(6)
        )
        for row in range(3)
    ]
    drawing = System(name="d", label="d", kind="model", write=write, samples=True)
    answers = examine(drawing, EXAM, examiner, rounds=rounds)
    assert [a.passed for a in answers] == expected
    assert [a.samples for a in answers] == [6, 6, 6]
    assert [a.greedy for a in answers] == [0.0, 0.0, 0.0]


def test_a_system_that_does_not_sample_is_asked_once(examiner):
    answers = examine(
        system(RIGHT, RIGHT, RIGHT), EXAM, examiner, rounds=[Sampling(temperature=1.0)]
    )
    assert [a.samples for a in answers] == [0, 0, 0]


def test_a_stop_ends_the_examination(judge):
    with pytest.raises(Interrupted):
        examine(system(RIGHT, HALF, BROKEN), EXAM, Examiner(judge, Limits(), stop=lambda: True))


def answer(outcome: str = "failed", rate: float = 0.0, samples: int = 0, passed: int = 0) -> Answer:
    return Answer(
        problem="p",
        task="p",
        difficulty=None,
        contaminated=False,
        outcome=outcome,
        pass_rate=rate,
        samples=samples,
        passed=passed,
    )


def row_of(answers: list[Answer], ks=(1, 2)) -> dict:
    return score(system(), EXAM, answers, ks=ks, resamples=500, seed=0, sampling="2 samples, T 0.8")


def test_a_row_says_what_was_measured_how_and_on_how_many():
    answers = [answer("passed", 1.0, 2, 2), answer("failed", 0.5, 2, 1)] * 10
    row = row_of([replace(answer, task=str(n)) for n, answer in enumerate(answers)])
    assert row["pass@1"] == 0.5
    assert row["low"] < 0.5 < row["high"]
    assert (row["problems"], row["tasks"]) == (20, 20)
    assert row["tests passed"] == 0.75
    assert row["sampled pass@1"] == pytest.approx(0.75)
    assert row["sampled pass@2"] == pytest.approx(1.0)
    assert row["sampling"] == "greedy; 2 samples, T 0.8"


def test_greedy_only_leaves_the_sampled_columns_empty():
    row = row_of([answer("passed", 1.0)])
    assert row["sampled pass@1"] is None
    assert row["sampling"] == "greedy"
    assert row.keys() == row_of([answer(samples=2)]).keys()


def test_a_missing_toolchain_is_neither_passed_nor_failed():
    row = row_of([answer("passed", 1.0), answer("not_run"), answer("not_run")])
    assert (row["pass@1"], row["problems"], row["note"]) == (1.0, 1, "2 not run")


def test_an_exam_of_which_nothing_ran_has_no_score():
    row = row_of([answer("not_run")])
    assert row["pass@1"] is None
    assert row["problems"] == 0
