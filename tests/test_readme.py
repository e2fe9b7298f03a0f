"""The README's commands exist, with the options it shows; the quick ones are executed."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BIN = Path(sys.executable).parent
QUICK = ("plan", "doctor")


def commands() -> list[str]:
    """Every `voltx ...` line of the README's code blocks, without environment and comment."""
    blocks = re.findall(r"```bash\n(.*?)```", README, re.S) + re.findall(
        r"(?m)^    (\S.*)$", README
    )
    lines = [line.split("#")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.startswith("voltx ")]


def test_the_readme_shows_commands() -> None:
    assert len(commands()) >= 8


@pytest.mark.parametrize("command", commands())
def test_a_command_of_the_readme_exists_with_its_options(command: str) -> None:
    words = shlex.split(command)
    names = words[1:3] if words[1] in ("bench", "data", "vincigpt") else words[1:2]
    shown = subprocess.run(
        [BIN / "voltx", *names, "--help"], capture_output=True, text=True, timeout=120
    )
    assert shown.returncode == 0, shown.stderr
    for option in (word for word in words if word.startswith("--")):
        assert option in shown.stdout, f"{option} of `{command}`"


@pytest.mark.parametrize("command", [c for c in commands() if c.split()[1] in QUICK])
def test_a_quick_command_of_the_readme_works(command: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [BIN / "voltx", *shlex.split(command)[1:]],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_data_commands_of_the_readme_work_one_after_the_other(tmp_path: Path) -> None:
    """Offline: what fetches says so, and what needs published data finds a small set of it."""
    row = {"task_id": 601, "text": "Double.", "code": "def f(x):\n    return 2 * x"}
    (tmp_path / "data").mkdir()
    (tmp_path / "data/mbpp.jsonl").write_text(
        json.dumps({**row, "test_list": ["assert f(1) == 2"]})
    )
    environ = {
        **os.environ,
        "VOLTX_DATA_DIR": str(tmp_path / "data"),
        "HF_ENDPOINT": "http://127.0.0.1:9",
    }
    ended = {}
    for command in (c for c in commands() if c.startswith("voltx data ")):
        words = shlex.split(command)
        done = subprocess.run(
            [BIN / "voltx", *words[1:]],
            capture_output=True,
            text=True,
            timeout=600,
            cwd=tmp_path,
            env=environ,
        )
        ended[words[2]] = done.returncode
        assert "Traceback" not in done.stderr, done.stderr
    assert ended == {"verify": 1, "fetch": 1, "harvest": 0, "stats": 0, "convert": 0}


@pytest.mark.parametrize("target", ["run", "test"])
def test_make_knows_what_the_readme_promises(target: str) -> None:
    assert f"make {target}" in README
    assert re.search(rf"(?m)^{target}:", (ROOT / "Makefile").read_text())


def test_every_picture_and_link_of_the_readme_is_there() -> None:
    for place in re.findall(r"\]\(((?!http)[^)]+)\)", README):
        assert (ROOT / place).exists(), place
