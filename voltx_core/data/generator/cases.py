"""Test cases of a task: inputs on which near neighbours of the task answer differently."""

import random
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any

from voltx_core.data.generator.families.catalogue import FAMILIES
from voltx_core.data.generator.families.family import Kind, Undefined
from voltx_core.data.generator.task import Step, Task, apply_step

MIN_CASES = 6
MAX_CASES = 8
SIBLINGS = 6
"""How many other families stand in for each step when the tests are put to the proof."""

ENOUGH = 6
"""Distinguishing inputs looked for per neighbour: the tests need one, more leave a choice."""

_FIXED: dict[Kind, tuple[Any, ...]] = {
    "ints": (
        [],
        [7],
        [4, 4],
        [-3, -8],
        [1, 2, 3, 4, 5, 6],
        [9, 5, 2, 0],
        [3, 1, 2, 3, 1],
        [12, -7, 8, 3, 10, -2, 5, 6, 1, 9, 4, 11],
    ),
    "int": (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 16),
    "text": (
        "",
        "a",
        "Hello World",
        "never odd or even",
        "abracadabra",
        "The quick brown fox",
        "noon",
        "x Y z",
    ),
    "words": (
        [],
        ["a"],
        ["pear", "fig", "apple"],
        ["to", "be", "or", "not", "to", "be"],
        ["banana", "kiwi", "cherry", "plum"],
        ["stone", "notes", "onset"],
        ["x", "yy", "zzz", "wwww", "vvvvv", "uuuuuu", "ttttttt"],
    ),
    "flag": (),
}
_VOCABULARY = (
    "apple",
    "bird",
    "Cat",
    "dog",
    "egg",
    "Fish",
    "go",
    "house",
    "ice",
    "jungle",
    "kite",
    "a",
    "level",
    "moon",
    "night",
    "Owl",
)


@dataclass(frozen=True)
class _Neighbour:
    """A wrong answer to guard against: other steps from position ``start`` on."""

    start: int
    steps: tuple[Step, ...]
    required: bool
    """Whether a task that cannot be told from it is worthless and must be dropped."""


@lru_cache(maxsize=65536)
def cases_of(task: Task) -> tuple[tuple[Any, Any], ...] | None:
    """Inputs and expected values that pin the task down.

    Every expected value comes from the families' reference semantics. For every near neighbour
    (a constant off by one, a step left out, two steps swapped, another family of equal type) at
    least one case differs whenever any input of the pool differs.

    Returns:
        Six to eight (argument, expected) pairs, a pure function of the task; None when the task
        is not worth asking: a step or constant makes no difference, the answer is constant, or
        too few inputs lie in its domain.
    """
    rng = random.Random(f"cases:{task.key}")
    traces = [t for t in (_trace(task, value) for value in _pool(task, rng)) if t is not None]
    if len(traces) < MIN_CASES:
        return None
    uncovered: list[set[int]] = []
    for neighbour in _neighbours(task, rng):
        differing = (i for i, trace in enumerate(traces) if _differs(neighbour, trace))
        distinguishing = set(islice(differing, ENOUGH))
        if distinguishing:
            uncovered.append(distinguishing)
        elif neighbour.required:
            return None
    chosen = _choose(traces, uncovered)
    if chosen is None:
        return None
    return tuple((traces[i][0], traces[i][-1]) for i in chosen)


def _trace(task: Task, value: Any) -> list[Any] | None:
    """The input and the value after each step; None where the task is undefined."""
    values = [value]
    try:
        for step in task.steps:
            values.append(apply_step(step, values[-1]))
    except Undefined:
        return None
    return values


def _differs(neighbour: _Neighbour, trace: list[Any]) -> bool:
    """Whether the neighbour gives another value than the task for the input of the trace."""
    value = trace[neighbour.start]
    try:
        for step in neighbour.steps:
            value = apply_step(step, value)
    except Undefined:
        return False
    return type(value) is not type(trace[-1]) or value != trace[-1]


