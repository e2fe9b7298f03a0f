"""More training problems from one: renamed, reordered and paraphrased, still the same task.

Every version keeps the tests of its original. The code changes are chosen to be safe, and the
data stage proves it by running those tests on every version.
"""

import random
from dataclasses import replace

from voltx_core.data.paraphrase import paraphrase
from voltx_core.data.problem import Problem
from voltx_core.data.renaming import rename_locals
from voltx_core.data.reordering import reorder_assignments

TRIES_PER_VERSION = 4


def augment(problem: Problem, rng: random.Random, factor: int) -> list[Problem]:
    """The problem and up to ``factor - 1`` different versions of it.

    A version has the id of its original with ``~1``, ``~2``, ... behind it, and the traits
    ``original`` and ``changes`` (of ``renamed``, ``reordered``, ``paraphrased``). Versions are
    distinct in (query, solution); a problem that offers little gives fewer.

    Args:
        problem: only the code of Python solutions is changed; queries of all languages are.
        rng: decides everything.
        factor: how many at most, the original included.

    Raises:
        ValueError: ``factor`` is below 1.
    """
    if factor < 1:
        raise ValueError(f"factor counts the original and must be at least 1, got {factor}")
    versions = [problem]
    seen = {(problem.query, problem.solution)}
    for _ in range((factor - 1) * TRIES_PER_VERSION):
        if len(versions) == factor:
            break
        version = _version(problem, rng, len(versions))
        if (version.query, version.solution) not in seen:
            seen.add((version.query, version.solution))
            versions.append(version)
    return versions


def _version(problem: Problem, rng: random.Random, number: int) -> Problem:
    query, solution = paraphrase(problem.query, rng), problem.solution
    changes = ["paraphrased"] if query != problem.query else []
    if problem.language == "python" and solution:
        # A query that shows the signature names its parameters too.
        outside = [problem.setup, *_shown_code(problem.query)]
        outside += [test for test in problem.tests if isinstance(test, str)]
        whole_program = not any(isinstance(test, str) for test in problem.tests)
        if renamed := rename_locals(solution, rng, visible=outside, whole_program=whole_program):
            solution = renamed
            changes.append("renamed")
        if reordered := reorder_assignments(solution, rng):
            solution = reordered
            changes.append("reordered")
    return replace(
        problem,
        id=f"{problem.id}~{number}",
        query=query,
        solution=solution,
        traits={**problem.traits, "original": problem.id, "changes": changes},
    )


def _shown_code(query: str) -> list[str]:
    """Python in a query, as texts whose names must not change: every ``def`` line it shows."""
    return [
        f"{line.strip()} pass" if line.rstrip().endswith(":") else line.strip()
        for line in query.split("\n")
        if line.lstrip().startswith(("def ", "async def ", "class "))
    ]
