"""The reader: walks a program's statements in order and keeps track of what names stand for."""

import ast
from collections.abc import Iterable, Sequence

from voltx_core.hard_core.guard import folding, tokens
from voltx_core.hard_core.guard.expressions import MOST_ELEMENTS, Expressions, element_of
from voltx_core.hard_core.guard.folding import NotConstant
from voltx_core.hard_core.guard.paths import canonical
from voltx_core.hard_core.guard.rules import RULES
from voltx_core.hard_core.guard.scopes import MUTABLE, Scope, loosened
from voltx_core.hard_core.guard.values import UNKNOWN, UNSET, Value, mixed

UNROLLED_STATEMENTS = 4


class Reader(Expressions):
    """Reads one program; ``charges`` holds what it found."""

    def __init__(self, tree: ast.Module) -> None:
        defined = frozenset(
            n.name
            for n in ast.walk(tree)
            if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        )
        super().__init__(Scope(), defined)
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
            self._line = node.lineno
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
            result = self._folded(result, folding.binary, node.op, left.constant, right.constant)
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
        inner = Scope(self.scope)
        returns = self._simple_return(node, inner)
        self.scope.bind(node.name, Value(returns=returns) if returns else UNKNOWN)
        self.scope.deferred.append(lambda: self._within(inner, lambda: self._body(node)))

    _on_asyncfunctiondef = _on_functiondef

    def _body(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self.bind_parameters(node.args)
        self.block(node.body)

    def _simple_return(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef, scope: Scope
    ) -> Value | None:
        """What a function of a single ``return`` gives, with its parameters unknown."""
        body = [s for s in node.body if not _is_docstring(s)]
        if len(body) != 1 or not isinstance(body[0], ast.Return):
            return None
        charges = dict(self.charges)
        result: list[Value] = []
        trial = Scope(scope.parent)

        def evaluate() -> None:
            self.bind_parameters(node.args)
            result.append(self.value(body[0].value))  # type: ignore[attr-defined]

        self._within(trial, evaluate)
        self.charges = charges  # the body is read, and charged, later
        return result[0]

    def _on_classdef(self, node: ast.ClassDef) -> None:
        for each in (*node.decorator_list, *node.bases, *(k.value for k in node.keywords)):
            self.hand_over(self.value(each))
        inner = Scope(self.scope, of_class=True)
        self._within(inner, lambda: self.block(node.body))
        self.scope.bind(node.name, UNKNOWN)

    def _within(self, scope: Scope, read: "object") -> None:
        outer, self.scope = self.scope, scope
        endless, self.endless = self.endless, 0
        read()  # type: ignore[operator]
        self._finish(scope)
        self.scope, self.endless = outer, endless

    def _on_return(self, node: ast.Return) -> None:
        self.hand_over(self.value(node.value))

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


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
