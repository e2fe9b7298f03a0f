"""What the guard knows about an expression without running it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

MOST_ALTERNATIVES = 8
Routine = Callable[["tuple[Value, ...]", "Mapping[str, Value]"], "Value"]
"""Reads a function's body with arguments bound, and gives what it returns."""


class _Unset:
    def __repr__(self) -> str:
        return "UNSET"


UNSET: Any = _Unset()
"""No constant is known (None is a constant)."""


@dataclass(frozen=True, slots=True)
class Value:
    """A possible outcome of an expression.

    Attributes:
        path: Dotted origin where it is known: ``os.remove``, ``pathlib.Path().unlink``. ``()``
            marks the result of a call, ``[]`` an element.
        constant: Its value where it can be computed, else UNSET.
        tags: Facts that stick: ``listing`` (came from a directory walk), ``secret``,
            ``temporary``, ``decoded``.
        hidden: It was reached by a way that hides it from a reader.
        sketch: A text of which parts are unknown; those stand as ``?``.
        items: Members of a list, tuple or dictionary that is no constant.
        routine: For a function of the program: what reads its body with given arguments.
        arguments: For the result of a call: what the call was given.
        others: Further possible outcomes.
    """

    path: str | None = None
    constant: Any = UNSET
    tags: frozenset[str] = frozenset()
    hidden: bool = False
    sketch: str | None = None
    items: "tuple[Value, ...]" = ()
    routine: "Routine | None" = None
    arguments: "tuple[Value, ...]" = ()
    others: "tuple[Value, ...]" = ()

    @property
    def known(self) -> bool:
        """Whether it is a single constant."""
        return self.constant is not UNSET and not self.others

    @property
    def text(self) -> str | None:
        """The constant as text, if it is one."""
        if self.known and isinstance(self.constant, str):
            return self.constant
        if self.known and isinstance(self.constant, bytes | bytearray):
            return bytes(self.constant).decode("latin-1")
        return None

    @property
    def outline(self) -> str | None:
        """The text as far as it is known."""
        return self.sketch if self.text is None else self.text

    def each(self) -> "Iterator[Value]":
        """Every possible outcome on its own."""
        yield replace(self, others=()) if self.others else self
        yield from self.others


UNKNOWN = Value()


def words(text: str) -> frozenset[str]:
    """The words of a text, for tables that read better without quotes and commas."""
    return frozenset(text.split())


def join(values: Iterable[Value]) -> Value:
    """One value that may be any of these."""
    distinct: list[Value] = []
    for value in values:
        distinct += [v for v in value.each() if not _contains(distinct, v)]
    if not distinct:
        return UNKNOWN
    # what matters most to a rule comes first, so that the cut below loses the least
    distinct.sort(key=lambda v: (v.path is None, v.constant is UNSET))
    first, *others = distinct[:MOST_ALTERNATIVES]
    return replace(first, others=tuple(others))


def mixed(values: Iterable[Value]) -> Value:
    """An unknown made from these: their tags stick, the rest is lost."""
    parts = [part for value in values for part in value.each()]
    return Value(
        tags=frozenset().union(*(part.tags for part in parts)),
        hidden=any(part.hidden for part in parts),
    )


@dataclass(frozen=True, slots=True)
class Call:
    """One call as the rules see it."""

    path: str
    arguments: tuple[Value, ...] = ()
    keywords: Mapping[str, Value] = field(default_factory=dict)
    endless: bool = False
    """It stands in a loop without an end."""
    receiver: Value = UNKNOWN

    def argument(self, position: int, name: str = "") -> Value | None:
        """An argument by place or name; None when it is not given."""
        if name in self.keywords:
            return self.keywords[name]
        return self.arguments[position] if position < len(self.arguments) else None

    def everything(self) -> Iterator[Value]:
        """All arguments, every possible outcome of each."""
        for value in (*self.arguments, *self.keywords.values()):
            yield from value.each()


def _contains(values: list[Value], wanted: Value) -> bool:
    # 1 == True == 1.0: compare types as well
    return any(v == wanted and type(v.constant) is type(wanted.constant) for v in values)
