"""Published formats become problems whose references pass and whose rules of use are kept."""

import gzip
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from voltx_core.data.problem import StdioTest
from voltx_core.data.python_source import parse_python
from voltx_core.data.suites import (
    available_suites,
    load_apps,
    load_mbpp,
    load_suite,
    read_candidates,
)
from voltx_core.errors import DataError
from voltx_core.judge import Judge, Limits, Outcome, Program

HUMANEVAL_ROW = {
    "task_id": "HumanEval/7",
    "prompt": 'def twice(x):\n    """Double x."""\n',
    "entry_point": "twice",
    "canonical_solution": "    return 2 * x\n",
    "test": "\n\ndef check(candidate):\n    assert candidate(3) == 6\n",
}


def mbpp_row(task_id: int, **changes) -> dict:
    return {
        "task_id": task_id,
        "text": "Write a function to add.",
        "code": "def inner(a):\r\n\treturn a\r\ndef add(a, b):\r\n\treturn inner(a) + b",
        "test_setup_code": "",
        "test_list": ["assert add(inner(1), 2) == 3"],
        "challenge_test_list": [],
    } | changes


def write_rows(path: Path, rows: list[dict]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(row) + "\n" for row in rows)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return path


def write_apps(folder: Path, cases: dict, solutions: list[str] | None, starter: str = "") -> None:
    folder.mkdir(parents=True)
    (folder / "question.txt").write_text("Add the numbers.\n")
    (folder / "input_output.json").write_text(json.dumps(cases))
    (folder / "metadata.json").write_text(json.dumps({"difficulty": "interview", "url": "x"}))
    if solutions is not None:
        (folder / "solutions.json").write_text(json.dumps(solutions))
    if starter:
        (folder / "starter_code.py").write_text(starter)


def passes(problem, code: str | None = None) -> bool:
    """Run the problem's tests on ``code`` in this process (only for code written in this file)."""
    space: dict = {}
    try:
        exec(problem.setup + "\n" + (problem.solution if code is None else code), space)
        for test in problem.tests:
            exec(test, space)
    except Exception:
        return False
    return True


@pytest.mark.parametrize("name", ["HumanEval.jsonl", "deep/er/HumanEval.jsonl.gz"])
def test_humaneval_is_found_anywhere_and_its_check_decides(tmp_path, name):
    write_rows(tmp_path / name, [HUMANEVAL_ROW])
    (problem,) = load_suite("humaneval", tmp_path)
    assert problem.query == 'def twice(x):\n    """Double x."""'
    assert passes(problem)
    assert not passes(problem, "def twice(x):\n    return x\n")
    assert problem.traits["exam"]
    assert not problem.traits["train_allowed"]


def test_a_plain_twin_beside_the_compressed_file_is_no_ambiguity_but_another_copy_is(tmp_path):
    write_rows(tmp_path / "a/HumanEval.jsonl", [HUMANEVAL_ROW])
    write_rows(tmp_path / "a/HumanEval.jsonl.gz", [HUMANEVAL_ROW] * 2)
    assert len(load_suite("humaneval", tmp_path)) == 1
    write_rows(tmp_path / "b/HumanEval.jsonl", [HUMANEVAL_ROW])
    with pytest.raises(DataError, match=r"several files match .*a/HumanEval.*b/HumanEval"):
        load_suite("humaneval", tmp_path)


def test_links_that_form_a_loop_end(tmp_path):
    write_rows(tmp_path / "a/HumanEval.jsonl", [HUMANEVAL_ROW])
    (tmp_path / "a/again").symlink_to(tmp_path)
    assert available_suites(tmp_path) == ["humaneval"]


@pytest.mark.parametrize(
    ("task_id", "split"),
    [
        (1, "prompt"),
        (10, "prompt"),
        (11, "test"),
        (510, "test"),
        (511, "validation"),
        (600, "validation"),
        (601, "train"),
        (974, "train"),
    ],
)
def test_mbpp_splits_by_number_as_its_authors_do(tmp_path, task_id, split):
    path = write_rows(tmp_path / "mbpp.jsonl", [mbpp_row(task_id)])
    (problem,) = load_mbpp(path, split)
    assert problem.traits["split"] == split
    assert problem.traits["exam"] == (split == "test")
    assert problem.traits["train_allowed"] == (split == "train")
    others = {"prompt", "test", "validation", "train"} - {split}
    assert all(load_mbpp(path, other) == [] for other in others)


