"""Swapping neighbouring assignments of a Python function where their order cannot matter."""

import ast
import random
from collections.abc import Iterator
from itertools import pairwise

from voltx_core.data.python_source import parse_python

Function = ast.FunctionDef | ast.AsyncFunctionDef


def reorder_assignments(code: str, rng: random.Random, *, share: float = 0.5) -> str | None:
    """Swap some pairs of independent neighbours like ``best = None`` and ``count = 0``.

    Both must be one-line assignments, inside a function, of constants, names or displays of them
    to a single name: nothing that could call, fail or be observed halfway. Neither may use the
    other's name.

    Args:
        code: a module; comments travel with their line.
        rng: chooses among the pairs.
        share: chance of each pair, in [0, 1].

    Returns:
        The reordered module, or None when there is no such pair or none was drawn.
    """
    tree = parse_python(code)
    if tree is None or "\r" in code:
        return None
    lines = code.split("\n")
    swapped: set[int] = set()
    for first, second in _swappable(tree):
        above, below = first.lineno - 1, second.lineno - 1
        alone = ";" not in lines[above] + lines[below]
        if alone and rng.random() < share and not swapped & {above, below}:
            lines[above], lines[below] = lines[below], lines[above]
            swapped |= {above, below}
    return "\n".join(lines) if swapped else None


def _swappable(tree: ast.Module) -> Iterator[tuple[ast.Assign, ast.Assign]]:
    for function in ast.walk(tree):
        if not isinstance(function, Function):
            continue
        for block in _blocks(function):
            for first, second in pairwise(block):
                if (
                    isinstance(first, ast.Assign)
                    and isinstance(second, ast.Assign)
                    and _independent(first, second)
                ):
                    yield first, second


def _blocks(node: ast.AST) -> Iterator[list[ast.stmt]]:
    """The statement lists of a function, not of the functions and classes inside it."""
    for field in ("body", "orelse", "finalbody", "handlers", "cases"):
        block = getattr(node, field, None)
        if not isinstance(block, list):
            continue
        if block and isinstance(block[0], ast.stmt):
            yield block
        for child in block:
            if not isinstance(child, Function | ast.ClassDef):
                yield from _blocks(child)


def _independent(first: ast.Assign, second: ast.Assign) -> bool:
    one, other = _plain_target(first), _plain_target(second)
    return (
        one is not None
        and other is not None
        and one != other
        and one not in _names(second.value)
        and other not in _names(first.value)
        # On neighbouring lines, nothing in between.
        and second.lineno == first.lineno + 1
        and first.col_offset == second.col_offset
    )


def _plain_target(statement: ast.Assign) -> str | None:
    """The name that a one-line assignment of an inert value binds."""
    target = statement.targets[0]
    plain = (
        statement.lineno == statement.end_lineno
        and len(statement.targets) == 1
        and _is_inert(statement.value)
    )
    return target.id if plain and isinstance(target, ast.Name) else None


def _is_inert(value: ast.expr) -> bool:
    """Whether evaluating has no effect and cannot fail, but for an unbound name."""
    match value:
        case ast.Constant() | ast.Name():
            return True
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return all(map(_is_inert, items))
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=ast.Constant(value=int() | float())):
            return True
        case ast.Dict(keys=[], values=[]):
            return True
    return False


def _names(value: ast.expr) -> set[str]:
    return {node.id for node in ast.walk(value) if isinstance(node, ast.Name)}
