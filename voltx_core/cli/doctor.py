"""``voltx doctor``: what works on this machine, what does not, and what to do about it."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from voltx_core.cli.options import AsJson, StoreUrl, console, explained
from voltx_core.data.problem import Language

if TYPE_CHECKING:
    from voltx_core.stages.workspace import Workspace

State = Literal["ok", "warning", "failed"]
MARKS: dict[State, str] = {
    "ok": "[green]✓[/]",
    "warning": "[yellow]![/]",
    "failed": "[bold red]✗[/]",
}
CHECKS = "voltx.checks"
"""Entry points of other packages: functions that yield a ``Check`` for each finding."""
LEAST_PYTHON = (3, 11)
LEAST_MEMORY_GIB, LEAST_DISK_GIB = 4, 2
"""What the laptop preset needs with room to spare."""
LANGUAGES: dict[Language, str] = {
    "python": "Python",
    "javascript": "JavaScript",
    "java": "Java",
    "rust": "Rust",
    "go": "Go",
}
INSTALL = {
    "javascript": "apt-get install nodejs",
    "java": "apt-get install default-jdk-headless",
    "rust": "apt-get install rustc",
    "go": "apt-get install golang-go",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One finding. ``failed`` means that nothing can run until it is mended."""

    name: str
    state: State
    found: str
    remedy: str = ""


Pool = Annotated[
    str | None,
    typer.Option(
        "--pool",
        metavar="cpu|gpu|multi-gpu",
        help="Compare this machine with what one rented for that pool has to be.",
    ),
]


@explained()
def doctor(store: StoreUrl = None, pool: Pool = None, as_json: AsJson = False) -> None:
    """Check what voltx needs on this machine, and say what to do where it lacks.

    ✓ works, ! works with less than it could, ✗ must be mended first (then the
    exit code is 1). Every line that is not ✓ says what to do.

    Examples:

      voltx doctor

      VOLTX_STORE=s3://bucket/prefix voltx doctor   can it use that store?

      voltx doctor --pool gpu                       is this the machine that I meant to rent?

      voltx doctor --json | jq '.[] | select(.state != "ok")'
    """
    checks = list(examine(store))
    if pool is not None:
        from voltx_core.cli.doctor_instance import checks as criteria

        checks += criteria(pool)
    if as_json:
        print(json.dumps([asdict(check) for check in checks], indent=1))
    else:
        _show(checks)
    if any(check.state == "failed" for check in checks):
        raise typer.Exit(1)


def examine(store: str | None = None) -> Iterator[Check]:
    """Every check in turn; one that breaks becomes a finding and never stops the others."""
    parts: Sequence[tuple[str, Callable[[], Iterator[Check]]]] = (
        ("Python", _python),
        ("Packages", _packages),
        ("Machine", _machine),
        ("Device", _device),
        ("Store", lambda: _store(store)),
        ("Judge", _judge),
        ("Languages", _languages),
        ("Data", _data),
        ("Server", _server),
        *((point.name, point.load()) for point in entry_points(group=CHECKS)),
    )
    for name, look in parts:
        try:
            yield from look()
        except Exception as error:  # a doctor that falls ill is no help
            yield Check(
                name=name,
                state="failed",
                found=f"{type(error).__name__}: {error}",
                remedy="Run make setup to install everything anew; then run voltx doctor again.",
            )


def _python() -> Iterator[Check]:
    import platform
    import sys

    fits = sys.version_info >= LEAST_PYTHON
    yield Check(
        name="Python",
        state="ok" if fits else "failed",
        found=f"{platform.python_version()}, {sys.executable}",
        remedy="" if fits else "Install Python 3.11 or newer and run make setup.",
    )


def _packages() -> Iterator[Check]:
    """Every requirement of the installed project, without importing any."""
    from importlib import metadata

    from packaging.requirements import Requirement

    versions, wrong = [], []
    for line in metadata.requires("voltx") or ():
        requirement = Requirement(line)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{requirement.name} is missing")
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            wrong.append(f"{requirement.name} is {version}, wanted {requirement.specifier}")
        versions.append(f"{requirement.name} {version}")
    yield Check(
        name="Packages",
        state="failed" if wrong else "ok",
        found="; ".join(wrong) or ", ".join(versions),
        remedy="Run make setup." if wrong else "",
    )


def _machine() -> Iterator[Check]:
    import os
    import shutil

    import psutil

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield Check(
        name="Cores",
        state="ok" if (cores or 1) > 1 else "warning",
        found=f"{cores} usable",
        remedy="" if (cores or 1) > 1 else "Stages that could overlap will run one by one.",
    )
    memory = psutil.virtual_memory()
    total, free = memory.total / 2**30, memory.available / 2**30
    yield Check(
        name="Memory",
        state="ok" if free >= LEAST_MEMORY_GIB else "warning",
        found=f"{free:.1f} of {total:.1f} GiB available",
        remedy=""
        if free >= LEAST_MEMORY_GIB
        else f"The laptop preset likes {LEAST_MEMORY_GIB} GiB: close something or use preset tiny.",
    )
    disk = shutil.disk_usage(Path.cwd()).free / 2**30
    yield Check(
        name="Disk",
        state="ok" if disk >= LEAST_DISK_GIB else "warning",
        found=f"{disk:.1f} GiB free in {Path.cwd()}",
        remedy=""
        if disk >= LEAST_DISK_GIB
        else "Free some space, or set VOLTX_STORE and VOLTX_HOME to folders on another disk.",
    )


