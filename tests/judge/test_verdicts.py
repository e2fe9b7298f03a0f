import pytest

from voltx_core.data.problem import Problem, StdioTest
from voltx_core.errors import Interrupted
from voltx_core.judge import Limits, Outcome, Program, syntax_ok

LOOP = "def f(*a):\n    while True: pass"


def test_a_right_program_passes_and_its_verdict_says_under_what_conditions(bench):
    verdict = bench("def f(x): return 2 * x", "assert f(2) == 4", "assert f(0) == 0")
    assert verdict.passed
    assert (verdict.tests_passed, verdict.tests_total, verdict.pass_rate) == (2, 2, 1.0)
    assert verdict.level == bench.judge.level
    assert verdict.assurance == "split"
    assert verdict.limits == Limits(cpu_s=0.4, wall_s=60.0, memory_mib=128)
    assert 0 < verdict.cpu_s < 1


@pytest.mark.parametrize("field", ["cpu_s", "wall_s", "memory_mib", "output_kib"])
@pytest.mark.parametrize("value", [0, -1, float("inf"), float("nan")])
def test_a_limit_that_limits_nothing_is_refused(field, value):
    with pytest.raises(ValueError, match=f"{field} is {value}"):
        Limits(**{field: value})


def test_a_wrong_program_fails_with_the_share_of_tests_it_passed(bench):
    verdict = bench("def f(x): return 2 * x", "assert f(2) == 4", "assert f(2) == 5, 'no'")
    assert verdict.outcome is Outcome.FAILED
    assert verdict.pass_rate == 0.5
    assert "test 2: AssertionError: no" in verdict.detail


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (LOOP, Outcome.TIMEOUT),
        ("import time\ndef f(*a): time.sleep(100)", Outcome.TIMEOUT),
        ("def f(:", Outcome.SYNTAX_ERROR),
        ("def f(): return '\0'", Outcome.SYNTAX_ERROR),
        ("(" * 100_000, Outcome.SYNTAX_ERROR),
        ("1 / 0", Outcome.CRASHED),
        ("import os\ndef f(*a): os._exit(0)", Outcome.CRASHED),
        ("import os\nos._exit(0)", Outcome.CRASHED),
        ("raise SystemExit(0)", Outcome.CRASHED),
        ("import ctypes\ndef f(*a): ctypes.string_at(0)", Outcome.CRASHED),
        ("def g(x): return 1", Outcome.FAILED),
        ("f = 1", Outcome.FAILED),
        ("def f(x): return f(x)", Outcome.FAILED),
    ],
)
def test_every_kind_of_ending_has_its_outcome(bench, code, outcome):
    limits = Limits(cpu_s=0.3, wall_s=1.5 if "sleep" in code else 60.0)
    verdict = bench(code, "assert f(1) == 1", limits=limits)
    assert verdict.outcome is outcome, verdict.detail
    assert verdict.tests_passed == 0
    assert verdict.detail


def test_cpu_time_is_one_budget_for_all_tests(bench):
    code = "import time\ndef f(x):\n    t = time.process_time() + 0.15\n"
    code += "    while time.process_time() < t: pass\n    return x"
    verdict = bench(code, *["assert f(1) == 1"] * 5)
    assert verdict.outcome is Outcome.TIMEOUT
    assert 1 <= verdict.tests_passed < 5


def test_no_tests_and_no_assertions_are_no_pass(bench):
    assert not bench("def f(): return 1").passed
    verdict = bench("def f(): return []", "for x in f():\n    assert x > 0")
    assert verdict.outcome is Outcome.FAILED
    assert "none of its assertions was reached" in verdict.detail


def test_a_test_that_is_broken_itself_is_not_held_against_the_program(bench):
    assert bench("def f(): return 1", "assert f( ==").outcome is Outcome.NOT_RUN
    assert bench("def f(): return 1", "assert f()", setup="1/0").outcome is Outcome.NOT_RUN


def test_human_eval_and_mbpp_forms_of_tests(bench):
    check = "def check(candidate):\n    assert candidate([3, 1]) == [1, 3]\ncheck(f)"
    assert bench("def f(x): return sorted(x)", check).passed
    assert bench("def f(x): return sorted(x)", "assert f([2, 1]) == [1, 2]", entry_point=None)
    # the entry point may carry the name of a builtin
    assert bench("def sum(a, b): return a * b", "assert sum(2, 3) == 6", entry_point="sum").passed


def test_setup_runs_on_both_sides_and_its_helpers_stay_trusted(bench):
    setup = "import math\ndef poly(x): return x * x - 2"
    code = "def poly(x): return 0\ndef f(): return {}"
    test = "assert abs(poly(f())) < 1e-6"
    assert bench(code.format("math.sqrt(2)"), test, setup=setup).passed
    assert not bench(code.format("5"), test, setup=setup).passed


def test_a_method_of_solution_is_found_by_its_name(bench):
    assert bench("class Solution:\n    def f(self, x): return x + 1", "assert f(1) == 2").passed


def test_changes_to_arguments_in_place_are_seen_by_the_test(bench):
    code = "def f(items, table, seen):\n    items.sort(); items[0].append(9)\n"
    code += "    table['k'] = items; seen.add(3)"
    test = "a, b, c = [[2], [1]], {}, {1}\ninner = a[1]\nf(a, b, c)\n"
    test += "assert a == [[1, 9], [2]] and b == {'k': a} and c == {1, 3}"
    assert bench(code, test).passed


