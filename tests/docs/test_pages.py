"""Every command of docs/ is one: known, with the options, settings and files that it names.

Those that need nothing are executed as well; whole runs, fleets and chaos are tests/integration.
"""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

from voltx_core.cli.main import group
from voltx_core.config import resolve
from voltx_core.config.instances import CRITERIA, cuda_text

ROOT = Path(__file__).parents[2]
PAGES = ("concepts", "data", "gpu", "fleet", "recover", "cost", "guide")
QUICK = ("plan", "status", "doctor")
OTHERS = {"sky", "export", "deployments/rent/join.sh", "deployments/rent/give_back.sh", "make"}


def lines(page: str) -> list[str]:
    """Command lines of the bash blocks of a page and, where a table has them, of its code."""
    text = (ROOT / "docs" / f"{page}.md").read_text()
    found = [
        line.split(" #")[0].strip()
        for block in re.findall(r"(?ms)^```bash\n(.*?)^```", text)
        for line in block.splitlines()
    ]
    if page == "guide":
        cells = re.findall(r"(?m)^\|[^|]+\|(.*)\|$", text)
        found += [code for cell in cells for code in re.findall(r"`([^`]+)`", cell)]
    return [line for line in found if " " in line or "/" in line]


def commands() -> list[str]:
    return sorted({line for page in PAGES for line in lines(page)})


def voltx() -> list[list[str]]:
    """Words of every `voltx` command, without the variables before it."""
    found = []
    for line in commands():
        words = shlex.split(line)
        while re.match(r"^[A-Z_]+=", words[0]):
            words.pop(0)
        if words[0] == "voltx":
            found.append(words[1:])
    return found


def test_there_are_commands_to_look_at() -> None:
    assert len(voltx()) > 35


@pytest.mark.parametrize("words", voltx(), ids=shlex.join)
def test_a_command_of_the_docs_is_understood(words: list[str]) -> None:
    command, rest = group(), list(words)
    context = typer.Context(command, info_name="voltx")
    while isinstance(command, TyperGroup):
        name = rest.pop(0)
        command = command.get_command(context, name)
        assert command is not None, f"no command {name!r}"
    parsed = command.make_context(command.name, rest).params
    if parsed.get("overrides"):
        resolve(parsed.get("preset") or "laptop", parsed["overrides"], environ={})


@pytest.mark.parametrize(
    "words", [w for w in voltx() if w[0] in QUICK and "--watch" not in w], ids=shlex.join
)
def test_a_quick_command_of_the_docs_works(words: list[str], tmp_path: Path) -> None:
    (tmp_path / "problems.jsonl").write_text(
        '{"id": "mine/1", "query": "Add.", "solution": "def solve(a):\\n    return a\\n", '
        '"tests": ["assert solve(1) == 1"]}\n'
    )
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("VOLTX_", "PREFECT_"))}
    done = subprocess.run(
        [sys.executable, "-m", "voltx_core.cli.main", *words],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=tmp_path,
        env=kept,
    )
    # A machine that is not what a pool asks for is refused, and says what it lacks.
    refused = "--pool" in words and done.returncode == 1 and "wanted" in done.stdout
    assert done.returncode == 0 or refused, done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_other_commands_name_files_that_are_there() -> None:
    for line in commands():
        words = [w for w in shlex.split(line) if not re.match(r"^[A-Z_]+=", w)]
        if not words or words[0] == "voltx":
            continue
        assert words[0] in OTHERS, line
        for word in words:
            if word.startswith("deployments/"):
                assert (ROOT / word).exists(), word


def test_the_table_of_criteria_is_the_one_that_is_checked() -> None:
    text = (ROOT / "docs/fleet.md").read_text()
    rows = dict(re.findall(r"(?m)^\| ([^|]+?) \| (.*) \|$", text.partition("| | cpu |")[2]))
    for column, pool in enumerate(("cpu", "gpu", "multi-gpu")):
        wanted = CRITERIA[pool]
        stated = {name: cells.split(" | ")[column] for name, cells in rows.items() if "|" in cells}
        assert stated["cores"] == str(wanted.cores)
        assert stated["memory, GiB"] == str(wanted.memory_gib)
        assert stated["free disk, GiB"] == str(wanted.disk_gib)
        assert stated["reliability"] == f"{wanted.reliability:g}"
        assert stated["most USD an hour"] == f"{wanted.usd_per_hour:g}"
        assert stated["GPUs"] == (str(wanted.gpus) if wanted.gpus else "–")
        assert stated["VRAM of each, GiB"] == (str(wanted.vram_gib) if wanted.gpus else "–")
        assert stated["CUDA by the driver"] == (cuda_text(wanted.cuda) if wanted.cuda else "–")


@pytest.mark.parametrize("page", [*PAGES, "extend"])
def test_every_link_of_a_page_leads_somewhere(page: str) -> None:
    for place in re.findall(r"\]\(((?!http)[^)#]+)\)", (ROOT / f"docs/{page}.md").read_text()):
        assert (ROOT / "docs" / place).exists(), place
