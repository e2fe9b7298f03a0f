"""The headline of a run: pass@1 after each training stage, beside ablations and baseline.

Read from the tables of the benchmarks stage. A table takes part when its rows have ``pass@1``;
their other keys are ``split``, ``label`` (or ``model`` and ``frame``), ``kind``, ``low``,
``high``, ``problems`` and ``note``, all optional but the label.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from voltx_core.evaluation.card.content import Score

VALUE = "pass@1"
LABELS = ("label", "model", "stage", "after", "frame", "ablation", "answerer", "name")
SPLITS = ("split", "suite", "set")
COUNTS = ("problems", "n")
MODEL_FRAMES = ("solved", "model", "solved frame", "own frame", "own")
"""Frame column of a row that is no ablation: the frame the model itself found."""
ABLATION_WORDS = ("query", "zero", "shuffl", "true frame", "one-shot", "one shot", "oneshot")
BASELINE_WORDS = ("baseline", "transformer", "vincigpt", "language model")
FIRST_SPLIT = "compositions"
"""The split the project is judged by comes first."""


def scores(tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> tuple[Score, ...]:
    """Every pass@1 row of the tables, held-out compositions first, table order otherwise."""
    found = [
        _score(name, row)
        for name, rows in tables.items()
        for row in rows
        if isinstance(row, Mapping) and VALUE in row
    ]
    unique = {(score.split, score.label): score for score in reversed(found)}
    ordered = [s for s in found if unique.get((s.split, s.label)) is s]
    return tuple(sorted(ordered, key=lambda s: FIRST_SPLIT not in s.split.lower()))


def by_split(found: Sequence[Score]) -> dict[str, list[Score]]:
    """The scores of each split, in order of first appearance."""
    groups: dict[str, list[Score]] = {}
    for score in found:
        groups.setdefault(score.split, []).append(score)
    return groups


def leading(found: Sequence[Score]) -> Score | None:
    """The last measured model row of the first split: the number a reader asks for first."""
    if not found:
        return None
    first = [s for s in found if s.split == found[0].split and s.kind == "model"]
    return next((s for s in reversed(first) if s.value is not None), None)


def _score(table: str, row: Mapping[str, Any]) -> Score:
    label = " · ".join(
        str(row[key])
        for key in LABELS
        if row.get(key) and str(row[key]).lower() not in MODEL_FRAMES
    )
    label = label or next((str(row[key]) for key in LABELS if row.get(key)), table)
    split = next((str(row[key]) for key in SPLITS if row.get(key)), table)
    problems = next((row[key] for key in COUNTS if isinstance(row.get(key), int)), None)
    low, high = row.get("low"), row.get("high")
    if isinstance(row.get("interval"), (list, tuple)) and len(row["interval"]) == 2:
        low, high = row["interval"]
    return Score(
        split=split,
        label=label,
        kind=_kind(row, label),
        value=row[VALUE],
        low=low,
        high=high,
        problems=problems,
        note="contaminated" if row.get("contaminated") else str(row.get("note") or ""),
    )


def _kind(row: Mapping[str, Any], label: str) -> Any:
    if row.get("kind") in ("model", "ablation", "baseline"):
        return row["kind"]
    text = label.lower()
    if any(word in text for word in BASELINE_WORDS):
        return "baseline"
    return "ablation" if any(word in text for word in ABLATION_WORDS) else "model"
