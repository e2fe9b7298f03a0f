"""Names and what they may stand for, scope by scope."""

import builtins
from collections.abc import Callable, Iterator
from dataclasses import replace

from voltx_core.hard_core.guard.values import UNKNOWN, UNSET, Value, join

BUILTIN_NAMES = frozenset(dir(builtins))
MUTABLE = (list, dict, set, bytearray)


class Scope:
    """One namespace: what each name stands for now, and what it ever stood for.

    Code in the same scope sees the present; code of inner functions runs at another time and sees
    everything the name ever was.
    """

    def __init__(self, parent: "Scope | None" = None, *, of_class: bool = False) -> None:
        self.parent, self.of_class = parent, of_class
        self.now: dict[str, Value] = {}
        self.ever: dict[str, Value] = {}
        self.deferred: list[Callable[[], None]] = []
        self.outer_names: set[str] = set()

    def bind(self, name: str, value: Value) -> None:
        """Assign a name."""
        if name in self.outer_names and self.parent is not None:
            self.parent.root_of(name).bind(name, loosened(value))
            return
        self.now[name] = value
        self.ever[name] = join([self.ever[name], value]) if name in self.ever else value

    def root_of(self, name: str) -> "Scope":
        """The scope that holds ``name``, this or an outer one; the outermost if none does."""
        scope: Scope = self
        while name not in scope.now and scope.parent is not None:
            scope = scope.parent
        return scope

    def look_up(self, name: str) -> Value:
        """What a name may stand for; builtins last."""
        if name in self.now and name not in self.outer_names:
            return self.now[name]
        scope = self.parent
        while scope is not None:
            if name in scope.ever and not scope.of_class:
                return scope.ever[name]
            scope = scope.parent
        if name in ("__builtins__", "builtins"):
            return Value(path="builtins") if name == "__builtins__" else UNKNOWN
        if name == "__file__":
            return Value(path="__file__")
        if name in BUILTIN_NAMES:
            return Value(path=f"builtins.{name}")
        return UNKNOWN

    def snapshot(self) -> dict[str, Value]:
        """The present, to come back to."""
        return dict(self.now)

    def merge(self, presents: list[dict[str, Value]]) -> None:
        """Go on from a point where several ways meet."""
        names = dict.fromkeys(name for present in presents for name in present)
        self.now = {name: join(p[name] for p in presents if name in p) for name in names}

    def loosen(self, names: Iterator[str] | set[str]) -> None:
        """Forget the constants of names that a loop assigns again and again."""
        for name in names:
            if name in self.now:
                self.now[name] = loosened(self.now[name])

    def replace(self, old: object, new: object) -> None:
        """A mutable constant changed: whoever holds that very object sees the change."""
        scope: Scope | None = self
        while scope is not None:
            for names in (scope.now, scope.ever):
                for name, value in names.items():
                    if any(v.constant is old for v in value.each()):
                        names[name] = _replaced(value, old, new)
            scope = scope.parent

    def forget_mutable(self) -> None:
        """Something unknown ran: lists and dictionaries may hold anything now."""
        scope: Scope | None = self
        while scope is not None:
            for names in (scope.now, scope.ever):
                for name, value in names.items():
                    if any(isinstance(v.constant, MUTABLE) for v in value.each()):
                        names[name] = loosened(value)
            scope = scope.parent


def loosened(value: Value) -> Value:
    """The same value with its constants forgotten."""
    return join(replace(v, constant=UNSET, sketch=None, items=()) for v in value.each())


def _replaced(value: Value, old: object, new: object) -> Value:
    return join(replace(v, constant=new) if v.constant is old else v for v in value.each())
