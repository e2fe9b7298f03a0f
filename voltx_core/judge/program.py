"""What goes into the judge and what comes out: programs and verdicts."""

import math
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Literal

from voltx_core.data.problem import Language, Problem, Test

Assurance = Literal["split", "inproc"]
"""Where tests run: in another process than the candidate, or beside it in its own."""


class Outcome(StrEnum):
    """How the execution of one program ended."""

    PASSED = "passed"
    FAILED = "failed"
    TIMEOUT = "timeout"
    CRASHED = "crashed"
    SYNTAX_ERROR = "syntax_error"
    NOT_RUN = "not_run"
    """The toolchain is missing or broken: neither passed nor failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one program may use, all its tests together.

    Raises:
        ValueError: a limit is not a positive, finite number.
    """

    cpu_s: float = 2.0
    wall_s: float = 10.0
    memory_mib: int = 512
    output_kib: int = 256

    def __post_init__(self) -> None:
        for limit in fields(self):
            value = getattr(self, limit.name)
            if not 0 < value < math.inf:
                raise ValueError(f"{limit.name} is {value}; a limit is a positive number")


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """Hostile code and the trusted tests that decide about it.

    ``assurance="inproc"`` runs the snippets of a Python program in the candidate's interpreter, for
    tests that hand over class instances. A candidate in that position can pass without solving
    anything, so it is chosen per problem, by its reference (``voltx_core.judge.settle``), and
    such verdicts are no rewards.
    """

    id: str
    code: str
    tests: tuple[Test, ...]
    language: Language = "python"
    entry_point: str | None = None
    setup: str = ""
    limits: Limits = field(default_factory=Limits)
    assurance: Assurance = "split"

    @classmethod
    def of(cls, problem: Problem, code: str, *, limits: Limits | None = None) -> "Program":
        """The program that tries ``code`` on the tests of ``problem``.

        The problem's trait ``assurance``, which ``settle`` sets, says how its tests run.
        """
        return cls(
            id=problem.id,
            code=code,
            tests=problem.tests,
            language=problem.language,
            entry_point=problem.entry_point,
            setup=problem.setup,
            limits=limits or Limits(),
            assurance="inproc" if problem.traits.get("assurance") == "inproc" else "split",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the judge saw. ``passed`` needs at least one executed test."""

    id: str
    outcome: Outcome
    tests_passed: int
    tests_total: int
    detail: str = ""
    cpu_s: float = 0.0
    wall_s: float = 0.0
    level: str = ""
    """Isolation that was in force: ``ns``, ``uid``, ``seccomp`` or ``none``."""
    assurance: Assurance = "split"
    limits: Limits | None = None
    """What was in force; None where no judge made the verdict."""

    def __post_init__(self) -> None:
        """Make the detail harmless: much of it is the program's own words, which must neither
        move a terminal's cursor nor be impossible to encode."""
        if not self.detail.isprintable():
            object.__setattr__(self, "detail", "".join(map(_plain, self.detail)))

    @property
    def passed(self) -> bool:
        return self.outcome is Outcome.PASSED

    @property
    def rewardable(self) -> bool:
        """Whether learning may build on it: it was executed, and could not have been forged."""
        return self.assurance == "split" and self.outcome is not Outcome.NOT_RUN

    @property
    def pass_rate(self) -> float:
        """Share of the tests that passed, in [0, 1]."""
        return self.tests_passed / self.tests_total if self.tests_total else 0.0


def _plain(letter: str) -> str:
    if letter.isprintable() or letter in "\n\t":
        return letter
    return letter.encode("unicode_escape").decode("ascii")
