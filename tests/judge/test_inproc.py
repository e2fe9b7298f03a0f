"""Tests in the candidate's own interpreter: what they can do, and what decides nothing."""

import pytest

from voltx_core.judge import Limits, Outcome

OBJECTS = """
class Node:
    def __init__(self, value, left=None): self.value, self.left = value, left
def depth(node): return 0 if node is None else 1 + depth(node.left)
"""
TEST = "assert depth(Node(1, Node(2))) == 2"
LIMITS = Limits(cpu_s=0.4, wall_s=60.0, memory_mib=128, output_kib=64)


@pytest.fixture(scope="session")
def beside(bench):
    def judge_beside(code, *tests, **more):
        return bench(code, *tests, **{"assurance": "inproc", "limits": LIMITS} | more)

    return judge_beside


def test_class_instances_can_be_handed_over_and_the_verdict_says_so(bench, beside):
    assert not bench(OBJECTS, TEST, entry_point="depth").passed
    verdict = beside(OBJECTS, TEST, "assert depth(None) == 1", entry_point="depth")
    assert (verdict.outcome, verdict.tests_passed) == (Outcome.FAILED, 1)
    assert "test 2: AssertionError" in verdict.detail
    verdict = beside(OBJECTS, TEST, entry_point="depth")
    assert verdict.passed
    assert (verdict.assurance, verdict.rewardable) == ("inproc", False)
    assert 0 < verdict.cpu_s < 1


@pytest.mark.parametrize(
    "code",
    [
        "import os\nos._exit(0)",
        "import os\ndef f(): os._exit(0)",
        "raise SystemExit(0)",
        "def f(): raise SystemExit(0)",
        "import os\nos.write(3, b'1\\n')\ndef f(): pass",
        "import os\nos.write(3, b'0' * 32 + b' 1\\n')\ndef f(): pass",
        "print('1', 'passed', 'OK')\ndef f(): pass",
        "import os\nos.close(3)\ndef f(): return 1",
        "import os, sys\ndef f(): sys.stdout.write('C1'); os._exit(0)",
        "def f(): raise AssertionError",
        "def f(): raise GeneratorExit",
        "import ctypes\ndef f(): ctypes.string_at(0)",
        "def g(): pass",
    ],
)
def test_neither_exit_codes_nor_output_nor_unsigned_marks_pass_a_test(beside, code):
    verdict = beside(code, "assert f() == 1")
    assert not verdict.passed
    assert verdict.tests_passed == 0
    assert verdict.outcome in (Outcome.FAILED, Outcome.CRASHED)
    assert verdict.detail


def test_leaving_after_some_tests_passes_only_those(beside):
    code = "import os\ndef f(x): return 1 if x else os._exit(0)"
    verdict = beside(code, "assert f(1) == 1", "assert f(0) == 1")
    assert (verdict.outcome, verdict.tests_passed) == (Outcome.CRASHED, 1)
    assert "before all tests" in verdict.detail


def test_a_test_whose_assertions_are_not_reached_is_no_pass(beside):
    verdict = beside("def f(): return []", "for x in f():\n    assert x")
    assert not verdict.passed
    assert "none of its assertions was reached" in verdict.detail
    assert not beside("def f(): return 1").passed


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        ("def f(:", Outcome.SYNTAX_ERROR),
        ("1 / 0", Outcome.CRASHED),
        ("def f():\n    while True: pass", Outcome.TIMEOUT),
        ("def f():\n    while True: print('x' * 9999)", Outcome.FAILED),
        ("def f():\n    x = []\n    while True: x.append(bytes(1 << 20))", Outcome.FAILED),
    ],
)
def test_every_kind_of_ending_has_its_outcome_here_too(beside, code, outcome):
    assert beside(code, "assert f() == 1").outcome is outcome


def test_tests_that_are_broken_themselves_are_not_held_against_the_program(beside):
    assert beside("def f(): return 1", "assert f( ==").outcome is Outcome.NOT_RUN
    assert beside("def f(): return 1", "assert f()", setup="1/0").outcome is Outcome.NOT_RUN


def test_a_method_of_solution_is_found_and_helpers_of_setup_are_there(beside):
    code = "class Solution:\n    def f(self, x): return x + one"
    assert beside(code, "assert f(one) == 2", setup="one = 1").passed


def test_a_setup_that_builds_objects_of_the_candidate_comes_after_it(beside):
    setup = "tree = Node(1, Node(2))"
    assert beside(OBJECTS, "assert depth(tree) == 2", entry_point="depth", setup=setup).passed
    verdict = beside("def depth(node): return 2", "assert depth(tree) == 2", setup=setup)
    assert verdict.outcome is Outcome.CRASHED
