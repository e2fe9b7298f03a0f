"""Defect detection: is this C function vulnerable? (Devign, Zhou et al. 2019; in CodeXGLUE, C-UDA).

Published as JSON lines with ``project, commit_id, target, func, idx``; found here as
``devign_test*.jsonl``, or under CodeXGLUE's own name for it, ``test.jsonl``, when named.
"""

from pathlib import Path

from voltx_core.data.suites.answers import AnswerItem
from voltx_core.data.suites.rows import published_rows, suite_traits
from voltx_core.errors import DataError

PATTERN = "devign_test*.jsonl"
SPLITS = ("test",)


def load_defects(path: Path) -> list[AnswerItem]:
    """All functions as items ``defects/<idx>``; the answer is ``0`` (sound) or ``1`` (defective).

    Raises:
        DataError: the file is not defect detection as published.
    """
    items = []
    for number, row in enumerate(published_rows(path, "target", "func", "idx", "project"), 1):
        if row["target"] not in (0, 1):
            raise DataError(
                f"{path}: row {number} has the target {row['target']!r}, which is neither 0 nor 1. "
                f"Fetch the original file."
            )
        items.append(
            AnswerItem(
                id=f"defects/{row['idx']}",
                query=row["func"],
                answer=str(int(row["target"])),
                form="label",
                source="defects",
                traits=suite_traits(
                    licence="C-UDA",
                    split="test",
                    exam=True,
                    train_allowed=False,
                    project=row["project"],
                ),
            )
        )
    return items
