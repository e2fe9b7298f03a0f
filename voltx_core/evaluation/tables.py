"""Tables of the benchmark stage that are more than a list of scores."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from voltx_core.evaluation.examination import Answer
from voltx_core.evaluation.exams import Exam

if TYPE_CHECKING:
    from voltx_core.soft_core.rar import Trajectory


def iterations_by_difficulty(
    exam: Exam, answers: Sequence[Answer], trajectory: "Trajectory"
) -> list[dict[str, Any]]:
    """Whether the loop takes longer where problems are harder.

    Args:
        exam: The problems, in the order of ``answers`` and of the trajectory's batch.
        answers: How the same model did on them.
        trajectory: How its frames moved.
    """
    iterations = trajectory.iterations.tolist()
    converged = trajectory.converged.tolist()
    groups: dict[str, list[int]] = {}
    for row, problem in enumerate(exam.problems):
        groups.setdefault(problem.difficulty or "unstated", []).append(row)
    table = []
    for difficulty, rows in groups.items():
        counts = sorted(iterations[row] for row in rows)
        table.append(
            {
                "split": exam.name,
                "difficulty": difficulty,
                "problems": len(rows),
                "mean iterations": sum(counts) / len(counts),
                "90th percentile": counts[min(len(counts) - 1, len(counts) * 9 // 10)],
                "converged share": sum(converged[row] for row in rows) / len(rows),
                "solved share": sum(answers[row].greedy for row in rows) / len(rows),
            }
        )
    return table


def compute_efficiency(
    scores: Mapping[str, float | None], flops: Mapping[str, float], counted: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Score bought by a PFLOP of training, for every system whose training cost is known.

    Args:
        scores: Score of each system, by label.
        flops: Training arithmetic, by label.
        counted: What the arithmetic includes, by label.
    """
    return [
        {
            "label": label,
            "training PFLOP": cost / 1e15,
            "score": scores.get(label),
            "score per PFLOP": None if scores.get(label) is None else scores[label] / (cost / 1e15),
            "counted": counted[label],
        }
        for label, cost in flops.items()
        if cost > 0
    ]


def overlaps(exams: Sequence[Exam]) -> list[dict[str, Any]]:
    """How clean each exam is, from what the data stage noted on its problems."""
    return [
        {
            "split": exam.name,
            "published": exam.published,
            "problems asked": len(exam.problems),
            "contaminated": exam.contaminated,
            "solution in train": sum(
                bool(problem.traits.get("solution_in_train")) for problem in exam.problems
            ),
        }
        for exam in exams
    ]
