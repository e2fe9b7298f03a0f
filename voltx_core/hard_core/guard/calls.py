"""What calls give, and what they are charged with."""

import ast
from collections.abc import Mapping, Sequence
from dataclasses import replace

from voltx_core.hard_core.axioms import Axiom
from voltx_core.hard_core.guard import folding
from voltx_core.hard_core.guard.expressions import Expressions, element_of, path_of
from voltx_core.hard_core.guard.folding import NotConstant
from voltx_core.hard_core.guard.paths import canonical, rooted_in
from voltx_core.hard_core.guard.rules import (
    LISTINGS,
    METHOD_RULES,
    RULES,
    SECRET,
    SENSITIVE,
    Rule,
)
from voltx_core.hard_core.guard.scopes import MUTABLE
from voltx_core.hard_core.guard.values import (
    UNKNOWN,
    UNSET,
    Call,
    Routine,
    Value,
    join,
    mixed,
    words,
)

MOST_BURIED = 4
MOST_NESTED = 3
ROUTINE_STEPS = 50_000
"""Steps after which bodies of functions are no longer read again for each call."""

IMPORTERS = frozenset({"builtins.__import__", "importlib.import_module", "importlib.__import__"})
EXECUTORS = frozenset({"builtins.exec", "builtins.eval", "builtins.compile"})
NAMES = frozenset({"builtins.vars", "builtins.globals", "builtins.locals"})
ONLY_LOOKS = frozenset(
    f"builtins.{name}"
    for name in words("isinstance issubclass type id callable hasattr repr print len bool")
)
"""Functions that do nothing with a function they are given."""
SHOWS = frozenset({"builtins.print", "builtins.repr"})
MUTATORS = words(
    "append extend insert remove pop clear update sort reverse add setdefault discard popitem "
    "__setitem__ __delitem__"
)
LOOKUPS = words("get pop __getitem__ popleft setdefault")
SAME_ITEMS = words("values items copy")

Arguments = tuple[Value, ...]
Keywords = Mapping[str, Value]


