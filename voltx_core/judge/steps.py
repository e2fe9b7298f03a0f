"""The trial of a program in another language: files, a compiler's command, the program's runs."""

import secrets
from typing import Any

from voltx_core.data.problem import StdioTest
from voltx_core.judge import harness
from voltx_core.judge.builds import Build, BuildStore, build_key
from voltx_core.judge.cage.values import decode, encode
from voltx_core.judge.cage.wire import STEPS
from voltx_core.judge.languages import Command, Recipe
from voltx_core.judge.program import Outcome, Program, Verdict
from voltx_core.judge.slot import Reply
from voltx_core.judge.trial import (
    Order,
    count_passed,
    judge_run,
    marks_of,
    over_limit,
    trouble_of,
    worse,
)

_COMPILE_CPU_S, _COMPILE_WALL_S = 30.0, 120.0
_COMPILE_OUTPUT = 1 << 20
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": ".", "TMPDIR": "."}


class StepsTrial:
    """Snippets run in one harness with the candidate; stdin/stdout pairs as whole programs."""

    def __init__(self, program: Program, recipe: Recipe, builds: BuildStore) -> None:
        self._program, self._recipe, self._builds = program, recipe, builds
        self._building = ""  # key of the build that the current order makes
        self._snippets = [test for test in program.tests if isinstance(test, str)]
        self._pairs = [test for test in program.tests if isinstance(test, StdioTest)]
        self._left = [self._pairs_order] * bool(self._pairs)
        self._left += [self._snippets_order] * bool(self._snippets)
        self._nonce = secrets.token_hex(16)
        self._passed = 0
        self._cpu_s = 0.0
        self._worst = (Outcome.PASSED, "")

    def next_order(self) -> Order | None:
        """The snippets, then the pairs with the time that is left."""
        while self._left:
            build = self._left.pop()
            if self._cpu_s >= self._program.limits.cpu_s:
                self._note(Outcome.TIMEOUT, "no time was left for the remaining tests")
            elif order := build():
                return order
        return None

    def _snippets_order(self) -> Order | None:
        program = self._program
        wrap = harness.WRAPPERS[self._recipe.language]
        source = wrap(program.setup, program.code, self._snippets)
        return self._order("snippets", source, "VoltxTests", [self._nonce])

    def _pairs_order(self) -> Order | None:
        source = f"{self._program.setup}\n{self._program.code}"
        stdins = [pair.stdin for pair in self._pairs]
        return self._order("pairs", source, harness.main_class(source), stdins)

    def _order(self, about: str, source: str, main: str, stdins: list[str]) -> Order | None:
        """The order, without compilation if it is known; None if it is known to fail."""
        limits, compiler = self._program.limits, self._recipe.compile
        files = {self._recipe.source: source.encode("utf-8", "surrogatepass")}
        steps = []
        wall_s = limits.wall_s
        if compiler:
            key = build_key(self._recipe.version, compiler.argv, files[self._recipe.source])
            build = self._builds.get(key)
            if build and build.complaint:
                self._note(Outcome.SYNTAX_ERROR, build.complaint)
                return None
            self._building = "" if build else key
            if build:
                files = build.files
            else:
                wall_s += _COMPILE_WALL_S
                steps.append(self._compile_step(compiler))
        for stdin in stdins:
            command = self._recipe.run
            argv = [
                part.format(memory=limits.memory_mib, main=main) if "{" in part else part
                for part in command.argv
            ]
            step = {
                **self._step(command, argv, limits.memory_mib),
                "stdin": stdin.encode("utf-8", "surrogatepass"),
                "output_bytes": limits.output_kib << 10,
            }
            steps.append(step)
        order = {
            "files": files,
            "steps": steps,
            "cpu_s": limits.cpu_s - self._cpu_s,
            "wall_s": float(limits.wall_s),
        }
        return Order(STEPS, encode(order, limit=1 << 30), wall_s, about)

    def _compile_step(self, command: Command) -> dict[str, Any]:
        return {
            **self._step(command, list(command.argv), command.memory_floor_mib),
            "required": True,
            "makes": self._recipe.makes,
            "stdin": b"",
            "cpu_s": _COMPILE_CPU_S,
            "wall_s": _COMPILE_WALL_S,
            "output_bytes": _COMPILE_OUTPUT,
        }

    def _step(self, command: Command, argv: list[str], memory_mib: int) -> dict[str, Any]:
        return {
            "argv": argv,
            "environment": {**_ENVIRONMENT, **dict(self._recipe.environment)},
            "memory_mib": max(memory_mib, command.memory_floor_mib),
            "address_space": command.address_space,
            "required": False,
        }

    def take(self, order: Order, reply: Reply) -> None:
        """Add what a slot saw of one order."""
        trouble = trouble_of(reply)
        if trouble:
            return self._note(*trouble)
        runs: list[dict[str, Any]] = decode(reply.report)
        if self._building and not self._take_build(runs.pop(0)):
            return None
        for run in runs:
            self._cpu_s += run["cpu_s"]
        if order.about == "snippets":
            self._take_snippets(runs[0])
        else:
            for number, (pair, run) in enumerate(zip(self._pairs, runs, strict=False), 1):
                outcome, detail = judge_run(pair, run)
                self._passed += outcome is Outcome.PASSED
                self._note(outcome, f"input {number}: {detail}")
            if len(runs) < len(self._pairs):
                self._note(Outcome.TIMEOUT, "no time was left for the remaining inputs")
        return None

    def _take_build(self, compiled: dict[str, Any]) -> bool:
        """Keep what the compiler made or said; whether the program could be run."""
        if compiled["reason"] != "exited":
            self._note(Outcome.TIMEOUT, "the compiler was over its limits")
        elif compiled["exit_code"]:
            complaint = _complaint(compiled) or "the compiler refused it without a word"
            if self._recipe.source in complaint:  # about the source, not about the machine
                self._builds.put(self._building, Build(complaint=complaint))
            self._note(Outcome.SYNTAX_ERROR, complaint)
        else:
            if compiled["made"]:
                self._builds.put(self._building, Build(compiled["made"]))
            return True
        return False

    def _take_snippets(self, run: dict[str, Any]) -> None:
        passed = count_passed(marks_of(run["extra"], self._nonce), len(self._snippets))
        self._passed += passed
        complaint = _complaint(run)
        if run["reason"] != "exited":
            self._note(*over_limit(run["reason"]))
        elif passed < len(self._snippets):
            if "SyntaxError" in complaint and not passed and not self._recipe.compile:
                self._note(Outcome.SYNTAX_ERROR, complaint)
            elif run["exit_code"]:
                self._note(Outcome.CRASHED, complaint or f"exit code {run['exit_code']}")
            else:
                self._note(Outcome.FAILED, complaint or "it ended before all tests had run")

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
            assurance="inproc" if self._snippets else "split",
        )


def _complaint(run: dict[str, Any]) -> str:
    text: str = (run["stderr"] or run["stdout"]).decode("utf-8", "replace").strip()
    return text[:500]