def test_a_number_mbpp_does_not_have_is_refused(tmp_path):
    with pytest.raises(DataError, match="not 975"):
        load_mbpp(write_rows(tmp_path / "mbpp.jsonl", [mbpp_row(975)]))


def test_mbpp_names_the_outermost_function_called_and_shows_its_signature(tmp_path):
    (problem,) = load_mbpp(write_rows(tmp_path / "mbpp.jsonl", [mbpp_row(601)]))
    assert problem.entry_point == "add"
    assert problem.query.endswith("\n\ndef add(a, b):")
    assert "\r" not in problem.solution
    assert passes(problem)


def test_mbpp_can_show_the_text_alone_or_the_tests(tmp_path):
    path = write_rows(tmp_path / "mbpp.jsonl", [mbpp_row(601)])
    assert load_mbpp(path, shown="text")[0].query == "Write a function to add."
    assert load_mbpp(path, shown="tests")[0].query.endswith("assert add(inner(1), 2) == 3")


def test_mbpp_set_up_that_uses_the_candidates_names_runs_after_the_candidate(tmp_path):
    row = mbpp_row(601, test_setup_code="one = inner(1)", test_list=["assert add(one, 2) == 3"])
    (problem,) = load_mbpp(write_rows(tmp_path / "mbpp.jsonl", [row]))
    assert passes(problem)


def test_sanitized_mbpp_brings_its_imports_as_set_up(tmp_path):
    row = mbpp_row(602, test_imports=["import math"])
    row["prompt"] = row.pop("text")
    row["test_list"] = ["assert math.isclose(add(1, 2), 3)"]
    (tmp_path / "sanitized-mbpp.json").write_text(json.dumps([row]))
    (problem,) = load_suite("mbpp-sanitized", tmp_path)
    assert problem.setup == "import math\n"
    assert passes(problem)


def test_a_whole_apps_program_is_tested_by_what_it_reads_and_prints(tmp_path):
    cases = {"inputs": ["1 2\n", ["3", "4"]], "outputs": ["3\n", ["7"]]}
    write_apps(tmp_path / "APPS/train/0003", cases, ["print(sum(map(int, input().split())))"])
    (problem,) = load_suite("apps", tmp_path)
    assert problem.id == "apps/train/0003"
    assert problem.tests == (
        StdioTest(stdin="1 2\n", stdout="3\n"),
        StdioTest(stdin="3\n4", stdout="7"),
    )
    assert problem.entry_point is None
    assert problem.difficulty == "interview"


def test_a_method_of_solution_becomes_a_function_that_the_tests_call(tmp_path):
    cases = {"fn_name": "add", "inputs": [[[1, 2], 3]], "outputs": [[[4, 5]]]}
    code = (
        "class Solution:\n  def add(self, xs: List[int], n):\n    return tuple(map(n.__add__, xs))"
    )
    write_apps(tmp_path / "train/0004", cases, [code])
    (problem,) = load_suite("apps", tmp_path)
    assert problem.entry_point == "add"
    assert problem.query == "Add the numbers.\n\ndef add(xs: List[int], n):"
    assert passes(problem)
    assert passes(problem, "def add(xs, n): return [4, 5]")
    assert not passes(problem, "def add(xs, n): return [4, 6]")


def test_starter_code_gives_the_signature_even_without_solutions(tmp_path):
    cases = {"fn_name": "add", "inputs": [[1]], "outputs": [1]}
    starter = "class Solution:\n    def add(self, n: int) -> int:\n        "
    write_apps(tmp_path / "train/0004", cases, None, starter)
    (problem,) = load_suite("apps", tmp_path)
    assert problem.query.endswith("\n\ndef add(n: int) -> int:")
    assert problem.solution == ""


