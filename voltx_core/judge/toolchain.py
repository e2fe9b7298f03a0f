"""Whether a language can be judged here: its tools must pass a good program and fail a bad one."""

import platform
from collections.abc import Callable
from dataclasses import dataclass

from voltx_core.data.problem import Language
from voltx_core.judge import languages
from voltx_core.judge.builds import BuildStore
from voltx_core.judge.languages import Recipe
from voltx_core.judge.program import Limits, Outcome, Program, Verdict
from voltx_core.judge.slot import Reply
from voltx_core.judge.steps import StepsTrial
from voltx_core.judge.trial import Order, Trial

_PROOF_LIMITS = Limits(cpu_s=20.0, wall_s=120.0)
# language: (code, a test that must pass, a test that must fail)
_PROOFS: dict[str, tuple[str, str, str]] = {
    "javascript": (
        "function twice(x) { return 2 * x; }",
        "assert.strictEqual(twice(2), 4);",
        "assert.strictEqual(twice(2), 5);",
    ),
    "java": (
        "class Solution { static int twice(int x) { return 2 * x; } }",
        "assert Solution.twice(2) == 4;",
        "assert Solution.twice(2) == 5;",
    ),
    "rust": (
        "fn twice(x: i32) -> i32 { 2 * x }",
        "assert_eq!(twice(2), 4);",
        "assert_eq!(twice(2), 5);",
    ),
    "go": (
        "func twice(x int) int { return 2 * x }",
        'if twice(2) != 4 { panic("wrong") }',
        'if twice(2) != 5 { panic("wrong") }',
    ),
}


@dataclass(frozen=True, kw_only=True)
class Toolchain:
    """What this machine can do with a language.

    Attributes:
        available: programs in it can be judged.
        version: of its compiler or runtime; empty when unknown.
        why: when it is not available, the reason and the remedy.
    """

    language: Language
    available: bool
    version: str
    why: str = ""


class NotRun:
    """A program that cannot be judged here: neither passed nor failed."""

    def __init__(self, program: Program, why: str) -> None:
        self._program, self._why = program, why

    def next_order(self) -> Order | None:
        return None

    def take(self, order: Order, reply: Reply) -> None:  # noqa: ARG002 (the protocol's names)
        raise AssertionError("nothing was ordered")

    def verdict(self, *, level: str, wall_s: float) -> Verdict:
        return Verdict(
            id=self._program.id,
            outcome=Outcome.NOT_RUN,
            tests_passed=0,
            tests_total=len(self._program.tests),
            detail=self._why,
            wall_s=wall_s,
            level=level,
            limits=self._program.limits,
            assurance="inproc",
        )


_proven: dict[tuple[str, str], Recipe | str] = {}


def proven_recipe(
    language: Language, level: str, execute: Callable[[list[Trial]], list[Verdict]]
) -> Recipe | str:
    """The recipe of a language that has proven itself at this level, or why there is none.

    Args:
        language: any but Python.
        level: isolation the programs run under.
        execute: runs trials at that level.
    """
    key = (language, level)
    if key not in _proven:
        recipe = languages.find(language)
        _proven[key] = (
            recipe if isinstance(recipe, str) else _prove(languages.quickened(recipe), execute)
        )
    return _proven[key]


def _prove(recipe: Recipe, execute: Callable[[list[Trial]], list[Verdict]]) -> Recipe | str:
    code, passing, failing = _PROOFS[recipe.language]
    program = Program(
        id="proof",
        code=code,
        tests=(passing, failing),
        language=recipe.language,
        limits=_PROOF_LIMITS,
    )
    (verdict,) = execute([StepsTrial(program, recipe, BuildStore())])
    if verdict.tests_passed == 1 and verdict.outcome is Outcome.FAILED:
        return recipe
    return (
        f"{recipe.language} {recipe.version} is installed but does not work in the jail at level "
        f"{verdict.level!r}: {verdict.outcome}, {verdict.detail or 'without a word'}"
    )


def python_toolchain() -> Toolchain:
    """Python judges Python: the interpreter that runs this."""
    return Toolchain(language="python", available=True, version=platform.python_version())
