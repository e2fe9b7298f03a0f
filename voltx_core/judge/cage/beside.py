"""Tests in the candidate's own interpreter, for exercises whose tests hand over class instances.

The process reads a nonce from stdin and, after each test that passed, writes a line with it to
descriptor 3; how it exits and what it prints decide nothing. The candidate can still find the
nonce, change what the tests compare, or return objects that equal everything: verdicts from here
say ``assurance="inproc"`` and are no rewards.
"""

import ast
import os
import sys
from typing import Any

from .assertions import NothingAsserted, run_test
from .candidate import describe, fresh_module, resolve

_MARKS = 3
_MAX_DETAIL = 500


def parsed(tests: list[str]) -> list[ast.Module]:
    """The tests as syntax trees, read before anything hostile is near.

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: a test is no Python.
    """
    return [ast.parse(test, f"<test {n}>") for n, test in enumerate(tests, 1)]


def serve_tests(code: str, setup: str, entry_point: str | None, trees: list[ast.Module]) -> None:
    """Run the setup, the candidate and its tests; never returns."""
    nonce = os.read(0, 1 << 10).decode("ascii")

    def mark(text: str) -> None:
        os.write(_MARKS, f"{nonce} {text[:_MAX_DETAIL]}\n".encode("utf-8", "replace"))

    module = fresh_module("candidate")
    namespace = module.__dict__
    try:
        _load(namespace, setup, code)
    except _Unusable as reason:
        mark(str(reason))
    else:
        if entry_point and entry_point not in namespace:
            namespace[entry_point] = resolve(namespace, entry_point)
        for number, tree in enumerate(trees, 1):
            complaint = _complaint(tree, dict(namespace))
            mark(str(number) if complaint is None else f"failed test {number}: {complaint}")
    sys.stdout.flush()
    os._exit(0)


class _Unusable(Exception):
    """No test can be run; the text is the outcome and why."""


def _load(namespace: dict[str, Any], setup: str, code: str) -> None:
    """The setup, then the code; a setup that needs the code's own classes comes after it."""
    after = False
    try:
        exec(compile(setup, "<setup>", "exec"), namespace)
    except NameError:
        after = True
    except BaseException as error:
        why = describe(error)[2]
        raise _Unusable(f"not_run the tests' own code is broken: {why}") from None
    try:
        compiled = compile(code, "<candidate>", "exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
        raise _Unusable(f"syntax_error {type(error).__name__}: {error}") from None
    try:
        exec(compiled, namespace)
        if after:
            exec(compile(setup, "<setup>", "exec"), namespace)
    except BaseException as error:
        raise _Unusable(f"crashed raised while loading: {describe(error)[2]}") from None


def _complaint(tree: ast.Module, namespace: dict[str, Any]) -> str | None:
    try:
        run_test(tree, namespace)
    except NothingAsserted as error:
        return str(error)
    except BaseException as error:
        return describe(error)[2]
    return None
