"""Evaluates expressions as far as they can be known, and charges the calls in them."""

import ast
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from voltx_core.hard_core.axioms import Axiom
from voltx_core.hard_core.guard import folding
from voltx_core.hard_core.guard.folding import NotConstant, Oversized
from voltx_core.hard_core.guard.paths import canonical, rooted_in
from voltx_core.hard_core.guard.rules import (
    ESCAPES,
    LISTINGS,
    METHOD_RULES,
    RULES,
    SECRET,
    SECRET_NAME,
    SENSITIVE,
    Rule,
)
from voltx_core.hard_core.guard.scopes import MUTABLE, Scope, loosened
from voltx_core.hard_core.guard.values import UNKNOWN, UNSET, Call, Value, join, mixed, words

MOST_STEPS = 200_000
MOST_ELEMENTS = 512
MOST_BURIED = 4
GIGANTIC = 1 << 30

IMPORTERS = frozenset({"builtins.__import__", "importlib.import_module", "importlib.__import__"})
EXECUTORS = frozenset({"builtins.exec", "builtins.eval", "builtins.compile"})
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


class TooIntricate(Exception):
    """Reading would take too long; a program that long-winded has something to hide."""


class Expressions:
    """The expression half of the reader; ``statements.Reader`` adds the statements."""

    def __init__(self, scope: Scope, defined: frozenset[str]) -> None:
        self.scope = scope
        self.defined = defined
        self.charges: dict[tuple[Axiom, str], int] = {}
        self.endless = 0
        self.buried = 0
        self._steps = 0
        self._line = 0

    def charge(self, axiom: Axiom, reason: str) -> None:
        """Hold something against the program, once, at the line being read."""
        self.charges.setdefault((axiom, reason), self._line)
        if self.buried:
            self.charges.setdefault(
                (Axiom.HONESTY, "hides instructions in a text that it executes"), self._line
            )

    def read_text(self, text: str) -> Value:
        """Read text that the program executes; the statements half implements it."""
        raise NotImplementedError

    def value(self, node: ast.expr | None) -> Value:
        """Evaluate a node; every call inside is charged on the way."""
        if node is None:
            return UNKNOWN
        self._steps += 1
        if self._steps > MOST_STEPS:
            raise TooIntricate
        if not self.buried:
            self._line = getattr(node, "lineno", self._line)
        handler = getattr(self, f"_{type(node).__name__.lower()}", None)
        if handler is not None:
            result: Value = handler(node)
            return result
        return mixed([self.value(n) for n in ast.iter_child_nodes(node) if isinstance(n, ast.expr)])

    def hand_over(self, value: Value) -> Value:
        """A value leaves our sight: if it is a dangerous function, assume the worst call."""
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

    # --- leaves and operators ---------------------------------------------------------------

    def _constant(self, node: ast.Constant) -> Value:
        return Value(constant=node.value) if node.value is not ... else UNKNOWN

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
        return join(self._attribute_of(each, name, hidden) for each in owner.each())

    def _attribute_of(self, owner: Value, name: str, hidden: bool) -> Value:
        hidden = hidden or owner.hidden
        if owner.path is None:
            return Value(tags=owner.tags, hidden=hidden)
        path = canonical(f"{owner.path}.{name}")
        constant = UNSET
        if path == "pathlib.Path()" and owner.known and name == "parent":
            constant = owner.constant.rpartition("/")[0] or "/"
        return Value(path=path, constant=constant, tags=owner.tags, hidden=hidden)

    def _binop(self, node: ast.BinOp) -> Value:
        left, right = self.value(node.left), self.value(node.right)
        parts = mixed([left, right])
        if left.path == "pathlib.Path()" and isinstance(node.op, ast.Div):
            known = left.text is not None and right.text is not None
            text = f"{left.text.rstrip('/')}/{right.text}" if known else UNSET
            return Value(left.path, text, parts.tags, parts.hidden)
        if not (left.known and right.known):
            return parts
        return self._folded(parts, folding.binary, node.op, left.constant, right.constant)

    def _folded(self, source: Value, function: Any, *arguments: Any) -> Value:
        """A folded constant that keeps the tags of what it was made of."""
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
        if isinstance(node.op, ast.USub) and isinstance(value.constant, int) and value.known:
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
        if all(part.known for part in parts):
            return self._folded(
                mixed(parts), folding.guarded, "".join, [str(p.constant) for p in parts]
            )
        return mixed(parts)

    def _formattedvalue(self, node: ast.FormattedValue) -> Value:
        value, spec = self.value(node.value), self.value(node.format_spec)
        text = spec.text if node.format_spec is not None else ""
        if not value.known or text is None:
            return mixed([value])
        return self._folded(value, folding.formatted, value.constant, node.conversion, text)

    def _starred(self, node: ast.Starred) -> Value:
        return mixed([self.hand_over(self.value(node.value))])

    def _await(self, node: ast.Await) -> Value:
        return self.value(node.value)

    def _yield(self, node: ast.Yield) -> Value:
        self.hand_over(self.value(node.value))
        return UNKNOWN

    def _lambda(self, node: ast.Lambda) -> Value:
        outer, self.scope = self.scope, Scope(self.scope)
        self.bind_parameters(node.args)
        returns = self.value(node.body)
        self.scope = outer
        return Value(returns=returns)

    def bind_parameters(self, arguments: ast.arguments) -> None:
        """Parameters may be anything, or what they default to."""
        for default in (*arguments.defaults, *arguments.kw_defaults):
            self.value(default)
        positional = [*arguments.posonlyargs, *arguments.args]
        defaults: dict[str, ast.expr] = {
            p.arg: d
            for p, d in zip(reversed(positional), reversed(arguments.defaults), strict=False)
        }
        defaults |= {
            p.arg: d
            for p, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
            if d is not None
        }
        extra = [p for p in (arguments.vararg, arguments.kwarg) if p is not None]
        for parameter in (*positional, *arguments.kwonlyargs, *extra):
            default = defaults.get(parameter.arg)
            known = loosened(self.value(default)) if default is not None else UNKNOWN
            self.scope.bind(parameter.arg, known)

    # --- containers -------------------------------------------------------------------------

    def _list(self, node: ast.List | ast.Tuple | ast.Set) -> Value:
        values = [self.value(n) for n in node.elts]
        if all(v.known and v.path is None for v in values) and len(values) <= folding.LARGEST:
            kind = {ast.List: list, ast.Tuple: tuple, ast.Set: set}[type(node)]
            return self._folded(mixed(values), folding.guarded, kind, [v.constant for v in values])
        return mixed([self.hand_over(v) for v in values])

    _tuple = _list
    _set = _list

    def _dict(self, node: ast.Dict) -> Value:
        keys = [self.value(k) for k in node.keys]
        values = [self.value(v) for v in node.values]
        if all(v.known and v.path is None for v in (*keys, *values)):
            pairs = [(k.constant, v.constant) for k, v in zip(keys, values, strict=True)]
            return self._folded(mixed([*keys, *values]), folding.guarded, dict, pairs)
        return mixed([self.hand_over(v) for v in values])

    def _subscript(self, node: ast.Subscript) -> Value:
        owner = self.value(node.value)
        if isinstance(node.slice, ast.Slice):
            ends = [node.slice.lower, node.slice.upper, node.slice.step]
            bounds = [self.value(end) if end else Value(constant=None) for end in ends]
            if owner.known and all(b.known for b in bounds):
                cut = slice(*(b.constant for b in bounds))
                return self._folded(owner, folding.guarded, lambda: owner.constant[cut])
            return mixed([owner])
        key = self.value(node.slice)
        return join(self._element(each, key) for each in owner.each())

    def _element(self, owner: Value, key: Value) -> Value:
        names = owner.path
        if names == "os.environ":
            if key.text is not None and SECRET_NAME.search(key.text):
                self.charge(Axiom.PRIVACY, f"reads the secret {key.text!r} from the environment")
            return UNKNOWN
        if names is not None and (
            names in ("<names>", "sys.modules", "builtins") or names.endswith(".__dict__")
        ):
            return self._named(names.removesuffix(".__dict__"), key)
        if owner.known and key.known:
            return self._folded(owner, folding.guarded, lambda: owner.constant[key.constant])
        return element_of(owner)

    def _named(self, names: str, key: Value) -> Value:
        """Look a name up by text: ``globals()["exec"]``, ``os.__dict__["remove"]``."""
        if key.text is None:
            if names in ("<names>", "sys.modules") or rooted_in(names, SENSITIVE):
                self.charge(Axiom.HONESTY, f"picks from {names} by a name that cannot be read")
            return UNKNOWN
        if names == "<names>":
            found = self.scope.look_up(key.text)
            return join(
                Value(v.path, v.constant, v.tags, True, v.returns, v.arguments)
                for v in found.each()
            )
        if names == "sys.modules":
            return Value(path=canonical(key.text), hidden=True)
        return self.attribute(Value(path=names), key.text, hidden=True)

    def _listcomp(self, node: ast.ListComp | ast.GeneratorExp | ast.SetComp) -> Value:
        outer, self.scope = self.scope, Scope(self.scope)
        self.scope.now.update({})
        try:
            results = list(self._comprehended(node.elt, node.generators))
        except NotConstant:
            return Value(tags=mixed([self._loose_pass(node.elt, node.generators)]).tags)
        finally:
            self.scope = outer
        if all(v.known for v in results):
            return self._folded(
                mixed(results), folding.guarded, list, [v.constant for v in results]
            )
        return mixed(results)

    _generatorexp = _listcomp
    _setcomp = _listcomp

    def _dictcomp(self, node: ast.DictComp) -> Value:
        outer, self.scope = self.scope, Scope(self.scope)
        self._loose_pass(node.key, node.generators)
        result = self._loose_pass(node.value, node.generators)
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

    def _loose_pass(self, element: ast.expr, generators: Sequence[ast.comprehension]) -> Value:
        """Read a comprehension once, with its variables unknown."""
        for each in generators:
            self.assign(each.target, element_of(self.value(each.iter)))
            for condition in each.ifs:
                self.value(condition)
        return self.hand_over(self.value(element))

    def assign(self, target: ast.expr, value: Value) -> None:
        """Bind a target; the statements half implements it."""
        raise NotImplementedError

    # --- calls ------------------------------------------------------------------------------

    def _call(self, node: ast.Call) -> Value:
        receiver = UNKNOWN
        if isinstance(node.func, ast.Attribute):
            receiver = self.value(node.func.value)
            called = self.attribute(receiver, node.func.attr)
        else:
            called = self.value(node.func)
        arguments = tuple(self.value(a) for a in node.args)
        keywords = {k.arg or "**": self.value(k.value) for k in node.keywords}
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        if name in MUTATORS and isinstance(receiver.constant, MUTABLE):
            self._mutate(receiver, name, arguments)
            return UNKNOWN
        if receiver.known and receiver.path is None and name:
            source = mixed([receiver, *arguments])
            if all(a.known for a in (*arguments, *keywords.values())):
                plain = [a.constant for a in arguments]
                named = {k: v.constant for k, v in keywords.items()}
                result = self._folded(source, folding.method, receiver.constant, name, plain, named)
                if result.known:
                    return result
        return join(
            self.apply(each, arguments, keywords, receiver=receiver, name=name)
            for each in called.each()
        )

    def apply(
        self,
        called: Value,
        arguments: tuple[Value, ...],
        keywords: dict[str, Value] | None = None,
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
            self._judge(
                rule, call, hidden=called.hidden or any(v.hidden for v in call.everything())
            )
        for value in (*arguments, *keywords.values()):
            self.hand_over(value)
        if called.returns is not None:
            return called.returns
        if path is None or not (path.startswith("builtins.") or rule is not None):
            self.scope.forget_mutable()
        return self._result(call, called)

    def _special(
        self, called: Value, arguments: tuple[Value, ...], keywords: dict[str, Value]
    ) -> Value | None:
        """Functions that the reader itself must understand."""
        path, first = called.path, arguments[0] if arguments else UNKNOWN
        rest = arguments[1:]
        if path in ("builtins.getattr", "builtins.object.__getattribute__") and rest:
            return self._getattr(first, rest[0], rest[1:])
        if path in IMPORTERS:
            name = first if arguments else keywords.get("name", UNKNOWN)
            return self._import(
                name, whole="import_module" in path or _from_list(arguments, keywords)
            )
        if path in EXECUTORS:
            return self._execute(path, first)
        if path == "builtins.vars" and arguments and first.path:
            return Value(path=f"{first.path}.__dict__", hidden=True)
        if path in ("builtins.vars", "builtins.globals", "builtins.locals"):
            return Value(path="<names>")
        if path in ("builtins.map", "builtins.filter", "functools.reduce") and rest:
            return self._map(first, rest)
        if path in ("functools.partial", "operator.call") and arguments:
            given = self.apply(first, rest, keywords)
            return first if path == "functools.partial" else given
        if path == "operator.attrgetter()" and called.arguments:
            return self._getattr(first, called.arguments[0], ())
        if path == "operator.methodcaller()" and called.arguments:
            found = self._getattr(first, called.arguments[0], ())
            return join(self.apply(f, called.arguments[1:]) for f in found.each())
        if path in ("<names>.get", "sys.modules.get", "builtins.__dict__.get") or (
            path and path.endswith((".__dict__.get", ".__dict__.__getitem__"))
        ):
            return self._named(path.rpartition(".")[0].removesuffix(".__dict__"), first)
        if path == "pathlib.Path()" or (path or "").startswith("pathlib.Path"):
            return self._path_object(called, arguments)
        return self._fold_function(called, arguments, keywords)

    def _getattr(self, owner: Value, name: Value, default: tuple[Value, ...]) -> Value:
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

    def _map(self, function: Value, iterables: tuple[Value, ...]) -> Value:
        """``map(f, xs)`` calls ``f`` on elements of ``xs``."""
        if all(v.known for v in iterables) and function.path in folding.FUNCTIONS:
            columns = [v.constant for v in iterables]
            return self._folded(
                mixed(iterables),
                lambda: [
                    folding.function(function.path, row, {})
                    for row in zip(*(folding.guarded(list, c) for c in columns), strict=False)
                ][: folding.LARGEST],
            )
        elements = tuple(element_of(v) for v in iterables)
        return mixed([self.apply(f, elements) for f in function.each()])

    def _path_object(self, called: Value, arguments: tuple[Value, ...]) -> Value | None:
        """Constructors and steps of pathlib give paths again."""
        path = called.path or ""
        if path in ("pathlib.Path", "pathlib.Path().joinpath"):
            texts = [a.text for a in arguments]
            start = [called.text] if path.endswith("joinpath") else []
            known = None not in (*texts, *start)
            constant = "/".join(t.rstrip("/") or "/" for t in (*start, *texts)) if known else UNSET
            return Value("pathlib.Path()", constant, mixed(arguments).tags, mixed(arguments).hidden)
        if path in ("pathlib.Path.home", "pathlib.Path.cwd"):
            return Value("pathlib.Path()", "~" if path.endswith("home") else ".")
        if path == "pathlib.Path()":  # a step such as resolve() that canonical() folded
            return Value(path, called.constant, called.tags, called.hidden)
        return None

    def _fold_function(
        self, called: Value, arguments: tuple[Value, ...], keywords: dict[str, Value]
    ) -> Value | None:
        path = called.path
        if path is None or not all(v.known for v in (*arguments, *keywords.values())):
            return None
        plain = [v.constant for v in arguments]
        named = {k: v.constant for k, v in keywords.items()}
        source = mixed(arguments)
        if path in folding.DECODERS:
            result = self._folded(source, folding.function, path, plain, named)
            return Value(constant=result.constant, tags=result.tags | {"decoded"}, hidden=True)
        if path.startswith("builtins.str.") and plain:
            name = path.rpartition(".")[2]
            result = self._folded(source, folding.method, plain[0], name, plain[1:], named)
            return result if result.known else None
        if path in folding.FUNCTIONS:
            result = self._folded(source, folding.function, path, plain, named)
            return result if result.known else None
        return None

    def _mutate(self, receiver: Value, name: str, arguments: tuple[Value, ...]) -> None:
        for argument in arguments:
            self.hand_over(argument)
        old, new = receiver.constant, UNSET
        if isinstance(old, list) and receiver.known and all(a.known for a in arguments):
            if name == "append" and len(arguments) == 1:
                new = [*old, arguments[0].constant]
            elif name == "extend" and len(arguments) == 1:
                try:
                    new = [*old, *folding.guarded(list, arguments[0].constant)]
                except NotConstant:
                    new = UNSET
        self.scope.replace(old, new)

    def _result(self, call: Call, called: Value) -> Value:
        path, tags = called.path, set(mixed(call.everything()).tags | call.receiver.tags)
        if path in LISTINGS:
            tags.add("listing")
        if path is not None and path.startswith("tempfile."):
            tags.add("temporary")
        if path == "builtins.open" and call.arguments:
            tags |= {"secret" for v in call.arguments[0].each() if SECRET.search(v.text or "")}
        decoded = path in folding.DECODERS
        return Value(
            path=f"{path}()" if path is not None and path != "pathlib.Path()" else path,
            tags=frozenset(tags),
            hidden=decoded,
            arguments=call.arguments
            if path in ("operator.attrgetter", "operator.methodcaller")
            else (),
        )

    def _rule(self, path: str | None, name: str = "") -> Rule | None:
        if path is not None:
            if path in RULES:
                return RULES[path]
            head, _, last = path.rpartition(".")
            if rooted_in(path, {"ctypes"}) and f"os.{last}" in RULES:
                return RULES[f"os.{last}"]
            while "." in head:
                if head in RULES and head.startswith("ctypes."):
                    return RULES[head]
                head = head.rpartition(".")[0]
        if name and name not in self.defined:
            return METHOD_RULES.get(name)
        return None

    def _judge(self, rule: Rule, call: Call, *, hidden: bool) -> None:
        charges = list(rule(call))
        if call.path.startswith("ctypes."):
            charges.append((Axiom.HONESTY, "reaches below Python through ctypes"))
        for axiom, reason in charges:
            self.charge(axiom, reason)
        if charges and hidden:
            self.charge(Axiom.HONESTY, f"hides that it {charges[0][1]}")


def _from_list(arguments: Sequence[Value], keywords: Mapping[str, Value]) -> bool:
    """Whether ``__import__`` is asked for a submodule itself (by a ``fromlist``)."""
    given = keywords.get("fromlist", arguments[3] if len(arguments) > 3 else None)
    return given is not None and bool(given.constant)


def element_of(value: Value) -> Value:
    """An unknown element of a value."""
    return join(
        Value(
            path="pathlib.Path()"
            if v.path is not None and v.path.startswith("pathlib.Path()")
            else f"{v.path}[]"
            if v.path is not None
            else None,
            tags=v.tags,
            hidden=v.hidden,
        )
        for v in value.each()
    )
