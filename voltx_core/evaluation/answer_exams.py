"""Questions that are answered in words: traces of algorithms (CLRS-30), defects (CodeXGLUE).

Volt X writes programs and was never taught to answer these; the table says how far it comes all
the same, beside the most frequent answer.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from voltx_core.data.jsonl import read_jsonl
from voltx_core.data.problem import Problem
from voltx_core.data.suites.answers import AnswerItem, compare
from voltx_core.evaluation.examination import Sampling, System
from voltx_core.evaluation.intervals import bootstrap

FOLDER = "answers"
"""Of the data stage's ``problems``: one file a set."""


def read_answers(folder: Path) -> dict[str, list[AnswerItem]]:
    """The sets that are here and have questions, by name.

    Args:
        folder: Artifact ``problems`` of the data stage.
    """
    sets = {
        path.stem: [AnswerItem(**row) for row in read_jsonl(path)]
        for path in sorted((folder / FOLDER).glob("*.jsonl"))
    }
    return {name: items for name, items in sets.items() if items}


def answered(
    name: str, items: Sequence[AnswerItem], systems: Sequence[System], *, seed: int
) -> list[dict[str, Any]]:
    """Share of right answers of each system, and of always giving the most frequent one.

    The most frequent answer is counted among the questions themselves: a bound for all who do
    not look at the question.
    """
    asked = [Problem(id=item.id, query=item.query, solution="", tests=()) for item in items]
    texts = {system.label: system.write(asked, Sampling()) for system in systems}
    ((usual, _),) = Counter(item.answer for item in items).most_common(1)
    texts["most frequent answer"] = [usual] * len(items)
    rows = []
    for label, answers in texts.items():
        found = [compare(item, text) for item, text in zip(items, answers, strict=True)]
        interval = bootstrap([float(each.right) for each in found], seed=seed)
        rows.append(
            {
                "set": name,
                "answers from": label,
                "n": interval.n,
                "right": interval.mean,
                "low": interval.low,
                "high": interval.high,
                "values right": sum(each.elements_right for each in found) / len(found),
            }
        )
    return rows
