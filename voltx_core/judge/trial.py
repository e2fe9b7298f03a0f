"""One program on its way through the judge: the orders it needs, and the verdict they add up to."""

import dataclasses
import marshal
import secrets
import signal
from collections.abc import Iterable
from typing import Any, Protocol

from voltx_core.data.problem import StdioTest
from voltx_core.judge.cage.frames import HEADER
from voltx_core.judge.cage.values import decode, encode
from voltx_core.judge.cage.wire import BESIDE, CALLS, DIED, OVERDUE, SCRIPT
from voltx_core.judge.comparison import same_output
from voltx_core.judge.preparation import prepare
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


_MARKED = ("failed", "crashed", "syntax_error", "not_run")


@dataclasses.dataclass(frozen=True)
class Order:
    """Something to hand to a slot: its kind, the encoded content, the wall limit, what it tries."""

    kind: bytes
    content: bytes
    wall_s: float
    about: str = ""


class Trial(Protocol):
    """A program's orders, one after the other, and the verdict that the replies add up to."""

    def next_order(self) -> Order | None:
        """What is to be run next; None when nothing is left. Asked once for each order."""

    def take(self, order: Order, reply: Reply) -> None:
        """Add what a slot saw of one order."""

    def verdict(self, *, level: str, wall_s: float) -> Verdict:
        """The sum of what was seen."""


class PythonTrial:
    """A Python program: snippets in one run, stdin/stdout pairs in another, on one budget."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._snippets = [test for test in program.tests if isinstance(test, str)]
        self._pairs = [test for test in program.tests if isinstance(test, StdioTest)]
        self._left = [self._pairs_order] * bool(self._pairs)
        if self._snippets:
            beside = program.assurance == "inproc"
            self._left.append(self._beside_order if beside else self._calls_order)
        self._nonce = secrets.token_hex(16)
        self._passed = 0
        self._cpu_s = 0.0
        self._worst = (Outcome.PASSED, "")

    def next_order(self) -> Order | None:
        """The snippets, then the pairs with the time that is left."""
        while self._left:
            build = self._left.pop()
            cpu_s = self._program.limits.cpu_s - self._cpu_s
            if cpu_s > 0:
                return build(cpu_s)
            self._note(Outcome.TIMEOUT, "no time was left for the remaining tests")
        return None

    def _calls_order(self, cpu_s: float) -> Order:
        entry_point = self._program.entry_point
        ready = prepare(tuple(self._snippets), self._program.setup, entry_point)
        content = self._content(
            cpu_s,
            before=ready.setup,
            tests=ready.tests,
            wanted=ready.wanted,
            traceless=ready.traceless,
            broken=ready.broken,
            entry_point=entry_point,
        )
        # From the judge to its own checker, many times a second: in the interpreter's own form.
        return Order(CALLS, marshal.dumps(content), self._program.limits.wall_s)

    def _beside_order(self, cpu_s: float) -> Order:
        return self._order(
            BESIDE,
            cpu_s,
            tests=self._snippets,
            entry_point=self._program.entry_point,
            nonce=self._nonce,
            **self._watched(),
        )

    def _pairs_order(self, cpu_s: float) -> Order:
        stdins = [pair.stdin.encode("utf-8", "surrogatepass") for pair in self._pairs]
        head = self._order(SCRIPT, cpu_s, sizes=[len(one) for one in stdins], **self._watched())
        content = HEADER.pack(len(head.content)) + head.content + b"".join(stdins)
        return dataclasses.replace(head, content=content)

    def _watched(self) -> dict[str, Any]:
        limits = self._program.limits
        return {"wall_s": float(limits.wall_s), "output_bytes": limits.output_kib << 10}

    def _order(self, kind: bytes, cpu_s: float, **more: object) -> Order:
        content = encode(self._content(cpu_s, **more), limit=_MAX_ORDER)
        return Order(kind, content, self._program.limits.wall_s)

    def _content(self, cpu_s: float, **more: object) -> dict[str, object]:
        return {
            "code": self._program.code,
            "setup": self._program.setup,
            "cpu_s": float(cpu_s),
            "memory_mib": self._program.limits.memory_mib,
            **more,
        }

    def take(self, order: Order, reply: Reply) -> None:
        """Add what a slot saw of one order."""
        trouble = trouble_of(reply)
        if trouble:
            self._note(*trouble)
        elif order.kind == CALLS:
            self._cpu_s += reply.cpu_s
            self._take_calls(decode(reply.report))
        elif order.kind == BESIDE:
            self._take_beside(decode(reply.report))
        else:
            self._take_runs(decode(reply.report))

    def _take_calls(self, seen: dict[str, Any]) -> None:
        self._passed += seen["passed"]
        self._note(Outcome(seen["outcome"]), seen["detail"])

    def _take_beside(self, run: dict[str, Any]) -> None:
        if "broken" in run:
            why = f"the tests' own code is broken: {run['broken']}"
            return self._note(Outcome.NOT_RUN, why)
        self._cpu_s += run["cpu_s"]
        marks = marks_of(run["extra"], self._nonce)
        passed = count_passed(marks, len(self._snippets))
        self._passed += passed
        first = next((mark for mark in marks if not mark.isdigit()), "")
        outcome, _, detail = first.partition(" ")
        if run["reason"] != "exited":
            self._note(*over_limit(run["reason"]))
        elif outcome in _MARKED:
            self._note(Outcome(outcome), detail)
        elif passed < len(self._snippets):
            self._note(Outcome.CRASHED, "the candidate's process ended before all tests had run")
        return None

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
            limits=self._program.limits,
            level=level,
            assurance=self._program.assurance if self._snippets else "split",
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


def marks_of(extra: bytes, nonce: str) -> list[str]:
    """What the tests' own harness said on descriptor 3: lines that begin with the nonce."""
    lines = extra.decode("utf-8", "replace").split("\n")
    return [line[len(nonce) + 1 :] for line in lines if line.startswith(f"{nonce} ")]


def count_passed(marks: Iterable[str], tests: int) -> int:
    """How many of the tests, numbered from 1, are marked as passed."""
    return len({str(number) for number in range(1, tests + 1)}.intersection(marks))


def over_limit(reason: str) -> tuple[Outcome, str]:
    """The outcome of a run that its supervisor ended."""
    if reason == "timeout":
        return Outcome.TIMEOUT, "over its time limit"
    return Outcome.FAILED, "it wrote more than its output limit"


def judge_run(pair: StdioTest, run: dict[str, Any]) -> tuple[Outcome, str]:
    """Compare one run's output with what it should be; the exit code has no say."""
    if run["reason"] != "exited":
        return over_limit(run["reason"])
    if run["exit_code"] < 0:
        return Outcome.CRASHED, f"killed by signal {-run['exit_code']}"
    if same_output(run["stdout"].decode("utf-8", "replace"), pair.stdout):
        return Outcome.PASSED, ""
    complaint = run["stderr"].decode("utf-8", "replace").strip()
    if complaint.startswith(("SyntaxError", "IndentationError", "TabError")):
        return Outcome.SYNTAX_ERROR, complaint[:500]
    return Outcome.FAILED, f"wrong output; {complaint[-400:]}" if complaint else "wrong output"
