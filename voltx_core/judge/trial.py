"""One program on its way through the judge: the orders it needs, and the verdict they add up to."""

import dataclasses
import signal
from typing import Any, Protocol

from voltx_core.data.problem import StdioTest
from voltx_core.judge.cage.values import decode, encode
from voltx_core.judge.cage.zygote import CALLS, DIED, OVERDUE, SCRIPT
from voltx_core.judge.comparison import same_output
from voltx_core.judge.program import Outcome, Program, Verdict
from voltx_core.judge.slot import Reply

_MAX_ORDER = 1 << 30
_SEVERITY = (
    Outcome.PASSED,
    Outcome.FAILED,
    Outcome.CRASHED,
    Outcome.TIMEOUT,
    Outcome.SYNTAX_ERROR,
    Outcome.NOT_RUN,
)


@dataclasses.dataclass(frozen=True)
class Order:
    """Something to hand to a slot: its kind, the encoded content, the wall limit, what it tries."""

    kind: bytes
    content: bytes
    wall_s: float
    about: str = ""


class Trial(Protocol):
    """A program's orders, and the verdict that the replies to them add up to."""

    def orders(self) -> list[Order]: ...
    def take(self, order: Order, reply: Reply) -> None: ...
    def verdict(self, *, level: str, wall_s: float) -> Verdict: ...


class PythonTrial:
    """A Python program: snippets in one split run, stdin/stdout pairs in another."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._snippets = [test for test in program.tests if isinstance(test, str)]
        self._pairs = [test for test in program.tests if isinstance(test, StdioTest)]
        self._passed = 0
        self._cpu_s = 0.0
        self._worst = (Outcome.PASSED, "")

    def orders(self) -> list[Order]:
        """What is to be run; none for a program without tests."""
        limits = self._program.limits
        shared: dict[str, Any] = {
            "code": self._program.code,
            "setup": self._program.setup,
            "cpu_s": float(limits.cpu_s),
            "memory_mib": limits.memory_mib,
        }
        orders = []
        if self._snippets:
            entry_point = self._program.entry_point
            calls = {**shared, "tests": self._snippets, "entry_point": entry_point}
            orders.append(Order(CALLS, encode(calls, limit=_MAX_ORDER), limits.wall_s))
        if self._pairs:
            script = {
                **shared,
                "stdins": [pair.stdin for pair in self._pairs],
                "wall_s": float(limits.wall_s),
                "output_bytes": limits.output_kib << 10,
            }
            orders.append(Order(SCRIPT, encode(script, limit=_MAX_ORDER), limits.wall_s))
        return orders

    def take(self, order: Order, reply: Reply) -> None:
        """Add what a slot saw of one order."""
        trouble = trouble_of(reply)
        if trouble:
            self._note(*trouble)
        elif order.kind == CALLS:
            self._take_calls(decode(reply.report))
        else:
            self._take_runs(decode(reply.report))

    def _take_calls(self, seen: dict[str, Any]) -> None:
        self._passed += seen["passed"]
        self._cpu_s += seen["cpu_s"]
        self._note(Outcome(seen["outcome"]), seen["detail"])

    def _take_runs(self, runs: list[dict[str, Any]]) -> None:
        for number, (pair, run) in enumerate(zip(self._pairs, runs, strict=False), 1):
            self._cpu_s += run["cpu_s"]
            outcome, detail = judge_run(pair, run)
            self._passed += outcome is Outcome.PASSED
            self._note(outcome, f"input {number}: {detail}")
        if len(runs) < len(self._pairs):
            self._note(Outcome.TIMEOUT, "no time was left for the remaining inputs")

    def _note(self, outcome: Outcome, detail: str) -> None:
        self._worst = worse(self._worst, (outcome, detail))

    def verdict(self, *, level: str, wall_s: float) -> Verdict:
        """The sum of what was seen."""
        total = len(self._program.tests)
        outcome, detail = self._worst
        if not total:
            outcome, detail = Outcome.FAILED, "the program has no tests"
        return Verdict(
            id=self._program.id,
            outcome=outcome,
            tests_passed=self._passed,
            tests_total=total,
            detail=detail,
            cpu_s=round(self._cpu_s, 6),
            wall_s=round(wall_s, 6),
            level=level,
            assurance="split",
        )


def worse(left: tuple[Outcome, str], right: tuple[Outcome, str]) -> tuple[Outcome, str]:
    """The graver of two findings; the first of equals."""
    return right if _SEVERITY.index(right[0]) > _SEVERITY.index(left[0]) else left


def trouble_of(reply: Reply) -> tuple[Outcome, str] | None:
    """The outcome when there is no report, because the run outlived or exhausted its supervisor."""
    if reply.ending == OVERDUE:
        return Outcome.TIMEOUT, "over its wall-clock limit"
    if reply.ending == DIED:
        if reply.exit_code == -signal.SIGXCPU:
            return Outcome.TIMEOUT, "its answers kept the tests busy beyond their CPU limit"
        return Outcome.CRASHED, "its answers made the checker fail, three times"
    return None


def judge_run(pair: StdioTest, run: dict[str, Any]) -> tuple[Outcome, str]:
    """Compare one run's output with what it should be; the exit code has no say."""
    if run["reason"] == "timeout":
        return Outcome.TIMEOUT, "over its time limit"
    if run["reason"] == "output":
        return Outcome.FAILED, "it wrote more than its output limit"
    if run["exit_code"] < 0:
        return Outcome.CRASHED, f"killed by signal {-run['exit_code']}"
    if same_output(run["stdout"].decode("utf-8", "replace"), pair.stdout):
        return Outcome.PASSED, ""
    complaint = run["stderr"].decode("utf-8", "replace").strip()
    if complaint.startswith(("SyntaxError", "IndentationError", "TabError")):
        return Outcome.SYNTAX_ERROR, complaint[:500]
    return Outcome.FAILED, f"wrong output; {complaint[-400:]}" if complaint else "wrong output"
