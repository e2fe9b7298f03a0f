"""From a task and a query to the problem that the rest of the system knows."""

import hashlib
import random
from typing import Any

from voltx_core.data.generator.phrasing import Phrasing, phrase
from voltx_core.data.generator.rendering import difficulty_of, render, render_tests, setup_of
from voltx_core.data.generator.task import Task
from voltx_core.data.problem import Language, Problem

SOURCE = "generated"


def problem_of(
    task: Task,
    query: str | None = None,
    *,
    phrasing: Phrasing = "train",
    language: Language = "python",
    traits: dict[str, Any] | None = None,
) -> Problem:
    """The task as a problem with a reference solution and tests.

    Args:
        task: the abstract task.
        query: the request; drawn from the training phrases, the same each time, when not given.
        phrasing: which wordings the query uses.
        language: the language of solution and tests.
        traits: further facts to record beside the composition.

    Raises:
        DataError: when the task has no telling tests, or no form in the language.
    """
    if query is None:
        query = phrase(task, phrasing, random.Random(f"query:{task.key}"))
    digest = hashlib.sha256(f"{task.key}\n{query}".encode()).hexdigest()[:16]
    prefix = "gen" if language == "python" else f"gen/{language}"
    return Problem(
        id=f"{prefix}/{digest}",
        query=query,
        solution=render(task, language),
        tests=render_tests(task, language),
        language=language,
        difficulty=difficulty_of(task),
        source=SOURCE,
        entry_point="solve",
        setup=setup_of(language),
        traits={
            "composition": task.composition,
            "families": list(task.families),
            "depth": len(task.steps),
            "phrasing": phrasing,
            "task": task.id,
            "task_spec": task.to_json(),
            **(traits or {}),
        },
    )
