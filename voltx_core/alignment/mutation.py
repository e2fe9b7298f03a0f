"""Self-play: new problems made from known ones, with references that were executed."""

import random
from collections.abc import Callable, Sequence

from voltx_core.data.generator import mutate, problem_of
from voltx_core.data.problem import Problem
from voltx_core.errors import DataError
from voltx_core.judge import Verdict

Judged = Callable[[Sequence[Problem], Sequence[str]], Sequence[Verdict]]


def mutated_problems(
    problems: Sequence[Problem],
    count: int,
    rng: random.Random,
    judge: Judged,
    *,
    held_out: Sequence[Problem] = (),
) -> list[Problem]:
    """Up to ``count`` problems one change away from given ones, each verified by execution.

    A changed constant, a swapped operation, a longer or shorter composition. Problems that were
    not generated carry no task and are passed over.

    Args:
        problems: Where to start from.
        count: Problems wanted.
        rng: The only randomness.
        judge: Executes references.
        held_out: Problems of examinations: neither their solutions nor, for compositions held
            out as such, their compositions may come up.
    """
    made: list[Problem] = []
    known = {p.solution for p in (*problems, *held_out)}
    reserved = {
        p.traits.get("composition") for p in held_out if p.traits.get("split") == "compositions"
    }
    sources = [p for p in problems if "task_spec" in p.traits]
    for _ in range(4 * count if sources else 0):
        if len(made) >= count:
            break
        try:
            problem = problem_of(mutate(rng.choice(sources), rng))
        except DataError:
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
