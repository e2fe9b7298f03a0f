"""Samples in the formats of human-eval and EvalPlus find their task, or say where they do not."""

import gzip
import json
from pathlib import Path

import pytest

from voltx_core.data.problem import Problem
from voltx_core.data.suites import ProblemSet, assemble, open_sets
from voltx_core.data.suites.samples import read_samples
from voltx_core.errors import DataError

PROMPT = 'def twice(x):\n    """Double x."""\n'
HUMANEVAL_ROW = {
    "task_id": "HumanEval/7",
    "prompt": PROMPT,
    "entry_point": "twice",
    "canonical_solution": "    return 2 * x\n",
    "test": "\n\ndef check(candidate):\n    assert candidate(3) == 6\n",
}


def write_rows(path: Path, rows: list[dict]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def problem(name: str, **more) -> Problem:
    facts = {"query": "q", "solution": "", "tests": ("assert True",), "source": "mine"}
    return Problem(**(facts | {"id": name} | more))


def problem_set(*tasks: Problem) -> ProblemSet:
    return ProblemSet(name="mine", place=Path("mine.jsonl"), tasks=tasks)


@pytest.fixture
def humaneval(tmp_path) -> ProblemSet:
    path = write_rows(tmp_path / "HumanEval.jsonl", [HUMANEVAL_ROW])
    (found,) = open_sets(str(path), suite=None, data_dir=None)
    return found


def test_a_completion_goes_on_where_the_prompt_ends_and_a_solution_stands_alone(
    tmp_path, humaneval
):
    rows = [
        {"task_id": "HumanEval/7", "completion": "    return x + x"},
        {"task_id": "HumanEval/7", "solution": "def twice(x): return x * 2"},
        {"task_id": "HumanEval/7", "completion": "no", "solution": "twice = lambda x: x << 1"},
    ]
    samples = read_samples(write_rows(tmp_path / "s.jsonl", rows), humaneval)
    assert [sample.index for sample in samples] == [0, 1, 2]
    for sample in samples:
        space: dict = {}
        exec(sample.code, space)
        assert space["twice"](4) == 8
    assert samples[0].code.startswith(PROMPT)
    assert "Double" not in samples[1].code


def test_compressed_samples_and_blank_lines_are_read(tmp_path, humaneval):
    text = '\n{"task_id": "HumanEval/7", "completion": "    return 1"}\n\n'
    path = tmp_path / "s.jsonl.gz"
    path.write_bytes(gzip.compress(text.encode()))
    assert len(read_samples(path, humaneval)) == 1


def test_a_folder_is_read_in_the_order_of_its_numbers(tmp_path, humaneval):
    folder = tmp_path / "samples"
    (folder / "HumanEval_7").mkdir(parents=True)
    for number in (10, 2, 1):
        (folder / "HumanEval_7" / f"{number}.py").write_text(f"n = {number}")
    (folder / "HumanEval_7" / "notes.md").write_text("not a sample")
    samples = read_samples(folder, humaneval)
    assert [sample.code for sample in samples] == ["n = 1", "n = 2", "n = 10"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"completion": "x"}, r"s\.jsonl:2: the key 'task_id' is missing"),
        ({"task_id": True, "completion": "x"}, r"s\.jsonl:2: the key 'task_id' is missing or no"),
        ({"task_id": "HumanEval/7"}, r"s\.jsonl:2: task 'HumanEval/7' has neither"),
        ({"task_id": "HumanEval/7", "completion": 3}, r"s\.jsonl:2: .* neither a text"),
        (
            {"task_id": "HumanEval/17", "completion": "x"},
            r"s\.jsonl:2: no task 'HumanEval/17' in humaneval\. Did you mean 'HumanEval/7'",
        ),
    ],
)
def test_a_sample_that_fits_nothing_is_named_by_file_and_line(tmp_path, humaneval, row, message):
    good = {"task_id": "HumanEval/7", "completion": "x"}
    path = write_rows(tmp_path / "s.jsonl", [good, row])
    with pytest.raises(DataError, match=message):
        read_samples(path, humaneval)


def test_all_unknown_tasks_are_counted_and_the_first_are_shown(tmp_path, humaneval):
    rows = [{"task_id": f"Other/{n}", "completion": "x"} for n in range(9)]
    path = write_rows(tmp_path / "s.jsonl", rows)
    with pytest.raises(DataError, match="9 samples cannot be matched") as raised:
        read_samples(path, humaneval)
    assert "and 4 more" in str(raised.value)


