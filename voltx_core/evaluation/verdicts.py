"""Verdicts that outlive the process: what was executed once is not executed again."""

import hashlib
import time
from collections.abc import Sequence

from voltx_core.data.problem import Problem
from voltx_core.errors import Interrupted
from voltx_core.evaluation.frames import judge_codes
from voltx_core.evaluation.verdict_rows import row_of, verdict_of
from voltx_core.judge import Assurance, Judge, Program, Verdict
from voltx_core.training.session import Session

FIRST, AT_ONCE = 16, 512
"""Programs between two looks at the clock, at first and at most: as many as take a second."""
BATCH_S = 1.0

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
        size = min(FIRST, AT_ONCE)
        while (at := len(self._seen) - first) < len(problems):
            self._run.observer.progress(at, len(problems), "programs", self._scope)
            batch, began = slice(at, at + size), time.monotonic()
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
                (key, *row_of(verdict)) for key, verdict in zip(keys[batch], seen, strict=True)
            ]
            if time.monotonic() - began < BATCH_S:
                size = min(AT_ONCE, 2 * size)
            if self._run.checkpoints.due():
                self._save()
        if len(self._seen) != self._saved and self._run.checkpoints.worthwhile():
            self._save()
        self._run.observer.progress(len(problems), len(problems), "programs", self._scope)
        seen_now = self._seen[first : self._asked]
        return [
            verdict_of(problem.id, list(row))
            for problem, (_, *row) in zip(problems, seen_now, strict=True)
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
