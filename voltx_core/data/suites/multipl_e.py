"""MultiPL-E: HumanEval translated, prompts and tests only (Cassano et al. 2022).

Published as ``humaneval-{js,java,rs,go}*.jsonl``. **Evaluation only**: the licence (BSD-3 with a
machine-learning restriction) forbids training on it, so ``train_allowed`` is False and
``evaluation_only`` True. The published tests continue an unfinished candidate; here they are
statements that run after a complete one.
"""

import re
from pathlib import Path

from voltx_core.data.jsonl import Row
from voltx_core.data.problem import Language, Problem
from voltx_core.data.suites.foreign_tests import (
    call_java_main,
    go_statements,
    without_go_header,
)
from voltx_core.data.suites.rows import published_rows, suite_traits, tidy_code
from voltx_core.errors import DataError

PATTERNS: dict[Language, str] = {
    "javascript": "humaneval-js*.jsonl",
    "java": "humaneval-java*.jsonl",
    "rust": "humaneval-rs*.jsonl",
    "go": "humaneval-go*.jsonl",
}
SPLITS = ("test",)
LICENCE = "BSD-3-Clause with machine-learning restriction: evaluation only"

DECLARED_NAME: dict[Language, str] = {
    "javascript": r"^function (\w+)\(",
    "java": r"^ *public static [^(=]*?(\w+)\(",
    "rust": r"^fn (\w+)\(",
    "go": r"^func (\w+)\(",
}

CLOSERS: dict[Language, str] = {"rust": "}\n", "java": "    }\n}\n"}
"""What the published tests begin with, because generation stops before it: the end of the
function, and in Java of the class."""

JAVATUPLES_IMPORT = "import org.javatuples.*;\n"
JAVATUPLES_TYPES = r"\b(?:Unit|Pair|Triplet|Quartet|Quintet)\b"
JAVA_REQUIRE = """\
    private static void require(boolean holds) {
        if (!holds) throw new AssertionError();
    }
"""


def load_multipl_e(path: Path, language: Language) -> list[Problem]:
    """All problems of one language, without solutions.

    Raises:
        DataError: the file is not MultiPL-E as published.
    """
    return [
        _problem(path, row, language) for row in published_rows(path, "name", "prompt", "tests")
    ]


def _problem(path: Path, row: Row, language: Language) -> Problem:
    names = re.findall(DECLARED_NAME[language], row["prompt"], re.MULTILINE)
    if not names:
        raise DataError(
            f"{path}: {row['name']} declares no {language} function. Fetch the original file."
        )
    prompt, requires = row["prompt"], []
    if language == "java":
        if re.search(JAVATUPLES_TYPES, prompt + row["tests"]):
            requires.append("org.javatuples")
        else:
            prompt = prompt.replace(JAVATUPLES_IMPORT, "")
    elif language == "go":
        prompt = without_go_header(prompt)
    setup, test = _setup_and_test(row["tests"], language)
    return Problem(
        id=f"multipl-e-{language}/{row['name']}",
        query=prompt.strip("\n"),
        solution="",
        tests=(test,),
        language=language,
        source=f"multipl-e-{language}",
        entry_point=names[-1],
        setup=setup,
        traits=suite_traits(
            licence=LICENCE,
            split="test",
            exam=True,
            train_allowed=False,
            evaluation_only=True,
            completion="continues",
            **({"closer": CLOSERS[language]} if language in CLOSERS else {}),
            **({"requires": requires} if requires else {}),
        ),
    )


def _setup_and_test(tests: str, language: Language) -> tuple[str, str]:
    match language:
        case "rust":  # first it closes the candidate's function, then comes main
            return "", tidy_code(tests.partition("fn main() {")[2].rpartition("}")[0])
        case "java":
            return "", _java_statements(tests)
        case "go":
            return go_statements('"fmt"', tests)
        case _:
            return "", tidy_code(tests)


def _java_statements(tests: str) -> str:
    """A class that inherits the candidate's static methods, and a call of its ``main``.

    ``assert`` does nothing unless Java is told otherwise, so each becomes a call that throws.
    """
    body = re.sub(r"^( *)assert\(", r"\1require(", tests, flags=re.MULTILINE)
    members = body.lstrip().removeprefix("}").lstrip("\n")
    return call_java_main(f"class Main extends Problem {{\n{JAVA_REQUIRE}{members}")
