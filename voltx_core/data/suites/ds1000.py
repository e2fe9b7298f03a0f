"""DS-1000: 1,000 data-science snippets with library-specific tests (Lai et al. 2022, CC-BY-SA-4.0).

Published as ``ds1000.jsonl`` with ``prompt, reference_code, metadata, code_context``. The context
defines ``test_execution(solution)``, which puts the *text* of a solution into a program and
compares the frames, arrays and figures it makes, and sometimes ``test_string(solution)``. So tests
and candidate share one interpreter by construction: a row is ``inproc`` and never split.
"""

import ast
from pathlib import Path

from voltx_core.data.problem import Problem
from voltx_core.data.suites.python_entry import foreign_imports
from voltx_core.data.suites.rows import published_rows, suite_traits, tidy_code
from voltx_core.errors import DataError

PATTERN = "ds1000.jsonl"
SPLITS = ("test",)
SOLUTION = "SOLUTION"
"""The name under which the tests find a candidate's text."""


def quote_snippet(code: str) -> str:
    """A module that holds the snippet's text, which is what the published tests ask for."""
    return f"{SOLUTION} = {code!r}\n"


def load_ds1000(path: Path) -> list[Problem]:
    """All rows, with ids ``ds1000/<problem_id>`` and what they import in the trait ``requires``.

    Raises:
        DataError: the file is not DS-1000 as published.
    """
    problems = []
    keys = ("prompt", "reference_code", "metadata", "code_context")
    for number, row in enumerate(published_rows(path, *keys), 1):
        context = tidy_code(row["code_context"])
        if "def test_execution(" not in context:
            raise DataError(
                f"{path}: row {number} defines no test_execution. This is the older layout in "
                f"folders, or not DS-1000; fetch ds1000.jsonl."
            )
        calls = f"test_execution({SOLUTION})\n"
        if "def test_string(" in context:
            calls += f"test_string({SOLUTION})\n"
        facts = row["metadata"]
        problems.append(
            Problem(
                id=f"ds1000/{facts['problem_id']}",
                query=row["prompt"].strip("\n"),
                solution=quote_snippet(row["reference_code"]),
                tests=(f"{context}\n{calls}",),
                source="ds1000",
                traits=suite_traits(
                    licence="CC-BY-SA-4.0",
                    split="test",
                    exam=True,
                    train_allowed=False,
                    requires=_imported(context),
                    completion="quoted",
                    assurance="inproc",
                    library=facts["library"],
                ),
            )
        )
    return problems


def _imported(context: str) -> list[str]:
    """Packages beyond Python's own that the tests, or the programs in their texts, import."""
    texts = [context, *(text for text in _strings(context) if "import " in text)]
    return sorted({name for text in texts for name in foreign_imports(text)})


def _strings(code: str) -> list[str]:
    return [
        node.value
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
