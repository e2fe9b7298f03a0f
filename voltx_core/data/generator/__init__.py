"""The embedded problem set: small programming tasks with tests, composed from typed operations.

A *task* is a chain of one to three operation families (``keep_even>square>sum``), independent of
any language. It is asked for in words (``phrasing``), written as a canonical solution
(``rendering``), pinned down by test cases (``cases``) and dealt into splits (``splits``) whose
held-out compositions test generalisation.
"""

from voltx_core.data.generator.families.catalogue import FAMILIES
from voltx_core.data.generator.mutation import mutate, task_of
from voltx_core.data.generator.problems import problem_of
from voltx_core.data.generator.rendering import difficulty_of, render, render_tests, supported
from voltx_core.data.generator.splits import SplitCounts, generate_problems
from voltx_core.data.generator.task import Step, Task

__all__ = [
    "FAMILIES",
    "SplitCounts",
    "Step",
    "Task",
    "difficulty_of",
    "generate_problems",
    "mutate",
    "problem_of",
    "render",
    "render_tests",
    "supported",
    "task_of",
]
