"""New tasks from known ones, for self-play: another constant, family or length."""

import random

from voltx_core.data.generator.cases import cases_of
from voltx_core.data.generator.families.catalogue import FAMILIES, taking
from voltx_core.data.generator.rendering import supported
from voltx_core.data.generator.task import MAX_DEPTH, Step, Task
from voltx_core.data.problem import Language, Problem
from voltx_core.errors import DataError

ATTEMPTS = 200


def mutate(source: Problem | Task, rng: random.Random, *, language: Language = "python") -> Task:
    """A task one change away that has tests and a form in the language.

    Args:
        source: a task, or a generated problem that carries its task.
        rng: the only source of randomness.
        language: the language the new task must be supported in.

    Returns:
        A valid task different from the source.

    Raises:
        DataError: when the problem was not generated, or no change works.
    """
    task = source if isinstance(source, Task) else task_of(source)
    for _ in range(ATTEMPTS):
        change = rng.choice((_change_constant, _swap_family, _extend, _shorten))
        changed = change(task, rng)
        if (
            changed is not None
            and changed != task
            and supported(changed, language)
            and cases_of(changed) is not None
        ):
            return changed
    raise DataError(
        f"task {task.key!r} has no usable neighbour in {language}: {ATTEMPTS} random changes "
        "failed; start from another task"
    )


def task_of(problem: Problem) -> Task:
    """The task that a generated problem carries in its traits."""
    if "task_spec" not in problem.traits:
        raise DataError(
            f"problem {problem.id!r} carries no task_spec: it was not generated, so there is no "
            "abstract task to rebuild; use problems whose source is 'generated'"
        )
    return Task.from_json(problem.traits["task_spec"])


def _draw_step(name: str, rng: random.Random) -> Step:
    constants = FAMILIES[name].constants
    return Step(name, rng.choice(constants) if constants else None)


def _change_constant(task: Task, rng: random.Random) -> Task | None:
    places = [i for i, step in enumerate(task.steps) if step.constant is not None]
    if not places:
        return None
    i = rng.choice(places)
    return _replace(task, i, i + 1, (_draw_step(task.steps[i].name, rng),))


def _swap_family(task: Task, rng: random.Random) -> Task | None:
    i = rng.randrange(len(task.steps))
    old = task.steps[i].family
    others = [
        f.name for f in taking(old.takes) if f.gives == old.gives and f.name not in task.families
    ]
    if not others:
        return None
    return _replace(task, i, i + 1, (_draw_step(rng.choice(others), rng),))


def _extend(task: Task, rng: random.Random) -> Task | None:
    if len(task.steps) == MAX_DEPTH:
        return None
    i = rng.randrange(len(task.steps) + 1)
    kind = task.gives if i == len(task.steps) else task.steps[i].family.takes
    fitting = [
        f.name
        for f in taking(kind)
        if f.name not in task.families and (f.gives == kind or i == len(task.steps))
    ]
    if not fitting:
        return None
    return _replace(task, i, i, (_draw_step(rng.choice(fitting), rng),))


def _shorten(task: Task, rng: random.Random) -> Task | None:
    places = [
        i
        for i, step in enumerate(task.steps)
        if i in (0, len(task.steps) - 1) or step.family.takes == step.family.gives
    ]
    if len(task.steps) == 1:
        return None
    i = rng.choice(places)
    return _replace(task, i, i + 1, ())


def _replace(task: Task, start: int, stop: int, steps: tuple[Step, ...]) -> Task:
    return Task((*task.steps[:start], *steps, *task.steps[stop:]))
