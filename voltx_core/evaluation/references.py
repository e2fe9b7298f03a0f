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
from voltx_core.judge import Judge, Limits, Outcome, Settlement, settle

Progress = Callable[[int, int], None]

_BATCH = 64
"""References between two words on progress."""


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
        answers: the set asks for answers, which are compared and not executed.
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
    answers: bool = False
    passed: int = 0
    split: int = 0
    beside: list[Finding] = field(default_factory=list)
    broken: list[Finding] = field(default_factory=list)
    wrong_solutions: list[Finding] = field(default_factory=list)
    not_run: list[Finding] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The check for a JSON report; ``passed`` and ``split`` are null when nothing ran."""
        row = asdict(self)
        row["place"] = str(self.place)
        if not self.run:
            row["passed"] = None
        if not self.run or self.answers:
            row["split"] = None
        return row


@dataclass(frozen=True, slots=True)
class _Trial:
    """A problem with one of its solutions, and that one's number where there are several."""

    problem: Problem
    solution: int | None


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
        limits: of each program; time is generous whatever they say, for the reference defines
            what is enough.
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
        answers=isinstance(problems.tasks[0], AnswerItem),
    )
    trials: list[_Trial] = []
    for task in tasks:
        if isinstance(task, AnswerItem):
            _check_answer(task, check)
        elif solutions := problems.references(task):
            numbers = range(1, len(solutions) + 1) if len(solutions) > 1 else [None]
            trials += [
                _Trial(replace(task, solution=code), number)
                for number, code in zip(numbers, solutions, strict=True)
            ]
        else:
            check.without_reference += 1
    trials = _reachable(trials, judge, check)
    settled: list[Settlement] = []
    while len(settled) < len(trials):
        if on_progress:
            on_progress(len(settled), len(trials))
        batch = trials[len(settled) : len(settled) + _BATCH]
        settled += settle([trial.problem for trial in batch], judge, base=limits)
    _sum_up(list(zip(trials, settled, strict=True)), check)
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


def _sum_up(results: list[tuple[_Trial, Settlement]], check: ReferenceCheck) -> None:
    by_task: dict[str, list[tuple[_Trial, Settlement]]] = {}
    for result in results:
        by_task.setdefault(result[0].problem.id, []).append(result)
    for solutions in by_task.values():
        refused = []
        for trial, settled in solutions:
            if settled.verdict.outcome is Outcome.NOT_RUN:
                check.not_run.append(_finding(trial, Outcome.NOT_RUN, settled.why))
            elif settled.status == "broken":
                refused.append(_finding(trial, settled.verdict.outcome, settled.why))
        passing = [found for found in solutions if found[1].verdict.passed]
        if passing:
            check.wrong_solutions += refused
            _count_passed(passing, check)
        elif refused:
            check.run += 1
            check.broken += refused


def _count_passed(passing: list[tuple[_Trial, Settlement]], check: ReferenceCheck) -> None:
    check.run += 1
    check.passed += 1
    trial, settled = passing[0]
    if any(found.status == "split" for _, found in passing):
        check.split += 1
    elif trial.problem.language == "python":
        check.beside.append(_finding(trial, Outcome.PASSED, settled.why))


def _finding(trial: _Trial, outcome: str, why: str) -> Finding:
    task_id = trial.problem.id
    return Finding(task_id, str(outcome), why, FAULTS.get(task_id, ""), trial.solution)
