"""Tests as code that counts its assertions, so that one in which none was reached is no pass."""

import ast
from types import CodeType
from typing import Any

_COUNTER = "__assertion_ran__"


class NothingAsserted(AssertionError):
    """The test has assertions and reached none of them."""

    def __init__(self) -> None:
        super().__init__("none of its assertions was reached")


class _Counted(ast.NodeTransformer):
    """Adds a call after every assert."""

    found = False

    def visit_Assert(self, node: ast.Assert) -> list[ast.stmt]:
        self.found = True
        call = ast.Expr(ast.Call(ast.Name(_COUNTER, ast.Load()), [], []))
        return [node, ast.fix_missing_locations(ast.copy_location(call, node))]


def compile_test(tree: ast.Module) -> tuple[CodeType, bool]:
    """One test ready to run, and whether it has assertions; the tree is changed."""
    counted = _Counted()
    tree = counted.visit(tree)
    return compile(tree, "<test>", "exec", dont_inherit=True, optimize=0), counted.found


def run_compiled(code: CodeType, has_assertions: bool, namespace: dict[str, Any]) -> None:
    """Execute one test.

    Args:
        code: and
        has_assertions: what ``compile_test`` gave.
        namespace: what its names mean; it is changed.

    Raises:
        NothingAsserted: it ended well without reaching any of its assertions.
        BaseException: whatever it raised.
    """
    ran = 0

    def count() -> None:
        nonlocal ran
        ran += 1

    namespace[_COUNTER] = count
    exec(code, namespace)
    if has_assertions and not ran:
        raise NothingAsserted


def run_test(tree: ast.Module, namespace: dict[str, Any]) -> None:
    """Compile and execute one test; see ``run_compiled``."""
    run_compiled(*compile_test(tree), namespace)
