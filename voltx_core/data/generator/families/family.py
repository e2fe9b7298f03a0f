"""The operation family: one small typed operation, its meaning and the words that ask for it.

A family knows nothing of any programming language. Its ``reference`` is the meaning that
expected test values come from; how it is written down is the business of the language modules.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["ints", "int", "text", "words", "flag"]
"""What flows between steps: list of integers, integer, string, list of words, truth value."""

MAX_INT = 2**53
MAX_ITEMS = 64
MAX_CHARS = 200


class Undefined(Exception):
    """The operation has no meaning for this input: the maximum of an empty list, say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrases:
    """The wordings of a family. ``{k}`` is the constant, ``{}`` in ``nested`` what it applies to.

    ``train`` and ``nested`` are the only wordings that training ever sees. ``seen_words`` are
    new arrangements of words that training uses; each of ``unseen_words`` has at least one word
    that no training query contains.
    """

    train: tuple[str, ...]
    nested: str
    seen_words: tuple[str, ...]
    unseen_words: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """An operation from one kind of value to another, with at most one integer constant.

    ``reference`` takes the value, and the constant when ``constants`` is not empty; it raises
    ``Undefined`` outside its domain. ``samples`` are inputs that a test pool for arbitrary values
    of the kind would miss, such as brackets for a bracket checker.
    """

    name: str
    takes: Kind
    gives: Kind
    reference: Callable[..., Any]
    phrases: Phrases
    constants: tuple[int, ...] = ()
    algorithm: bool = False
    samples: tuple[Any, ...] = ()


def family(
    name: str,
    signature: str,
    reference: Callable[..., Any],
    *,
    train: tuple[str, ...],
    nested: str,
    seen: tuple[str, ...],
    unseen: tuple[str, ...],
    constants: tuple[int, ...] = (),
    algorithm: bool = False,
    samples: tuple[Any, ...] = (),
) -> Family:
    """One row of a family table; ``signature`` reads ``"ints -> int"``."""
    takes, gives = signature.split(" -> ")
    return Family(
        name=name,
        takes=takes,  # type: ignore[arg-type]
        gives=gives,  # type: ignore[arg-type]
        reference=reference,
        phrases=Phrases(train=train, nested=nested, seen_words=seen, unseen_words=unseen),
        constants=constants,
        algorithm=algorithm,
        samples=samples,
    )


def within_bounds(value: Any, kind: Kind) -> bool:
    """Whether a value is small enough to be exact in every target language and quick to test."""
    if kind == "int":
        return -MAX_INT <= value <= MAX_INT
    if kind == "ints":
        small = not value or (max(value) <= MAX_INT and min(value) >= -MAX_INT)
        return small and len(value) <= MAX_ITEMS
    if kind == "text":
        return len(value) <= MAX_CHARS
    return kind == "flag" or len(value) <= MAX_ITEMS


def require(condition: bool) -> None:
    """Raise ``Undefined`` unless the input lies in the domain of the operation."""
    if not condition:
        raise Undefined
