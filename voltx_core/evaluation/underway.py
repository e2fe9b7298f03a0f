"""Programs that are executed while the trainer computes, and who waits for whom."""

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

from voltx_core.data.problem import Problem
from voltx_core.evaluation.frames import configured_limits, judge_codes
from voltx_core.judge import CalibratedLimits, Judge, Verdict
from voltx_core.training.session import Session


class Underway:
    """Executes one batch of programs at a time in a thread of its own.

    The judge's work is done by its own processes; the thread only feeds them, so the trainer goes
    on computing. What it does not overlap with is time in which one waits for the other.

    Args:
        run: The stage: judge settings and stop flag.
        judge: Executes the programs, within limits calibrated on each problem's reference.

    Attributes:
        waited_s: Seconds the trainer stood still for verdicts.
        judged_s: Seconds the judge had programs to execute.
        beside_s: Seconds from the first batch that was begun to the last verdict.
    """

    def __init__(self, run: Session, judge: Judge) -> None:
        self._config, self._stop, self._judge = run.config, run.stop, judge
        self._limits = CalibratedLimits(judge, configured_limits(run.config))
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="underway")
        self._batch: Future[list[Verdict]] | None = None
        self._first: float | None = None
        self.waited_s = self.judged_s = self.beside_s = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._thread.shutdown(wait=True, cancel_futures=True)

    def begin(self, problems: Sequence[Problem], codes: Sequence[str]) -> None:
        """Start to execute one program a problem; a batch nobody asked for is forgotten."""
        if self._first is None:
            self._first = time.monotonic()
        self._batch = self._thread.submit(self._execute, problems, codes)

    def verdicts(self) -> list[Verdict]:
        """What the batch that was begun came to, waiting for it if need be.

        Raises:
            Interrupted: A stop was asked for.
            JudgeError: The judge itself failed.
        """
        assert self._batch is not None, "begin comes first"
        assert self._first is not None
        began = time.monotonic()
        try:
            return self._batch.result()
        finally:
            now = time.monotonic()
            self.waited_s += now - began
            self.beside_s = now - self._first
            self._batch = None

    def timings_s(self) -> dict[str, float]:
        """What this process saw, for a report: times are no metrics, they differ every time."""
        return {
            "judge.waited_for": self.waited_s,
            "judge.executing": self.judged_s,
            "judge.beside_training": self.beside_s,
        }

    def _execute(self, problems: Sequence[Problem], codes: Sequence[str]) -> list[Verdict]:
        began = time.monotonic()
        verdicts = judge_codes(self._judge, self._config, problems, codes, self._stop, self._limits)
        self.judged_s += time.monotonic() - began
        return verdicts
