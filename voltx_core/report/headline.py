"""The headline of a run: pass@1 after each training stage, beside ablations and baseline.

Read from the tables of the benchmarks stage: every row with ``split``, ``label``, ``kind``
(model, ablation or baseline) and ``pass@1``; beside them ``low`` and ``high`` of the 95 %
interval, the number of ``problems``, and how many of them are ``contaminated``.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from voltx_core.report.content import Score

KEYS = ("split", "label", "kind", "pass@1")
FIRST_SPLIT = "compositions"
"""The split the project is judged by comes first."""
FINAL = "4.3"
"""Label of the model that answers in the end; the scaled one of 5.1 is an experiment beside it."""


def scores(tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> tuple[Score, ...]:
    """Every pass@1 row of the tables, held-out compositions first, table order otherwise."""
    found = [
        _score(row) for rows in tables.values() for row in rows if all(key in row for key in KEYS)
    ]
    return tuple(sorted(found, key=lambda score: FIRST_SPLIT not in score.split.lower()))


def by_split(found: Sequence[Score]) -> dict[str, list[Score]]:
    """The scores of each split, in order of first appearance."""
    groups: dict[str, list[Score]] = {}
    for score in found:
        groups.setdefault(score.split, []).append(score)
    return groups


def leading(found: Sequence[Score]) -> Score | None:
    """The number a reader asks for first: the final model on the first split.

    Where that was not measured, the model of the latest stage that was.
    """
    if not found:
        return None
    models = [
        score
        for score in found
        if score.split == found[0].split and score.kind == "model" and score.value is not None
    ]
    final = [score for score in models if FINAL in score.label]
    return (final or models)[-1] if models else None


def _score(row: Mapping[str, Any]) -> Score:
    contaminated = row.get("contaminated")
    return Score(
        split=str(row["split"]),
        label=str(row["label"]),
        kind=row["kind"] if row["kind"] in ("model", "baseline") else "ablation",
        value=row["pass@1"],
        low=row.get("low"),
        high=row.get("high"),
        problems=row.get("problems"),
        note=f"contaminated: {contaminated} problems" if contaminated else "",
    )
