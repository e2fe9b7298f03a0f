import gzip
import json
import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voltx_core.data.problem import Problem, StdioTest
from voltx_core.judge import CalibratedLimits, Judge, Limits, Program, calibrate, languages, settle
from voltx_core.judge.calibration import calibrated

DATA = Path(os.environ.get("VOLTX_DATA_DIR", "/nowhere"))
PLAIN = "def f(x): return 2 * x"
OBJECTS = "class Box:\n    def __init__(self, n): self.n = n\ndef f(box): return box.n"
BUSY = "import time\ndef f():\n    t = time.process_time() + 0.2\n"
BUSY += "    while time.process_time() < t: pass\n    return 1"


def problem(solution: str, *tests: str | StdioTest, **more) -> Problem:
    more = {"entry_point": "f"} | more
    return Problem(id=solution[:9], query="q", solution=solution, tests=tests, **more)


def test_each_problem_is_settled_by_its_reference(judge):
    script = problem("print(input())", StdioTest(stdin="x", stdout="x"), entry_point=None)
    settled = settle(
        [
            problem(PLAIN, "assert f(2) == 4"),
            problem(OBJECTS, "assert f(Box(3)) == 3", traits={"level": 1}),
            problem(PLAIN, "assert f(2) == 5"),
            problem(PLAIN, "assert f(2) == 4", "assert f( =="),
            script,
        ],
        judge,
    )
    statuses = [row.status for row in settled]
    assert statuses == ["split", "inproc", "broken", "broken", "split"]
    assert settled[0].why == ""
    assert settled[0].problem.traits == {}
    assert settled[1].problem.traits == {"level": 1, "assurance": "inproc"}
    assert "not plain data" in settled[1].why
    assert "AssertionError" in settled[2].why
    assert "in one interpreter" in settled[2].why
    assert "broken" in settled[3].why


def test_samples_of_a_settled_problem_are_judged_as_its_reference_was(judge):
    (settled,) = settle([problem(OBJECTS, "assert f(Box(3)) == 3")], judge)
    wrong = OBJECTS.replace("box.n", "box.n + 1")
    right, bad = judge.run([Program.of(settled.problem, code) for code in (OBJECTS, wrong)])
    assert (right.passed, bad.passed) == (True, False)
    assert {right.assurance, bad.assurance} == {"inproc"}
    # A sample never changes the mode: one that wants objects on a split problem just fails.
    (sample,) = judge.run([Program.of(problem(PLAIN, "assert f(2) == 4"), OBJECTS)])
    assert (sample.passed, sample.assurance) == (False, "split")


def test_a_stale_trait_is_forgotten_when_the_reference_passes_split(judge):
    stale = problem(PLAIN, "assert f(2) == 4", traits={"assurance": "inproc"})
    (settled,) = settle([stale], judge)
    assert (settled.status, settled.problem.traits) == ("split", {})


def test_a_missing_toolchain_leaves_a_problem_open(judge, monkeypatch):
    monkeypatch.setattr(sys.modules["voltx_core.judge.toolchain"], "_proven", {})
    monkeypatch.setattr(languages.shutil, "which", lambda _: None)
    languages._go.cache_clear()
    (settled,) = settle([problem("func f() {}", "f()", language="go")], judge)
    languages._go.cache_clear()
    assert settled.status == "not_run"
    assert "no go on PATH" in settled.why


def test_limits_come_from_the_reference(judge):
    base = Limits(memory_mib=100, wall_s=20.0)
    quick, busy = calibrate(
        [problem(PLAIN, "assert f(2) == 4"), problem(BUSY, "assert f() == 1")], judge, base=base
    )
    assert quick == Limits(cpu_s=0.25, wall_s=20.0, memory_mib=100)
    assert 2.0 <= busy.cpu_s < 4.0
    assert busy.wall_s >= 10 * busy.cpu_s
    assert busy.memory_mib == 100


def test_samples_cost_one_run_of_each_reference(judge, monkeypatch):
    asked: list[int] = []
    run = Judge.run

    def counted(self, programs, **more):
        asked.append(len(programs))
        return run(self, programs, **more)

    monkeypatch.setattr(Judge, "run", counted)
    limits = CalibratedLimits(judge, Limits(cpu_s=1.0))
    quick, slow = problem(PLAIN, "assert f(2) == 4"), problem(BUSY, "assert f() == 1")
    assert [one.cpu_s for one in limits.of([quick, slow, quick, quick])] == [0.25, 1.0, 0.25, 0.25]
    assert sum(asked) == 2
    limits.of([slow, quick] * 3)
    assert sum(asked) == 2


@given(st.floats(min_value=1e-6, max_value=1e4))
def test_a_limit_is_at_least_ten_times_the_reference_and_never_much_more(cpu_s):
    limits = calibrated(cpu_s, Limits())
    assert limits.cpu_s >= max(0.25, 10 * cpu_s) - 1e-3
    assert limits.cpu_s <= max(0.25, 10 * cpu_s * 2**0.25) + 1e-3
    assert limits.wall_s >= max(10.0, 9.99 * limits.cpu_s)


def test_a_reference_that_was_not_run_calibrates_nothing():
    with pytest.raises(ValueError, match="run the reference first"):
        calibrated(0.0, Limits())


@pytest.mark.skipif(
    "VOLTX_DATA_DIR" not in os.environ, reason="VOLTX_DATA_DIR is unset: no published suites here"
)
def test_mbpp_rows_that_hand_over_objects_pass_in_one_interpreter_only(judge):
    path = DATA / "mbpp/mbpp.jsonl.gz"
    if not path.exists():
        pytest.skip(f"{path} is absent")
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = {str(row["task_id"]): row for row in map(json.loads, file)}
    problems = [
        Problem(
            id=key,
            query=rows[key]["text"],
            solution=rows[key]["code"],
            tests=tuple(rows[key]["test_list"]),
            setup=rows[key]["test_setup_code"],
        )
        for key in ("1", "2", "367", "533", "601", "927")
    ]
    statuses = {row.problem.id: row.status for row in settle(problems, judge)}
    assert statuses == {"1": "split", "2": "split"} | dict.fromkeys(
        ("367", "533", "601", "927"), "inproc"
    )
