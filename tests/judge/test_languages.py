import sys

import pytest

from voltx_core.data.problem import StdioTest
from voltx_core.judge import Limits, Outcome, Program, isolation, languages, toolchain

CASES = {
    "javascript": {
        "good": "const twice = (x) => 2 * x;",
        "broken": "const twice = (x => ;",
        "quits": "process.exit(0);",
        "loops": "const twice = (x) => { for (;;); };",
        "claims": "console.log('1'); require('fs').writeSync(3, 'x 1\\n'); const twice = () => 0;",
        "tests": ("assert.strictEqual(twice(3), 6);", "if (twice(5) !== 10) throw new Error('5');"),
        "script": "const s = require('fs').readFileSync(0, 'utf8'); console.log(2 * Number(s));",
    },
    "java": {
        "good": "public class Solution { static int twice(int x) { return 2 * x; } }",
        "broken": "class Solution { static int twice(int x) { return } }",
        "quits": "class Solution { static int twice(int x) { System.exit(0); return 0; } }",
        "loops": "class Solution { static int twice(int x) { while (x < 9) x--; return x; } }",
        "claims": "class Solution { static int twice(int x) { System.out.println(1); return 0; } }",
        "tests": (
            "assert Solution.twice(3) == 6;",
            'if (Solution.twice(5) != 10) throw new Error("5");',
        ),
        "script": "import java.util.*;\npublic class Main { public static void main(String[] a) {"
        " System.out.println(2 * new Scanner(System.in).nextInt()); } }",
    },
    "rust": {
        "good": "fn twice(x: i64) -> i64 { 2 * x }\nfn main() {}",
        "broken": "fn twice(x: i64) -> i64 { 2 * ",
        "quits": "fn twice(x: i64) -> i64 { std::process::exit(0) }",
        "loops": "fn twice(x: i64) -> i64 { loop {} }",
        "claims": 'fn twice(x: i64) -> i64 { println!("1"); 0 }',
        "tests": ("assert_eq!(twice(3), 6);", "if twice(5) != 10 { panic!() }"),
        "script": "fn main() { let mut s = String::new(); std::io::stdin().read_line(&mut s)"
        '.unwrap(); println!("{}", 2 * s.trim().parse::<i64>().unwrap()); }',
    },
    "go": {
        "good": "func twice(x int) int { return 2 * x }",
        "broken": "func twice(x int) int { return ",
        "quits": 'import "os"\nfunc twice(x int) int { os.Exit(0); return 0 }',
        "loops": "func twice(x int) int { for { } }",
        "claims": 'import "fmt"\nfunc twice(x int) int { fmt.Println(1); return 0 }',
        "tests": ('if twice(3) != 6 { panic("3") }', 'if twice(5) != 10 { panic("5") }'),
        "script": 'package main\nimport "fmt"\nfunc main() { var n int; fmt.Scan(&n);'
        " fmt.Println(2 * n) }",
    },
}
LIMITS = Limits(cpu_s=1.0, wall_s=60.0)


@pytest.mark.toolchain
@pytest.mark.parametrize("language", CASES)
def test_programs_of_a_language_get_the_verdicts_they_deserve(judge, language):
    found = judge.toolchain(language)
    if not found.available:
        pytest.skip(found.why)
    assert found.version
    case = CASES[language]

    def program(kind: str) -> Program:
        tests = (
            (StdioTest(stdin="4\n", stdout="8"), StdioTest(stdin="4\n", stdout="9"))
            if kind == "script"
            else case["tests"]
        )
        return Program(id=kind, code=case[kind], tests=tests, language=language, limits=LIMITS)

    kinds = ["good", "broken", "quits", "loops", "claims", "script"]  # a wrong one is in the proof
    verdicts = {v.id: v for v in judge.run([program(kind) for kind in kinds])}
    assert verdicts["good"].outcome is Outcome.PASSED, verdicts["good"].detail
    assert verdicts["good"].tests_passed == 2
    assert verdicts["good"].assurance == "inproc"
    assert verdicts["broken"].outcome is Outcome.SYNTAX_ERROR
    assert verdicts["quits"].tests_passed == 0
    assert verdicts["quits"].outcome is Outcome.FAILED
    assert verdicts["loops"].outcome is Outcome.TIMEOUT
    assert verdicts["claims"].tests_passed == 0
    assert verdicts["script"].tests_passed == 1
    assert verdicts["script"].assurance == "split"


def test_a_missing_toolchain_means_not_run_and_why(judge, monkeypatch):
    monkeypatch.setattr(sys.modules["voltx_core.judge.toolchain"], "_proven", {})
    monkeypatch.setattr(languages.shutil, "which", lambda _: None)
    languages._go.cache_clear()
    program = Program(id="g", code="", tests=("x",), language="go")
    (verdict,) = judge.run([program])
    languages._go.cache_clear()
    assert verdict.outcome is Outcome.NOT_RUN
    assert "no go on PATH" in verdict.detail
    assert not verdict.passed


def test_python_is_always_there():
    assert toolchain("python").available
    assert isolation().level != "none"
