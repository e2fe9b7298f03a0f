"""pass@k of judged samples, with intervals, and everything it was computed from."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from voltx_core.errors import ConfigError
from voltx_core.evaluation.intervals import Interval, bootstrap
from voltx_core.evaluation.pass_at_k import pass_at_k
from voltx_core.evaluation.scoring import Result

USUAL_K = (1, 10, 100)


@dataclass(frozen=True, slots=True)
class TaskScore:
    """One task: how many of its samples ran and passed."""

    task_id: str
    samples: int
    passed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreCard:
    """What a set of samples is worth.

    Attributes:
        scores: pass@k with its interval over tasks, by k; empty when nothing ran.
        why_not: for each k that was not computed, the reason.
        tasks: those that ran.
        not_run: tasks that did not run, each with the reason; they count nowhere.
        results: one a sample.
    """

    scores: Mapping[int, Interval]
    why_not: Mapping[int, str]
    tasks: Sequence[TaskScore]
    not_run: Mapping[str, str]
    results: Sequence[Result]

    def as_json(self) -> dict[str, Any]:
        """Plain data: a score that was not computed is null, and says why."""
        passed = {str(k): asdict(score) for k, score in self.scores.items()}
        return {
            "pass_at_k": passed | {str(k): None for k in self.why_not},
            "why_not": {str(k): why for k, why in self.why_not.items()},
            "tasks_run": len(self.tasks),
            "tasks_not_run": dict(self.not_run),
            "samples": len(self.results),
            "outcomes": dict(sorted(Counter(result.outcome for result in self.results).items())),
            "verdict_modes": dict(
                sorted(Counter(result.assurance for result in self.results).items())
            ),
            "tasks": [asdict(task) for task in self.tasks],
            "results": [asdict(result) for result in self.results],
        }


def choose_k(wanted: Sequence[int], samples: Mapping[str, int]) -> tuple[int, ...]:
    """The k to report, refused before anything is judged when they cannot be estimated.

    Args:
        wanted: what the user asked for; nothing for the usual ones that are possible.
        samples: samples of each task.

    Raises:
        ConfigError: some task has fewer samples than a k that was asked for.
    """
    task_id = min(samples, key=lambda task: samples[task])
    fewest = samples[task_id]
    if not wanted:
        return tuple(k for k in USUAL_K if k <= fewest)
    for k in sorted(set(wanted)):
        if k < 1:
            raise ConfigError(f"k is {k}; pass@k needs at least one attempt. Use --k 1.")
        if k > fewest:
            raise ConfigError(
                f"pass@{k} cannot be estimated: task {task_id!r} has {fewest} samples. Draw at "
                f"least {k} samples of every task, or ask for --k {fewest}."
            )
    return tuple(sorted(set(wanted)))


def score(results: Sequence[Result], ks: Sequence[int], *, seed: int = 0) -> ScoreCard:
    """The card of judged samples; a task of which any sample did not run counts nowhere.

    Args:
        results: one a sample.
        ks: from `choose_k`.
        seed: decides the bootstrap's resamples.
    """
    by_task: dict[str, list[Result]] = {}
    for result in results:
        by_task.setdefault(result.task_id, []).append(result)
    tasks, not_run = [], {}
    for task_id, attempts in by_task.items():
        idle = next((attempt for attempt in attempts if not attempt.ran), None)
        if idle is None:
            passed = sum(attempt.passed for attempt in attempts)
            tasks.append(TaskScore(task_id, len(attempts), passed))
        else:
            not_run[task_id] = idle.detail
    return ScoreCard(
        scores={
            k: bootstrap([pass_at_k(t.samples, t.passed, k) for t in tasks], seed=seed)
            for k in ks
            if tasks
        },
        why_not={} if tasks else dict.fromkeys(ks, "no task ran"),
        tasks=tasks,
        not_run=not_run,
        results=results,
    )
