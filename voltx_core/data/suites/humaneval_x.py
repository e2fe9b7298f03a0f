"""HumanEval-X: HumanEval in five languages with solutions, an exam (Zheng et al. 2023, Apache-2.0).

Published as ``humaneval_{python,js,java,go,rust}.jsonl``. Some tests rely on packages or flags a
bare toolchain lacks; they are rewritten so that a wrong candidate fails with the toolchain alone:
JavaScript's ``console.assert`` only prints, Rust's ``#[test]`` needs a harness, Go's want testify.
"""

import re
from pathlib import Path

from voltx_core.data.jsonl import Row
from voltx_core.data.problem import Language, Problem
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
TESTIFY = "github.com/stretchr/testify/assert"

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

GO_ASSERTIONS = """\
type assertions struct{ t *testing.T }

func (a assertions) Equal(expected, actual interface{}) bool {
    a.t.Helper()
    if !reflect.DeepEqual(expected, actual) {
        a.t.Errorf("expected %#v, got %#v", expected, actual)
        return false
    }
    return true
}
"""

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
    start = "package main\n\n" if language == "go" else ""
    return Problem(
        id=f"humaneval-x/{row['task_id']}",
        query=prompt.strip("\n"),
        solution=tidy_code(start + prompt + row["canonical_solution"]),
        tests=(_test(path, row, language),),
        language=language,
        source=f"humaneval-x-{language}",
        entry_point=names[-1],
        traits=suite_traits(
            licence="Apache-2.0",
            split="test",
            exam=True,
            train_allowed=False,
            **({"requires": requires} if requires else {}),
        ),
    )


def _test(path: Path, row: Row, language: Language) -> str:
    match language:
        case "javascript":
            return f"{THROWING_ASSERT}{row['test']}"
        case "rust":
            return _runnable_rust(row["test"], f"{path}: {row['task_id']}")
        case "go":
            return _go_test_file(row["test_setup"], row["test"])
        case _:
            return tidy_code(row["test"])


def _runnable_rust(test: str, place: str) -> str:
    """The test module without its harness attributes, and a ``main`` that calls its functions."""
    live = re.sub(r"/\*.*?\*/", "", test, flags=re.DOTALL)
    if "#[test]" not in live:
        # One published row comments its only test out, and would pass anything.
        live = test.replace("/*", "").replace("*/", "")
    attribute = r"#\[test\]\s*((?://[^\n]*\n\s*)*)fn (\w+)"
    names = [name for _, name in re.findall(attribute, live)]
    if not names:
        raise DataError(f"{place} has no #[test] function. Fetch the original file.")
    module = re.sub(attribute, r"\1pub fn \2", live.replace("#[cfg(test)]", ""))
    calls = "".join(f"    tests::{name}();\n" for name in names)
    return f"{tidy_code(module)}\nfn main() {{\n{calls}}}\n"


def _go_test_file(setup: str, test: str) -> str:
    """A second file of ``package main``, importing only what it uses (Go refuses the rest)."""
    body = GO_ASSERTIONS + "\n" + test.replace("assert.New(t)", "assertions{t}")
    wanted = {*re.findall(r'"([^"\n]+)"', setup), "reflect"} - {TESTIFY}
    used = sorted(name for name in wanted if re.search(rf"\b{name.rpartition('/')[2]}\.", body))
    imports = "".join(f'    "{name}"\n' for name in used)
    return tidy_code(f"package main\n\nimport (\n{imports})\n\n{body}")
