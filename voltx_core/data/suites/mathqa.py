"""MathQA-Python: word problems solved by straight-line arithmetic (mxeval, Apache-2.0).

Published as ``mathqa_python.jsonl``: ``task_id, prompt, canonical_solution, entry_point, test``.
"""

from pathlib import Path

from voltx_core.data.problem import Problem
from voltx_core.data.suites.python_entry import foreign_imports
from voltx_core.data.suites.rows import published_rows, suite_traits, tidy_code

PATTERN = "mathqa*python*.jsonl"
SPLITS = ("train",)


def load_mathqa(path: Path) -> list[Problem]:
    """All problems; the query is the prompt, which names the numbers ``n0, n1, ...``.

    Raises:
        DataError: the file is not MathQA-Python as published.
    """
    keys = ("task_id", "prompt", "canonical_solution", "entry_point", "test")
    return [
        Problem(
            id=row["task_id"],
            query=row["prompt"].strip("\n"),
            solution=tidy_code(row["prompt"] + row["canonical_solution"]),
            tests=(row["test"],),
            source="mathqa",
            entry_point=row["entry_point"],
            traits=suite_traits(
                licence="Apache-2.0",
                split="train",
                exam=False,
                train_allowed=True,
                completion="continues",
                **({"reference_requires": packages} if packages else {}),
            ),
        )
        for row in published_rows(path, *keys)
        for packages in [foreign_imports(row["canonical_solution"])]
    ]
