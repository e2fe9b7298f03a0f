"""The four concept levels of a Python solution, told from its syntax tree.

``simple``          one function, no statement that branches or repeats
``loops``           loops, conditionals, comprehensions with several parts
``multi-function``  more than one function, or a class
``algorithmic``     recursion, memo tables, search over a shrinking interval, worklists, heaps,
                    bisection, three nested loops, states carried through a loop that depend on
                    each other (Kadane, Euclid, two pointers)
"""

import ast
from collections.abc import Iterator
from typing import Literal

from voltx_core.data.python_source import parse_python
from voltx_core.errors import DataError

Level = Literal["simple", "loops", "multi-function", "algorithmic"]
LEVELS: tuple[Level, ...] = ("simple", "loops", "multi-function", "algorithmic")

Function = ast.FunctionDef | ast.AsyncFunctionDef
Loop = ast.For | ast.AsyncFor | ast.While
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp

ALGORITHM_MODULES = frozenset({"heapq", "bisect"})
MEMO_DECORATORS = frozenset({"cache", "lru_cache"})
TAKES_FROM_WORKLIST = frozenset({"pop", "popleft"})
PUTS_ON_WORKLIST = frozenset({"append", "appendleft", "extend", "push"})
DEEP_LOOPS = 3


def level_of(code: str) -> Level:
    """The concept level of a Python solution.

    Raises:
        DataError: the code is not valid Python.
    """
    tree = parse_python(code)
    if tree is None:
        raise DataError(
            "the solution is not valid Python, so it has no concept level. Only verified "
            f"solutions belong in a curriculum. It begins: {code[:60]!r}"
        )
    if _is_algorithmic(tree):
        return "algorithmic"
    definitions = [node for node in ast.walk(tree) if isinstance(node, Function | ast.ClassDef)]
    if len(definitions) > 1:
        return "multi-function"
    return "loops" if any(map(_branches_or_repeats, ast.walk(tree))) else "simple"


def _branches_or_repeats(node: ast.AST) -> bool:
    if isinstance(node, Comprehension):
        return len(node.generators) > 1 or len(node.generators[0].ifs) > 1
    return isinstance(node, Loop | ast.If | ast.IfExp | ast.Try | ast.Match)


def _is_algorithmic(tree: ast.Module) -> bool:
    return (
        _loop_depth(tree) >= DEEP_LOOPS
        or any(_imports_algorithm(node) for node in ast.walk(tree))
        or any(_recurs(node) or _memoises(node) for node in _functions(tree))
        or any(
            _halves_interval(node) or _works_off_list(node)
            for node in ast.walk(tree)
            if isinstance(node, ast.While)
        )
        or any(
            _fills_table(node) or _couples_states(node, tree)
            for node in ast.walk(tree)
            if isinstance(node, Loop)
        )
    )


def _functions(tree: ast.AST) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def _loop_depth(node: ast.AST) -> int:
    inner = max(map(_loop_depth, ast.iter_child_nodes(node)), default=0)
    return inner + isinstance(node, Loop)


def _imports_algorithm(node: ast.AST) -> bool:
    if isinstance(node, ast.Import):
        return any(alias.name in ALGORITHM_MODULES for alias in node.names)
    return isinstance(node, ast.ImportFrom) and node.module in ALGORITHM_MODULES


def _recurs(function: Function) -> bool:
    return any(
        isinstance(node, ast.Call) and _called_name(node) == function.name
        for statement in function.body
        for node in ast.walk(statement)
    )


def _memoises(function: Function) -> bool:
    return any(
        isinstance(node, ast.Name | ast.Attribute)
        and (node.id if isinstance(node, ast.Name) else node.attr) in MEMO_DECORATORS
        for decorator in function.decorator_list
        for node in ast.walk(decorator)
    )


def _called_name(call: ast.Call) -> str | None:
    match call.func:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name):
            return name
    return None


def _halves_interval(loop: ast.While) -> bool:
    """``while lo < hi`` with a middle computed by ``// 2`` or ``>> 1`` of a sum."""
    return isinstance(loop.test, ast.Compare) and any(
        isinstance(node, ast.BinOp)
        and isinstance(node.op, ast.FloorDiv | ast.RShift)
        and isinstance(node.left, ast.BinOp)
        and isinstance(node.left.op, ast.Add | ast.Sub)
        and isinstance(node.right, ast.Constant)
        for node in ast.walk(loop)
    )


def _works_off_list(loop: ast.While) -> bool:
    """``while todo:`` that takes from the list and puts onto the same list."""
    calls = [
        (node.func.value.id, node.func.attr)
        for statement in loop.body
        for node in ast.walk(statement)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
    ]
    taken = {name for name, method in calls if method in TAKES_FROM_WORKLIST}
    put = {name for name, method in calls if method in PUTS_ON_WORKLIST}
    return bool(taken & put)


def _fills_table(loop: Loop) -> bool:
    """An element computed from other elements of the same table, inside the loop."""
    for node in ast.walk(loop):
        if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Subscript):
            continue
        target = node.targets[0]
        table = _table_name(target)
        reads = [
            part
            for part in ast.walk(node.value)
            if isinstance(part, ast.Subscript)
            and _table_name(part) == table
            and ast.dump(part.slice) != ast.dump(target.slice)
        ]
        # One read is a shift or a swap; a recurrence looks at an offset place.
        if table and any(_has_offset(part) for part in reads):
            return True
    return False


def _couples_states(loop: Loop, tree: ast.Module) -> bool:
    """Two names live from round to round, and one is computed from the other."""
    inside = {id(node) for node in ast.walk(loop)}
    before = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)} | {
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and id(node) not in inside
    }
    updates = [
        node
        for statement in loop.body
        for node in ast.walk(statement)
        if isinstance(node, ast.Assign | ast.AugAssign)
    ]
    carried = before & {name for update in updates for name in _assigned_names(update)}
    return any(
        isinstance(part, ast.Name) and part.id in carried and part.id not in _assigned_names(update)
        for update in updates
        if carried & set(_assigned_names(update))
        for part in ast.walk(update.value)
    ) or any(len(carried & set(_assigned_names(update))) > 1 for update in updates)


def _assigned_names(update: ast.Assign | ast.AugAssign) -> list[str]:
    targets = update.targets if isinstance(update, ast.Assign) else [update.target]
    return [
        node.id
        for target in targets
        for node in ast.walk(target)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    ]


def _table_name(node: ast.expr) -> str | None:
    while isinstance(node, ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def _has_offset(node: ast.Subscript) -> bool:
    return any(
        isinstance(part, ast.BinOp) and isinstance(part.op, ast.Sub | ast.Add)
        for part in ast.walk(node)
    )