def test_integer_keys_that_json_turned_into_texts_are_integers_again(tmp_path):
    cases = {"fn_name": "f", "inputs": [[{"1": 2}]], "outputs": [{"1": {"a": 0}}]}
    write_apps(tmp_path / "train/0005", cases, ["def f(d): return {1: {'a': 0}} if 1 in d else 0"])
    assert passes(load_suite("apps", tmp_path)[0])


def test_the_first_solution_the_verifier_accepts_is_chosen_and_the_refused_are_counted(tmp_path):
    cases = {"fn_name": "f", "inputs": [[2]], "outputs": [4]}
    wrong, right = "def f(x): return x", "def f(x): return x * x"
    write_apps(tmp_path / "train/0006", cases, [wrong, right])
    write_apps(tmp_path / "train/0007", cases, [wrong])
    first, second = load_apps(tmp_path, verify=passes)
    assert first.solution == right + "\n"
    assert (first.traits["solution_verified"], first.traits["solutions_rejected"]) == (True, 1)
    assert second.solution == ""
    assert (second.traits["solution_verified"], second.traits["solutions_rejected"]) == (False, 1)


def test_without_a_verifier_only_valid_python_is_taken(tmp_path):
    cases = {"inputs": ["1"], "outputs": ["1"]}
    write_apps(tmp_path / "train/0006", cases, ["print 1", "print(1)"])
    (problem,) = load_apps(tmp_path)
    assert problem.solution == "print(1)\n"
    assert not problem.traits["solution_verified"]


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_the_hub_form_of_apps_is_json_inside_json(tmp_path, suffix):
    row = {
        "problem_id": 12,
        "question": "Square it.",
        "solutions": json.dumps(["def f(x): return x * x"]),
        "input_output": json.dumps({"fn_name": "f", "inputs": [[3]], "outputs": [9]}),
        "difficulty": "introductory",
        "url": "",
        "starter_code": "def f(x):",
    }
    write_rows(tmp_path / f"apps/test.jsonl{suffix}", [row])
    (problem,) = load_suite("apps", tmp_path, "test")
    assert problem.id == "apps/test/0012"
    assert problem.traits["exam"]
    assert passes(problem)
    assert load_suite("apps", tmp_path, "train") == []


def test_apps_problems_without_usable_tests_are_counted_not_passed_on(tmp_path, caplog):
    rows = [
        {"problem_id": number, "question": "?", "solutions": "", "input_output": text}
        for number, text in enumerate(
            [
                "",
                '{"inputs": [], "outputs": []}',
                '{"inputs": [1], "outputs": []}',
                '{"inputs": [[' + "9" * 5000 + ']], "outputs": [[1]], "fn_name": "f"}',
                '{"inputs": ["1"], "outputs": ["1"]}',
            ]
        )
    ]
    write_rows(tmp_path / "train.jsonl", rows)
    assert [problem.id for problem in load_suite("apps", tmp_path)] == ["apps/train/0004"]
    assert "4 APPS problems left out" in caplog.text


def test_a_train_file_of_another_set_is_not_taken_for_apps(tmp_path):
    write_rows(tmp_path / "gsm8k/train.jsonl", [{"question": "2+2?", "answer": "4"}])
    assert available_suites(tmp_path) == []


def test_printed_calls_compare_what_printing_shows(tmp_path):
    row = {
        "id": 9,
        "description": "Pair up.",
        "difficulty": "introductory",
        "name": "9",
        "starter_code": "\ndef pair(word, n):\n\t",
        "test_list": [{"input": "C E\n2", "output": ["['C E', 2]"]}],
    }
    write_rows(tmp_path / "apps_selected.jsonl", [row])
    (problem,) = load_suite("apps", tmp_path)
    assert passes(problem, "def pair(word, n): return (word, n)")
    assert not passes(problem, "def pair(word, n): return (word, str(n))")