def _neighbours(task: Task, rng: random.Random) -> list[_Neighbour]:
    steps = task.steps
    found = []
    for i, step in enumerate(steps):
        family, rest = FAMILIES[step.name], steps[i + 1 :]
        if step.constant is not None:
            for constant in (step.constant - 1, step.constant + 1):
                found.append(_Neighbour(i, (Step(step.name, constant), *rest), True))
        if family.takes == family.gives and len(steps) > 1:
            found.append(_Neighbour(i, rest, True))
        if rest and _fits((rest[0], step, *rest[1:]), family.takes, task.gives):
            found.append(_Neighbour(i, (rest[0], step, *rest[1:]), False))
        siblings = [
            other
            for other in FAMILIES.values()
            if other.takes == family.takes and other.gives == family.gives and other is not family
        ]
        for other in rng.sample(siblings, min(SIBLINGS, len(siblings))):
            constant = None
            if other.constants:
                constant = step.constant if step.constant in other.constants else other.constants[0]
            found.append(_Neighbour(i, (Step(other.name, constant), *rest), False))
    return found


def _fits(steps: tuple[Step, ...], takes: Kind, gives: Kind) -> bool:
    for step in steps:
        if step.family.takes != takes:
            return False
        takes = step.family.gives
    return takes == gives


def _choose(traces: list[list[Any]], uncovered: list[set[int]]) -> list[int] | None:
    """Indices of a small set of traces that hits every set of ``uncovered`` and varies."""
    chosen = [0] if not traces[0][0] else []
    open_sets = [s for s in uncovered if not s.intersection(chosen)]
    while open_sets and len(chosen) < MAX_CASES:
        counts = [sum(i in s for s in open_sets) for i in range(len(traces))]
        best = max(range(len(traces)), key=lambda i: (counts[i], -i))
        chosen.append(best)
        open_sets = [s for s in open_sets if best not in s]
    seen = [traces[i][-1] for i in chosen]
    for i, trace in enumerate(traces):
        if len(chosen) >= MIN_CASES and len(set(map(repr, seen))) > 1:
            break
        if i not in chosen and len(chosen) < MAX_CASES and trace[-1] not in seen:
            chosen.append(i)
            seen.append(trace[-1])
    for i in range(len(traces)):
        if len(chosen) < MIN_CASES and i not in chosen:
            chosen.append(i)
    distinct = {repr(traces[i][-1]) for i in chosen}
    if open_sets or len(distinct) < (2 if isinstance(traces[0][-1], bool) else 3):
        return None
    return sorted(chosen)


def _pool(task: Task, rng: random.Random) -> list[Any]:
    """Inputs of the task's kind: fixed edge cases, the family's samples, random draws."""
    constants = [step.constant for step in task.steps if step.constant is not None]
    kind = task.takes
    pool = [*_FIXED[kind]]
    for step in task.steps:
        if step.family.takes == kind:
            pool += step.family.samples
    draw = {"ints": _draw_ints, "int": _draw_int, "text": _draw_text, "words": _draw_words}
    pool += [draw[kind](rng, constants) for _ in range(12)]
    unique = []
    for value in pool:
        if value not in unique:
            unique.append(value)
    return unique


def _draw_ints(rng: random.Random, constants: list[int]) -> list[int]:
    near = [c * factor + shift for c in constants for factor in (1, 2, 3) for shift in (-1, 0, 1)]
    low = rng.choice((-9, -9, 0))
    values = [
        rng.choice(near) if near and rng.random() < 0.4 else rng.randint(low, 15)
        for _ in range(rng.choice((2, 3, 4, 5, 6, 7, 8, 12)))
    ]
    if rng.random() < 0.3:
        values.append(rng.choice(values))
    return values


def _draw_int(rng: random.Random, constants: list[int]) -> int:
    if constants and rng.random() < 0.4:
        return max(0, rng.choice(constants) * rng.randint(1, 4) + rng.randint(-1, 1))
    return rng.randint(2, rng.choice((12, 20, 60, 300)))


def _draw_text(rng: random.Random, _constants: list[int]) -> str:
    text = " ".join(_draw_words(rng, _constants))
    return text if rng.random() < 0.7 else text.replace(" ", "")


def _draw_words(rng: random.Random, _constants: list[int]) -> list[str]:
    return [rng.choice(_VOCABULARY) for _ in range(rng.randint(1, 5))]
