"""A task as a program and its tests, in any of the languages."""

from functools import lru_cache

from voltx_core.data.generator.cases import cases_of
from voltx_core.data.generator.languages.dialect import Dialect, write_program
from voltx_core.data.generator.languages.go import GO
from voltx_core.data.generator.languages.java import JAVA
from voltx_core.data.generator.languages.javascript import JAVASCRIPT
from voltx_core.data.generator.languages.python import PYTHON
from voltx_core.data.generator.languages.rust import RUST
from voltx_core.data.generator.languages.snippet import count_pieces
from voltx_core.data.generator.task import Task
from voltx_core.data.problem import Language
from voltx_core.errors import DataError

_DIALECTS: dict[Language, Dialect] = {
    "python": PYTHON,
    "javascript": JAVASCRIPT,
    "java": JAVA,
    "rust": RUST,
    "go": GO,
}

MAX_PIECES: dict[str, int] = {"python": 54, "javascript": 58, "java": 58, "rust": 58, "go": 58}
"""Longest solution the generator writes, in pre-tokens. With one token a digit these are 68 tokens
of a BPE that was trained on the language's problems with 768 entries."""


def supported(task: Task, language: Language) -> bool:
    """Whether the task can be written in the language, short enough to be learned."""
    snippets = _dialect(language).snippets
    if any(name not in snippets for name in task.families):
        return False
    return count_pieces(_render(task, language)) <= MAX_PIECES[language]


def render(task: Task, language: Language = "python") -> str:
    """The canonical solution of the task: one text per task and language.

    Raises:
        DataError: when a family of the task is not written in the language.
    """
    snippets = _dialect(language).snippets
    missing = [name for name in task.families if name not in snippets]
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
    dialect = _dialect(language)
    cases = cases_of(task)
    if cases is None:
        raise DataError(
            f"task {task.key!r} cannot be tested: one of its steps or constants makes no "
            "difference, or its domain is too small; choose another composition or constant"
        )
    return tuple(
        dialect.write_test(argument, expected, task.takes, task.gives)
        for argument, expected in cases
    )


def setup_of(language: Language) -> str:
    """The code that must stand before a solution of the language."""
    return _dialect(language).setup


def difficulty_of(task: Task) -> str:
    """The level of the task, by the hardest form among its Python snippets."""
    if any(step.family.algorithm for step in task.steps):
        return "algorithmic"
    snippets = [PYTHON.snippets[name] for name in task.families]
    if any(snippet.helper for snippet in snippets):
        return "multi-function"
    if any(snippet.body for snippet in snippets):
        return "loops"
    return "simple"


def _dialect(language: Language) -> Dialect:
    if language not in _DIALECTS:
        raise DataError(
            f"the generator does not write {language!r}; it writes {', '.join(_DIALECTS)}"
        )
    return _DIALECTS[language]


@lru_cache(maxsize=65536)
def _render(task: Task, language: Language) -> str:
    return write_program(_DIALECTS[language], task)
