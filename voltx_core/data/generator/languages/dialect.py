"""How a language puts the snippets of a task together into one program."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from voltx_core.data.generator.families.family import Kind
from voltx_core.data.generator.languages.snippet import NamePool, Snippet, fill, indent
from voltx_core.data.generator.task import Task

VARIABLES: dict[Kind, str] = {"ints": "xs", "int": "n", "text": "s", "words": "words", "flag": "ok"}
"""The one variable of each kind; every step writes its result there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """The frame that a language puts around snippets.

    In ``opening``, ``declaration``, ``assignment`` and ``result``, ``$name`` is a variable,
    ``$type`` its type, ``$value`` an expression and ``$gives`` the type of the answer.
    ``write_test`` takes (argument, expected value, kind taken, kind given).
    """

    snippets: dict[str, Snippet]
    write_test: Callable[[Any, Any, Kind, Kind], str]
    opening: str
    declaration: str
    assignment: str
    result: str
    types: dict[Kind, str]
    closing: tuple[str, ...] = ("}",)
    shift: str = "    "
    gap: int = 1
    """Blank lines between a helper function and what follows."""
    around: tuple[str, str] | None = None
    """First and last line of a class around all functions, where the language wants one."""
    setup: str = ""


def write_program(dialect: Dialect, task: Task) -> str:
    """Helper functions, if any, and ``solve``, without a trailing newline."""
    names = NamePool()
    declared = {task.takes}
    helpers: list[str] = []
    gives = dialect.types[task.gives]
    lines = [_frame(dialect.opening, dialect, task.takes).replace("$gives", gives)]
    for index, step in enumerate(task.steps):
        snippet, family = dialect.snippets[step.name], step.family
        variable = VARIABLES[family.takes]
        body, value = (
            fill(code, variable, step.constant)
            for code in names.distinguish(snippet.body, snippet.value)
        )
        if snippet.helper:
            helpers += fill(snippet.helper, variable, step.constant).split("\n")
            helpers += [""] * dialect.gap
        if body:
            lines += indent(body, dialect.shift)
        if index == len(task.steps) - 1:
            lines.append(dialect.shift + dialect.result.replace("$value", value))
        elif value != VARIABLES[family.gives]:
            form = dialect.assignment if family.gives in declared else dialect.declaration
            framed = _frame(form, dialect, family.gives).replace("$value", value)
            lines.append(dialect.shift + framed)
            declared.add(family.gives)
    lines = [*helpers, *lines, *dialect.closing]
    if dialect.around:
        first, last = dialect.around
        lines = [first, *indent("\n".join(lines), dialect.shift), last]
    return "\n".join(lines)


def _frame(form: str, dialect: Dialect, kind: Kind) -> str:
    return form.replace("$name", VARIABLES[kind]).replace("$type", dialect.types[kind])


def listed(value: Any, before: str, after: str, item: Callable[[Any], str]) -> str:
    """A list literal: the items between two brackets, with commas."""
    return before + ", ".join(item(x) for x in value) + after
