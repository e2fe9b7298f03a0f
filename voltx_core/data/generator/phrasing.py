"""From a task to a request in words."""

import random
from typing import Literal

from voltx_core.data.generator.families.catalogue import FAMILIES
from voltx_core.data.generator.families.family import Kind
from voltx_core.data.generator.task import Step, Task

Phrasing = Literal["train", "seen-words", "unseen-words"]

NESTED_SHARE = 0.2
"""Share of training queries that nest ("the sum of the squares of ...") instead of listing."""

INTRODUCTIONS: dict[Kind, tuple[str, ...]] = {
    "ints": ("", "given a list of numbers, ", "for a list of integers, ", "from the list, "),
    "int": ("", "given a number n, ", "for an integer n, ", "from the number, "),
    "text": ("", "given a string, ", "for a text, ", "from the string, "),
    "words": ("", "given a list of words, ", "for some words, ", "from the words, "),
    "flag": ("",),
}
CONNECTIVES: dict[int, tuple[str, ...]] = {
    1: ("{0}",),
    2: ("{0}, then {1}", "{0} and then {1}", "first {0}, then {1}", "{0}, and finally {1}"),
    3: (
        "{0}, then {1}, then {2}",
        "first {0}, then {1}, and finally {2}",
        "{0}, {1} and then {2}",
        "{0}, then {1}, and finally {2}",
    ),
}
NESTED_VERBS = ("return", "compute", "find")
BASES: dict[Kind, tuple[str, ...]] = {
    "ints": ("the list", "the numbers"),
    "int": ("the number", "n"),
    "text": ("the string", "the text"),
    "words": ("the words", "the list of words"),
    "flag": ("it",),
}


def phrase(task: Task, phrasing: Phrasing, rng: random.Random) -> str:
    """A request for the task, drawn at random.

    With ``"train"`` every phrase is one that training uses; otherwise every step is asked for in
    held-out words, joined and introduced as in training.
    """
    if phrasing == "train" and rng.random() < NESTED_SHARE:
        return _nest(task, rng)
    parts = [_ask(step, phrasing, rng) for step in task.steps]
    joined = rng.choice(CONNECTIVES[len(parts)]).format(*parts)
    return rng.choice(INTRODUCTIONS[task.takes]) + joined


def _ask(step: Step, phrasing: Phrasing, rng: random.Random) -> str:
    phrases = FAMILIES[step.name].phrases
    choices = {
        "train": phrases.train,
        "seen-words": phrases.seen_words,
        "unseen-words": phrases.unseen_words,
    }[phrasing]
    return _with_constant(rng.choice(choices), step)


def _nest(task: Task, rng: random.Random) -> str:
    first = FAMILIES[task.steps[0].name].phrases.nested
    if first.endswith(" in {}") and rng.random() < 0.5:
        inner = first.removesuffix(" in {}")
    else:
        inner = first.replace("{}", rng.choice(BASES[task.takes]))
    inner = _with_constant(inner, task.steps[0])
    for step in task.steps[1:]:
        outer = FAMILIES[step.name].phrases.nested
        inner = _with_constant(outer, step).replace("{}", inner)
    verb = "tell" if task.gives == "flag" else rng.choice(NESTED_VERBS)
    return f"{verb} {inner}"


def _with_constant(text: str, step: Step) -> str:
    return text if step.constant is None else text.replace("{k}", str(step.constant))
