"""Evaluates expressions as far as they can be known; calls.py adds the calls."""

import ast
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from voltx_core.hard_core.axioms import Axiom
from voltx_core.hard_core.guard import folding
from voltx_core.hard_core.guard.folding import NotConstant, Oversized
from voltx_core.hard_core.guard.paths import canonical, rooted_in
from voltx_core.hard_core.guard.rules import ESCAPES, SECRET_NAME, SENSITIVE
from voltx_core.hard_core.guard.scopes import Scope, loosened
from voltx_core.hard_core.guard.values import UNKNOWN, UNSET, Value, join, mixed

MOST_STEPS = 200_000
MOST_ELEMENTS = 512
MOST_ITEMS = 64
GIGANTIC = 1 << 30
NAMESPACES = frozenset({"<names>", "sys.modules", "builtins"})


class TooIntricate(Exception):
    """Reading would take too long; a program that long-winded has something to hide."""


class Expressions:
    """The expression part of the reader: leaves, operators, containers.

    Args:
        defined: Names of functions and classes that the program itself defines.
    """

    def __init__(self, defined: frozenset[str]) -> None:
        self.scope = Scope()
        self.defined = defined
        self.charges: dict[tuple[Axiom, str], int] = {}
        self.buried = 0
        """How deep in texts that the program executes."""
        self.steps = 0
        self.line = 0

    def charge(self, axiom: Axiom, reason: str) -> None:
        """Hold something against the program, once, at the line being read."""
        self.charges.setdefault((axiom, reason), self.line)
        if self.buried:
            hiding = (Axiom.HONESTY, "hides instructions in a text that it executes")
            self.charges.setdefault(hiding, self.line)

    def hand_over(self, value: Value) -> Value:
        """A value leaves our sight."""
        raise NotImplementedError

    def assign(self, target: ast.expr, value: Value) -> None:
        """Bind a target of an assignment, a loop or a comprehension."""
        raise NotImplementedError

    def value(self, node: ast.expr | None) -> Value:
        """Evaluate a node; every call inside is charged on the way."""
        if node is None:
            return UNKNOWN
        self.steps += 1
        if self.steps > MOST_STEPS:
            raise TooIntricate
        if not self.buried:
            self.line = getattr(node, "lineno", self.line)
        handler = getattr(self, f"_{type(node).__name__.lower()}", None)
        if handler is not None:
            result: Value = handler(node)
            return result
        return mixed([self.value(n) for n in ast.iter_child_nodes(node) if isinstance(n, ast.expr)])

    # --- leaves and operators ---------------------------------------------------------------

    def _constant(self, node: ast.Constant) -> Value:
        return UNKNOWN if node.value is ... else Value(constant=node.value)

    def _name(self, node: ast.Name) -> Value:
        if node.id == "__loader__":
            self.charge(Axiom.HONESTY, "reaches for the import machinery")
        return self.scope.look_up(node.id)

    def _attribute(self, node: ast.Attribute) -> Value:
        return self.attribute(self.value(node.value), node.attr)

    def attribute(self, owner: Value, name: str, *, hidden: bool = False) -> Value:
        """What ``owner.name`` may be."""
        if name in ESCAPES:
            self.charge(Axiom.HONESTY, f"climbs out of an object through {name}")
        return join(self._attribute_of(each, name, hidden or each.hidden) for each in owner.each())

    def _attribute_of(self, owner: Value, name: str, hidden: bool) -> Value:
        if owner.path is None:
            return Value(tags=owner.tags, hidden=hidden)
        path, constant = canonical(f"{owner.path}.{name}"), UNSET
        if path == "pathlib.Path()" and owner.text is not None and name == "parent":
            constant = owner.text.rpartition("/")[0] or "/"
        return Value(path=path, constant=constant, tags=owner.tags, hidden=hidden)

    def _binop(self, node: ast.BinOp) -> Value:
        left, right = self.value(node.left), self.value(node.right)
        parts = mixed([left, right])
        if left.path == "pathlib.Path()" and isinstance(node.op, ast.Div):
            return path_of([left, right])
        if left.known and right.known and left.path is None and right.path is None:
            return self.folded(parts, folding.binary, node.op, left.constant, right.constant)
        return replace(parts, sketch=_sketched(node.op, left, right))

    def folded(self, source: Value, function: Any, *arguments: Any) -> Value:
        """A folded constant that keeps the tags of what it was made of, or ``source``."""
        try:
            constant = function(*arguments)
        except Oversized as size:
            if size.elements >= GIGANTIC:
                self.charge(Axiom.BENEFICENCE, "allocates gigabytes at once")
            return source
        except NotConstant:
            return source
        return Value(constant=constant, tags=source.tags, hidden=source.hidden)

    def _unaryop(self, node: ast.UnaryOp) -> Value:
        value = self.value(node.operand)
        if isinstance(node.op, ast.USub) and value.known and isinstance(value.constant, int):
            return Value(constant=-value.constant, tags=value.tags)
        return mixed([value])

    def _boolop(self, node: ast.BoolOp) -> Value:
        return join([self.value(v) for v in node.values])

    def _ifexp(self, node: ast.IfExp) -> Value:
        self.value(node.test)
        return join([self.value(node.body), self.value(node.orelse)])

    def _namedexpr(self, node: ast.NamedExpr) -> Value:
        value = self.value(node.value)
        self.scope.bind(node.target.id, value)
        return value

    def _joinedstr(self, node: ast.JoinedStr) -> Value:
        parts = [self.value(part) for part in node.values]
        source = mixed(parts)
        if all(part.known and part.path is None for part in parts):
            return self.folded(source, folding.joined, [part.constant for part in parts])
        return replace(source, sketch=folding.sketched("", [part.outline for part in parts]))

    def _formattedvalue(self, node: ast.FormattedValue) -> Value:
        value, spec = self.value(node.value), self.value(node.format_spec)
        text = spec.text if node.format_spec is not None else ""
        if not value.known or text is None:
            return replace(mixed([value]), sketch=value.outline)
        return self.folded(value, folding.formatted, value.constant, node.conversion, text)

    def _starred(self, node: ast.Starred) -> Value:
        return mixed([self.hand_over(self.value(node.value))])

    def _await(self, node: ast.Await) -> Value:
        return self.value(node.value)

    def _yield(self, node: ast.Yield) -> Value:
        self.hand_over(self.value(node.value))
        return UNKNOWN

    # --- containers -------------------------------------------------------------------------

    def _list(self, node: ast.List | ast.Tuple | ast.Set) -> Value:
        values = [self.value(n) for n in node.elts]
        if all(v.known and v.path is None for v in values):
            kind = {ast.List: list, ast.Tuple: tuple, ast.Set: set}[type(node)]
            return self.folded(mixed(values), folding.guarded, kind, [v.constant for v in values])
        return replace(mixed([self.hand_over(v) for v in values]), items=_kept(values))

    _tuple = _list
    _set = _list

    def _dict(self, node: ast.Dict) -> Value:
        keys = [self.value(k) for k in node.keys]
        values = [self.value(v) for v in node.values]
        if all(v.known and v.path is None for v in (*keys, *values)):
            pairs = [(k.constant, v.constant) for k, v in zip(keys, values, strict=True)]
            return self.folded(mixed([*keys, *values]), folding.guarded, dict, pairs)
        return replace(mixed([self.hand_over(v) for v in values]), items=_kept(values))

    def _subscript(self, node: ast.Subscript) -> Value:
        owner = self.value(node.value)
        if isinstance(node.slice, ast.Slice):
            ends = [node.slice.lower, node.slice.upper, node.slice.step]
            bounds = [self.value(end) if end else Value(constant=None) for end in ends]
            if owner.known and all(b.known for b in bounds):
                cut = slice(*(b.constant for b in bounds))
                return self.folded(owner, folding.guarded, lambda: owner.constant[cut])
            return replace(mixed([owner]), items=owner.items)
        key = self.value(node.slice)
        return join(self._element(each, key) for each in owner.each())

    def _element(self, owner: Value, key: Value) -> Value:
        path = owner.path or ""
        if path == "os.environ":
            if key.text is not None and SECRET_NAME.search(key.text):
                self.charge(Axiom.PRIVACY, f"reads the secret {key.text!r} from the environment")
            return UNKNOWN
        if path in NAMESPACES or path.endswith(".__dict__"):
            return self.named(path.removesuffix(".__dict__"), key)
        if owner.known and key.known:
            return self.folded(owner, folding.guarded, lambda: owner.constant[key.constant])
        return element_of(owner)

    def named(self, names: str, key: Value) -> Value:
        """Look a name up by text: ``globals()["exec"]``, ``os.__dict__["remove"]``."""
        if key.text is None:
            if names in NAMESPACES or rooted_in(names, SENSITIVE):
                self.charge(Axiom.HONESTY, f"picks from {names} by a name that cannot be read")
            return UNKNOWN
        if names == "<names>":
            return join(replace(v, hidden=True) for v in self.scope.look_up(key.text).each())
        if names == "sys.modules":
            return Value(path=canonical(key.text), hidden=True)
        return self.attribute(Value(path=names), key.text, hidden=True)

    # --- comprehensions ---------------------------------------------------------------------

    def _listcomp(self, node: ast.ListComp | ast.GeneratorExp | ast.SetComp) -> Value:
        outer, self.scope = self.scope, Scope(self.scope)
        try:
            results = list(self._comprehended(node.elt, node.generators))
        except NotConstant:
            return mixed([self._read_once([node.elt], node.generators)])
        finally:
            self.scope = outer
        if all(v.known and v.path is None for v in results):
            constants = [v.constant for v in results]
            return self.folded(mixed(results), folding.guarded, list, constants)
        return replace(mixed(results), items=_kept(results))

    _generatorexp = _listcomp
    _setcomp = _listcomp

    def _dictcomp(self, node: ast.DictComp) -> Value:
        outer, self.scope = self.scope, Scope(self.scope)
        result = self._read_once([node.key, node.value], node.generators)
        self.scope = outer
        return mixed([result])

    def _comprehended(
        self, element: ast.expr, generators: Sequence[ast.comprehension]
    ) -> Iterator[Value]:
        """Each element of a comprehension over constants.

        Raises:
            NotConstant: It runs over something unknown, large, or filtered.
        """
        if not generators:
            yield self.value(element)
            return
        first, *rest = generators
        items = self.value(first.iter)
        if first.ifs or not items.known:
            raise NotConstant
        sequence = folding.guarded(list, items.constant)
        if len(sequence) > MOST_ELEMENTS:
            raise NotConstant
        for item in sequence:
            self.assign(first.target, Value(constant=item, tags=items.tags, hidden=items.hidden))
            yield from self._comprehended(element, rest)

    def _read_once(
        self, elements: Sequence[ast.expr], generators: Sequence[ast.comprehension]
    ) -> Value:
        """Read a comprehension once, with its variables unknown."""
        for each in generators:
            self.assign(each.target, loosened(element_of(self.value(each.iter))))
            for condition in each.ifs:
                self.value(condition)
        return mixed([self.hand_over(self.value(element)) for element in elements])