def test_a_sample_number_that_comes_twice_is_refused_and_equal_texts_are_not(tmp_path, humaneval):
    row = {"task_id": "HumanEval/7", "completion": "    return 2"}
    assert len(read_samples(write_rows(tmp_path / "s.jsonl", [row, row]), humaneval)) == 2
    numbered = [row | {"sample_id": 4}, row | {"sample_id": 5}, row | {"sample_id": 4}]
    path = write_rows(tmp_path / "n.jsonl", numbered)
    with pytest.raises(DataError, match=r"n\.jsonl:3: sample 4 .* first is at .*n\.jsonl:1"):
        read_samples(path, humaneval)


def test_no_samples_are_an_error_and_a_missing_file_is_another(tmp_path, humaneval):
    with pytest.raises(DataError, match="holds no samples"):
        read_samples(write_rows(tmp_path / "s.jsonl", []), humaneval)
    with pytest.raises(DataError, match="no such file"):
        read_samples(tmp_path / "nowhere.jsonl", humaneval)


@pytest.mark.parametrize("name", ["mbpp/2", "Mbpp/2", "2", "02", "MBPP/2"])
def test_a_task_is_found_by_the_names_its_tools_give_it(name):
    tasks = problem_set(problem("mbpp/2", source="mbpp"), problem("mbpp/12", source="mbpp"))
    found = tasks.directory().find(name)
    assert (found and found.id) == (None if name == "02" else "mbpp/2")


def test_a_published_name_of_mbxp_is_known():
    tasks = problem_set(problem("mbxp-java/3", source="mbxp-java"))
    assert tasks.directory().find("MBJP/3") is tasks.tasks[0]


def test_an_ambiguous_name_finds_nothing_and_an_id_always_itself():
    tasks = problem_set(problem("a/1"), problem("b/1"), problem("A/1"))
    directory = tasks.directory()
    assert directory.find("1") is None
    assert [directory.find(name).id for name in ("a/1", "A/1", "b/1")] == ["a/1", "A/1", "b/1"]


def test_two_tasks_of_one_id_are_refused():
    with pytest.raises(DataError, match="task 2 has the id 'a' of an earlier one"):
        problem_set(problem("a"), problem("a"))


def test_own_problems_are_opened_by_path_and_a_strange_file_says_what_it_could_be(tmp_path):
    row = {"id": "p", "query": "q", "solution": "", "tests": ["assert f() == 1"]}
    (mine,) = open_sets(str(write_rows(tmp_path / "mine.jsonl", [row])), suite=None, data_dir=None)
    assert [task.id for task in mine.tasks] == ["p"]
    strange = write_rows(tmp_path / "strange.jsonl", [HUMANEVAL_ROW])
    with pytest.raises(DataError, match=r"neither the file's name .* --suite humaneval\|mbpp"):
        open_sets(str(strange), suite=None, data_dir=None)
    (found,) = open_sets(str(strange), suite="humaneval", data_dir=None)
    assert found.name == "humaneval"
    with pytest.raises(DataError, match=r"Did you mean 'humaneval'\?"):
        open_sets("humanevl", suite=None, data_dir=None)
    with pytest.raises(DataError, match="VOLTX_DATA_DIR"):
        open_sets("mbpp", suite=None, data_dir=None)


def test_apps_keeps_every_published_solution(tmp_path):
    folder = tmp_path / "train" / "0003"
    folder.mkdir(parents=True)
    (folder / "question.txt").write_text("Say 1.")
    (folder / "input_output.json").write_text(json.dumps({"inputs": [""], "outputs": ["1"]}))
    (folder / "solutions.json").write_text(json.dumps(["print(2)", "print(1)"]))
    (apps,) = open_sets(str(tmp_path), suite=None, data_dir=None)
    assert apps.references(apps.tasks[0]) == ("print(2)\n", "print(1)\n")


@pytest.mark.parametrize(
    ("traits", "language", "code"),
    [
        ({}, "python", "body"),
        ({"completion": "continues"}, "python", "head\nbody\n"),
        ({"completion": "continues", "closer": "}\n"}, "rust", "head\nbody\n}\n"),
        ({"completion": "quoted"}, "python", "SOLUTION = 'body'\n"),
    ],
)
def test_a_completion_becomes_a_program_as_its_suite_has_it(traits, language, code):
    task = problem("p", query="head", traits=traits, language=language)
    assert assemble(task, "body") == code


def test_a_go_completion_gets_the_imports_it_uses():
    task = problem("p", query="func f() {", language="go", traits={"completion": "continues"})
    code = assemble(task, '    fmt.Println("a")\n}')
    assert code.startswith('package main\n\nimport (\n    "fmt"\n)')
