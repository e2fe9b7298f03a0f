"""The worked examples of docs/extend.md: every patch applies, every command does what it says."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("voltx_core", "tasks", "flows", "deployments")
SECTIONS = dict(
    re.findall(r"(?ms)^## A (\w+)\n(.*?)(?=^## |\Z)", (ROOT / "docs/extend.md").read_text())
)


def blocks(section: str, kind: str) -> list[str]:
    return re.findall(rf"(?ms)^```{kind}\n(.*?)^```", SECTIONS[section])


class Copy:
    """The code with one patch applied, and a folder to work in."""

    def __init__(self, folder: Path, section: str) -> None:
        self.code, self.work = folder / "code", folder / "work"
        self.work.mkdir()
        skip = shutil.ignore_patterns("__pycache__")
        for package in PACKAGES:
            shutil.copytree(ROOT / package, self.code / package, ignore=skip)
        (patch,) = blocks(section, "diff")
        done = subprocess.run(
            ["git", "apply", "-p1", "--unidiff-zero", "-"],
            cwd=self.code,
            input=patch,
            text=True,
            capture_output=True,
        )
        assert done.returncode == 0, done.stderr
        self.commands = [
            line.split("#")[0].strip()
            for block in blocks(section, "bash")
            for line in block.splitlines()
        ]

    def run(self, command: str, *, timeout_s: float = 120) -> str:
        words = shlex.split(command)
        assert words[0] == "voltx"
        done = subprocess.run(
            [sys.executable, "-m", "voltx_core.cli.main", *words[1:]],
            cwd=self.work,
            env={
                **{k: v for k, v in os.environ.items() if not k.startswith(("VOLTX_", "PREFECT_"))},
                "PYTHONPATH": str(self.code),
                "VOLTX_DATA_DIR": str(self.work),
                "VOLTX_HOME": str(self.work / ".voltx"),
                "COLUMNS": "160",
            },
            capture_output=True,
            text=True,
            timeout=timeout_s,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def test_a_stage_of_ones_own_is_planned(tmp_path: Path) -> None:
    copy = Copy(tmp_path, "stage")
    plan = copy.run(copy.commands[0])
    assert re.search(r"5\.4 +Brevity +run", plan)
    assert copy.commands[1:] == ["voltx run --preset tiny --until brevity --watch"]


@pytest.mark.integration
def test_a_stage_of_ones_own_runs_and_is_reported(tmp_path: Path) -> None:
    copy = Copy(tmp_path, "stage")
    try:
        said = copy.run(copy.commands[1], timeout_s=400)
    finally:
        copy.run("voltx down")
    assert re.search(r"5\.4 +Brevity +committed", said)
    report = json.loads((copy.work / "runs/latest/report.json").read_text())
    (stage,) = [stage for stage in report["stages"] if stage["name"] == "brevity"]
    assert stage["metrics"]["mean_lines"] > 1
    assert stage["targets"][0]["verdict"] in ("met", "missed")


@pytest.mark.toolchain
def test_a_language_of_ones_own_is_judged(tmp_path: Path) -> None:
    if not shutil.which("perl"):
        pytest.skip("no perl")
    copy = Copy(tmp_path, "language")
    (row,) = (json.loads(block) for block in blocks("language", "json"))
    wrong = {**row, "id": "perl/2", "solution": "sub twice { return 3 * $_[0]; }"}
    (copy.work / "twice.jsonl").write_text(json.dumps(row))
    (command,) = copy.commands
    assert re.search(r"twice\.jsonl +1 +1 +0 +1 +1 ", copy.run(command))
    (copy.work / "twice.jsonl").write_text(json.dumps(wrong))
    assert "perl/2: its reference fails its own tests" in copy.run(command)


def test_a_suite_of_ones_own_is_judged(tmp_path: Path) -> None:
    copy = Copy(tmp_path, "suite")
    riddles, samples = blocks("suite", "json")
    (copy.work / "riddles.jsonl").write_text(riddles)
    (copy.work / "samples.jsonl").write_text(samples)
    references, judged = (copy.run(command) for command in copy.commands)
    assert re.search(r"riddles +1 +1 +0 +1 +1 ", references)
    assert re.search(r"pass@1 +1\.000", judged)