def _device() -> Iterator[Check]:
    import torch

    if torch.cuda.is_available():
        name, count = torch.cuda.get_device_name(), torch.cuda.device_count()
        found = f"torch {torch.__version__}, {count} GPU: {name}, CUDA {torch.version.cuda}"
    else:
        found = f"torch {torch.__version__}, CPU (no GPU seen; presets tiny and laptop need none)"
    yield Check(name="Device", state="ok", found=found)


def _store(url: str | None) -> Iterator[Check]:
    from voltx_core.errors import StoreError
    from voltx_core.stages.workspace import Workspace

    try:
        workspace = Workspace.open(url)
        workspace.artifacts.store.check()
    except StoreError as error:
        yield Check(
            name="Store",
            state="failed",
            found=str(error),
            remedy="Name a store that works: VOLTX_STORE=<folder or s3://bucket/prefix>.",
        )
        return
    yield Check(name="Store", state="ok", found=f"{workspace.url}, {_contents(workspace)}")


def _contents(workspace: "Workspace") -> str:
    from voltx_core.stages.runs import latest

    stages = list(workspace.artifacts.store.folders("stages/"))
    run = latest(workspace.artifacts)
    return f"{len(stages)} stages with results, latest run {run or 'none'}"


def _judge() -> Iterator[Check]:
    from voltx_core.judge import isolation

    found = isolation()
    state: State = "failed" if found.level == "none" else "ok" if not found.why else "warning"
    reasons = [f"not {level}: {why}" for level, why in found.why.items()]
    if reasons:
        reasons.append(f"{found.level} leaves open: {'; '.join(found.missing)}")
    yield Check(
        name="Judge",
        state=state,
        found=f"isolation level {found.level}" + (f" ({'; '.join(reasons)})" if reasons else ""),
        remedy=found.remedy if state != "ok" else "",
    )


def _languages() -> Iterator[Check]:
    from voltx_core.judge import Judge

    with Judge(workers=1) as judge:
        for language, title in LANGUAGES.items():
            found = judge.toolchain(language)
            if found.available:
                yield Check(name=f"Judges {title}", state="ok", found=found.version or "works")
                continue
            remedy = f"On Debian or Ubuntu: {INSTALL[language]}. " if language in INSTALL else ""
            yield Check(
                name=f"Judges {title}",
                state="warning" if language in INSTALL else "failed",
                found=found.why,
                remedy=f"{remedy}Until then its stage reports 'not run'.",
            )


def _data() -> Iterator[Check]:
    import os

    directory = os.environ.get("VOLTX_DATA_DIR")
    if not directory:
        yield Check(
            name="Data",
            state="ok",
            found="VOLTX_DATA_DIR is not set: problems are generated, sources harvested here",
        )
        return
    folder = Path(directory)
    if not folder.is_dir():
        yield Check(
            name="Data",
            state="failed",
            found=f"VOLTX_DATA_DIR={directory} is no folder",
            remedy="Correct it, or unset it to use generated problems only.",
        )
        return
    entries = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    shown = ", ".join(entries[:12]) + (
        f" and {len(entries) - 12} more" if len(entries) > 12 else ""
    )
    yield Check(
        name="Data",
        state="ok" if entries else "warning",
        found=f"{folder}: {shown or 'empty'}",
        remedy="" if entries else "Put the published sets there, or unset VOLTX_DATA_DIR.",
    )


def _server() -> Iterator[Check]:
    """The Prefect server that ``voltx up`` started or that PREFECT_API_URL names, if any."""
    import os

    from voltx_core.stages.workspace import DEFAULT_HOME

    services = Path(os.environ.get("VOLTX_HOME", DEFAULT_HOME)) / "services.json"
    url = os.environ.get("PREFECT_API_URL")
    if not url and services.is_file():
        url = json.loads(services.read_text()).get("api_url")
    if not url:
        yield Check(name="Server", state="ok", found="none is up; voltx run starts one")
        return
    try:
        _answers(url)
    except (OSError, ValueError) as error:
        foreign = "PREFECT_API_URL" in os.environ
        yield Check(
            name="Server",
            state="warning" if foreign else "ok",
            found=f"{url} does not answer: {error}" if foreign else "none is up",
            remedy="Start it, or unset PREFECT_API_URL when it is not yours."
            if foreign
            else "voltx run starts one.",
        )
        return
    yield Check(name="Server", state="ok", found=f"{url} answers")


def _answers(api_url: str) -> None:
    """Ask the server whether it is well.

    Raises:
        OSError: It does not answer.
    """
    from urllib.request import urlopen

    with urlopen(f"{api_url.rstrip('/')}/health", timeout=3) as answer:
        answer.read()


def _show(checks: Sequence[Check]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, style="bold")
    table.add_column(ratio=1)
    for check in checks:
        text = Text(check.found)
        if check.remedy:
            text.append(f"\n→ {check.remedy}", style="cyan")
        table.add_row(MARKS[check.state], check.name, text)
    out = console()
    out.print(table)
    counts: Mapping[State, int] = {
        state: sum(check.state == state for check in checks) for state in MARKS
    }
    out.print()
    if counts["failed"]:
        out.print(f"[bold red]{counts['failed']} to mend first.[/]")
    else:
        less = f", {counts['warning']} with less than it could be" if counts["warning"] else ""
        out.print(f"Ready{less}. Next: [bold]voltx plan[/], then [bold]make run[/].")
