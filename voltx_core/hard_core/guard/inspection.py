"""The guard's one question: what is there against this program?"""

import ast
import warnings
from dataclasses import dataclass

from voltx_core.hard_core.axioms import Axiom
from voltx_core.hard_core.guard import tokens
from voltx_core.hard_core.guard.expressions import TooIntricate
from voltx_core.hard_core.guard.statements import Reader

LONGEST = 1 << 20
"""Characters beyond which only the words are looked at."""


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing held against a program.

    Attributes:
        line: Where, counted from 1; 0 where words only were looked at.
        axiom: Which axiom it breaks.
        reason: A phrase that continues "this program ...".
    """

    line: int
    axiom: Axiom
    reason: str


def inspect(code: str, language: str = "python") -> list[Finding]:
    """Read a program without running it and list what is held against it, by line.

    Deterministic: equal text, equal findings. Python is read through its syntax tree; text that
    does not parse, and other languages, are searched for words.
    """
    if language != "python" or len(code) > LONGEST:
        return _by_words(code)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes in other people's strings
            tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return _by_words(code)
    reader = Reader(tree)
    try:
        reader.read()
    except (TooIntricate, RecursionError):
        reader.buried = 0
        reader.charge(Axiom.HONESTY, "is too intricate to be read")
    return sorted(Finding(line, *charge) for charge, line in reader.charges.items())


def _by_words(code: str) -> list[Finding]:
    return sorted({Finding(0, axiom, reason) for axiom, reason in tokens.charges(code)})
