"""A task as a program and its tests, in any of the languages."""

from functools import lru_cache
from types import ModuleType

from voltx_core.data.generator import python
from voltx_core.data.generator.cases import cases_of
from voltx_core.data.generator.catalogue import FAMILIES
from voltx_core.data.generator.snippet import count_pieces
from voltx_core.data.generator.task import Task
from voltx_core.data.problem import Language
from voltx_core.errors import DataError

_WRITERS: dict[str, ModuleType] = {"python": python}

MAX_PIECES: dict[str, int] = {"python": 54}
"""Longest solution the generator writes, in pre-tokens: at most 62 tokens of a 512-entry BPE."""


def supported(task: Task, language: Language) -> bool:
    """Whether the task can be written in the language, short enough to be learned."""
    writer = _WRITERS.get(language)
    if writer is None or any(name not in writer.SNIPPETS for name in task.families):
        return False
    return count_pieces(_render(task, language)) <= MAX_PIECES[language]


def render(task: Task, language: Language = "python") -> str:
    """The canonical solution of the task: one text per task and language.

    Raises:
        DataError: when a family of the task is not written in the language.
    """
    writer = _writer(language)
    missing = [name for name in task.families if name not in writer.SNIPPETS]
    if missing:
        raise DataError(
            f"task {task.key!r} has no {language} form: {', '.join(missing)} missing there; "
            "ask supported(task, language) first"
        )
    return _render(task, language)


def render_tests(task: Task, language: Language = "python") -> tuple[str, ...]:
    """The executable tests of the task: the same inputs and expected values in every language.

    Raises:
        DataError: when the generator does not write the language or the task has no tests.
    """
    writer = _writer(language)
    cases = cases_of(task)
    if cases is None:
        raise DataError(f"task {task.key!r} has no telling test cases; choose another task")
    return tuple(
        writer.write_test(argument, expected, task.takes, task.gives)
        for argument, expected in cases
    )


def setup_of(language: Language) -> str:
    """The code that must stand before a solution of the language."""
    return _writer(language).SETUP


def difficulty_of(task: Task) -> str:
    """The level of the task, by the hardest form among its Python snippets."""
    if any(step.family.algorithm for step in task.steps):
        return "algorithmic"
    snippets = [python.SNIPPETS[name] for name in task.families]
    if any(snippet.helper for snippet in snippets):
        return "multi-function"
    if any(snippet.body for snippet in snippets):
        return "loops"
    return "simple"


def _writer(language: str) -> ModuleType:
    if language not in _WRITERS:
        raise DataError(
            f"the generator does not write {language!r}; it writes {', '.join(_WRITERS)}"
        )
    return _WRITERS[language]


@lru_cache(maxsize=65536)
def _render(task: Task, language: str) -> str:
    writer = _WRITERS[language]
    return writer.write_program(
        [
            (
                writer.SNIPPETS[step.name],
                FAMILIES[step.name].takes,
                FAMILIES[step.name].gives,
                step.constant,
            )
            for step in task.steps
        ]
    )
