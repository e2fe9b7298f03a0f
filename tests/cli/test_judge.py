"""`voltx judge`: scores, resumes, verifies references, and says what is wrong with its input."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from voltx_core.cli.judge import judge
from voltx_core.judge import isolation, toolchain

Run = Callable[..., Result]

pytestmark = pytest.mark.skipif(
    isolation().level == "none", reason="no isolation level works on this machine"
)

RIGHT, WRONG = "def f(x):\n    return 2 * x\n", "def f(x):\n    return x\n"


def problem(name: str, test: str = "assert f(3) == 6", **more) -> dict:
    facts = {"id": name, "query": "Double x.", "solution": RIGHT, "tests": [test]}
    return facts | {"entry_point": "f"} | more


def write_rows(path: Path, rows: list[dict]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def sample(task: str, text: str) -> dict:
    return {"task_id": task, "completion": text}


@pytest.fixture
def run(invoke) -> Run:
    return lambda *arguments: invoke(judge, *arguments, "--workers", "1")


@pytest.fixture
def problems(tmp_path) -> str:
    return write_rows(tmp_path / "mine.jsonl", [problem("a"), problem("b")])


@pytest.fixture
def samples(tmp_path) -> str:
    rows = [sample("a", RIGHT), sample("a", WRONG), sample("b", WRONG), sample("b", WRONG)]
    return write_rows(tmp_path / "samples.jsonl", rows)


def test_a_score_comes_with_its_interval_and_a_report(run, problems, samples, tmp_path):
    done = run(problems, samples, "--k", "1,2")
    assert done.exit_code == 0, done.output
    assert "0.250" in done.stdout
    assert "0.500" in done.stdout
    report = json.loads((tmp_path / "samples.judged.json").read_text())
    assert report["pass_at_k"]["2"]["mean"] == 0.5
    assert [row["outcome"] for row in report["results"]] == ["passed", "failed", "failed", "failed"]
    assert report["verdict_modes"] == {"split": 4}
    assert report["level"] == isolation().level
    assert {row["level"] for row in report["results"]} == {report["level"]}
    assert report["limits"]["cpu_s"] == 5.0
    assert report["samples_from"]["copies"] == 1


def test_a_task_with_a_reference_gets_the_cpu_time_that_its_reference_calls_for(run, tmp_path):
    alone = problem("alone") | {"solution": ""}
    problems = write_rows(tmp_path / "mine.jsonl", [problem("a"), alone])
    rows = [sample("a", "def f(x):\n    while True: pass\n"), sample("alone", RIGHT)]
    samples = write_rows(tmp_path / "samples.jsonl", rows)
    results = json.loads(run(problems, samples, "--json", "--cpu-s", "3").stdout)["results"]
    assert [row["outcome"] for row in results] == ["timeout", "passed"]
    assert [row["cpu_limit_s"] for row in results] == [0.25, 3.0]
    assert results[0]["cpu_s"] < 3.0


def test_json_holds_what_the_report_holds(run, problems, samples, tmp_path):
    done = run(problems, samples, "--json")
    printed = json.loads(done.stdout)
    assert printed.pop("report") == str(tmp_path / "samples.judged.json")
    assert printed == json.loads((tmp_path / "samples.judged.json").read_text())


def test_a_second_run_judges_only_what_is_missing(run, problems, samples, tmp_path):
    run(problems, samples)
    ledger = tmp_path / "samples.judged.jsonl"
    first = ledger.read_bytes()
    lines = first.splitlines(keepends=True)
    # What the ledger says is believed, so a changed verdict shows that nothing was judged again.
    changed = lines[1].replace(b'"passed"', b'"timeout"')
    ledger.write_bytes(b"".join([lines[0], changed, *lines[2:-1], lines[-1][:20]]))
    done = run(problems, samples, "--json")
    assert done.exit_code == 0
    assert "3 results are in" in done.stderr
    assert "cut short (20 bytes)" in done.stderr
    outcomes = [row["outcome"] for row in json.loads(done.stdout)["results"]]
    assert outcomes == ["timeout", "failed", "failed", "failed"]
    again = run(problems, samples, "--json", "--fresh")
    assert json.loads(again.stdout)["results"][0]["outcome"] == "passed"


def test_new_samples_are_added_and_changed_ones_judged_anew(run, problems, samples, tmp_path):
    run(problems, samples)
    rows = [sample("a", RIGHT), sample("a", RIGHT), sample("b", WRONG), sample("b", WRONG)]
    write_rows(tmp_path / "samples.jsonl", [*rows, sample("b", RIGHT)])
    report = json.loads(run(problems, samples, "--json").stdout)
    assert [row["outcome"] for row in report["results"]].count("passed") == 3
    assert len((tmp_path / "samples.judged.jsonl").read_text().splitlines()) == 1 + 4 + 2


def test_other_limits_or_problems_do_not_mix_with_earlier_results(run, problems, samples, tmp_path):
    run(problems, samples)
    done = run(problems, samples, "--cpu-s", "3")
    assert done.exit_code == 2
    assert "limits.cpu_s was 5.0, is 3.0" in done.stderr
    write_rows(tmp_path / "mine.jsonl", [problem("a", "assert f(3) == 3"), problem("b")])
    assert run(problems, samples).exit_code == 2
    assert run(problems, samples, "--fresh").exit_code == 0


def test_a_k_beyond_the_samples_is_refused_before_anything_runs(run, problems, samples, tmp_path):
    done = run(problems, samples, "--k", "3")
    assert done.exit_code == 2
    assert "pass@3 cannot be estimated" in done.stderr
    assert not (tmp_path / "samples.judged.jsonl").exists()
    assert run(problems, samples, "--k", "one").exit_code == 2


def test_tasks_without_samples_are_an_error_unless_that_is_meant(run, problems, tmp_path):
    samples = write_rows(tmp_path / "s.jsonl", [sample("a", RIGHT)])
    done = run(problems, samples)
    assert done.exit_code == 1
    assert "1 of 2 tasks" in done.stderr
    assert "no sample: b" in done.stderr
    done = run(problems, samples, "--partial")
    assert done.exit_code == 0
    assert "1 tasks have no sample" in done.stdout


def test_an_unknown_task_is_named_with_its_line(run, problems, tmp_path):
    samples = write_rows(tmp_path / "s.jsonl", [sample("a", RIGHT), sample("c", RIGHT)])
    done = run(problems, samples)
    assert done.exit_code == 1
    assert "s.jsonl:2: no task 'c'" in done.stderr


def test_the_samples_are_never_taken_for_the_ledger(run, problems, samples, tmp_path):
    before = Path(samples).read_bytes()
    for more in ((), ("--fresh",)):
        done = run(problems, samples, "--report", str(tmp_path / "samples.json"), *more)
        assert done.exit_code == 1
        assert "is left as it is" in done.stderr
    assert Path(samples).read_bytes() == before


def test_a_row_that_needs_the_candidate_s_classes_is_settled_by_its_reference(run, tmp_path):
    code = "class Pair:\n    def __init__(self, a): self.a = a\ndef f(p):\n    return 2 * p.a\n"
    row = problem("a", "assert f(Pair(3)) == 6", solution=code)
    problems = write_rows(tmp_path / "mine.jsonl", [row, problem("b")])
    samples = write_rows(tmp_path / "s.jsonl", [sample("a", code), sample("b", RIGHT)])
    report = json.loads(run(problems, samples, "--json").stdout)
    assert [row["assurance"] for row in report["results"]] == ["inproc", "split"]
    assert report["pass_at_k"]["1"]["mean"] == 1.0


def test_what_cannot_run_here_counts_nowhere_and_has_its_own_exit_code(run, tmp_path):
    needy = problem("a", traits={"requires": ["a_package_that_is_nowhere"]})
    problems = write_rows(tmp_path / "mine.jsonl", [needy, problem("b")])
    samples = write_rows(tmp_path / "s.jsonl", [sample("a", RIGHT), sample("b", RIGHT)])
    done = run(problems, samples, "--json")
    assert done.exit_code == 3
    report = json.loads(done.stdout)
    assert report["pass_at_k"]["1"]["mean"] == 1.0
    assert report["pass_at_k"]["1"]["n"] == 1
    assert "cannot be imported in the jail" in report["tasks_not_run"]["a"]
    alone = write_rows(tmp_path / "alone.jsonl", [needy])
    samples = write_rows(tmp_path / "t.jsonl", [sample("a", RIGHT)])
    done = run(alone, samples)
    assert done.exit_code == 3
    assert "not run" in done.stdout
    assert "no task ran" in done.stdout


def test_answers_are_compared_without_running_anything(run, tmp_path):
    row = {
        "prompt": "minimum:\n",
        "references": ["0, 0 | 3\n\n"],
        "auxiliary": {"algorithm": "minimum", "length": 4, "seed": 0},
    }
    problems = write_rows(tmp_path / "clrs30_text_dev.jsonl", [row])
    name = "clrs/minimum/4/0"
    samples = write_rows(tmp_path / "s.jsonl", [sample(name, "0 | 3"), sample(name, "3 | 0")])
    report = json.loads(run(problems, samples, "--json").stdout)
    assert report["pass_at_k"]["1"]["mean"] == 0.5
    assert report["verdict_modes"] == {"compared": 2}


def test_references_are_verified_and_the_broken_ones_named(run, tmp_path):
    rows = [
        problem("good"),
        problem("bad", solution=WRONG),
        problem("none", solution=""),
        problem("needy", traits={"reference_requires": ["a_package_that_is_nowhere"]}),
    ]
    problems = write_rows(tmp_path / "mine.jsonl", rows)
    done = run("--references", problems)
    assert done.exit_code == 3
    assert "bad: its reference fails its own tests" in done.stdout
    assert "not run, 1 rows (needy)" in done.stdout
    done = run("--references", problems, "--json")
    (check,) = json.loads(done.stdout)["suites"]
    assert (check["run"], check["passed"], check["split"]) == (2, 1, 1)
    assert check["without_reference"] == 1
    assert [row["id"] for row in check["broken"]] == ["bad"]


def test_wrong_solutions_of_apps_are_named_beside_those_that_pass(run, tmp_path):
    folder = tmp_path / "data" / "train" / "0003"
    folder.mkdir(parents=True)
    (folder / "question.txt").write_text("Say 1.")
    cases = {"inputs": ["", ""], "outputs": ["1.0", "1.0"]}
    (folder / "input_output.json").write_text(json.dumps(cases))
    solutions = ["print(1.0000001)", "print(2)", "return 1"]
    (folder / "solutions.json").write_text(json.dumps(solutions))
    done = run("--references", str(tmp_path / "data"), "--json")
    (check,) = json.loads(done.stdout)["suites"]
    assert (check["run"], check["passed"]) == (1, 1)
    found = [(row["solution"], row["outcome"]) for row in check["wrong_solutions"]]
    assert found == [(2, "failed"), (3, "syntax_error")]


def test_a_part_of_a_set_is_said_to_be_one(run, tmp_path):
    rows = [problem(f"p{number}") for number in range(10)]
    problems = write_rows(tmp_path / "mine.jsonl", rows)
    done = run("--references", problems, "--at-most", "3", "--json")
    (check,) = json.loads(done.stdout)["suites"]
    assert (check["tasks"], check["tried"], check["passed"]) == (10, 3, 3)


def test_samples_and_references_exclude_each_other(run, problems, samples):
    assert run(problems).exit_code == 2
    assert run(problems, samples, "--references").exit_code == 2


def test_a_level_that_is_named_is_used_or_refused(run, problems, samples):
    done = run(problems, samples, "--level", "strong")
    assert done.exit_code == 1
    assert "unknown isolation level" in done.stderr


MULTIPL_E = {
    "javascript": (
        "humaneval-js.jsonl",
        "function strlen(string){\n",
        "const assert = require('node:assert');\n\n\nfunction test() {\n  let candidate = strlen;\n"
        '  assert.deepEqual(candidate("abc"),3);\n}\n\ntest();',
        "  return string.length;\n}",
    ),
    "rust": (
        "humaneval-rs.jsonl",
        "fn strlen(string: String) -> isize {\n",
        "}\n\nfn main() {\n    let candidate = strlen;\n"
        '    assert_eq!(candidate(String::from("abc")), 3);\n}\n',
        "    string.len() as isize",
    ),
    "java": (
        "humaneval-java.jsonl",
        "class Problem {\n    public static long strlen(String string) {\n",
        "    }\n    public static void main(String[] args) {\n"
        '    assert(strlen(("abc")) == (3l));\n    }\n\n}\n',
        "        return string.length();",
    ),
}


@pytest.mark.toolchain
@pytest.mark.parametrize("language", MULTIPL_E)
def test_completions_of_multipl_e_are_closed_as_its_tests_expect(run, tmp_path, language):
    if not (found := toolchain(language)).available:
        pytest.skip(f"{language}: {found.why}")
    name, prompt, tests, body = MULTIPL_E[language]
    row = {"name": "HumanEval_23_strlen", "prompt": prompt, "tests": tests}
    problems = write_rows(tmp_path / name, [row])
    rows = [sample(row["name"], body), sample(row["name"], body.replace("string", '"four"', 1))]
    report = json.loads(run(problems, write_rows(tmp_path / "s.jsonl", rows), "--json").stdout)
    assert [found["outcome"] == "passed" for found in report["results"]] == [True, False], report
