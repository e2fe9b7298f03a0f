"""A deliberately weak judge: code and tests in one interpreter, its exit code is the verdict.

It is what many harnesses do. Attacks that do not succeed against it prove nothing about another.
"""

import os
import subprocess
import sys
import time
from collections.abc import Sequence

from voltx_core.data.problem import StdioTest
from voltx_core.judge.comparison import same_output
from voltx_core.judge.program import Outcome, Program, Verdict

_PATIENCE = 5.0
"""It waits five times as long as the limits say."""


class BareJudge:
    """Judges like ``Judge``, with no isolation but another process."""

    level = "bare"

    def __enter__(self) -> "BareJudge":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Nothing is kept."""

    def run(self, programs: Sequence[Program]) -> list[Verdict]:
        return [self._judge(program) for program in programs]

    def _judge(self, program: Program) -> Verdict:
        started = time.monotonic()
        passed, outcome, detail = 0, Outcome.PASSED, ""
        for test in program.tests:
            ok, how, said = self._run(program, test)
            passed += ok
            if not ok and outcome is Outcome.PASSED:
                outcome, detail = how, said
        return Verdict(
            id=program.id,
            outcome=outcome,
            tests_passed=passed,
            tests_total=len(program.tests),
            detail=detail,
            wall_s=time.monotonic() - started,
            level=self.level,
            assurance="inproc",
        )

    def _run(self, program: Program, test: str | StdioTest) -> tuple[bool, Outcome, str]:
        source = f"{program.setup}\n{program.code}\n"
        stdin = test.stdin if isinstance(test, StdioTest) else ""
        if isinstance(test, str):
            source += test
        try:
            done = subprocess.run(
                [sys.executable, "-s", "-c", source],
                input=stdin.encode(),
                capture_output=True,
                timeout=program.limits.wall_s * _PATIENCE,
                close_fds=False,
                env=dict(os.environ),
                cwd=os.environ["TMPDIR"],
                check=False,
            )
        except (subprocess.TimeoutExpired, OSError) as error:
            return False, Outcome.TIMEOUT, type(error).__name__
        said = done.stderr.decode("utf-8", "replace")[-2000:]
        if isinstance(test, StdioTest):
            ok = same_output(done.stdout.decode("utf-8", "replace"), test.stdout)
        else:
            ok = done.returncode == 0
        return ok, Outcome.PASSED if ok else Outcome.FAILED, said
