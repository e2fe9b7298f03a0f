"""The command line as a whole: light, complete, and clear about mistakes."""

import subprocess
import sys

import pytest

COMMANDS = ("run", "status", "report", "generate", "judge", "plan", "doctor", "up", "down", "bench")
LIGHT = """
import sys
sys.argv = ["voltx", *{arguments!r}]
from voltx_core.cli.main import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
heavy = {{"torch", "prefect", "sklearn", "faiss", "boto3", "matplotlib"}} & set(sys.modules)
assert not heavy, heavy
"""


def voltx(*arguments: str) -> "subprocess.CompletedProcess[str]":
    code = "from voltx_core.cli.main import main; main()"
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["bench", "--help"]])
def test_help_answers_without_importing_anything_heavy(arguments: list[str]) -> None:
    command = [sys.executable, "-c", LIGHT.format(arguments=arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_help_lists_every_command_most_wanted_first() -> None:
    text = voltx("--help").stdout.partition("Commands")[2]
    places = [text.index(f" {name} ") for name in COMMANDS]
    assert places == sorted(places)


def test_an_unknown_setting_is_refused_before_anything_starts() -> None:
    done = voltx("run", "--set", "soft_core.stepz=3")
    assert done.returncode == 2
    assert "did you mean 'soft_core.steps'" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_stage_is_refused_before_anything_starts() -> None:
    done = voltx("run", "--until", "soft_cor")
    assert done.returncode == 2
    assert "soft_cor" in done.stderr


def test_a_command_that_does_not_exist_is_a_usage_error() -> None:
    assert voltx("trian").returncode == 2
