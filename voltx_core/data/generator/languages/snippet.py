"""How one family is written down in one language."""

import re
from dataclasses import dataclass

_PIECE = re.compile(r" ?[A-Za-z]+| ?[0-9]+| ?[^\sA-Za-z0-9]+|\s+(?!\S)|\s+")
_TEMPORARY = re.compile(r"\$(?![vk]\b)([a-z]+)")


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


class NamePool:
    """Gives temporaries names that no earlier step of the same function has taken."""

    def __init__(self) -> None:
        self._taken: dict[str, int] = {}

    def distinguish(self, *codes: str) -> list[str]:
        """The codes of one step with ``$out`` as ``out``, or ``out2`` the second time, ..."""
        names = sorted({name for code in codes for name in _TEMPORARY.findall(code)})
        chosen: dict[str, str] = {}
        for name in names:
            self._taken[name] = self._taken.get(name, 0) + 1
            count = self._taken[name]
            chosen[name] = name if count == 1 else f"{name}{count}"
        return [_TEMPORARY.sub(lambda match: chosen[match[1]], code) for code in codes]


def indent(code: str, by: str) -> list[str]:
    """The lines of ``code``, each non-empty one shifted right."""
    return [by + line if line else line for line in code.split("\n")]


def count_pieces(code: str) -> int:
    """How many pieces byte-level BPE cuts the code into before it splits any of them further.

    A lower bound on its number of tokens that does not depend on a vocabulary.
    Source: the pre-tokenisation pattern of GPT-2, for ASCII and without contractions.
    """
    return len(_PIECE.findall(code))
