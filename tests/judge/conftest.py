import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import psutil
import pytest

from voltx_core.data.problem import StdioTest
from voltx_core.judge import Judge, Limits, Program, Verdict
from voltx_core.judge.isolation import LEVELS

QUICK = Limits(cpu_s=0.4, wall_s=60.0, memory_mib=128)


Seen = TypeVar("Seen")


@pytest.fixture(scope="session")
def settled() -> Callable[[Callable[[], Seen]], Seen]:
    """What is seen once it has not changed for a while: slots make themselves ready in advance."""

    def wait(look: Callable[[], Seen]) -> Seen:
        last: Seen | None = None
        since = time.monotonic()
        while last is None or time.monotonic() < since + 1.0:
            time.sleep(0.05)
            try:
                now: Seen | None = look()
            except (OSError, psutil.Error):  # a process ended while it was looked at
                now = None
            if now is None or now != last:
                last, since = now, time.monotonic()
        return last

    return wait


class Bench:
    """A judge with a short way to put one Python program before it."""

    def __init__(self, judge: Judge) -> None:
        self.judge = judge

    def program(
        self, code: str, *tests: str | StdioTest, entry_point: str | None = "f", **more: object
    ) -> Program:
        return Program(
            **{"id": "p", "code": code, "tests": tests, "entry_point": entry_point}
            | {"limits": QUICK}
            | more
        )

    def __call__(self, code: str, *tests: str | StdioTest, **more: object) -> Verdict:
        (verdict,) = self.judge.run([self.program(code, *tests, **more)])
        return verdict


@pytest.fixture(scope="session")
def judge() -> Iterator[Judge]:
    with Judge(workers=2) as shared:
        yield shared


@pytest.fixture(scope="session")
def bench(judge: Judge) -> Bench:
    return Bench(judge)


@pytest.fixture(scope="session", params=LEVELS)
def leveled(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """A bench at every isolation level that works on this machine."""
    from voltx_core.errors import JudgeError

    try:
        judge = Judge(workers=2, level=request.param)
    except JudgeError as error:
        pytest.skip(str(error))
    with judge:
        yield Bench(judge)
