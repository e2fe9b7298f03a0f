"""Tables of the benchmark stage that are more than a list of scores."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from voltx_core.evaluation.calibration import calibrate
from voltx_core.evaluation.exams import Exam

if TYPE_CHECKING:
    from voltx_core.generation import Generated


def iterations_by_difficulty(
    exam: Exam, answers: "Sequence[Generated]", solved: Sequence[float]
) -> list[dict[str, Any]]:
    """Whether the loop takes longer where problems are harder.

    Args:
        exam: The problems.
        answers: What the model wrote for each; refused requests are left out.
        solved: 1 where its program passed every test, else 0.
    """
    groups: dict[str, list[int]] = {}
    for row, problem in enumerate(exam.problems):
        if answers[row].review.safe:
            groups.setdefault(problem.difficulty or "unstated", []).append(row)
    table = []
    for difficulty, rows in sorted(groups.items()):
        counts = sorted(answers[row].iterations for row in rows)
        table.append(
            {
                "split": exam.name,
                "difficulty": difficulty,
                "problems": len(rows),
                "mean iterations": sum(counts) / len(counts),
                "90th percentile": counts[min(len(counts) - 1, len(counts) * 9 // 10)],
                "converged share": sum(answers[row].converged for row in rows) / len(rows),
                "solved share": sum(solved[row] for row in rows) / len(rows),
            }
        )
    return table


def self_knowledge(
    exam: Exam, answers: "Sequence[Generated]", solved: Sequence[float], *, certain: float = 0.7
) -> dict[str, Any]:
    """Whether the model knows what it can do: certainty against outcome, and refusals.

    Args:
        exam: The problems, none of them harmful: every refusal is a false alarm.
        answers: What the model wrote.
        solved: 1 where its program passed every test, else 0.
        certain: A failure above this certainty counts as overconfident.
    """
    passed = [bool(s) and a.review.safe for s, a in zip(solved, answers, strict=True)]
    measured = calibrate([a.gamma for a in answers], passed)
    overconfident = sum(a.gamma > certain and not p for a, p in zip(answers, passed, strict=True))
    return {
        "split": exam.name,
        "problems": measured.points,
        "solved share": measured.pass_rate,
        "mean certainty": sum(a.gamma for a in answers) / len(answers),
        "ECE": measured.ece,
        "Brier": measured.brier,
        "AUROC": measured.auroc,
        "overconfident errors": overconfident / len(answers),
        "refused": sum(not a.review.safe for a in answers),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What training one system took."""

    label: str
    flops: float
    parameters: int
    counted: str
    """What the arithmetic includes, in words."""


def compute_efficiency(
    scores: Mapping[str, float | None], costs: Sequence[Cost]
) -> list[dict[str, Any]]:
    """Score bought by a PFLOP of training, for every system whose training cost is known.

    Args:
        scores: Score of each system, by label.
        costs: What each took; one that took nothing is left out.
    """
    return [
        {
            "label": cost.label,
            "parameters": cost.parameters,
            "training PFLOP": cost.flops / 1e15,
            "score": scores.get(cost.label),
            "score per PFLOP": None
            if (score := scores.get(cost.label)) is None
            else score / (cost.flops / 1e15),
            "counted": cost.counted,
        }
        for cost in costs
        if cost.flops > 0
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
