"""The reader: walks a program's statements in order and keeps track of what names stand for."""

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from voltx_core.hard_core.guard import folding, tokens
from voltx_core.hard_core.guard.calls import Calls
from voltx_core.hard_core.guard.expressions import MOST_ELEMENTS, element_of
from voltx_core.hard_core.guard.folding import NotConstant
from voltx_core.hard_core.guard.paths import canonical
from voltx_core.hard_core.guard.rules import RULES
from voltx_core.hard_core.guard.scopes import MUTABLE, Scope, loosened
from voltx_core.hard_core.guard.values import UNKNOWN, UNSET, Routine, Value, join, mixed

UNROLLED_STATEMENTS = 4
Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


class Reader(Calls):
    """Reads one program; ``charges`` holds what it found."""

    def __init__(self, tree: ast.Module) -> None:
        defined = frozenset(
            n.name
            for n in ast.walk(tree)
            if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        )
        super().__init__(defined)
        self._returned: list[list[Value]] = []
        self._tree = tree

    def read(self) -> None:
        """Read the whole program.

        Raises:
            TooIntricate: It would take too long.
            RecursionError: It is nested too deeply.
        """
        self.block(self._tree.body)
        self._finish(self.scope)

    def read_text(self, text: str) -> Value:
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            for axiom, reason in tokens.charges(text):
                self.charge(axiom, reason)
            return UNKNOWN
        if len(tree.body) == 1 and isinstance(tree.body[0], ast.Expr):
            return self.value(tree.body[0].value)
        self.block(tree.body)
        return UNKNOWN

    def block(self, statements: Sequence[ast.stmt]) -> None:
        """Read statements one after the other."""
        for statement in statements:
            self.statement(statement)

    def statement(self, node: ast.stmt) -> None:
        """Read one statement."""
        if not self.buried:
            self.line = node.lineno
        handler = getattr(self, f"_on_{type(node).__name__.lower()}", None)
        if handler is not None:
            handler(node)
            return
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self.value(child)
            elif isinstance(child, ast.stmt):
                self.statement(child)

    def _finish(self, scope: Scope) -> None:
        """Read the bodies of functions when all names around them are known."""
        while scope.deferred:
            scope.deferred.pop(0)()

    # --- names ------------------------------------------------------------------------------

    def _on_import(self, node: ast.Import) -> None:
        for alias in node.names:
            path = canonical(alias.name if alias.asname else alias.name.split(".")[0])
            self.scope.bind(alias.asname or alias.name.split(".")[0], Value(path=path))

    def _on_importfrom(self, node: ast.ImportFrom) -> None:
        if node.level or node.module is None:
            return
        for alias in node.names:
            if alias.name == "*":
                self._bind_all(node.module)
            else:
                path = canonical(f"{node.module}.{alias.name}")
                self.scope.bind(alias.asname or alias.name, Value(path=path))

    def _bind_all(self, module: str) -> None:
        """``from os import *``: every name of the module that a rule knows."""
        prefix = f"{canonical(module)}."
        for path in RULES:
            name = path.removeprefix(prefix)
            if path.startswith(prefix) and "." not in name and name != "open":
                self.scope.bind(name, Value(path=path))
        if prefix == "os.":
            self.scope.bind("environ", Value(path="os.environ"))

    def _on_global(self, node: ast.Global | ast.Nonlocal) -> None:
        self.scope.outer_names.update(node.names)

    _on_nonlocal = _on_global

    def _on_assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            if _same_shape(target, node.value):
                values = [self.value(v) for v in node.value.elts]
                for part, value in zip(target.elts, values, strict=True):
                    self.assign(part, value)
            else:
                self.assign(target, self.value(node.value))

    def _on_annassign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.assign(node.target, self.value(node.value))

    def _on_augassign(self, node: ast.AugAssign) -> None:
        right = self.value(node.value)
        if not isinstance(node.target, ast.Name):
            self.hand_over(right)
            return
        left = self.scope.look_up(node.target.id)
        result = mixed([left, right])
        if left.known and right.known:
            result = self.folded(result, folding.binary, node.op, left.constant, right.constant)
        self.scope.bind(node.target.id, result)

    def assign(self, target: ast.expr, value: Value) -> None:
        if isinstance(target, ast.Name):
            if self.scope.of_class:  # reachable as an attribute of anything from now on
                self.hand_over(value)
            self.scope.bind(target.id, value)
        elif isinstance(target, ast.Tuple | ast.List):
            self._unpack(target.elts, value)
        elif isinstance(target, ast.Starred):
            self.assign(target.value, mixed([value]))
        elif isinstance(target, ast.Subscript):
            owner = self.value(target.value)
            self.value(target.slice)
            if isinstance(owner.constant, MUTABLE):
                self.scope.replace(owner.constant, UNSET)
            self.hand_over(value)
        else:
            if isinstance(target, ast.Attribute):
                self.value(target.value)
            self.hand_over(value)

    def _unpack(self, targets: Sequence[ast.expr], value: Value) -> None:
        parts: list[Value] | None = None
        if value.known:
            try:
                items = folding.guarded(list, value.constant)
                parts = [Value(constant=item, tags=value.tags) for item in items]
            except NotConstant:
                parts = None
        if parts is not None and len(parts) == len(targets):
            for target, part in zip(targets, parts, strict=True):
                self.assign(target, part)
            return
        for target in targets:
            self.assign(target, element_of(value))

    def _on_delete(self, node: ast.Delete) -> None:
        for target in node.targets:
            if not isinstance(target, ast.Name):
                self.value(target)

    # --- definitions ------------------------------------------------------------------------

    def _on_functiondef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for decorator in node.decorator_list:
            self.hand_over(self.value(decorator))
        home = self.scope
        self.scope.bind(node.name, Value(routine=self._routine(node, home)))
        # read when every name around it is known, with parameters that may be anything
        self.scope.deferred.append(lambda: self._body(node, home, (), {}))

    _on_asyncfunctiondef = _on_functiondef

    def _lambda(self, node: ast.Lambda) -> Value:
        self._body(node, self.scope, (), {})
        return Value(routine=self._routine(node, self.scope))

    def _routine(self, node: Function, home: Scope) -> Routine:
        return lambda arguments, keywords: self._body(node, home, arguments, keywords)

    def _body(
        self, node: Function, home: Scope, arguments: Sequence[Value], keywords: Mapping[str, Value]
    ) -> Value:
        """Read a function's body and give what it returns."""
        self._returned.append([])
        with self._inside(Scope(home)):
            self._bind_parameters(node.args, arguments, keywords)
            if isinstance(node, ast.Lambda):
                self._returned[-1].append(self.value(node.body))
            else:
                self.block(node.body)
        return join(self._returned.pop())

    def _bind_parameters(
        self, spec: ast.arguments, given: Sequence[Value], named: Mapping[str, Value]
    ) -> None:
        """Parameters are what is given; else they may be anything, or what they default to."""
        positional = [*spec.posonlyargs, *spec.args]
        defaults: dict[str, ast.expr] = {
            p.arg: d for p, d in zip(reversed(positional), reversed(spec.defaults), strict=False)
        }
        defaults |= {
            p.arg: d
            for p, d in zip(spec.kwonlyargs, spec.kw_defaults, strict=True)
            if d is not None
        }
        bound = {p.arg: value for p, value in zip(positional, given, strict=False)} | dict(named)
        extra = [p for p in (spec.vararg, spec.kwarg) if p is not None]
        for parameter in (*positional, *spec.kwonlyargs, *extra):
            name, value = parameter.arg, UNKNOWN
            if name in defaults:
                value = loosened(self.value(defaults[name]))
            self.scope.bind(name, bound.get(name, value))
        if spec.vararg is not None and len(given) > len(positional):
            rest = tuple(given[len(positional) :])
            self.scope.bind(spec.vararg.arg, replace(mixed(rest), items=rest))

    def _on_classdef(self, node: ast.ClassDef) -> None:
        for each in (*node.decorator_list, *node.bases, *(k.value for k in node.keywords)):
            self.hand_over(self.value(each))
        with self._inside(Scope(self.scope, of_class=True)):
            self.block(node.body)
        self.scope.bind(node.name, UNKNOWN)

    @contextmanager
    def _inside(self, scope: Scope) -> Iterator[None]:
        """Read in an inner scope, and the functions defined there before leaving it."""
        outer, self.scope = self.scope, scope
        yield
        self._finish(scope)
        self.scope = outer

    def _on_return(self, node: ast.Return) -> None:
        value = self.value(node.value)
        if self._returned:
            self._returned[-1].append(value)
        self.hand_over(value)

    # --- branches and loops -----------------------------------------------------------------

    def _on_if(self, node: ast.If) -> None:
        self.value(node.test)
        self._branches([node.body, node.orelse])

    def _branches(self, bodies: Iterable[Sequence[ast.stmt]]) -> None:
        before, ends = self.scope.snapshot(), []
        for body in bodies:
            self.scope.now = dict(before)
            self.block(body)
            ends.append(self.scope.snapshot())
        self.scope.merge(ends)

    def _on_try(self, node: ast.Try) -> None:
        before = self.scope.snapshot()
        self.block(node.body)
        after = self.scope.snapshot()
        ends = []
        for body in (node.orelse, *(h.body for h in node.handlers)):
            self.scope.merge([before, after])
            self.block(body)
            ends.append(self.scope.snapshot())
        self.scope.merge([after, *ends])
        self.block(node.finalbody)

    _on_trystar = _on_try

    def _on_match(self, node: ast.Match) -> None:
        subject = loosened(self.value(node.subject))
        for case in node.cases:
            for part in ast.walk(case.pattern):
                name = getattr(part, "name", None) or getattr(part, "rest", None)
                if isinstance(name, str):
                    self.scope.bind(name, subject)
            if case.guard is not None:
                self.value(case.guard)
        self._branches([[], *(case.body for case in node.cases)])

    def _on_while(self, node: ast.While) -> None:
        test = self.value(node.test)
        self.scope.loosen(_assigned(node))
        endless = test.known and bool(test.constant) and not _leaves(node.body)
        self.endless += endless
        before = self.scope.snapshot()
        self.value(node.test)
        self.block(node.body)
        self.scope.merge([before, self.scope.snapshot()])
        self.endless -= endless
        self.block(node.orelse)

    def _on_for(self, node: ast.For | ast.AsyncFor) -> None:
        items = self.value(node.iter)
        endless = any(v.path in ("itertools.count()", "itertools.repeat()") for v in items.each())
        endless = endless and not _leaves(node.body)
        self.endless += endless
        sequence = self._unrolled(node, items)
        if sequence is not None:
            for item in sequence:
                self.assign(node.target, Value(constant=item, tags=items.tags, hidden=items.hidden))
                self.block(node.body)
        else:
            self.scope.loosen(_assigned(node))
            before = self.scope.snapshot()
            self.assign(node.target, element_of(items))
            self.block(node.body)
            self.scope.merge([before, self.scope.snapshot()])
        self.endless -= endless
        self.block(node.orelse)

    _on_asyncfor = _on_for

    def _unrolled(self, node: ast.For | ast.AsyncFor, items: Value) -> list[object] | None:
        """The elements of a short loop that only assembles something."""
        simple = all(isinstance(s, ast.Assign | ast.AugAssign | ast.Expr) for s in node.body)
        if not items.known or not simple or len(node.body) > UNROLLED_STATEMENTS:
            return None
        try:
            sequence: list[object] = folding.guarded(list, items.constant)
        except NotConstant:
            return None
        return sequence if len(sequence) <= MOST_ELEMENTS else None

    def _on_with(self, node: ast.With | ast.AsyncWith) -> None:
        for item in node.items:
            value = self.value(item.context_expr)
            if item.optional_vars is not None:
                self.assign(item.optional_vars, value)
        self.block(node.body)

    _on_asyncwith = _on_with


def _same_shape(target: ast.expr, value: ast.expr) -> bool:
    """``a, b = x, y``: each name gets its own."""
    pairs = isinstance(target, ast.Tuple | ast.List) and isinstance(value, ast.Tuple | ast.List)
    if not pairs or len(target.elts) != len(value.elts):
        return False
    return not any(isinstance(n, ast.Starred) for n in (*target.elts, *value.elts))


def _assigned(loop: ast.stmt) -> set[str]:
    """Names that anything inside a loop assigns."""
    return {
        n.id for n in ast.walk(loop) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    }


def _leaves(body: Sequence[ast.stmt]) -> bool:
    """Whether a loop may end by itself."""
    return any(isinstance(n, ast.Break | ast.Return | ast.Raise) for s in body for n in ast.walk(s))
