"""MBXP: MBPP's tasks in Java and JavaScript (Athiwaratkun et al. 2022, Apache-2.0).

Published as ``mbjp_release_v*.jsonl`` and ``mbjsp_release_v*.jsonl``; the numbers are MBPP's, and
so are the splits. About one JavaScript reference in seven is wrong or absent.
"""

from pathlib import Path
from typing import Literal

from voltx_core.data.problem import Problem
from voltx_core.data.suites import mbpp
from voltx_core.data.suites.foreign_tests import call_java_main
from voltx_core.data.suites.rows import published_rows, suite_traits, tidy_code

PATTERNS: dict[Literal["java", "javascript"], str] = {
    "java": "mbjp_release_v*.jsonl",
    "javascript": "mbjsp_release_v*.jsonl",
}
SPLITS = mbpp.SPLITS

LODASH_IMPORT = 'const _ = require("lodash")'
LODASH_EQUALITY = """\
const _ = (() => {
    // Stands for lodash's isEqual, for which 0 and -0 are the same number.
    const { isDeepStrictEqual } = require("node:util");
    const unsigned = (x) => x === 0 ? 0 : Array.isArray(x) ? x.map(unsigned) : x;
    return { isEqual: (x, y) => isDeepStrictEqual(unsigned(x), unsigned(y)) };
})();
"""


def load_mbxp(
    path: Path, language: Literal["java", "javascript"], split: str | None = None
) -> list[Problem]:
    """Problems of one of MBPP's splits, or of all; the query is the prompt with its signature.

    Raises:
        DataError: the file is not MBXP as published.
    """
    problems = []
    keys = ("task_id", "prompt", "entry_point", "test")
    for row in published_rows(path, *keys):
        row_split = mbpp.split_of(int(row["task_id"].rpartition("/")[2]))
        if split is not None and row_split != split:
            continue
        body, test = row.get("canonical_solution"), row["test"]
        if language == "java":
            test = call_java_main(test)
        problems.append(
            Problem(
                id=f"mbxp-{language}/{row['task_id'].rpartition('/')[2]}",
                query=row["prompt"].strip("\n"),
                solution=tidy_code(row["prompt"] + body) if body else "",
                tests=(test.replace(LODASH_IMPORT, LODASH_EQUALITY),),
                language=language,
                source=f"mbxp-{language}",
                entry_point=row["entry_point"],
                traits=suite_traits(
                    licence="Apache-2.0",
                    split=row_split,
                    exam=row_split == "test",
                    train_allowed=row_split == "train",
                    completion="continues",
                ),
            )
        )
    return problems
