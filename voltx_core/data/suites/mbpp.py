"""MBPP: 974 short Python tasks, and its hand-checked subset of 427 (Austin et al. 2021, CC-BY-4.0).

Published as ``mbpp.jsonl`` (text, code, test_setup_code, test_list) and ``sanitized-mbpp.json``
(prompt, code, test_imports, test_list). The official splits go by ``task_id``: 1-10 prompt,
11-510 test, 511-600 validation, 601-974 train. Only train is for training.
"""

from pathlib import Path
from typing import Literal

from voltx_core.data.problem import Problem
from voltx_core.data.suites.python_entry import find_entry_point, find_signature
from voltx_core.data.suites.rows import published_rows, suite_traits, tidy_code
from voltx_core.errors import DataError

PATTERN = "mbpp.jsonl"
SANITIZED_PATTERN = "sanitized-mbpp.json"
SPLITS = ("prompt", "test", "validation", "train")
LAST_OF_SPLIT = {"prompt": 10, "test": 510, "validation": 600, "train": 974}
LICENCE = "CC-BY-4.0"

Shown = Literal["text", "signature", "tests"]


def split_of(task_id: int) -> str:
    """The official split of a task number.

    Raises:
        DataError: MBPP has no such number.
    """
    for split, last in LAST_OF_SPLIT.items():
        if 1 <= task_id <= last:
            return split
    raise DataError(f"MBPP has tasks 1 to 974, not {task_id}. Fetch the original file.")


def load_mbpp(path: Path, split: str | None = None, *, shown: Shown = "signature") -> list[Problem]:
    """Problems of one official split, or of all.

    The task text alone does not say what the function is called, and the tests call it by name:
    without that nobody can pass. So the query also shows something of the interface.

    Args:
        path: ``mbpp.jsonl`` or ``sanitized-mbpp.json``, plain or compressed.
        split: ``prompt``, ``test``, ``validation``, ``train``, or None for all.
        shown: what follows the text: nothing, the ``def`` line, or the tests (the authors' way).

    Raises:
        DataError: the file is not MBPP as published.
    """
    problems = []
    for row in published_rows(path, "task_id", "code", "test_list"):
        row_split = split_of(row["task_id"])
        if split is not None and row_split != split:
            continue
        text = row.get("text", row.get("prompt"))
        if text is None:
            raise DataError(f"{path}: task {row['task_id']} has neither 'text' nor 'prompt'.")
        code = tidy_code(row["code"])
        tests = tuple(test.replace("\r\n", "\n") for test in row["test_list"])
        entry_point = find_entry_point(code, tests)
        # Set-up of the full set builds objects of the candidate's classes: it belongs after it.
        prelude = tidy_code(row.get("test_setup_code", ""))
        problems.append(
            Problem(
                id=f"mbpp/{row['task_id']}",
                query=_query(text.strip(), code, entry_point, tests, shown),
                solution=code,
                tests=tuple(prelude + test for test in tests),
                source="mbpp",
                entry_point=entry_point,
                setup=tidy_code("\n".join(row.get("test_imports", []))),
                traits=suite_traits(
                    licence=LICENCE,
                    split=row_split,
                    exam=row_split == "test",
                    train_allowed=row_split == "train",
                ),
            )
        )
    return problems


def _query(
    text: str, code: str, entry_point: str | None, tests: tuple[str, ...], shown: Shown
) -> str:
    if shown == "tests":
        return "\n".join((text, "Your code should pass these tests:", *tests))
    signature = find_signature(code, entry_point) if shown == "signature" else None
    return f"{text}\n\n{signature}" if signature else text
