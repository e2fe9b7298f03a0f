"""HumanEval: 164 Python functions to complete, an exam (Chen et al. 2021, MIT).

Published as ``HumanEval.jsonl`` with ``task_id, prompt, entry_point, canonical_solution, test``.
"""

from pathlib import Path

from voltx_core.data.problem import Problem
from voltx_core.data.suites.rows import published_rows, suite_traits, tidy_code

PATTERN = "HumanEval.jsonl"
SPLITS = ("test",)


def load_humaneval(path: Path) -> list[Problem]:
    """All problems; the query is the prompt: imports, signature and docstring.

    Raises:
        DataError: the file is not HumanEval as published.
    """
    keys = ("task_id", "prompt", "entry_point", "canonical_solution", "test")
    return [
        Problem(
            id=row["task_id"],
            query=row["prompt"].strip("\n"),
            solution=tidy_code(row["prompt"] + row["canonical_solution"]),
            tests=(f"{row['test'].strip()}\n\ncheck({row['entry_point']})\n",),
            source="humaneval",
            entry_point=row["entry_point"],
            traits=suite_traits(
                licence="MIT", split="test", exam=True, train_allowed=False, completion="continues"
            ),
        )
        for row in published_rows(path, *keys)
    ]