class Calls(Expressions):
    """The part of the reader that understands calls."""

    def __init__(self, defined: frozenset[str]) -> None:
        super().__init__(defined)
        self.endless = 0
        """How many loops without an end are around."""
        self._nested = 0

    def read_text(self, text: str) -> Value:
        """Read text that the program executes."""
        raise NotImplementedError

    def hand_over(self, value: Value) -> Value:
        """A value leaves our sight: of a dangerous function, assume the worst call."""
        for each in value.each():
            if each.path is None:
                continue
            rule = self._rule(each.path)
            if each.path in EXECUTORS:
                self.charge(Axiom.HONESTY, f"hands {each.path.split('.')[-1]} on")
            elif each.path == "os.environ":
                self.charge(Axiom.PRIVACY, "collects the whole environment")
            elif rule is not None:
                self._judge(rule, Call(each.path), hidden=each.hidden)
        return value

    def _call(self, node: ast.Call) -> Value:
        receiver, name = UNKNOWN, ""
        if isinstance(node.func, ast.Attribute):
            receiver, name = self.value(node.func.value), node.func.attr
            called = self.attribute(receiver, name)
        else:
            called = self.value(node.func)
        arguments = tuple(self.value(a) for a in node.args)
        keywords = {k.arg or "**": self.value(k.value) for k in node.keywords}
        of_container = self._container_method(receiver, name, arguments)
        if of_container is not None:
            return of_container
        if receiver.known and receiver.path is None and name:
            result = self._fold_method(receiver, name, arguments, keywords)
            if result.known or result.sketch is not None:
                return result
        return join(
            self.apply(each, arguments, keywords, receiver=receiver, name=name)
            for each in called.each()
        )

    def apply(
        self,
        called: Value,
        arguments: Arguments,
        keywords: Keywords | None = None,
        *,
        receiver: Value = UNKNOWN,
        name: str = "",
    ) -> Value:
        """What calling ``called`` gives, after charging what it does."""
        keywords, path = keywords or {}, called.path
        if path in ONLY_LOOKS:
            if path in SHOWS and any(v.path == "os.environ" for v in arguments):
                self.charge(Axiom.PRIVACY, "collects the whole environment")
            return mixed(arguments)
        special = self._special(called, arguments, keywords)
        if special is not None:
            return special
        call = Call(path or f".{name}", arguments, keywords, self.endless > 0, receiver)
        rule = self._rule(path, name)
        if rule is not None:
            hidden = called.hidden or any(v.hidden for v in call.everything())
            self._judge(rule, call, hidden=hidden)
        if called.routine is not None:
            return self._enter(called.routine, arguments, keywords)
        for value in (*arguments, *keywords.values()):
            self.hand_over(value)
        if path is None or not (path.startswith("builtins.") or rule is not None):
            self.scope.forget_mutable()
        return _result(call)

    def _enter(self, routine: Routine, arguments: Arguments, keywords: Keywords) -> Value:
        """Read a function's body for this call, where the arguments may matter."""
        given = (*arguments, *keywords.values())
        telling = not given or any(
            v.path is not None or v.routine is not None or v.outline is not None
            for value in given
            for v in value.each()
        )
        result = UNKNOWN
        if telling and self._nested < MOST_NESTED and self.steps < ROUTINE_STEPS:
            self._nested += 1
            result = routine(arguments, keywords)
            self._nested -= 1
        else:
            for value in given:
                self.hand_over(value)
        self.scope.forget_mutable()
        return result

    # --- functions the reader must understand -------------------------------------------------

    def _special(self, called: Value, arguments: Arguments, keywords: Keywords) -> Value | None:
        path, first, rest = called.path or "", arguments[0] if arguments else UNKNOWN, arguments[1:]
        if path in ("builtins.getattr", "builtins.object.__getattribute__") and rest:
            return self._getattr(first, rest[0], rest[1:])
        if path in IMPORTERS:
            name = first if arguments else keywords.get("name", UNKNOWN)
            whole = path == "importlib.import_module" or _from_list(arguments, keywords)
            return self._import(name, whole=whole)
        if path in EXECUTORS:
            return self._execute(path, first)
        if path.startswith("ctypes.pythonapi.PyRun"):
            self.charge(Axiom.HONESTY, "reaches below Python through ctypes")
            return self._execute(path, first)
        if path in NAMES:
            named = path == "builtins.vars" and first.path is not None
            return Value(path=f"{first.path}.__dict__" if named else "<names>", hidden=named)
        if path in ("builtins.map", "builtins.filter", "functools.reduce") and rest:
            return self._map(first, rest)
        if path in ("functools.partial", "operator.call") and arguments:
            given = join(self.apply(f, rest, keywords) for f in first.each())
            return first if path == "functools.partial" else given
        if path == "operator.attrgetter()" and called.arguments:
            return self._getattr(first, called.arguments[0], ())
        if path == "operator.methodcaller()" and called.arguments:
            found = self._getattr(first, called.arguments[0], ())
            return join(self.apply(f, called.arguments[1:]) for f in found.each())
        owner, _, last = path.rpartition(".")
        if last in LOOKUPS and (owner in ("<names>", "sys.modules") or "__dict__" in owner):
            return self.named(owner.removesuffix(".__dict__"), first)
        if path.startswith("pathlib.Path"):
            return _path_object(called, arguments)
        return self._fold_function(path, arguments, keywords)

    def _getattr(self, owner: Value, name: Value, default: Arguments) -> Value:
        for value in default:
            self.hand_over(value)
        if name.text is not None:
            return self.attribute(owner, name.text, hidden=True)
        for each in owner.each():
            if each.path is not None and rooted_in(each.path, SENSITIVE):
                self.charge(Axiom.HONESTY, f"picks from {each.path} by a name that cannot be read")
        return UNKNOWN

    def _import(self, name: Value, *, whole: bool) -> Value:
        if name.text is None:
            self.charge(Axiom.HONESTY, "imports a module by a name that cannot be read")
            return UNKNOWN
        return Value(path=canonical(name.text if whole else name.text.split(".")[0]), hidden=True)

    def _execute(self, path: str, code: Value) -> Value:
        results = []
        for each in code.each():
            if each.text is None:
                self.charge(Axiom.HONESTY, "executes text that cannot be read beforehand")
            elif path == "builtins.compile":
                results.append(each)
            elif self.buried >= MOST_BURIED:
                self.charge(Axiom.HONESTY, "executes text within text within text")
            else:
                self.buried += 1
                results.append(self.read_text(each.text))
                self.buried -= 1
        return join(results)

    def _map(self, function: Value, iterables: Arguments) -> Value:
        """``map(f, xs)`` calls ``f`` on elements of ``xs``."""
        if all(v.known for v in iterables) and function.path in folding.FUNCTIONS:
            path, columns = function.path, [v.constant for v in iterables]
            return self.folded(mixed(iterables), folding.mapped, path, columns)
        elements = tuple(element_of(v) for v in iterables)
        return mixed([self.apply(f, elements) for f in function.each()])

    # --- folding and containers -----------------------------------------------------------------

    def _fold_function(self, path: str, arguments: Arguments, keywords: Keywords) -> Value | None:
        if not path:
            return None
        source = mixed(arguments)
        if path == "os.path.join" and arguments:
            joined = path_of(arguments)
            return replace(joined, path=None)
        if not all(v.known for v in (*arguments, *keywords.values())):
            return None
        plain = [v.constant for v in arguments]
        named = {k: v.constant for k, v in keywords.items()}
        if path in folding.DECODERS:
            result = self.folded(source, folding.function, path, plain, named)
            return replace(result, tags=result.tags | {"decoded"}, hidden=True)
        if path.startswith("builtins.str.") and path not in folding.FUNCTIONS and plain:
            name = path.rpartition(".")[2]
            result = self.folded(source, folding.method, plain[0], name, plain[1:], named)
        elif path in folding.FUNCTIONS:
            result = self.folded(source, folding.function, path, plain, named)
        else:
            return None
        return result if result.known else None

    def _fold_method(
        self, receiver: Value, name: str, arguments: Arguments, keywords: Keywords
    ) -> Value:
        source = mixed([receiver, *arguments])
        if all(a.known for a in (*arguments, *keywords.values())):
            plain = [a.constant for a in arguments]
            named = {k: v.constant for k, v in keywords.items()}
            return self.folded(source, folding.method, receiver.constant, name, plain, named)
        if name == "format" and receiver.text is not None:
            return replace(source, sketch=folding.blanks(receiver.text))
        if name == "join" and receiver.text is not None and arguments and arguments[0].items:
            parts = [item.outline for item in arguments[0].items]
            return replace(source, sketch=folding.sketched(receiver.text, parts))
        return source

    def _container_method(self, receiver: Value, name: str, arguments: Arguments) -> Value | None:
        if receiver.items and name in LOOKUPS:
            return element_of(receiver)
        if receiver.items and name in SAME_ITEMS:
            return receiver
        if name in MUTATORS and isinstance(receiver.constant, MUTABLE):
            for argument in arguments:
                self.hand_over(argument)
            self.scope.replace(receiver.constant, _mutated(receiver, name, arguments))
            return UNKNOWN
        return None

    # --- rules --------------------------------------------------------------------------------

    def _rule(self, path: str | None, name: str = "") -> Rule | None:
        if path is not None:
            if path in RULES:
                return RULES[path]
            head, _, last = path.rpartition(".")
            if rooted_in(path, {"ctypes"}):
                if f"os.{last}" in RULES:
                    return RULES[f"os.{last}"]
                while "." in head:
                    if head in RULES:
                        return RULES[head]
                    head = head.rpartition(".")[0]
        return METHOD_RULES.get(name) if name not in self.defined else None

    def _judge(self, rule: Rule, call: Call, *, hidden: bool) -> None:
        charges = list(rule(call))
        if call.path.startswith("ctypes."):
            charges.append((Axiom.HONESTY, "reaches below Python through ctypes"))
        for axiom, reason in charges:
            self.charge(axiom, reason)
        if charges and hidden:
            self.charge(Axiom.HONESTY, f"hides that it {charges[0][1]}")


