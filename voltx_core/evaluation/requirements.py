"""Whether the packages that published rows import can be imported where the judge runs them.

A package may be installed and still be out of reach: the jail shows programs the language's own
library, and what else it shows differs by language and level. So each one is tried, in the jail.
"""

from collections.abc import Iterable

from voltx_core.data.problem import Language
from voltx_core.judge import Judge, Limits, Outcome, Program

Requirement = tuple[Language, str]

_LIMITS = Limits(cpu_s=30.0, wall_s=120.0, memory_mib=2048)
# language: (a program that imports the package and defines `one`, a test of it)
_PROBES: dict[Language, tuple[str, str]] = {
    "python": ("import {package}\ndef one():\n    return 1\n", "assert one() == 1"),
    "javascript": ('require("{package}");\nconst one = () => 1;', "assert.equal(one(), 1);"),
    "java": (
        "import {package}.*;\nclass Solution {{ static int one() {{ return 1; }} }}",
        "assert Solution.one() == 1;",
    ),
    "rust": ("extern crate {package};\nfn one() -> i32 {{ 1 }}", "assert_eq!(one(), 1);"),
    "go": (
        'import _ "{package}"\nfunc one() int {{ return 1 }}',
        'if one() != 1 {{ panic("wrong") }}',
    ),
}


def unmet(requirements: Iterable[Requirement], judge: Judge) -> dict[Requirement, str]:
    """Those packages that programs in this judge cannot import, each with the reason.

    Args:
        requirements: (language, package) pairs.
        judge: where the rows would run.
    """
    wanted = sorted(set(requirements))
    verdicts = judge.run([_probe(language, package) for language, package in wanted])
    return {
        requirement: f"{requirement[1]} cannot be imported in the jail: {_gist(verdict.detail)}"
        if verdict.outcome is not Outcome.NOT_RUN
        else verdict.detail
        for requirement, verdict in zip(wanted, verdicts, strict=True)
        if not verdict.passed
    }


def _probe(language: Language, package: str) -> Program:
    code, test = _PROBES[language]
    return Program(
        id=f"import {package}",
        code=code.format(package=package),
        tests=(test.format(),),
        language=language,
        entry_point="one",
        limits=_LIMITS,
    )


def _gist(detail: str) -> str:
    """The line of a compiler's or runtime's complaint that says what is wrong."""
    lines = [line.strip() for line in detail.splitlines() if line.strip()]
    return next((line for line in lines if "rror" in line), lines[0] if lines else "no reason")
