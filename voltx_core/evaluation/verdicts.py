"""Verdicts that outlive the process: what was executed once is not executed again."""

import hashlib
from collections.abc import Sequence

from voltx_core.data.problem import Problem
from voltx_core.errors import Interrupted
from voltx_core.evaluation.frames import judge_codes
from voltx_core.judge import Assurance, Judge, Outcome, Program, Verdict
from voltx_core.training.session import Session

AT_ONCE = 512
"""Programs between two looks at the clock: about two seconds."""

_Seen = tuple[str, str, int, int, Assurance]
"""Key of the program, outcome, tests passed, tests in all, where they ran."""


class LastingVerdicts:
    """Judges programs in batches and saves what it saw as progress of a stage.

    A process that takes over asks for the same programs in the same order and is given what the
    earlier one saw; only the rest is executed. Where it asks for another program, because code
    has changed meanwhile, what was seen from there on counts no more. Neither details nor times
    are kept.

    Args:
        run: The stage: checkpoints, observer, stop flag, judge settings.
        judge: Executes the programs.
        scope: Names the checkpoints; one sequence of questions each.
    """

    def __init__(self, run: Session, judge: Judge, scope: str) -> None:
        self._run, self._judge, self._scope = run, judge, scope
        saved = run.checkpoints.restore(scope)
        rows = saved.meta["seen"] if saved else []
        # Rows that do not say where the tests ran were saved by older code: see again.
        self._seen: list[_Seen] = [tuple(row) for row in rows if len(row) == 5]
        self._saved = len(self._seen)
        self._asked = 0

    def __call__(self, problems: Sequence[Problem], codes: Sequence[str]) -> list[Verdict]:
        """One verdict a problem.

        Raises:
            Interrupted: A stop was asked for; what was seen is saved.
            JudgeError: The judge itself failed.
        """
        first = self._asked
        self._asked += len(problems)
        keys = [_key(problem, code) for problem, code in zip(problems, codes, strict=True)]
        self._forget_others(first, keys)
        while (at := len(self._seen) - first) < len(problems):
            self._run.observer.progress(at, len(problems), "programs", self._scope)
            batch = slice(at, at + AT_ONCE)
            try:
                self._run.stop.check()
                seen = judge_codes(
                    self._judge, self._run.config, problems[batch], codes[batch], self._run.stop
                )
            except Interrupted:
                if len(self._seen) != self._saved:
                    self._save()
                raise
            self._seen += [
                (key, v.outcome.value, v.tests_passed, v.tests_total, v.assurance)
                for key, v in zip(keys[batch], seen, strict=True)
            ]
            if self._run.checkpoints.due():
                self._save()
        self._run.observer.progress(len(problems), len(problems), "programs", self._scope)
        return [
            Verdict(
                id=problem.id,
                outcome=Outcome(outcome),
                tests_passed=passed,
                tests_total=total,
                assurance=assurance,
            )
            for problem, (_, outcome, passed, total, assurance) in zip(
                problems, self._seen[first : self._asked], strict=True
            )
        ]

    def _forget_others(self, first: int, keys: Sequence[str]) -> None:
        for at, (seen, key) in enumerate(zip(self._seen[first:], keys, strict=False), first):
            if seen[0] != key:
                del self._seen[at:]
                return

    def _save(self) -> None:
        self._run.checkpoints.save(self._scope, len(self._seen), {}, {"seen": self._seen})
        self._saved = len(self._seen)


def _key(problem: Problem, code: str) -> str:
    """Tells programs apart: what runs and what decides about it."""
    assurance = Program.of(problem, code).assurance
    text = "\0".join((problem.language, code, problem.setup, repr(problem.tests), assurance))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
