"""HumanEval-X: HumanEval in five languages with solutions, an exam (Zheng et al. 2023, Apache-2.0).

Published as ``humaneval_{python,js,java,go,rust}.jsonl``. The tests are whole programs or files for
a test harness, and some cannot fail as they stand (JavaScript's ``console.assert`` only prints).
They become statements that throw when the candidate is wrong and need no package.
"""

import re
from pathlib import Path

from voltx_core.data.jsonl import Row
from voltx_core.data.problem import Language, Problem
from voltx_core.data.suites.foreign_tests import (
    call_java_main,
    go_module,
    go_statements,
    without_go_header,
)
from voltx_core.data.suites.rows import published_rows, suite_traits, tidy_code
from voltx_core.errors import DataError

PATTERNS: dict[Language, str] = {
    "python": "humaneval_python.jsonl",
    "javascript": "humaneval_js.jsonl",
    "java": "humaneval_java.jsonl",
    "go": "humaneval_go.jsonl",
    "rust": "humaneval_rust.jsonl",
}
SPLITS = ("test",)

DECLARED_NAME: dict[Language, str] = {
    "python": r"^def (\w+)\(",
    "javascript": r"^const (\w+) *=",
    "java": r"^ *public [^(=]*?(\w+)\(",
    "go": r"^func (\w+)\(",
    "rust": r"^(?:pub )?fn (\w+)",
}

THROWING_ASSERT = """\
console.assert = (holds, ...words) => {
    if (!holds) throw new Error(["assertion failed", ...words].join(" "));
};
"""

NODE_MODULE = r"""\brequire\(['"]([^'"]+)['"]\)"""

CRATES = {
    "rand": (r"^use rand::Rng;\n", r"\brand::|\bRng\b|gen_range"),
    "regex": (r"^use regex::Regex;\n", r"\bregex::|\bRegex\b"),
    "md5": (r"^use md5;\n", r"\bmd5::"),
}
"""Every Rust row imports these; (the import, what its use looks like)."""


def load_humaneval_x(path: Path, language: Language) -> list[Problem]:
    """All problems of one language; the query is the prompt up to the opening of the body.

    Raises:
        DataError: the file is not HumanEval-X as published.
    """
    keys = ("task_id", "prompt", "declaration", "canonical_solution", "test")
    return [_problem(path, row, language) for row in published_rows(path, *keys)]


def _problem(path: Path, row: Row, language: Language) -> Problem:
    names = re.findall(DECLARED_NAME[language], row["declaration"], re.MULTILINE)
    if not names:
        raise DataError(
            f"{path}: {row['task_id']} declares no {language} function. Fetch the original file."
        )
    prompt, requires = row["prompt"], []
    if language == "rust":
        prompt += row["declaration"]
        for crate, (statement, use) in CRATES.items():
            if re.search(use, row["canonical_solution"] + row["test"]):
                requires.append(crate)
            else:
                prompt = re.sub(statement, "", prompt, flags=re.MULTILINE)
    modules = re.findall(NODE_MODULE, row["canonical_solution"]) if language == "javascript" else []
    solution = prompt + row["canonical_solution"]
    if language == "go":
        prompt, solution = without_go_header(prompt), go_module(solution)
    setup, test = _setup_and_test(path, row, language)
    return Problem(
        id=f"humaneval-x/{row['task_id']}",
        query=prompt.strip("\n"),
        solution=tidy_code(solution),
        tests=(test,),
        language=language,
        source=f"humaneval-x-{language}",
        entry_point=names[-1],
        setup=setup,
        traits=suite_traits(
            licence="Apache-2.0",
            split="test",
            exam=True,
            train_allowed=False,
            completion="continues",
            **({"requires": requires} if requires else {}),
            **({"reference_requires": modules} if modules else {}),
        ),
    )


def _setup_and_test(path: Path, row: Row, language: Language) -> tuple[str, str]:
    test = row["test"]
    match language:
        case "javascript":
            return "", THROWING_ASSERT + test
        case "java":
            return "", call_java_main(test)
        case "rust":
            return "", _rust_statements(test, f"{path}: {row['task_id']}")
        case "go":
            return go_statements(row["test_setup"], test)
        case _:
            return "", tidy_code(test)


def _rust_statements(test: str, place: str) -> str:
    """The test module without its harness attributes, and calls of its functions."""
    live = re.sub(r"/\*.*?\*/", "", test, flags=re.DOTALL)
    if "#[test]" not in live:
        # One published row comments its only test out, and would pass anything.
        live = test.replace("/*", "").replace("*/", "")
    attribute = r"#\[test\]\s*((?://[^\n]*\n\s*)*)fn (\w+)"
    names = [name for _, name in re.findall(attribute, live)]
    if not names:
        raise DataError(f"{place} has no #[test] function. Fetch the original file.")
    module = re.sub(attribute, r"\1pub fn \2", live.replace("#[cfg(test)]", ""))
    return tidy_code(module) + "".join(f"tests::{name}();\n" for name in names)
