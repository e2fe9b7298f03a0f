"""Verdicts survive the process that asked for them."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from voltx_core.config import resolve
from voltx_core.data.problem import Problem
from voltx_core.errors import Interrupted
from voltx_core.evaluation import verdicts
from voltx_core.evaluation.frames import open_judge
from voltx_core.evaluation.verdicts import LastingVerdicts
from voltx_core.judge import Verdict
from voltx_core.training.checkpoint import Checkpoints
from voltx_core.training.session import StopFlag


def problem(number: int) -> Problem:
    return Problem(
        id=f"p{number}",
        query=f"add {number}",
        solution=f"def f(x):\n    return x + {number if number % 3 else 0}",
        tests=(f"assert f(1) == {1 + number}", "assert f(0) is not None"),
        entry_point="f",
    )


PROBLEMS = [problem(number) for number in range(1, 13)]
CODES = [p.solution or "" for p in PROBLEMS]
PASSES = [number % 3 != 0 for number in range(1, 13)]


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sizes of the batches that were really executed, four programs at most."""
    sizes: list[int] = []
    judged = verdicts.judge_codes

    def judge_codes(judge: Any, config: Any, problems: Any, codes: Any, stop: Any) -> Any:
        sizes.append(len(problems))
        return judged(judge, config, problems, codes, stop)

    monkeypatch.setattr(verdicts, "judge_codes", judge_codes)
    monkeypatch.setattr(verdicts, "AT_ONCE", 4)
    return sizes


class Watcher:
    """An observer that asks for a stop once so many programs are done."""

    def __init__(self, stop: StopFlag, at: int | None) -> None:
        self._stop, self._at = stop, at

    def progress(self, done: int, *_: Any) -> None:
        if done == self._at:
            self._stop.set("told to")


def session(home: Path, *, stop_at: int | None = None) -> Any:
    stop = StopFlag()
    return SimpleNamespace(
        config=resolve("tiny"),
        checkpoints=Checkpoints(home, interval_s=1e9),
        observer=Watcher(stop, stop_at),
        stop=stop,
    )


def ask(run: Any, codes: list[str]) -> list[Verdict]:
    with open_judge(run.config) as judge:
        return LastingVerdicts(run, judge, "asked")(PROBLEMS, codes)


def test_what_was_seen_before_a_stop_is_not_executed_again(tmp_path: Path, counted: Any) -> None:
    with pytest.raises(Interrupted):
        ask(session(tmp_path, stop_at=8), CODES)
    counted.clear()
    found = ask(session(tmp_path), CODES)
    assert [v.passed for v in found] == PASSES
    assert [v.pass_rate for v in found] == [1.0 if passes else 0.5 for passes in PASSES]
    assert counted == [4]


def test_a_changed_program_is_executed_and_so_is_all_after_it(tmp_path: Path, counted: Any) -> None:
    with pytest.raises(Interrupted):
        ask(session(tmp_path, stop_at=8), CODES)
    counted.clear()
    found = ask(session(tmp_path), [*CODES[:4], "def f(x):\n    return None", *CODES[5:]])
    assert [v.passed for v in found] == [*PASSES[:4], False, *PASSES[5:]]
    assert sum(counted) == 8


def test_a_restart_still_knows_which_verdicts_could_have_been_forged(tmp_path: Path) -> None:
    mixed = [
        replace(problem(n), traits={"assurance": "inproc"} if n % 2 else {}) for n in range(1, 9)
    ]
    codes = [p.solution or "" for p in mixed]
    rewardable = [n % 2 == 0 for n in range(1, 9)]
    for _ in range(2):  # the second time from what the first has saved
        run = session(tmp_path)
        run.checkpoints.due = lambda: True
        with open_judge(run.config) as judge:
            found = LastingVerdicts(run, judge, "asked")(mixed, codes)
        assert [v.rewardable for v in found] == rewardable
