"""This judge, at the isolation level the contender is named after."""

import psutil

from voltx_core.bench.contenders.contender import Absent, Script, Seen
from voltx_core.errors import JudgeError
from voltx_core.judge import Judge, Limits, Program

_LIMITS = Limits(cpu_s=10.0, wall_s=60.0)


class Voltx:
    def __init__(self, name: str, workers: int) -> None:
        try:
            self._judge = Judge(level=name, workers=workers)
        except JudgeError as error:
            raise Absent(str(error)) from None

    def run(self, scripts: list[Script]) -> list[Seen]:
        programs = [
            Program(
                id=script.id,
                code=script.code,
                tests=script.tests,
                entry_point=script.entry_point,
                setup=script.setup,
                limits=_LIMITS,
            )
            for script in scripts
        ]
        verdicts = self._judge.run(programs)
        return [Seen(verdict.passed, verdict.wall_s) for verdict in verdicts]

    def slots(self) -> list[int]:
        return [child.pid for child in psutil.Process().children()]

    def close(self) -> None:
        self._judge.close()
