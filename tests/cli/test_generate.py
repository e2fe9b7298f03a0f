import json

import pytest

from voltx_core.cli.generate import entry_point, generate
from voltx_core.errors import ConfigError
from voltx_core.stages.runs import RunRecord
from voltx_core.translator.translator import Translator, Written

SQUARES = "def solve(xs):\n    return [x * x for x in xs if x % 2 == 0]\n"


@pytest.fixture
def writes(monkeypatch):
    """Let the decoder write given programs; everything else stays as it is."""

    def patch(*texts):
        def write(self, frame, _asked=None, **_):
            del self
            chosen = [texts[row % len(texts)] for row in range(len(frame))]
            return [Written(text, [5, 3], -1.0 - row, -0.5) for row, text in enumerate(chosen)]

        monkeypatch.setattr(Translator, "write", write)

    return patch


@pytest.mark.usefixtures("trained")
def test_an_untrained_model_answers_and_says_what_it_knows(invoke):
    result = invoke(generate, "return the squares of the even numbers")
    assert result.exit_code == 0, result.output
    for part in ("γ", "route", "RAR", "iterations", "codebook", "safety", "run trained"):
        assert part in result.stdout
    assert "Nothing was executed" in result.stdout


@pytest.mark.usefixtures("trained")
def test_the_same_seed_gives_the_same_samples(invoke):
    arguments = ("return the squares", "-n", "2", "--json")
    first, again = invoke(generate, *arguments), invoke(generate, *arguments)
    assert first.exit_code == 0, first.output
    assert json.loads(first.stdout) == json.loads(again.stdout)
    texts = [answer["code"] for answer in json.loads(first.stdout)["answers"]]
    assert texts[0] != texts[1]


@pytest.mark.usefixtures("trained")
def test_tests_are_executed_and_their_verdict_shown(invoke, writes):
    writes(SQUARES)
    result = invoke(
        generate,
        "return the squares of the even numbers",
        "--test",
        "assert solve([1, 2, 4]) == [4, 16]",
        "--test",
        "assert solve([]) == []",
    )
    assert result.exit_code == 0, result.output
    assert "return [x * x for x in xs" in result.stdout
    assert "passed, 2 of 2 passed" in result.stdout


@pytest.mark.usefixtures("trained")
def test_of_several_samples_one_that_passes_comes_first(invoke, writes):
    writes("def solve(xs):\n    return xs\n", "def solve(", SQUARES)
    result = invoke(generate, "squares", "-n", "3", "-t", "assert solve([1, 2]) == [4]", "--json")
    answers = json.loads(result.stdout)["answers"]
    assert [answer["verdict"]["outcome"] for answer in answers] == [
        "passed",
        "failed",
        "syntax_error",
    ]
    assert answers[0]["code"] == SQUARES


@pytest.mark.usefixtures("trained")
def test_a_harmful_program_is_refused_and_never_executed(invoke, writes):
    writes("import shutil\n\ndef solve(xs):\n    shutil.rmtree('/')\n")
    result = invoke(generate, "tidy up", "-t", "assert solve([]) is None", "--json")
    (answer,) = json.loads(result.stdout)["answers"]
    assert (answer["code"], answer["gamma"], answer["verdict"]) == ("", 0.0, None)
    assert answer["audit"]["reasons"]
    shown = invoke(generate, "tidy up", "-t", "assert solve([]) is None").stdout
    assert "refused by guard" in shown
    assert "not executed" in shown


@pytest.mark.usefixtures("orchard")
def test_a_store_without_a_model_names_the_command_that_trains_one(invoke):
    result = invoke(generate, "add two numbers")
    assert result.exit_code == 1
    assert "voltx run --watch" in result.stderr


def test_a_run_that_has_not_come_far_enough_says_what_is_missing(invoke, trained):
    record = RunRecord(trained.artifacts, "trained")
    record.stage("sleep", state="running")
    result = invoke(generate, "add two numbers")
    assert result.exit_code == 1
    assert "no result yet from: 4.3 sleep (running)" in result.stderr


@pytest.mark.usefixtures("trained")
def test_an_unknown_run_is_a_message(invoke):
    result = invoke(generate, "add two numbers", "--run", "elsewhere")
    assert result.exit_code == 1
    assert "knows no run 'elsewhere'" in result.stderr


@pytest.mark.parametrize("arguments", [(" ",), ("add", "--test", "assert solve(")])
def test_a_wrong_request_is_exit_code_2(invoke, arguments):
    result = invoke(generate, *arguments)
    assert result.exit_code == 2
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("tests", "name"),
    [
        (["assert solve([1]) == 1"], "solve"),
        (["assert sorted(unique([2, 1])) == [1, 2]"], "unique"),
        (["assert len('a') == 1", "assert f(2) == 4"], "f"),
        (["assert 1 + 1 == 2"], None),
        ([], None),
    ],
)
def test_the_function_that_tests_call_is_found(tests, name):
    assert entry_point(tests) == name


def test_a_test_that_is_no_python_is_refused():
    with pytest.raises(ConfigError, match="is not Python"):
        entry_point(["assert solve("])


def test_a_test_that_any_program_would_pass_is_refused():
    with pytest.raises(ConfigError, match="asserts nothing"):
        entry_point(["solve([1, 2])"])
