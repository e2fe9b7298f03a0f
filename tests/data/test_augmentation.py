"""Augmented problems differ from their original and still pass its tests."""

import ast
import json
import os
import random
import re
import subprocess
import sys

import pytest

from voltx_core.data.augmentation import augment
from voltx_core.data.harvest import harvest_sources
from voltx_core.data.pairs import mine_file
from voltx_core.data.paraphrase import paraphrase
from voltx_core.data.problem import Problem, StdioTest
from voltx_core.data.renaming import rename_locals
from voltx_core.data.reordering import reorder_assignments
from voltx_core.data.suites import available_suites, load_suite

PROBLEM = Problem(
    id="p/1",
    query="Write a function to count the positive numbers.",
    solution=(
        "def count_positive(numbers):\n"
        "    found = 0\n"
        "    seen = []  # all of them\n"
        "    for number in numbers:\n"
        "        if number > 0:\n"
        "            found += 1\n"
        "            seen.append(number)\n"
        "    return found, seen\n"
    ),
    tests=("assert count_positive([1, -1, 2]) == (2, [1, 2])",),
    entry_point="count_positive",
)


def passes(problem: Problem) -> bool:
    space: dict = {}
    exec(problem.solution, space)
    for test in problem.tests:
        exec(test, space)
    return True


def test_every_version_is_different_keeps_the_tests_and_passes_them():
    versions = augment(PROBLEM, random.Random(0), 10)
    assert versions[0] == PROBLEM
    assert len(versions) == 10
    assert len({(version.query, version.solution) for version in versions}) == 10
    assert len({version.id for version in versions}) == 10
    for version in versions[1:]:
        assert version.tests == PROBLEM.tests
        assert version.traits["original"] == "p/1"
        assert version.traits["changes"]
        assert passes(version)
    changes = {change for version in versions[1:] for change in version.traits["changes"]}
    assert changes == {"renamed", "reordered", "paraphrased"}


def test_the_versions_are_a_function_of_the_generator():
    assert augment(PROBLEM, random.Random(3), 6) == augment(PROBLEM, random.Random(3), 6)
    assert augment(PROBLEM, random.Random(3), 6) != augment(PROBLEM, random.Random(4), 6)


def test_a_factor_of_one_is_the_original_and_less_is_refused():
    assert augment(PROBLEM, random.Random(0), 1) == [PROBLEM]
    with pytest.raises(ValueError, match="at least 1"):
        augment(PROBLEM, random.Random(0), 0)


def test_a_problem_that_offers_little_gives_fewer_versions_not_copies():
    poor = Problem(id="p", query="Do it.", solution="", tests=("assert x",), language="rust")
    versions = augment(poor, random.Random(0), 50)
    assert 2 <= len(versions) < 10
    assert len({version.query for version in versions}) == len(versions)


def test_parameters_that_the_query_shows_keep_their_names():
    shown = Problem(
        id="p",
        query="Count.\n\ndef count_positive(numbers):",
        solution=PROBLEM.solution,
        tests=PROBLEM.tests,
    )
    for version in augment(shown, random.Random(0), 10):
        assert "def count_positive(numbers)" in version.solution


def test_a_whole_program_may_rename_its_own_variables():
    program = Problem(
        id="p",
        query="Add.",
        solution="left, right = map(int, input().split())\nprint(left + right)\n",
        tests=(StdioTest(stdin="1 2", stdout="3"),),
    )
    solutions = {version.solution for version in augment(program, random.Random(0), 6)}
    assert len(solutions) > 1
    assert all("print(" in solution for solution in solutions)


KEPT = {
    "a name tests use as keyword": ("def f(width):\n    return width\n", "width", ["f(width=1)"]),
    "a module variable": ("limit = 3\ndef f(x):\n    return min(x, limit)\n", "limit", []),
    "a global": ("def f(x):\n    global hits\n    hits = x\n", "hits", []),
    "a class attribute": ("class C:\n    size = 1\n    def f(s):\n        size = 2\n", "size", []),
    "an import": ("def f(x):\n    import math\n    return math.sin(x)\n", "math", []),
    "a keyword argument": ("def f(key):\n    return sorted([1], key=key)\n", "key", []),
    "a builtin": ("def f(x):\n    sum = x\n    return sum\n", "sum", []),
    "a name in an f-string": ('def f(x):\n    word = x\n    return f"{word}"\n', "word", []),
    "a name in a string": ('def f(s):\n    mark = 1\n    return getattr(s, "mark")\n', "mark", []),
    "self": ("class C:\n    def f(self):\n        return self\n", "self", []),
    "a function": ("def helper(x):\n    return x\ndef f(x):\n    return helper(x)\n", "helper", []),
    "a walrus in a module": ("found = [(last := x) for x in [1]]\n", "last", []),
}


