"""A sitting keeps writer and judge busy at once, and what it finds does not depend on that."""

import threading

import pytest

from voltx_core.bench.session import BenchSession
from voltx_core.config import resolve
from voltx_core.data.problem import Problem
from voltx_core.errors import Interrupted
from voltx_core.evaluation.examination import Examiner, Sampling, System, examine
from voltx_core.evaluation.exams import Exam
from voltx_core.evaluation.sitting import sit

PROBLEMS = tuple(
    Problem(
        id=f"add/{n}", query=f"add {n}", solution="", tests=(f"assert solve(1) == {1 + n}",),
        entry_point="solve",
    )
    for n in range(3)
)  # fmt: skip
EXAM = Exam("heldout", PROBLEMS, published=False)


@pytest.fixture
def session(tmp_path):
    config = resolve("tiny", ["judge.workers=1"], environ={})
    return BenchSession.open(config, tmp_path, device="cpu", say=lambda _: None)


def counting(write) -> System:
    return System(name="it", label="it", kind="model", write=write, samples=True)


def adds_one(problems, sampling) -> list[str]:
    del sampling
    return ["def solve(x):\n    return x + 1" for _ in problems]


def test_the_next_round_is_written_while_the_last_one_is_executed(session, monkeypatch) -> None:
    rounds = 0
    second_is_written = threading.Event()

    def write(problems, sampling) -> list[str]:
        nonlocal rounds
        rounds += 1
        if rounds == 2:
            second_is_written.set()
        return adds_one(problems, sampling)

    def marks(_, exam, __) -> list:
        # One after the other, nobody would ever write the second round.
        assert second_is_written.wait(30)
        return [("passed", 1.0, True)] * len(exam.problems)

    monkeypatch.setattr(Examiner, "marks", marks)
    found = sit(session, [counting(write)], [EXAM], samples=2)
    assert [answer.passed for answer in found["it", "heldout"]] == [2, 2, 2]


def test_at_once_and_in_turns_come_to_the_same(session) -> None:
    found = sit(session, [counting(adds_one)], [EXAM], samples=2)["it", "heldout"]
    with Examiner.open(session.config) as examiner:
        assert found == examine(counting(adds_one), EXAM, examiner, [Sampling()] * 2)
    assert [answer.greedy for answer in found] == [0.0, 1.0, 0.0]


def test_a_stop_between_rounds_keeps_what_was_executed(session) -> None:
    rounds = 0

    def write(problems, sampling) -> list[str]:
        nonlocal rounds
        rounds += 1
        if rounds == 3:
            session.stop.set("SIGTERM")
        return adds_one(problems, sampling)

    with pytest.raises(Interrupted, match="SIGTERM"):
        sit(session, [counting(write)], [EXAM], samples=5)
    session.stop.reason = None
    rounds = 100
    assert len(sit(session, [counting(write)], [EXAM], samples=5)["it", "heldout"]) == 3
    assert 100 < rounds < 106  # not all six again
