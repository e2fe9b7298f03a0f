"""Tests as code that counts its assertions, so that one in which none was reached is no pass."""

import ast
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


def run_test(tree: ast.Module, namespace: dict[str, Any]) -> None:
    """Execute one test.

    Args:
        tree: the parsed test; it is changed.
        namespace: what its names mean; it is changed.

    Raises:
        NothingAsserted: it ended well without reaching any of its assertions.
        BaseException: whatever it raised.
    """
    counted = _Counted()
    tree = counted.visit(tree)
    ran = 0

    def count() -> None:
        nonlocal ran
        ran += 1

    namespace[_COUNTER] = count
    exec(compile(tree, "<test>", "exec"), namespace)
    if counted.found and not ran:
        raise NothingAsserted
