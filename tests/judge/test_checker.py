"""One checker judges many programs: what the tests of one do never shows in the next."""

import pytest

from voltx_core.judge import Judge, Program
from voltx_core.judge.preparation import prepare

ANSWER = "def f(x): return x"


def program(*tests: str, code: str = ANSWER, setup: str = "") -> Program:
    return Program(id="p", code=code, tests=tests, entry_point="f", setup=setup)


@pytest.fixture(scope="module")
def alone():
    """A judge with one slot, so that one program follows the other in it."""
    with Judge(workers=1) as judge:
        yield judge


TRACES = {
    "a patched module": (
        "import math\nmath.sqrt = None\nassert f(1) == 1",
        "import math\nassert math.sqrt(f(4)) == 2",
    ),
    "a recursion limit": (
        "import sys\nsys.setrecursionlimit(60)\nassert f(1) == 1",
        "import sys\nassert f(sys.getrecursionlimit()) == 1000",
    ),
    "a decimal context": (
        "import decimal\ndecimal.getcontext().prec = 3\nassert f(1) == 1",
        "from decimal import Decimal\nassert len(str(Decimal(f(1)) / 3)) > 20",
    ),
    "a name in builtins": (
        "import builtins\nbuiltins.left = 1\nassert f(1) == 1",
        "assert f('left') not in dir(__builtins__)",
    ),
    "a module that was imported": (
        "import colorsys\nassert f(1) == 1",
        "import sys\nassert f('colorsys') not in sys.modules",
    ),
    "drawn random numbers": (
        "import random\nassert f(random.random()) < 1",
        "import random\nassert f(random.random()) == 0.8444218515250481",
    ),
}


@pytest.mark.parametrize("name", TRACES)
def test_no_trace_of_one_programs_tests_is_seen_by_the_next(alone, name):
    before, after = TRACES[name]
    verdicts = alone.run([program(before), program(after)])
    assert [(v.outcome, v.detail) for v in verdicts] == [("passed", "")] * 2


def test_what_a_setup_patches_is_gone_too(alone):
    patched = program("assert f(1) == 1", setup="import string\nstring.digits = ''")
    later = program("import string\nassert f(string.digits) == '0123456789'")
    assert all(verdict.passed for verdict in alone.run([patched, later]))


def test_a_checker_that_hostile_answers_bring_down_is_replaced(alone):
    greedy = program("f(0) * 'x' * (1 << 40)\nassert True", code="def f(x): return 1 << 40")
    verdicts = alone.run([greedy, program("assert f(1) == 1"), greedy, program("assert f(2) == 2")])
    assert [verdict.passed for verdict in verdicts] == [False, True, False, True]


def test_tests_are_prepared_once():
    first = prepare(("assert f(1) == 1",), "", "f")
    assert prepare(("assert f(1) == 1",), "", "f") is first
    assert first.wanted == ("f",)


@pytest.mark.parametrize(
    ("test", "traceless"),
    [
        ("def check(c):\n    assert c([1, 2]) == 3\ncheck(f)", True),
        ("import math, random\nassert f(math.pi) > random.random()", True),
        ("data = {}\ndata['key'] = f(1)\nassert data", True),
        ("from os import environ\nassert f(1)", False),
        ("import math as m\nm.pi = 3\nassert f(1)", False),
        ("import string\ndel string.digits\nassert f(1)", False),
        ("import random\nsetattr(random, 'random', None)\nassert f(1)", False),
        ("import re\nre.compile.__globals__['x'] = 1\nassert f(1)", False),
        ("class A: pass\nassert f(1)", False),
    ],
)
def test_tests_that_may_leave_a_trace_are_known_beforehand(test, traceless):
    assert prepare((test,), "", "f").traceless is traceless


def test_broken_tests_are_no_failure_of_the_program(alone):
    (verdict,) = alone.run([program("assert f(1) ==")])
    assert verdict.outcome == "not_run"
    assert "the tests' own code is broken: SyntaxError" in verdict.detail
