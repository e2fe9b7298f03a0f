"""The same verdicts whatever the machine does besides; its faults told from failures."""

import os
import resource
import subprocess

import pytest

from voltx_core.data.problem import StdioTest
from voltx_core.errors import JudgeError
from voltx_core.judge import Judge, Limits, Program

LIMITS = Limits(cpu_s=0.5, wall_s=120.0, memory_mib=128)
CHANCY = """
import random, string
order = list({c for c in string.ascii_letters})
draws = [random.random() for _ in range(3)]
def f(): return "".join(order), draws, hash("x"), random.sample(range(100), 5), list({"b", "a"})
"""


def mixture(count: int) -> list[Program]:
    """Programs of every kind, each with an outcome that must not depend on the weather."""
    kinds = [
        ("def f(x): return x + 1", "assert f(1) == 2", "split"),
        ("def f(x): return x + 1", "assert f(1) == 3", "split"),
        ("def f(x): return x + 1", "assert f(1) == 2", "inproc"),
        ("def f(x):\n    while True: pass", "assert f(1)", "split"),
        ("def f(x):\n    while True: pass", "assert f(1)", "inproc"),
        ("def f(x): return sum(range(10**5))", "assert f(1) == 4999950000", "split"),
        ("import os\ndef f(x): os._exit(0)", "assert f(1)", "split"),
        ("def f(:", "assert f(1)", "split"),
        ("def f(x): return bytearray(1 << 30)", "assert f(1)", "split"),
        ("print(int(input()) * 2)", StdioTest(stdin="4", stdout="8"), "split"),
        ("print(sorted({'a', 'b'}, key=hash))", StdioTest(stdin="", stdout="x"), "split"),
        ("while True: print('x' * 9999)", StdioTest(stdin="", stdout="x"), "split"),
    ]
    programs = []
    for number in range(count):
        code, test, assurance = kinds[number % len(kinds)]
        entry_point = "f" if isinstance(test, str) else None
        programs.append(
            Program(
                id=f"{number}",
                code=f"{code}\n",
                tests=(test,),
                entry_point=entry_point,
                limits=LIMITS,
                assurance=assurance,
            )
        )
    return programs


def test_verdicts_are_the_same_at_load_one_and_at_load_eight():
    programs = mixture(48)
    seen = []
    for workers in (1, 8):
        with Judge(workers=workers) as judge:
            seen.append([(v.id, v.outcome, v.tests_passed, v.detail) for v in judge.run(programs)])
    assert seen[0] == seen[1]
    outcomes = {outcome for _, outcome, _, _ in seen[0]}
    assert len(outcomes) == 5  # passed, failed, timeout, crashed, syntax error


@pytest.mark.parametrize("assurance", ["split", "inproc"])
def test_what_depends_on_hashes_and_chance_is_the_same_in_every_run(assurance):
    printing = Program(
        id="print", code=CHANCY + "print(f())", tests=(StdioTest(stdin="", stdout="?"),)
    )
    texts = set()
    for workers in (1, 3):
        with Judge(workers=workers) as judge:
            # What the code sees crosses in the message of a failing test.
            program = Program(
                id="c",
                code=CHANCY,
                tests=("assert False, f()",),
                entry_point="f",
                assurance=assurance,
            )
            texts |= {verdict.detail for verdict in judge.run([program] * 6)}
            assert not any(verdict.passed for verdict in judge.run([printing] * 2))
    assert len(texts) == 1
    assert "0.844421851525" in texts.pop()  # the first number after random.seed(0)


@pytest.fixture
def starved(monkeypatch):
    """A list with the number of slots that shall find no process left on the machine."""
    if os.geteuid() != 0:
        pytest.skip("without leased uids the limit would hold for the tests themselves")
    left = [0]
    popen = subprocess.Popen

    def starving(*arguments, **more):
        soft, hard = resource.getrlimit(resource.RLIMIT_NPROC)
        if left[0]:
            left[0] -= 1
            resource.setrlimit(resource.RLIMIT_NPROC, (1, hard))  # binds the leased uid, not root
        try:
            return popen(*arguments, **more)
        finally:
            resource.setrlimit(resource.RLIMIT_NPROC, (soft, hard))

    monkeypatch.setattr(subprocess, "Popen", starving)
    return left


@pytest.mark.parametrize("kind", [0, 2, 9], ids=["split", "inproc", "stdin"])
def test_a_program_that_could_not_be_started_is_tried_again(starved, kind):
    program = mixture(12)[kind]
    with Judge(workers=1) as judge:
        starved[0] = 2
        (verdict,) = judge.run([program])
        assert verdict.passed
    assert starved[0] == 0


@pytest.mark.parametrize("kind", [0, 2, 9], ids=["split", "inproc", "stdin"])
def test_a_machine_that_cannot_start_programs_is_an_error_and_never_a_failure(starved, kind):
    programs = mixture(12)
    with Judge(workers=1) as judge:
        starved[0] = 3
        with pytest.raises(JudgeError, match=r"in 3 attempts.*Nothing was scored"):
            judge.run([programs[kind]] * 2)
        assert judge.run([programs[kind]])[0].passed
