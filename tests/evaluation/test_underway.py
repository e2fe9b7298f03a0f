"""Programs executed beside the trainer: the same verdicts, and honest clocks."""

import threading
from types import SimpleNamespace

import pytest

from voltx_core.config import resolve
from voltx_core.data.problem import Problem
from voltx_core.errors import Interrupted
from voltx_core.evaluation.frames import judge_codes
from voltx_core.evaluation.underway import Underway
from voltx_core.judge import Judge
from voltx_core.training.session import StopFlag

CODE = "def f(x):\n    return x + 1"
PROBLEM = Problem(
    id="one", query="add one", solution=CODE, tests=("assert f(1) == 2",), entry_point="f"
)


@pytest.fixture(scope="module")
def judge():
    with Judge(workers=1) as made:
        yield made


def session(stop: StopFlag | None = None) -> SimpleNamespace:
    return SimpleNamespace(
        config=resolve("tiny", environ={}), stop=StopFlag() if stop is None else stop
    )


def test_verdicts_are_those_of_judging_in_turn(judge) -> None:
    run, codes = session(), [CODE, "def f(x):\n    return x", CODE]
    expected = judge_codes(judge, run.config, [PROBLEM] * 3, codes)
    with Underway(run, judge) as underway:
        underway.begin([PROBLEM] * 3, codes)
        seen = underway.verdicts()
    assert [v.passed for v in seen] == [v.passed for v in expected] == [True, False, True]


def test_a_trainer_that_computes_meanwhile_does_not_wait(judge) -> None:
    executed = threading.Event()
    with Underway(session(), judge) as underway:
        underway.begin([PROBLEM], [CODE])
        waiting = underway._batch
        assert waiting is not None
        waiting.add_done_callback(lambda _: executed.set())
        assert executed.wait(60)
        assert underway.verdicts()[0].passed
        seen = underway.timings_s()
    assert seen["judge.waited_for"] < seen["judge.executing"] <= seen["judge.beside_training"]


def test_a_stop_reaches_the_trainer_that_waits(judge) -> None:
    stop = StopFlag()
    with Underway(session(stop), judge) as underway:
        stop.set("SIGTERM")
        underway.begin([PROBLEM] * 4, [CODE] * 4)
        with pytest.raises(Interrupted):
            underway.verdicts()
