"""The generated tasks in other languages, run by the languages' own tools in one batch each."""

import random
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from voltx_core.data.generator import FAMILIES, Step, Task, mutate, render, render_tests, supported
from voltx_core.data.generator.cases import cases_of
from voltx_core.data.generator.rendering import setup_of
from voltx_core.data.problem import Language

OTHERS: tuple[Language, ...] = ("javascript", "java", "rust", "go")


def sample(language: Language) -> list[Task]:
    """Every supported family alone, and compositions of all depths."""
    chosen = []
    for family in FAMILIES.values():
        task = Task((Step(family.name, family.constants[0] if family.constants else None),))
        if supported(task, language) and cases_of(task):
            chosen.append(task)
    rng = random.Random(0)
    chosen += [mutate(rng.choice(chosen), rng, language=language) for _ in range(40)]
    chosen += [mutate(rng.choice(chosen[-40:]), rng, language=language) for _ in range(40)]
    return list(dict.fromkeys(chosen))


def need(*tools: str) -> None:
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return done.stdout


def body(task: Task, language: Language) -> str:
    return "\n".join(render_tests(task, language))


@pytest.mark.parametrize("language", OTHERS)
def test_each_language_writes_forty_families_and_eight_algorithms(language):
    counts = Counter(
        family.algorithm
        for family in FAMILIES.values()
        if supported(Task((Step(family.name, (family.constants or (None,))[0]),)), language)
    )
    assert counts[False] >= 40
    assert counts[True] >= 8


def test_solutions_read_as_their_language_is_written():
    task = Task((Step("keep_even"), Step("sum"), Step("add_number", 3)))
    assert render(task, "javascript") == (
        "function solve(xs) {\n"
        "    xs = xs.filter(x => x % 2 === 0);\n"
        "    let n = xs.reduce((a, x) => a + x, 0);\n"
        "    return n + 3;\n}"
    )
    assert render(task, "java") == (
        "class Solution {\n"
        "    static long solve(long[] xs) {\n"
        "        xs = Arrays.stream(xs).filter(x -> x % 2 == 0).toArray();\n"
        "        long n = Arrays.stream(xs).sum();\n"
        "        return n + 3;\n    }\n}"
    )
    assert render(task, "rust") == (
        "fn solve(xs: Vec<i64>) -> i64 {\n"
        "    let xs: Vec<i64> = xs.into_iter().filter(|x| x % 2 == 0).collect();\n"
        "    let n: i64 = xs.iter().sum();\n"
        "    n + 3\n}"
    )
    assert render(task, "go") == (
        "func solve(xs []int) int {\n\tout := []int{}\n\tfor _, x := range xs {\n"
        "\t\tif x%2 == 0 {\n\t\t\tout = append(out, x)\n\t\t}\n\t}\n\txs = out\n"
        "\ttotal := 0\n\tfor _, x := range xs {\n\t\ttotal += x\n\t}\n\tn := total\n"
        "\treturn n + 3\n}"
    )


def test_temporaries_of_two_steps_get_different_names():
    code = render(Task((Step("running_sums"), Step("running_maximum"))), "rust")
    assert "let mut out = vec![];" in code
    assert "let mut out2 = vec![];" in code


@pytest.mark.toolchain
def test_javascript_solutions_pass_in_node(tmp_path):
    need("node")
    blocks = [
        f"(function () {{\n{render(task, 'javascript')}\n{body(task, 'javascript')}\n}})();"
        for task in sample("javascript")
    ]
    (tmp_path / "all.js").write_text("\n".join([setup_of("javascript"), *blocks]))
    run("node", "all.js", cwd=tmp_path)


@pytest.mark.toolchain
def test_a_wrong_javascript_solution_fails_in_node(tmp_path):
    need("node")
    task = Task((Step("keep_even"), Step("sum")))
    wrong = render(task, "javascript").replace("=== 0", "!== 0")
    (tmp_path / "wrong.js").write_text(
        "\n".join([setup_of("javascript"), wrong, body(task, "javascript")])
    )
    with pytest.raises(AssertionError, match="AssertionError"):
        run("node", "wrong.js", cwd=tmp_path)


@pytest.mark.toolchain
def test_java_solutions_pass_in_java(tmp_path):
    need("javac", "java")
    blocks, calls = [], []
    for i, task in enumerate(sample("java")):
        check = f"static void check() {{\n{body(task, 'java')}\n}}"
        blocks.append(f"class Task{i} {{\nstatic {render(task, 'java')}\n{check}\n}}")
        calls.append(f"Task{i}.check();")
    main = "class Main { public static void main(String[] a) { " + "\n".join(calls) + " } }"
    (tmp_path / "Main.java").write_text("\n".join([setup_of("java"), *blocks, main]))
    run("javac", "-J-XX:TieredStopAtLevel=1", "Main.java", cwd=tmp_path)
    run("java", "-ea", "Main", cwd=tmp_path)


@pytest.mark.toolchain
def test_rust_solutions_pass_in_rust(tmp_path):
    need("rustc")
    blocks, calls = ["#![allow(unused)]"], []
    for i, task in enumerate(sample("rust")):
        check = f"pub fn check() {{\n{body(task, 'rust')}\n}}"
        blocks.append(f"mod task{i} {{\n{render(task, 'rust')}\n{check}\n}}")
        calls.append(f"task{i}::check();")
    main = "fn main() {\n" + "\n".join(calls) + "\n}"
    (tmp_path / "all.rs").write_text("\n".join([*blocks, main]))
    run("rustc", "--edition=2021", "-Cdebuginfo=0", "all.rs", cwd=tmp_path)
    run(tmp_path / "all", cwd=tmp_path)


@pytest.mark.toolchain
def test_go_solutions_pass_in_go(tmp_path):
    need("go")
    for i, task in enumerate(sample("go")[::4]):
        code = f"{render(task, 'go')}\n\nfunc main() {{\n{body(task, 'go')}\n}}"
        folder = tmp_path / f"task{i}"
        folder.mkdir()
        (folder / "main.go").write_text(f"{setup_of('go')}\n\n{code}\n")
        run("go", "run", "main.go", cwd=folder)
