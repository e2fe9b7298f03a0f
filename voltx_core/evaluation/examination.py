"""Examining a system: it writes programs for the problems of an exam, the judge runs them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from voltx_core.data.problem import Problem
from voltx_core.evaluation.exams import Exam
from voltx_core.evaluation.intervals import bootstrap
from voltx_core.evaluation.pass_at_k import pass_at_k_each
from voltx_core.judge.program import Limits, Outcome, Program, Verdict

if TYPE_CHECKING:
    import torch

    from voltx_core.judge.pool import Judge

Kind = Literal["model", "ablation", "baseline"]
Marks = list[tuple[str, float, bool]]
"""Outcome, share of the tests passed, and whether all were, one a problem."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How programs are drawn; greedy by default."""

    temperature: float = 0.0
    top_p: float = 1.0
    generator: "torch.Generator | None" = None


Writer = Callable[[Sequence[Problem], Sampling], list[str]]
"""One program for each problem. Only the true-frame ablation may look at the solution."""


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """Something that answers problems with programs."""

    name: str
    label: str
    kind: Kind
    write: Writer
    samples: bool = False
    """Also draw samples for pass@k; greedy only if False."""


class Examiner:
    """Runs programs through the judge, each distinct program of a problem once.

    Systems agree on many programs and samples repeat themselves; a verdict depends on nothing
    but problem and program, so it is kept.

    Args:
        judge: Executes programs.
        limits: What one program may use.
        stop: Asked while programs run; true ends the examination.
    """

    def __init__(
        self, judge: "Judge", limits: Limits, stop: Callable[[], bool] = lambda: False
    ) -> None:
        self._judge, self._limits, self._stop = judge, limits, stop
        self._verdicts: dict[tuple[str, str], Verdict] = {}
        self.executed = 0

    @classmethod
    @contextmanager
    def open(cls, config: Any, stop: Callable[[], bool] = lambda: False) -> "Iterator[Examiner]":
        """An examiner with a judge of its own, as a stage's configuration asks for it."""
        from voltx_core.evaluation.frames import open_judge

        limits = config.judge
        with open_judge(config) as judge:
            yield cls(
                judge,
                Limits(cpu_s=limits.cpu_s, wall_s=limits.wall_s, memory_mib=limits.memory_mib),
                stop,
            )

    def verdicts(self, problems: Sequence[Problem], programs: Sequence[str]) -> list[Verdict]:
        """The verdict on ``programs[n]`` as an answer to ``problems[n]``."""
        keys = [(p.id, code) for p, code in zip(problems, programs, strict=True)]
        fresh = {
            key: Program.of(problem, key[1], limits=self._limits)
            for key, problem in zip(keys, problems, strict=True)
            if key not in self._verdicts
        }
        if fresh:
            found = self._judge.run(list(fresh.values()), should_stop=self._stopped)
            self._verdicts.update(zip(fresh, found, strict=True))
            self.executed += len(fresh)
        return [self._verdicts[key] for key in keys]

    def marks(self, exam: Exam, programs: Sequence[str]) -> Marks:
        """What one program for every problem of an exam comes to."""
        return [
            (str(verdict.outcome), verdict.pass_rate, verdict.passed)
            for verdict in self.verdicts(exam.problems, programs)
        ]

    def _stopped(self) -> bool:
        # A bare StopFlag would not do: it is falsy until set, as if no one could ask to stop.
        return bool(self._stop())


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How one system did on one problem."""

    problem: str
    task: str
    """What was asked for, in whatever words (``Problem.task``)."""
    difficulty: str | None
    contaminated: bool
    outcome: str
    """Of the greedy program."""
    pass_rate: float
    """Share of the tests that the greedy program passed."""
    samples: int
    passed: int
    """How many of the samples passed every test."""

    @property
    def greedy(self) -> float:
        """1 when the greedy program passed every test."""
        return float(self.outcome == Outcome.PASSED)

    def row(self) -> dict[str, Any]:
        return asdict(self)


def answers_of(exam: Exam, greedy: Marks, sampled: Sequence[Marks] = ()) -> list[Answer]:
    """What the rounds of one system on one exam come to, one answer a problem, in its order."""
    return [
        Answer(
            problem=problem.id,
            task=problem.task,
            difficulty=problem.difficulty,
            contaminated=exam.contaminates(problem),
            outcome=outcome,
            pass_rate=pass_rate,
            samples=len(sampled),
            passed=sum(marks[n][2] for marks in sampled),
        )
        for n, (problem, (outcome, pass_rate, _)) in enumerate(
            zip(exam.problems, greedy, strict=True)
        )
    ]


def examine(
    system: System,
    exam: Exam,
    examiner: Examiner,
    rounds: Sequence[Sampling] = (),
) -> list[Answer]:
    """Let a system answer every problem of an exam, greedily and once for each sampling round.

    One thing at a time: what is written is judged before more is written; ``sitting.sit`` does
    both at once.

    Args:
        system: Who answers. Rounds are skipped for one that does not sample.
        exam: What is asked.
        examiner: Who judges.
        rounds: One sample a problem each, with a generator of its own, so that a round does not
            depend on the others.

    Returns:
        One answer a problem, in the order of the exam.
    """
    drawn = rounds if system.samples else ()
    greedy, *sampled = (
        examiner.marks(exam, system.write(exam.problems, each)) for each in (Sampling(), *drawn)
    )
    return answers_of(exam, greedy, sampled)


def score(
    system: System,
    exam: Exam,
    answers: Sequence[Answer],
    *,
    ks: Sequence[int],
    resamples: int,
    seed: int,
    sampling: str,
) -> dict[str, Any]:
    """One row of the results table.

    ``pass@1`` is greedy, with its bootstrap interval; ``sampled pass@k`` comes from the samples,
    None for a system that did not sample. Problems that could not be executed for want of a
    toolchain are neither passed nor failed: they are left out and counted.

    Args:
        system: Who answered.
        exam: What was asked.
        answers: The outcome, one a problem.
        ks: For which k the samples are scored.
        resamples: Bootstrap resamples.
        seed: Decides the resamples.
        sampling: Settings of the samples, in words.
    """
    executed = [a for a in answers if a.outcome != Outcome.NOT_RUN]
    missing = len(answers) - len(executed)
    row: dict[str, Any] = {
        "split": exam.name,
        "label": system.label,
        "kind": system.kind,
        "problems": len(executed),
        "tasks": len({a.task for a in executed}),
        "pass@1": None,
        "low": None,
        "high": None,
        "tests passed": None,
        "valid syntax": None,
    }
    for k in ks:
        row |= {f"sampled pass@{k}": None, f"low@{k}": None, f"high@{k}": None}
    if executed:
        tasks = [a.task for a in executed]
        greedy = [a.greedy for a in executed]
        interval = bootstrap(greedy, tasks=tasks, resamples=resamples, seed=seed)
        row |= {"pass@1": interval.mean, "low": interval.low, "high": interval.high}
        row["tests passed"] = sum(a.pass_rate for a in executed) / len(executed)
        valid = sum(a.outcome != Outcome.SYNTAX_ERROR for a in executed)
        row["valid syntax"] = valid / len(executed)
        if all(a.samples for a in executed):
            for k in ks:
                each = pass_at_k_each(((a.samples, a.passed) for a in executed), k)
                interval = bootstrap(each, tasks=tasks, resamples=resamples, seed=seed)
                row |= {f"sampled pass@{k}": interval.mean}
                row |= {f"low@{k}": interval.low, f"high@{k}": interval.high}
    row["contaminated"] = sum(a.contaminated for a in executed)
    row["sampling"] = f"greedy; {sampling}" if any(a.samples for a in executed) else "greedy"
    row["note"] = f"{missing} not run" if missing else ""
    return row
