"""Verdicts as short JSON rows: what counts, without details and times."""

from typing import Any

from voltx_core.judge import Outcome, Verdict


def row_of(verdict: Verdict) -> list[Any]:
    """``[outcome, tests passed, tests in all, where the tests ran]``."""
    return [
        verdict.outcome.value,
        verdict.tests_passed,
        verdict.tests_total,
        verdict.assurance,
    ]


def verdict_of(problem: str, row: list[Any]) -> Verdict:
    """The verdict on a program for ``problem``, without details and times."""
    outcome, passed, total, assurance = row
    return Verdict(
        id=problem,
        outcome=Outcome(outcome),
        tests_passed=passed,
        tests_total=total,
        assurance=assurance,
    )
