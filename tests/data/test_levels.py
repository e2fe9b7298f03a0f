"""The concept level follows from what the code does, not from how it is laid out."""

import pytest

from voltx_core.data.generator import SplitCounts, generate_problems
from voltx_core.data.levels import LEVELS, level_of
from voltx_core.errors import DataError

SIMPLE = [
    "def f(xs):\n    return sorted(set(xs))[-1]\n",
    "def f(xs):\n    return [x * x for x in xs if x > 0]\n",
    "f = lambda x: x + 1\n",
]
LOOPS = [
    "def f(xs):\n    total = 0\n    for x in xs:\n        total += x\n    return total\n",
    "def f(x):\n    if x > 0:\n        return x\n    return -x\n",
    "def f(xs):\n    return [x + y for x in xs for y in xs]\n",
    "def f(x):\n    return x if x > 0 else -x\n",
    "def f(xs):\n    for i in range(len(xs)):\n        xs[i] = xs[i] + 1\n    return xs\n",
]
MULTI_FUNCTION = [
    "def g(x):\n    return x + 1\n\ndef f(x):\n    return g(g(x))\n",
    "class Stack:\n    def push(self, x):\n        self.items.append(x)\n",
]
ALGORITHMIC = [
    "def f(n):\n    return 1 if n < 2 else n * f(n - 1)\n",
    "class T:\n    def walk(self, node):\n        return self.walk(node.left) if node else 0\n",
    "from functools import lru_cache\n@lru_cache(None)\ndef f(n):\n    return n\n",
    "import heapq\ndef f(xs):\n    return heapq.nsmallest(2, xs)\n",
    "def f(xs, t):\n    lo, hi = 0, len(xs)\n    while lo < hi:\n        mid = (lo + hi) // 2\n"
    "        if xs[mid] < t:\n            lo = mid + 1\n        else:\n            hi = mid\n"
    "    return lo\n",
    "def f(graph, start):\n    todo, seen = [start], set()\n    while todo:\n"
    "        node = todo.pop()\n"
    "        for other in graph[node]:\n            todo.append(other)\n    return seen\n",
    "def f(n):\n    table = [1] * n\n    for i in range(2, n):\n"
    "        table[i] = table[i - 1] + table[i - 2]\n    return table\n",
    "def f(xs):\n    best = run = 0\n    for x in xs:\n        run = max(run + x, 0)\n"
    "        best = max(best, run)\n    return best\n",
    "def f(a, b):\n    while b:\n        a, b = b, a % b\n    return a\n",
]


@pytest.mark.parametrize(
    ("code", "level"),
    [
        (code, level)
        for level, codes in zip(LEVELS, (SIMPLE, LOOPS, MULTI_FUNCTION, ALGORITHMIC), strict=True)
        for code in codes
    ],
)
def test_code_has_the_level_of_its_hardest_idea(code, level):
    assert level_of(code) == level
    assert level_of("# a comment\n\n" + code.replace("    ", "  ")) == level


def test_the_classifier_agrees_with_how_generated_problems_were_made():
    counts = SplitCounts(
        train=300, validation=0, calibration=0, heldout=0, compositions=0, phrasing=0
    )
    for problem in generate_problems(0, counts)["train"]:
        # The generator knows its algorithm families by name; their shortest forms are mere loops.
        if problem.difficulty != "algorithmic":
            assert level_of(problem.solution) == problem.difficulty


def test_code_that_is_no_python_has_no_level():
    with pytest.raises(DataError, match="not valid Python"):
        level_of("def f(:")
