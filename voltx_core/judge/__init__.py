"""Execution of hostile code: programs and trusted tests in, verdicts out.

>>> from voltx_core.judge import Judge, Program
>>> with Judge() as judge:
...     (verdict,) = judge.run([Program(id="double", code="def f(x): return 2 * x",
...                                     tests=("assert f(2) == 4",), entry_point="f")])
>>> verdict.passed
True

A Python verdict is **split**: the tests run in a checker process, the candidate in another, and
between them cross only calls, results, exceptions and changed arguments as plain data. Expected
values never enter the candidate's process; what it prints and how it exits decide nothing.
``setup`` is trusted code that runs on both sides; a helper that tests call belongs there, because a
function found only in the candidate is the candidate's. What each isolation level enforces, and
what it does not, is said in ``voltx_core.judge.cage.jail`` and by ``isolation()``.
"""

import ast
import warnings

from voltx_core.data.problem import Language
from voltx_core.judge.isolation import Isolation, isolation
from voltx_core.judge.pool import Judge
from voltx_core.judge.program import Assurance, Limits, Outcome, Program, Verdict
from voltx_core.judge.settlement import CalibratedLimits, Settlement, calibrate, settle
from voltx_core.judge.toolchain import Toolchain

__all__ = [
    "Assurance",
    "CalibratedLimits",
    "Isolation",
    "Judge",
    "Limits",
    "Outcome",
    "Program",
    "Settlement",
    "Toolchain",
    "Verdict",
    "calibrate",
    "isolation",
    "settle",
    "syntax_ok",
    "toolchain",
]


def toolchain(language: Language) -> Toolchain:
    """Whether programs in the language can be judged here; proven once per process."""
    with Judge(workers=1) as judge:
        return judge.toolchain(language)


def syntax_ok(code: str, language: Language) -> bool | None:
    """Whether the code parses; None for languages that only their compiler can tell.

    Nothing is executed.
    """
    if language != "python":
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
        return False
    return True
