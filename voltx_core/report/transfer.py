"""What carries over from Python to other languages: one table of all language stages.

Read from their tables: every row with ``suite``, ``language``, ``trained``, ``frame`` and
``pass@1``, as 5.2 writes them.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from voltx_core.evaluation.trained_on import ALONE, BOTH, PYTHON
from voltx_core.report.content import Card
from voltx_core.report.formatting import interval, number, share
from voltx_core.report.tables import Cell, Table

KEYS = ("suite", "language", "trained", "frame", "pass@1", "low", "high", "n")
UPPER_BOUND = "upper bound"
"""Frames of which the answer is known are no way to answer."""
SAME_TASKS = "Python, same tasks"
TRANSFER = (
    "pass@1 with 95 % intervals, the same tasks in every column, judged by each language's own "
    "toolchain. The language alone: as many steps behind an encoder that learned nothing."
)


def transfer_table(card: Card) -> Table:
    """pass@1 of the same tasks by what was trained on; empty where no language was examined."""
    found: dict[tuple[str, str], dict[str, Mapping[str, Any]]] = {}
    asked = ""
    for row in _rows(card):
        if row["language"] == "Python":
            # Python's row belongs to the language whose tasks it answers, which stands before it.
            found[row["suite"], asked][SAME_TASKS] = row
        else:
            asked = row["language"]
            found.setdefault((row["suite"], asked), {})[row["trained"]] = row
    columns = ("Language", "Problems", "Tasks", PYTHON, ALONE, BOTH, SAME_TASKS)
    rows = [
        (
            Cell(language, "strong"),
            Cell(suite),
            Cell(number(max(row["n"] for row in by_training.values()))),
            *(_scored(by_training.get(knows)) for knows in (PYTHON, ALONE, BOTH, SAME_TASKS)),
        )
        for (suite, language), by_training in found.items()
    ]
    return Table(columns, tuple(rows), frozenset(range(2, len(columns))))


def _rows(card: Card) -> Iterator[Mapping[str, Any]]:
    for stage in card.stages:
        for rows in stage.tables.values():
            for row in rows:
                if all(key in row for key in KEYS) and UPPER_BOUND not in row["frame"]:
                    yield row


def _scored(row: Mapping[str, Any] | None) -> Cell:
    if row is None:
        return Cell("not trained", "quiet")
    return Cell(f"{share(row['pass@1'])} ({interval(row['low'], row['high'])})")