def element_of(value: Value) -> Value:
    """What an element of a value may be."""
    return join(part for each in value.each() for part in _elements(each))


def path_of(parts: Sequence[Value]) -> Value:
    """A path object joined from parts, as far as they are known."""
    source = mixed(parts)
    outlines = [(part.outline or "?").rstrip("/") or "/" for part in parts]
    text = folding.sketched("/", outlines)
    path = replace(source, path="pathlib.Path()")
    if all(part.text is not None for part in parts):
        return replace(path, constant=text)
    return replace(path, sketch=text)


def _elements(value: Value) -> Sequence[Value]:
    if value.items:
        return value.items
    path = None if value.path is None else f"{value.path}[]"
    if value.path is not None and value.path.startswith("pathlib.Path()"):
        path = "pathlib.Path()"
    return [Value(path=path, tags=value.tags, hidden=value.hidden)]


def _kept(values: Sequence[Value]) -> tuple[Value, ...]:
    return tuple(values) if len(values) <= MOST_ITEMS else ()


def _sketched(operation: ast.operator, left: Value, right: Value) -> str | None:
    """The known parts of a text put together by ``+`` or ``%``."""
    if isinstance(operation, ast.Add) and not (left.outline is None and right.outline is None):
        return folding.sketched("", [left.outline, right.outline])
    if isinstance(operation, ast.Mod) and left.text is not None:
        return folding.blanks(left.text)
    return None
