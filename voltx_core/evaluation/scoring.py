"""Samples of a model, judged: one result a sample, kept in a ledger as they come in."""

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from voltx_core.data.jsonl import canonical_json, row_from_problem
from voltx_core.data.problem import Problem
from voltx_core.data.suites.answers import compare
from voltx_core.data.suites.problem_sets import Task
from voltx_core.data.suites.samples import Sample
from voltx_core.evaluation.ledger import Ledger
from voltx_core.evaluation.requirements import unmet
from voltx_core.judge import Judge, Limits, Outcome, Program, Settlement, settle

Progress = Callable[[int, int], None]

_FIRST_BATCH, _LARGEST_BATCH = 16, 2048
_BATCH_S = 3.0
"""Seconds of judging after which results are written down."""
_MAX_DETAIL = 300
_COMPARED = "compared"
"""In place of a verdict mode: the answer was compared, and nothing executed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of one sample.

    Attributes:
        task_id: our id of the task.
        sample: 0 for its first sample.
        text: digest of the program or answer.
        outcome: as in `Outcome`.
        assurance: ``split``, ``inproc``, or ``compared`` for answers.
        level: isolation that was in force; empty where nothing was executed.
        cpu_s: CPU seconds of the candidate.
        cpu_limit_s: how many it was allowed; 0 where nothing was executed.
    """

    task_id: str
    sample: int
    text: str
    outcome: str
    tests_passed: int
    tests_total: int
    assurance: str
    level: str = ""
    cpu_s: float = 0.0
    cpu_limit_s: float = 0.0
    detail: str = ""

    @property
    def passed(self) -> bool:
        return self.outcome == Outcome.PASSED

    @property
    def ran(self) -> bool:
        return self.outcome != Outcome.NOT_RUN


def terms_of(tasks: Sequence[Task], judge: Judge, limits: Limits) -> dict[str, Any]:
    """What verdicts depend on besides the program: two equal ones may be mixed."""
    texts = hashlib.sha256()
    for task in sorted(tasks, key=lambda task: task.id):
        row = row_from_problem(task) if isinstance(task, Problem) else asdict(task)
        texts.update(canonical_json(row).encode("utf-8", "surrogatepass"))
    return {
        "problems": texts.hexdigest(),
        "level": judge.level,
        **{f"limits.{name}": value for name, value in asdict(limits).items()},
    }


def judge_samples(
    samples: Sequence[Sample],
    judge: Judge,
    ledger: Ledger,
    *,
    limits: Limits,
    on_progress: Progress | None = None,
) -> list[Result]:
    """Judge what the ledger does not hold yet.

    Equal programs of one task are executed once: verdicts are deterministic.

    Args:
        samples: all of them, in any order.
        judge: what runs the programs.
        ledger: where results are found and kept. What did not run before is tried again.
        limits: of each program; where a Python task has a reference, less CPU time if that needs
            less than a tenth of it.
        on_progress: called with (samples done, all).

    Returns:
        One result a sample, in order.

    Raises:
        JudgeError: the judge itself failed; the ledger holds everything before that.
    """
    known = _known(ledger)
    todo: dict[tuple[str, str], list[Sample]] = {}
    for sample in samples:
        if (sample.task.id, sample.index, sample.digest) not in known:
            todo.setdefault((sample.task.id, sample.digest), []).append(sample)
    done = len(samples) - sum(map(len, todo.values()))
    groups, tasks = (
        list(todo.values()),
        {group[0].task.id: group[0].task for group in todo.values()},
    )
    blocked = _blocked(tasks.values(), judge)
    calibrated = dict.fromkeys(tasks, limits)
    for settled in _settled([t for t in tasks.values() if t.id not in blocked], judge, limits):
        tasks[settled.problem.id] = settled.problem
        cpu_s = min(settled.limits.cpu_s, limits.cpu_s)
        calibrated[settled.problem.id] = replace(limits, cpu_s=cpu_s)
    at, size = 0, _FIRST_BATCH
    while at < len(groups):
        if on_progress:
            on_progress(done, len(samples))
        batch = groups[at : at + size]
        started = time.monotonic()
        results = _judged(batch, tasks, judge, calibrated, blocked)
        ledger.append(asdict(result) for result in results)
        known |= {_key(result): result for result in results}
        at, done = at + len(batch), done + len(results)
        pace = len(batch) / max(time.monotonic() - started, 1e-6)
        size = max(1, min(_LARGEST_BATCH, 2 * size, int(pace * _BATCH_S)))
    if on_progress:
        on_progress(done, len(samples))
    return [known[sample.task.id, sample.index, sample.digest] for sample in samples]


def _key(result: Result) -> tuple[str, int, str]:
    return result.task_id, result.sample, result.text


def _known(ledger: Ledger) -> dict[tuple[str, int, str], Result]:
    results = [Result(**row) for row in ledger.rows]
    return {_key(result): result for result in results if result.ran}


def _blocked(tasks: Iterable[Task], judge: Judge) -> Mapping[str, str]:
    """Why tasks cannot be judged here, by id: their tests import what the jail does not have."""
    wanted = {
        (task.id, (task.language, package))
        for task in tasks
        if isinstance(task, Problem)
        for package in task.traits.get("requires", ())
    }
    missing = unmet((requirement for _, requirement in wanted), judge)
    return {task: missing[need] for task, need in sorted(wanted) if need in missing}


def _settled(tasks: Sequence[Task], judge: Judge, limits: Limits) -> list[Settlement]:
    """Python problems with what their references have shown: verdict mode and CPU limit."""
    problems = [
        task
        for task in tasks
        if isinstance(task, Problem) and task.language == "python" and task.solution
    ]
    return settle(problems, judge, base=limits)


def _judged(
    batch: Sequence[Sequence[Sample]],
    tasks: Mapping[str, Task],
    judge: Judge,
    limits: Mapping[str, Limits],
    blocked: Mapping[str, str],
) -> list[Result]:
    programs = {
        number: Program.of(task, group[0].code, limits=limits[task.id])
        for number, group in enumerate(batch)
        for task in [tasks[group[0].task.id]]
        if isinstance(task, Problem) and task.id not in blocked
    }
    verdicts = dict(zip(programs, judge.run(list(programs.values())), strict=True))
    results = []
    for number, group in enumerate(batch):
        task = group[0].task
        if not isinstance(task, Problem):
            facts = _comparison(group[0])
        elif number in verdicts:
            verdict = verdicts[number]
            facts = {
                "outcome": str(verdict.outcome),
                "tests_passed": verdict.tests_passed,
                "tests_total": verdict.tests_total,
                "assurance": verdict.assurance,
                "level": verdict.level,
                "cpu_s": verdict.cpu_s,
                "cpu_limit_s": limits[task.id].cpu_s,
                "detail": verdict.detail[:_MAX_DETAIL],
            }
        else:
            facts = {
                "outcome": str(Outcome.NOT_RUN),
                "tests_passed": 0,
                "tests_total": len(task.tests),
                "assurance": task.traits.get("assurance", "split"),
                "detail": blocked[task.id][:_MAX_DETAIL],
            }
        results += [
            Result(task_id=task.id, sample=sample.index, text=sample.digest, **facts)
            for sample in group
        ]
    return results


def _comparison(sample: Sample) -> dict[str, Any]:
    assert not isinstance(sample.task, Problem)
    found = compare(sample.task, sample.code)
    return {
        "outcome": str(Outcome.PASSED if found.right else Outcome.FAILED),
        "tests_passed": int(found.right),
        "tests_total": 1,
        "assurance": _COMPARED,
        "detail": found.why[:_MAX_DETAIL],
    }
