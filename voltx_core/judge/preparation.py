"""Trusted tests made ready once, here, for all the programs that are judged by them.

Slots get compiled code: parsing and counting assertions cost as much as running most programs.
"""

import ast
import builtins
import marshal
import warnings
from dataclasses import dataclass
from functools import lru_cache

from voltx_core.judge.cage.assertions import compile_test
from voltx_core.judge.cage.checker import STATELESS_MODULES

_KEPT = 1024
# Ways to change something that outlives the test, other than by assigning to an attribute.
_LASTING_NAMES = frozenset(
    {
        *("setattr", "delattr", "exec", "eval", "globals", "locals", "vars", "open", "input"),
        *("__import__", "__builtins__", "__dict__", "__globals__", "__code__", "register"),
    }
)


@dataclass(frozen=True)
class Prepared:
    """Tests as a checker wants them.

    Attributes:
        setup: marshalled code of what both sides execute first.
        tests: marshalled (code, whether it has assertions) of each test.
        wanted: names the tests read and do not get from Python: the candidate may supply them.
        traceless: executing them leaves nothing behind in the interpreter.
        broken: why they cannot be run; empty if they can.
    """

    setup: bytes = b""
    tests: tuple[bytes, ...] = ()
    wanted: tuple[str, ...] = ()
    traceless: bool = False
    broken: str = ""


@lru_cache(_KEPT)
def prepare(tests: tuple[str, ...], setup: str, entry_point: str | None) -> Prepared:
    """Compile tests and their setup; the same ones cost nothing the next time.

    Args:
        tests: snippets with assertions.
        setup: trusted code executed before them.
        entry_point: the candidate's function, which may have a builtin's name.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            trees = [ast.parse(test, f"<test {n}>") for n, test in enumerate(tests, 1)]
            before = ast.parse(setup, "<setup>")
            wanted = _free_names(trees, entry_point)
            traceless = not any(_leaves_traces(tree) for tree in (before, *trees))
            compiled = tuple(marshal.dumps(compile_test(tree)) for tree in trees)
            code = marshal.dumps(compile(before, "<setup>", "exec", dont_inherit=True, optimize=0))
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
        return Prepared(broken=f"{type(error).__name__}: {error}")
    return Prepared(code, compiled, tuple(sorted(wanted)), traceless)


def _free_names(trees: list[ast.Module], entry_point: str | None) -> set[str]:
    """Names the tests read and do not get from Python itself.

    A builtin is never taken from the candidate (a forged ``abs`` or ``set`` would decide the
    comparison) unless it is the entry point.
    """
    loaded = {
        node.id
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    }
    return {name for name in loaded if not hasattr(builtins, name) or name == entry_point}


def _leaves_traces(tree: ast.Module) -> bool:
    """Whether the code might change more of its interpreter than its own namespace."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(ctx=ast.Store() | ast.Del()):
                return True
            case ast.Name(id=name) | ast.Attribute(attr=name) if name in _LASTING_NAMES:
                return True
            case ast.Import(names=names):
                if any(alias.name not in STATELESS_MODULES for alias in names):
                    return True
            case ast.ImportFrom(module=module):
                if module not in STATELESS_MODULES:
                    return True
            case ast.ClassDef() | ast.Subscript(value=ast.Attribute(), ctx=ast.Store() | ast.Del()):
                return True
    return False