def test_labelled_apps_programs_keep_their_label(tmp_path):
    write_apps(tmp_path / "train/0001", {"inputs": ["1"], "outputs": ["1"]}, [])
    generated = [{"code": "print(1)", "result": True}, {"code": "print(", "result": -2}]
    (tmp_path / "train/0001/gen_solutions.json").write_text(json.dumps(generated))
    assert [(c.problem_id, c.passes) for c in read_candidates(tmp_path)] == [
        ("apps/train/0001", True),
        ("apps/train/0001", False),
    ]


def test_a_verifier_empties_refused_solutions_of_any_suite(tmp_path):
    rows = [mbpp_row(601), mbpp_row(602, test_list=["assert add(1, 1) == 3"])]
    write_rows(tmp_path / "mbpp.jsonl", rows)
    good, bad = load_suite("mbpp", tmp_path, verify=passes)
    assert good.solution
    assert not bad.solution


def test_unknown_names_splits_and_absent_files_say_what_there_is(tmp_path):
    with pytest.raises(DataError, match=r"'humanevl'\. Did you mean 'humaneval'\?"):
        load_suite("humanevl", tmp_path)
    with pytest.raises(DataError, match="mbpp has no split 'dev'; it has prompt, test"):
        load_suite("mbpp", tmp_path, "dev")
    write_rows(tmp_path / "HumanEval.jsonl", [HUMANEVAL_ROW])
    with pytest.raises(DataError, match=r"no file mbpp\.jsonl .* Sets found here: humaneval\."):
        load_suite("mbpp", tmp_path)
    with pytest.raises(DataError, match="'apps' cannot be loaded"):
        load_suite("apps", tmp_path)
    with pytest.raises(DataError, match="no such folder"):
        available_suites(tmp_path / "nowhere")


def test_a_file_with_the_right_name_and_wrong_rows_is_refused(tmp_path):
    write_rows(tmp_path / "HumanEval.jsonl", [{"task_id": "HumanEval/0"}])
    with pytest.raises(DataError, match=r"row 1 has no 'prompt'.*not the published format"):
        load_suite("humaneval", tmp_path)


# Real published files, where they are present.

COUNTS = {
    "humaneval": 164,
    "mbpp": 974,
    "mbpp-sanitized": 427,
    "humaneval-x-python": 164,
    "humaneval-x-javascript": 164,
    "humaneval-x-java": 164,
    "humaneval-x-go": 164,
    "humaneval-x-rust": 164,
}
PYTHON_SUITES = ["humaneval", "mbpp", "mbpp-sanitized", "mathqa", "humaneval-x-python"]


@pytest.fixture
def data_dir() -> Path:
    folder = os.environ.get("VOLTX_DATA_DIR")
    if not folder:
        pytest.skip("VOLTX_DATA_DIR is not set: no published data sets to read")
    return Path(folder)


def load_real(name: str, data_dir: Path, split: str | None = None):
    if name not in available_suites(data_dir):
        pytest.skip(f"VOLTX_DATA_DIR holds no {name}")
    return load_suite(name, data_dir, split)


@pytest.mark.parametrize("name", COUNTS)
def test_complete_published_sets_load_completely(data_dir, name):
    problems = load_real(name, data_dir)
    assert len(problems) == COUNTS[name]
    assert len({problem.id for problem in problems}) == COUNTS[name]
    assert all(problem.tests and problem.entry_point for problem in problems)


def test_mbpp_has_its_official_split_sizes(data_dir):
    sizes = {
        s: len(load_real("mbpp", data_dir, s)) for s in ("prompt", "test", "validation", "train")
    }
    assert sizes == {"prompt": 10, "test": 500, "validation": 90, "train": 374}


def test_every_suite_says_whether_it_may_be_trained_on_and_exams_may_not(data_dir):
    for name in available_suites(data_dir):
        for problem in load_suite(name, data_dir):
            traits = problem.traits
            assert traits["licence"]
            assert not (traits["exam"] and traits["train_allowed"])
            if name.startswith("multipl-e"):
                assert traits["evaluation_only"]
                assert problem.solution == ""