@pytest.mark.parametrize("case", KEPT)
def test_a_name_that_something_else_can_see_is_kept(case):
    code, name, visible = KEPT[case]
    word = re.compile(rf"\b{name}\b")
    for seed in range(20):
        renamed = rename_locals(code, random.Random(seed), share=1.0, visible=visible)
        assert renamed is None or len(word.findall(renamed)) == len(word.findall(code))


@pytest.mark.parametrize(
    "code",
    [
        "def f(x):\n    y = 1\n    return eval('y')\n",
        "def f(x):\n    y = 1\n    return '{y}'.format(**locals())\n",
        "from math import *\ndef f(x):\n    e = 2\n    return e\n",
        "def f(:",
        "x = 1\n",
    ],
)
def test_code_whose_names_can_be_read_from_strings_is_left_alone(code):
    assert rename_locals(code, random.Random(0), share=1.0) is None


def test_closures_attributes_and_comments_survive_renaming():
    code = (
        "def outer(count):\n"
        "    def inner(step):\n"
        "        nonlocal count\n"
        "        count += step  # count stays a word here\n"
        "        return count\n"
        "    inner([5].count(5))\n"
        "    return inner(2)\n"
    )
    renamed = rename_locals(code, random.Random(0), share=1.0)
    assert renamed is not None
    assert "count +=" not in renamed
    assert "# count stays a word here" in renamed
    assert "].count(5)" in renamed
    space: dict = {}
    exec(renamed, space)
    assert space["outer"](1) == 4


def test_renaming_real_functions_gives_the_same_tree_up_to_names():
    def shape(text: str) -> list[str]:
        return [type(node).__name__ for node in ast.walk(ast.parse(text))]

    changed = 0
    for file in harvest_sources(max_files=40, seed=11):
        for pair in mine_file(file):
            renamed = rename_locals(pair.code, random.Random(1), share=1.0)
            if renamed is not None:
                changed += 1
                assert renamed != pair.code
                assert shape(renamed) == shape(pair.code)
    assert changed > 20


@pytest.mark.parametrize(
    ("body", "swaps"),
    [
        ("a = 1\n    b = []", True),
        ("a = x\n    b = -1", True),
        ("a = 1\n    b = a", False),
        ("a = b\n    b = 1", False),
        ("a = 1\n    a = 2", False),
        ("a = g()\n    b = 1", False),
        ("a = x[0]\n    b = 1", False),
        ("a = x + 1\n    b = 1", False),
        ("a.b = 1\n    b = 1", False),
        ("a = 1; c = 2\n    b = 1", False),
        ("a = 1\n\n    b = 1", False),
        ("a = (1,\n      2)\n    b = 1", False),
        ("a = 1\n    if x:\n        b = 1", False),
        ("if x:\n        a = 1\n        b = 2", True),
    ],
)
def test_only_assignments_whose_order_cannot_matter_are_swapped(body, swaps):
    code = f"def f(x, b=0):\n    {body}\n    return a, b\n"
    reordered = reorder_assignments(code, random.Random(0), share=1.0)
    assert (reordered is not None) == swaps
    if reordered is not None:
        assert sorted(reordered.split("\n")) == sorted(code.split("\n"))


def test_class_and_module_bodies_keep_their_order():
    for code in ("a = 1\nb = 2\n", "class C:\n    a = 1\n    b = 2\n"):
        assert reorder_assignments(code, random.Random(0), share=1.0) is None


@pytest.mark.parametrize(
    ("query", "rest"),
    [
        ("Write a function to add {x}.", "add {x}."),
        ("Write a python function that adds.", "adds."),
        ("Write function for adding.", "adding."),
        ("Given numbers, add them.\n>>> f(1)\n1", "Given numbers, add them.\n>>> f(1)\n1"),
    ],
)
def test_a_paraphrase_changes_the_opening_and_keeps_the_request(query, rest):
    said = {paraphrase(query, random.Random(seed)) for seed in range(40)}
    assert len(said) >= 4
    assert all(text.endswith(rest) for text in said)


def test_versions_of_real_problems_pass_the_published_tests():
    data_dir = os.environ.get("VOLTX_DATA_DIR")
    if not data_dir or "mbpp" not in available_suites(data_dir):
        pytest.skip("VOLTX_DATA_DIR is not set or holds no mbpp")
    versions = [
        version
        for problem in load_suite("mbpp", data_dir, "train")[::3]
        for version in augment(problem, random.Random(problem.id), 3)[1:]
    ]
    assert len(versions) > 200
    runner = (
        "import json, sys\n"
        "for script in json.load(sys.stdin):\n"
        "    exec(compile(script, 'version', 'exec'), {'__name__': 'version'})\n"
    )
    scripts = ["\n".join((v.setup, v.solution, *v.tests)) for v in versions]
    done = subprocess.run(
        [sys.executable, "-I", "-W", "ignore", "-c", runner],
        input=json.dumps(scripts),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-500:]
