"""Do published references pass their own tests? The check of a loader, and of the data.

Every published solution runs through the judge like a candidate would. A task whose reference
fails is broken, here or as published, and is named with what the judge saw.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from voltx_core.data.problem import Problem
from voltx_core.data.suites.answers import AnswerItem, compare
from voltx_core.data.suites.faults import FAULTS
from voltx_core.data.suites.problem_sets import ProblemSet, Task
from voltx_core.evaluation.requirements import unmet
from voltx_core.judge import Judge, Limits, Outcome, Program, Verdict

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Finding:
    """A row, or one of its solutions, that did not simply pass.

    Attributes:
        id: of the task.
        outcome: what the judge saw.
        why: what went wrong, or why it did not run.
        fault: what is known to be wrong with the row as published; empty when nothing is.
        solution: number of the solution from 1, where a task has several.
    """

    id: str
    outcome: str
    why: str
    fault: str = ""
    solution: int | None = None


@dataclass(slots=True)
class ReferenceCheck:
    """What became of the references of one set.

    Attributes:
        tasks: in the set.
        tried: of those, how many were looked at.
        without_reference: of those, how many publish no solution; ``not_run`` lists more that
            did not run.
        run: references that ran: one a task.
        passed: of those, the tests accepted.
        split: of the passed, with tests in another process than the candidate.
        beside: rows that pass only with their tests in the candidate's process.
        broken: tasks with no solution that passes.
        wrong_solutions: refused solutions of tasks that have another one.
    """

    suite: str
    place: Path
    tasks: int
    tried: int
    level: str
    without_reference: int = 0
    run: int = 0
    passed: int = 0
    split: int = 0
    beside: list[Finding] = field(default_factory=list)
    broken: list[Finding] = field(default_factory=list)
    wrong_solutions: list[Finding] = field(default_factory=list)
    not_run: list[Finding] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The check for a JSON report; ``passed`` is null when nothing ran."""
        row = asdict(self)
        row["place"] = str(self.place)
        if not self.run:
            row["passed"] = row["split"] = None
        return row


@dataclass(frozen=True, slots=True)
class _Trial:
    problem: Problem
    solution: int | None
    program: Program


def check_references(
    problems: ProblemSet,
    judge: Judge,
    *,
    limits: Limits,
    at_most: int | None = None,
    on_progress: Progress | None = None,
) -> ReferenceCheck:
    """Run the references of a set.

    Args:
        problems: the set.
        judge: what runs them.
        limits: of each program; generous ones, for the reference defines what is enough.
        at_most: look at so many tasks, evenly spread; at all by default.
        on_progress: called with (done, all) as programs end.

    Returns:
        What was found; nothing that did not run counts as passed or failed.
    """
    tasks = _spread(problems.tasks, at_most)
    check = ReferenceCheck(
        suite=problems.name,
        place=problems.place,
        tasks=len(problems.tasks),
        tried=len(tasks),
        level=judge.level,
    )
    trials: list[_Trial] = []
    for task in tasks:
        if isinstance(task, AnswerItem):
            _check_answer(task, check)
        elif solutions := problems.references(task):
            numbers = range(1, len(solutions) + 1) if len(solutions) > 1 else [None]
            trials += [
                _Trial(task, number, Program.of(task, code, limits=limits))
                for number, code in zip(numbers, solutions, strict=True)
            ]
        else:
            check.without_reference += 1
    trials = _reachable(trials, judge, check)
    verdicts = judge.run([trial.program for trial in trials], on_progress=on_progress)
    verdicts = _beside(trials, verdicts, judge)
    _sum_up(trials, verdicts, check)
    return check


def _spread(tasks: Sequence[Task], at_most: int | None) -> list[Task]:
    count = len(tasks) if at_most is None else min(at_most, len(tasks))
    return [tasks[number * len(tasks) // count] for number in range(count)]


def _check_answer(item: AnswerItem, check: ReferenceCheck) -> None:
    check.run += 1
    found = compare(item, item.answer)
    if found.right:
        check.passed += 1
    else:
        check.broken.append(Finding(item.id, Outcome.FAILED, found.why, FAULTS.get(item.id, "")))


def _reachable(trials: list[_Trial], judge: Judge, check: ReferenceCheck) -> list[_Trial]:
    """The trials whose packages are there; the others are noted as not run."""

    def packages(problem: Problem) -> list[str]:
        traits = problem.traits
        return [*traits.get("requires", ()), *traits.get("reference_requires", ())]

    missing = unmet(
        ((t.problem.language, name) for t in trials for name in packages(t.problem)), judge
    )
    kept = []
    for trial in trials:
        problem = trial.problem
        why = [missing.get((problem.language, name)) for name in packages(problem)]
        if reasons := [reason for reason in why if reason]:
            check.not_run.append(_finding(trial, Outcome.NOT_RUN, reasons[0]))
        else:
            kept.append(trial)
    return kept


def _beside(trials: list[_Trial], verdicts: list[Verdict], judge: Judge) -> list[Verdict]:
    """Verdicts with a second chance, tests beside the candidate, for Python rows that failed."""
    again = [
        number
        for number, (trial, verdict) in enumerate(zip(trials, verdicts, strict=True))
        if trial.program.language == "python"
        and trial.program.assurance == "split"
        and verdict.outcome in (Outcome.FAILED, Outcome.CRASHED)
    ]
    programs = [replace(trials[number].program, assurance="inproc") for number in again]
    second = dict(zip(again, judge.run(programs), strict=True))
    return [
        second[number] if number in second and second[number].passed else verdict
        for number, verdict in enumerate(verdicts)
    ]


def _sum_up(trials: list[_Trial], verdicts: list[Verdict], check: ReferenceCheck) -> None:
    by_task: dict[str, list[tuple[_Trial, Verdict]]] = {}
    for trial, verdict in zip(trials, verdicts, strict=True):
        by_task.setdefault(trial.problem.id, []).append((trial, verdict))
    for results in by_task.values():
        idle = [found for found in results if found[1].outcome is Outcome.NOT_RUN]
        check.not_run += [_finding(trial, v.outcome, v.detail) for trial, v in idle]
        ran = [found for found in results if found[1].outcome is not Outcome.NOT_RUN]
        if not ran:
            continue
        check.run += 1
        passing = [found for found in ran if found[1].passed]
        refused = [_finding(trial, v.outcome, v.detail) for trial, v in ran if not v.passed]
        if not passing:
            check.broken += refused
            continue
        check.passed += 1
        check.wrong_solutions += refused
        if any(verdict.assurance == "split" for _, verdict in passing):
            check.split += 1
        elif passing[0][0].program.language == "python":
            why = "its tests must run in the candidate's process"
            check.beside.append(_finding(passing[0][0], Outcome.PASSED, why))


def _finding(trial: _Trial, outcome: str, why: str) -> Finding:
    task_id = trial.problem.id
    return Finding(task_id, str(outcome), why, FAULTS.get(task_id, ""), trial.solution)