@pytest.mark.parametrize("name", PYTHON_SUITES)
def test_published_python_references_pass_their_converted_tests(data_dir, name):
    problems = [problem for problem in load_real(name, data_dir) if problem.solution][::23]
    scripts = ["\n".join((problem.setup, problem.solution, *problem.tests)) for problem in problems]
    runner = (
        "import json, sys\n"
        "for script in json.load(sys.stdin):\n"
        "    exec(compile(script, 'reference', 'exec'), {'__name__': 'reference'})\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-W", "ignore", "-c", runner],
        input=json.dumps(scripts),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-500:]


@pytest.mark.parametrize("name", PYTHON_SUITES)
def test_published_python_references_define_their_entry_point(data_dir, name):
    for problem in load_real(name, data_dir):
        names = {getattr(node, "name", None) for node in parse_python(problem.solution).body}
        assert problem.entry_point in names or f"\n{problem.entry_point} =" in problem.solution


WRONG_ANSWERS = {
    "humaneval-x-javascript": "const {name} = () => ({{}});",
    "mbxp-javascript": "function {name}() {{ return {{}}; }}",
    "multipl-e-javascript": "function {name}() {{ return {{}}; }}",
    "humaneval-x-rust": "fn {name}(s: String) -> i32 {{ s.len() as i32 + 1 }}",
    "multipl-e-rust": "fn {name}(s: String) -> isize {{ s.len() as isize + 1 }}",
    "humaneval-x-java": "class Solution {{ int {name}(String s) {{ return s.length() + 1; }} }}",
    "multipl-e-java": (
        "class Problem {{ static long {name}(String s) {{ return s.length() + 1L; }} }}"
    ),
    "humaneval-x-go": "func {name}(s string) int {{ return len(s) + 1 }}",
    "multipl-e-go": "func {name}(s string) int {{ return len(s) + 1 }}",
}
RIGHT_ANSWERS = {
    "multipl-e-javascript": "function {name}(s) {{ return s.length; }}",
    "multipl-e-rust": "fn {name}(s: String) -> isize {{ s.len() as isize }}",
    "multipl-e-java": "class Problem {{ static long {name}(String s) {{ return s.length(); }} }}",
    "multipl-e-go": "func {name}(s string) int {{ return len(s) }}",
}


@pytest.mark.toolchain
@pytest.mark.parametrize("name", WRONG_ANSWERS)
def test_tests_of_other_languages_accept_the_right_answer_and_refuse_a_wrong_one(data_dir, name):
    problems = load_real(name, data_dir)
    strlen = [p for p in problems if (p.entry_point or "").lower() == "strlen" or "mbxp" in name]
    problem = next(p for p in strlen if p.solution or name in RIGHT_ANSWERS)
    wrong = WRONG_ANSWERS[name].format(name=problem.entry_point)
    right = problem.solution or RIGHT_ANSWERS[name].format(name=problem.entry_point)
    limits = Limits(cpu_s=30, wall_s=120)
    with Judge(workers=1) as judge:
        verdicts = judge.run([Program.of(problem, code, limits=limits) for code in (right, wrong)])
    if verdicts[0].outcome is Outcome.NOT_RUN:
        pytest.skip(f"no toolchain for {problem.language}: {verdicts[0].detail}")
    assert [verdict.passed for verdict in verdicts] == [True, False], verdicts


def test_every_rust_test_calls_something(data_dir):
    for problem in load_real("humaneval-x-rust", data_dir):
        assert "\ntests::" in problem.tests[0]


def test_go_tests_name_every_package_they_use_and_no_other(data_dir):
    for name in ("humaneval-x-go", "multipl-e-go"):
        for problem in load_real(name, data_dir):
            imported = set(re.findall(r'^import (\w+) "', problem.setup, re.MULTILINE))
            used = {word for word in imported if f"{word}." in problem.tests[0]}
            assert used == imported
            assert "testify" not in problem.setup
            assert "assert.New" not in problem.tests[0]


def test_multipl_e_java_tests_do_not_depend_on_java_s_assert_switch(data_dir):
    for problem in load_real("multipl-e-java", data_dir):
        assert "assert(" not in problem.tests[0]
        assert "require(" in problem.tests[0].partition("main(")[2]
