"""``voltx judge``: score anybody's samples, and verify published problem sets."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voltx_core.cli.judge_references import judge_references, show_references
from voltx_core.cli.judge_samples import (
    Settings,
    parse_ks,
    score_samples,
    show_report,
    write_report,
)
from voltx_core.cli.options import AsJson, console, explained
from voltx_core.errors import ConfigError

if TYPE_CHECKING:
    from voltx_core.data.suites import ProblemSet

SOME_NOT_RUN = 3
"""Exit code when everything that can be judged here was, and something cannot."""
UNSOUND = 4
"""Exit code when a reference fails its own tests, and it is not known to."""
STOPPED = 130

Problems = Annotated[
    str,
    typer.Argument(
        metavar="PROBLEMS",
        help="A published file or folder, a suite by name (looked for below VOLTX_DATA_DIR), or "
        "your own JSON lines with id, query, solution and tests.",
    ),
]
Samples = Annotated[
    Path | None,
    typer.Argument(
        metavar="[SAMPLES]",
        help="JSON lines with task_id and completion (human-eval) or solution (EvalPlus), or "
        "EvalPlus's folder TASK_ID/N.py.",
    ),
]
References = Annotated[
    bool,
    typer.Option("--references", help="Judge the published solutions instead of samples."),
]
Suite = Annotated[
    str | None,
    typer.Option(
        "--suite", metavar="NAME", help="Which published set PROBLEMS is, if its name does not say."
    ),
]
Ks = Annotated[
    str,
    typer.Option(
        "--k",
        metavar="K,K,...",
        help="Attempts for pass@k; default: those of 1, 10, 100 that every task has samples for.",
    ),
]
Report = Annotated[
    Path | None,
    typer.Option(
        "--report",
        metavar="FILE",
        help="Where the JSON report goes; default: SAMPLES with the ending .judged.json.",
    ),
]
Fresh = Annotated[bool, typer.Option("--fresh", help="Judge everything anew; do not resume.")]
Partial = Annotated[
    bool, typer.Option("--partial", help="Score the tasks that have samples, and not all of them.")
]
AtMost = Annotated[
    int | None,
    typer.Option(
        "--at-most", min=1, metavar="N", help="With --references: N tasks a set, evenly spread."
    ),
]
Workers = Annotated[
    int | None,
    typer.Option("--workers", "-w", min=1, help="Programs side by side; default: usable cores."),
]
Level = Annotated[
    str,
    typer.Option(
        "--level",
        metavar="auto|ns|uid|seccomp",
        help="Isolation; auto is the strongest that works. A level that is named never falls back.",
    ),
]
CpuS = Annotated[
    float,
    typer.Option(
        "--cpu-s",
        min=0.1,
        help="CPU seconds a program may use, at most: for a Python task with a reference it is ten "
        "times what that needs, if that is less, and no less than 0.25.",
    ),
]
WallS = Annotated[float, typer.Option("--wall-s", min=0.1, help="Seconds a program may take.")]
MemoryMib = Annotated[int, typer.Option("--memory-mib", min=32, help="Memory of a program.")]


@explained()
def judge(
    problems: Problems,
    samples: Samples = None,
    references: References = False,
    suite: Suite = None,
    k: Ks = "",
    report: Report = None,
    fresh: Fresh = False,
    partial: Partial = False,
    at_most: AtMost = None,
    workers: Workers = None,
    level: Level = "auto",
    cpu_s: CpuS = 5.0,
    wall_s: WallS = 60.0,
    memory_mib: MemoryMib = 1024,
    as_json: AsJson = False,
) -> None:
    """Execute a model's samples in isolation and print pass@k.

    Every program runs in a jail, and Python tests run in another process
    than the program they test, so that a sample cannot talk its way to a
    pass. Results are written down as they come in: run the same command
    again and it goes on where it stopped.

    Examples:

      voltx judge humaneval samples.jsonl              any model's samples

      voltx judge HumanEval.jsonl.gz samples/ --k 1    EvalPlus's folder

      voltx judge mine.jsonl samples.jsonl --partial   your own problems

      voltx judge --references humaneval               is the data sound here?

      voltx judge --references data/ --at-most 40      ... of every set below

    Two files appear: SAMPLES.judged.json, the report (scores with intervals,
    one outcome a sample, level, limits), and beside it the same outcomes as
    JSON lines, from which a stopped run goes on.

    Exit code: 0 all judged; 1 the input is wrong, or the judge itself failed;
    2 wrong usage, such as a k larger than the number of samples; 3 all judged
    but what cannot run here (no compiler, no package), which counts nowhere
    and is named; 4 a reference fails its tests that is not known to be
    broken as published; 130 stopped by you.
    """
    from voltx_core.data.suites import open_sets
    from voltx_core.judge import Limits

    if references == (samples is not None):
        raise ConfigError(
            "Name either samples to judge or --references, not both and not neither. For example: "
            "voltx judge humaneval samples.jsonl"
        )
    settings = Settings(
        limits=Limits(cpu_s=cpu_s, wall_s=wall_s, memory_mib=memory_mib),
        workers=workers,
        level=level,
    )
    data_dir = os.environ.get("VOLTX_DATA_DIR")
    sets = open_sets(problems, suite=suite, data_dir=Path(data_dir) if data_dir else None)
    if samples is None:
        found = judge_references(sets, settings, at_most=at_most)
        if report:
            write_report(report, found)
        idle = any(check["not_run"] for check in found["suites"])
        unsound = any(row["fault"] is None for check in found["suites"] for row in check["broken"])
    else:
        found = _score(sets, samples, settings, parse_ks(k), report, fresh=fresh, partial=partial)
        idle, unsound = bool(found["tasks_not_run"]), False
    if as_json:
        print(json.dumps(found, indent=1))
    else:
        (show_references if samples is None else show_report)(found)
    if unsound:
        raise typer.Exit(UNSOUND)
    if idle:
        raise typer.Exit(SOME_NOT_RUN)


def _score(
    sets: "Sequence[ProblemSet]",
    samples: Path,
    settings: Settings,
    ks: Sequence[int],
    report: Path | None,
    *,
    fresh: bool,
    partial: bool,
) -> dict[str, Any]:
    if len(sets) > 1:
        raise ConfigError(
            f"{sets[0].place.parent}: holds several problem sets "
            f"({', '.join(problems.name for problems in sets)}), and samples belong to one. Name "
            f"its file, or say --suite {sets[0].name}."
        )
    try:
        return score_samples(
            sets[0],
            samples,
            settings,
            ks=ks,
            report_path=report,
            fresh=fresh,
            partial=partial,
        )
    except KeyboardInterrupt:
        console(stderr=True).print("\nStopped. The same command goes on from here.")
        raise typer.Exit(STOPPED) from None