def _result(call: Call) -> Value:
    """What an ordinary call gives: its path with ``()``, and tags that stick."""
    path = call.path if not call.path.startswith(".") else None
    tags = set(mixed(call.everything()).tags | call.receiver.tags)
    if path in LISTINGS:
        tags.add("listing")
    if path is not None and path.startswith("tempfile."):
        tags.add("temporary")
    if path == "builtins.open" and call.arguments:
        tags |= {"secret" for v in call.arguments[0].each() if SECRET.search(v.outline or "")}
    remembered = path in ("operator.attrgetter", "operator.methodcaller")
    return Value(
        path=None if path is None else f"{path}()",
        tags=frozenset(tags),
        arguments=call.arguments if remembered else (),
    )


def _path_object(called: Value, arguments: Arguments) -> Value | None:
    """Constructors and steps of pathlib give paths again."""
    if called.path == "pathlib.Path":
        return path_of(arguments) if arguments else Value("pathlib.Path()", ".")
    if called.path == "pathlib.Path().joinpath":
        return path_of([called, *arguments])
    if called.path in ("pathlib.Path.home", "pathlib.Path.cwd"):
        return Value("pathlib.Path()", "~" if called.path.endswith("home") else ".")
    if called.path == "pathlib.Path()":  # a step such as resolve(), or a listing such as glob()
        return replace(called, routine=None)
    return None


def _mutated(receiver: Value, name: str, arguments: Sequence[Value]) -> object:
    """The list after ``append`` or ``extend`` of constants; UNSET when it is not known."""
    old = receiver.constant
    if not (isinstance(old, list) and receiver.known and len(arguments) == 1):
        return UNSET
    if not arguments[0].known:
        return UNSET
    if name == "append":
        return [*old, arguments[0].constant]
    if name == "extend":
        try:
            return [*old, *folding.guarded(list, arguments[0].constant)]
        except NotConstant:
            return UNSET
    return UNSET


def _from_list(arguments: Arguments, keywords: Keywords) -> bool:
    """Whether ``__import__`` is asked for a submodule itself (by a ``fromlist``)."""
    given = keywords.get("fromlist", arguments[3] if len(arguments) > 3 else None)
    return given is not None and bool(given.constant)
