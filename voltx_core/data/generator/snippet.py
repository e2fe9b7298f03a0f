"""How one family is written down in one language."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Snippet:
    """A piece of code: an expression, perhaps after statements, perhaps with a helper function.

    ``$v`` stands for the variable that holds the input and ``$k`` for the constant. Names that
    start with ``$`` otherwise (``$out``) are temporaries that the renderer makes unique where the
    language needs it.
    """

    value: str
    body: str = ""
    helper: str = ""


def fill(code: str, variable: str, constant: int | None) -> str:
    """The code with its input variable and constant put in."""
    filled = code.replace("$v", variable)
    return filled if constant is None else filled.replace("$k", str(constant))


def indent(code: str, by: str) -> list[str]:
    """The lines of ``code``, each non-empty one shifted right."""
    return [by + line if line else line for line in code.split("\n")]
