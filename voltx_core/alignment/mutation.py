"""Self-play: new problems made from known ones, with references that were executed."""

import random
from collections.abc import Callable, Sequence

from voltx_core.data.generator import mutate, problem_of
from voltx_core.data.jsonl import problem_from_row, row_from_problem
from voltx_core.data.problem import Problem
from voltx_core.errors import DataError
from voltx_core.judge import Verdict
from voltx_core.training.pieces import Pieces

Judged = Callable[[Sequence[Problem], Sequence[str]], Sequence[Verdict]]


def mutated_problems(
    problems: Sequence[Problem],
    count: int,
    draw: Callable[[int], random.Random],
    judge: Judged,
    *,
    held_out: Sequence[Problem] = (),
    memory: Pieces | None = None,
) -> list[Problem]:
    """Up to ``count`` problems one change away from given ones, each verified by execution.

    A changed constant, a swapped operation, a longer or shorter composition. Problems that were
    not generated carry no task and are passed over.

    Args:
        problems: Where to start from.
        count: Problems wanted.
        draw: The randomness of each attempt, by its number.
        judge: Executes references.
        held_out: Problems of examinations: neither their solutions nor, for compositions held
            out as such, their compositions may come up.
        memory: Attempts of an earlier process, and where new ones are saved.

    Raises:
        Interrupted: A stop was asked for; with ``memory`` the attempts are saved.
    """
    made: list[Problem] = []
    known = {p.solution for p in (*problems, *held_out)}
    reserved = {
        p.traits.get("composition") for p in held_out if p.traits.get("split") == "compositions"
    }
    sources = [p for p in problems if "task_spec" in p.traits]
    for n in range(4 * count if sources else 0):
        if len(made) >= count:
            break
        if memory is not None and n < memory.done:
            problem = memory.rows[n] and problem_from_row(memory.rows[n])
        else:
            problem = _attempt(sources, draw(n))
            if memory is not None:
                memory.add(1, rows=[problem and row_from_problem(problem)])
        if problem is None:
            continue
        if problem.solution not in known and problem.traits["composition"] not in reserved:
            known.add(problem.solution)
            made.append(problem)
    if not made:
        return []
    verdicts = judge(made, [p.solution for p in made])
    # A problem whose verdicts could not be rewards is of no use to play with.
    return [
        p
        for p, verdict in zip(made, verdicts, strict=True)
        if verdict.passed and verdict.rewardable
    ]


def _attempt(sources: Sequence[Problem], rng: random.Random) -> Problem | None:
    """A change of a problem drawn at random; None when the changed task is no problem."""
    try:
        return problem_of(mutate(rng.choice(sources), rng))
    except DataError:
        return None