def test_exceptions_cross_as_their_nearest_builtin_class(bench):
    code = """
import json
class Mine(KeyError): pass
def f(kind):
    if kind == 'value': raise ValueError('bad', 3)
    if kind == 'mine': raise Mine('k')
    json.loads('{')
"""
    tests = [
        f"try:\n    f({kind!r})\n    assert False\nexcept {error} as e:\n    assert {check}"
        for kind, error, check in [
            ("value", "ValueError", "e.args == ('bad', 3)"),
            ("mine", "KeyError", "e.args == ('k',)"),
            ("json", "ValueError", "'Expecting' in str(e)"),
        ]
    ]
    assert bench(code, *tests).tests_passed == 3


def test_results_of_many_kinds_cross_as_plain_data(bench):
    code = """
import collections, enum
class E(enum.IntEnum):
    A = 7
def f(i):
    return [None, True, 10**40, -1.5, float('nan'), 'x\\ud800', b'y', (1, [2]), {1: {2}},
            frozenset({3}), 1j, range(3), collections.Counter('aab'), E.A,
            (x * x for x in range(3)), collections.OrderedDict(a=1), {4: 5}.keys()][i]
"""
    expected = [
        *("is None", "is True", "== 10**40", "== -1.5", "!= f(4)", "== 'x\\ud800'", "== b'y'"),
        *("== (1, [2])", "== {1: {2}}", "== frozenset({3})", "== 1j", "== range(3)"),
        *("== {'a': 2, 'b': 1}", "== 7", "and list(f(14)) == [0, 1, 4]", "== {'a': 1}", "== {4}"),
    ]
    verdict = bench(code, *(f"assert f({i}) {test}" for i, test in enumerate(expected)))
    assert verdict.tests_passed == len(expected), verdict.detail


def test_stdin_and_stdout_are_compared_by_the_judge(bench):
    code = "n = int(input())\nfor i in range(n): print(i / 3, ' ')\nprint()"
    good = StdioTest(stdin="2\n", stdout="0\n0.3333333")
    bad = StdioTest(stdin="1\n", stdout="1")
    assert bench(code, good, good, entry_point=None).passed
    verdict = bench(code, good, bad, entry_point=None)
    assert (verdict.outcome, verdict.tests_passed) == (Outcome.FAILED, 1)
    assert bench("import os; os.write(1, b'1'); os._exit(3)", bad, entry_point=None).passed
    looping = bench("while True: pass", good, good, entry_point=None)
    assert looping.outcome is Outcome.TIMEOUT
    flooding = bench("while True: print('x' * 10000)", good, entry_point=None)
    assert flooding.outcome is Outcome.FAILED
    assert bench("print(", good, entry_point=None).outcome is Outcome.SYNTAX_ERROR


def test_a_script_is_main_and_reads_stdin_in_every_way(bench):
    code = "import sys\nif __name__ == '__main__':\n    a = input()\n"
    code += "    print(a + sys.stdin.readline().strip() + sys.stdin.read())"
    assert bench(code, StdioTest(stdin="x\ny\nz", stdout="xyz"), entry_point=None).passed


def test_verdicts_come_in_order_with_progress_and_are_the_same_twice(bench):
    programs = [
        bench.program(
            f"import random\ndef f(): return {{'{n}', 'b', 'c'}}, random.random(), {n % 3}",
            f"assert f()[2] == {n % 2}",
            id=str(n),
        )
        for n in range(60)
    ]
    seen: list[tuple[int, int]] = []
    first = bench.judge.run(programs, on_progress=lambda *at: seen.append(at))
    assert [verdict.id for verdict in first] == [program.id for program in programs]
    assert [verdict.passed for verdict in first] == [n % 3 == n % 2 for n in range(60)]
    assert seen == [(n, 60) for n in range(1, 61)]
    second = bench.judge.run(programs)
    assert [v.outcome for v in second] == [v.outcome for v in first]
    assert bench.judge.run([]) == []


def test_hash_seed_and_random_state_are_fixed(bench):
    code = "import random\nx = random.random()\ndef f(): return hash('a'), x"
    test = "assert f() == (hash('a'), __import__('random').Random(0).random())"
    assert bench(code, test).passed


def test_stopping_on_request_leaves_the_judge_usable(bench):
    programs = [bench.program(LOOP, "assert f()")] * 6
    with pytest.raises(Interrupted, match="after 0 of 6"):
        bench.judge.run(programs, should_stop=lambda: True)
    assert bench("def f(): return 1", "assert f()").passed


def test_a_program_is_made_from_a_problem(judge):
    problem = Problem(
        id="x", query="q", solution="def f(): return 1", tests=("assert f() == 1",), entry_point="f"
    )
    assert judge.run([Program.of(problem, problem.solution)])[0].passed


def test_syntax_is_checked_without_running_anything():
    assert syntax_ok("def f(): return 1 / 0\n1 / 0", "python") is True
    for bad in ("def f(:", "a\0b", "(" * 10_000, "x = " + "-" * 200_000 + "1"):
        assert syntax_ok(bad, "python") is False
    assert syntax_ok("fn f() {", "rust") is None
