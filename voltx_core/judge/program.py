"""What goes into the judge and what comes out: programs and verdicts."""

from dataclasses import dataclass, field
from enum import StrEnum

from voltx_core.data.problem import Language, Problem, Test


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
    """What one program may use, all its tests together."""

    cpu_s: float = 2.0
    wall_s: float = 10.0
    memory_mib: int = 512
    output_kib: int = 256
    processes: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """Hostile code and the trusted tests that decide about it."""

    id: str
    code: str
    tests: tuple[Test, ...]
    language: Language = "python"
    entry_point: str | None = None
    setup: str = ""
    limits: Limits = field(default_factory=Limits)

    @classmethod
    def of(cls, problem: Problem, code: str, *, limits: Limits | None = None) -> "Program":
        """The program that tries ``code`` on the tests of ``problem``."""
        return cls(
            id=problem.id,
            code=code,
            tests=problem.tests,
            language=problem.language,
            entry_point=problem.entry_point,
            setup=problem.setup,
            limits=limits or Limits(),
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
    assurance: str = "split"
    """``split``: tests ran in another process than the candidate; ``inproc``: beside it."""

    @property
    def passed(self) -> bool:
        return self.outcome is Outcome.PASSED

    @property
    def pass_rate(self) -> float:
        """Share of the tests that passed, in [0, 1]."""
        return self.tests_passed / self.tests_total if self.tests_total else 0.0
