"""The programs of `voltx bench judge`: reference solutions with their tests, so all should pass."""

import os
from pathlib import Path

from voltx_core.bench.contenders.contender import Script
from voltx_core.data.problem import Problem

_SEED = 0


def load_programs(count: int) -> tuple[str, list[Script]]:
    """Where the programs come from, in words, and at most ``count`` of them.

    HumanEval where VOLTX_DATA_DIR has it, else problems this library generates.
    """
    folder = os.environ.get("VOLTX_DATA_DIR")
    if folder:
        from voltx_core.data.suites.discovery import find_published
        from voltx_core.data.suites.humaneval import PATTERN, load_humaneval

        path = find_published(Path(folder), PATTERN)
        if path:
            return "HumanEval references", [_script(p) for p in load_humaneval(path)[:count]]
    return "generated problems", [_script(problem) for problem in _generated(count)]


def _generated(count: int) -> list[Problem]:
    from voltx_core.data.generator import SplitCounts, generate_problems

    counts = SplitCounts(
        train=count, validation=0, calibration=0, heldout=0, compositions=0, phrasing=0
    )
    return generate_problems(_SEED, counts)["train"]


def _script(problem: Problem) -> Script:
    tests = tuple(test for test in problem.tests if isinstance(test, str))
    return Script(problem.id, problem.solution, tests, problem.entry_point, problem.setup)
