"""Which function of a Python solution its tests call, with what signature, and what it imports."""

import ast
import re
import sys
from collections.abc import Iterable

from voltx_core.data.python_source import parse_python

_IMPORT = re.compile(r"^[ \t]*(?:import|from)[ \t]+(\w+)", re.MULTILINE)


def find_entry_point(code: str, tests: Iterable[str]) -> str | None:
    """The function (or, failing that, class) defined by ``code`` that ``tests`` call first.

    A call nested in another is an argument: of two candidates the outer one wins.
    Returns None when the code does not parse or nothing matches.
    """
    defined = _statements(code)
    called = [name for test in tests for name in _called_names(test)]
    functions = {
        node.name for node in defined if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    functions |= {
        target.id
        for node in defined
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    classes = {node.name for node in defined if isinstance(node, ast.ClassDef)}
    for names in (functions, classes):
        if match := next((name for name in called if name in names), None):
            return match
    return None


def find_signature(code: str, name: str | None) -> str | None:
    """The ``def`` line of ``name`` as a module-level function, without body or ``self``.

    Looks at top-level functions and at the methods of top-level classes; None if there is none,
    or ``code`` is not Python.
    """
    body = _statements(code) if name else []
    for node in [
        *body,
        *(item for top in body if isinstance(top, ast.ClassDef) for item in top.body),
    ]:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            arguments = node.args
            if node not in body and arguments.args:
                arguments.args = arguments.args[1:]  # self
            returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
            return f"def {name}({ast.unparse(arguments)}){returns}:"
    return None


def lift_method(code: str, class_name: str, name: str) -> str:
    """``code`` with an alias that makes the method ``name`` callable as a module-level function.

    Unchanged when it already defines ``name`` at the top, or has no such class.
    """
    body = _statements(code)
    if any(isinstance(node, ast.FunctionDef) and node.name == name for node in body):
        return code
    if any(isinstance(node, ast.ClassDef) and node.name == class_name for node in body):
        return f"{code}\n\n{name} = {class_name}().{name}\n"
    return code


def foreign_imports(code: str) -> list[str]:
    """Packages beyond Python's own that ``code``, or a part of a program, imports."""
    return sorted(set(_IMPORT.findall(code)) - sys.stdlib_module_names)


def _called_names(test: str) -> list[str]:
    # ast.walk goes level by level, so outer calls come before the calls inside them.
    return [
        node.func.id
        for statement in _statements(test)
        for node in ast.walk(statement)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    ]


def _statements(code: str) -> list[ast.stmt]:
    tree = parse_python(code)  # published Python is sometimes Python 2
    return tree.body if tree else []
