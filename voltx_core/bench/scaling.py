"""`voltx bench scaling`: larger cores, more processes, and exams at full speed.

Four parts. ``sizes``: a training step at the plan's 51M, 200M and 500M beside a plain eager loop.
``ladder``: growth and distillation against training from scratch for the same arithmetic, at the
sizes of a preset. ``ranks``: one process against two. ``exam``: answering and judging at once
against one after the other.
"""

import json
import os
import platform
import statistics
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voltx_core.cli.options import AsJson, Overrides, console, explained
from voltx_core.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console

    from voltx_core.bench.scaling_material import Material
    from voltx_core.bench.scaling_sizes import Track

PARTS = ("sizes", "ladder", "ranks", "exam")
SIZE_ENDINGS = ("_51m", "_200m", "_500m")
GPU_STEPS, GPU_WARM = 20, 5
CPU_STEPS, CPU_WARM = 2, 1
CPU_BATCH = 2
"""Problems a step where the plan's 16 would take a minute."""
Figures = dict[str, float | None]

Parts = Annotated[
    str | None,
    typer.Option("--parts", metavar="|".join(PARTS), help="Only these, comma-separated."),
]
Repeat = Annotated[int, typer.Option("--repeat", min=1, help="Turns of each; medians count.")]
Steps = Annotated[
    int | None,
    typer.Option(
        "--steps",
        min=1,
        help=f"Counted steps at plan sizes; default: {GPU_STEPS}, on a CPU {CPU_STEPS}.",
    ),
]
Warm = Annotated[
    int | None,
    typer.Option(
        "--warm",
        min=1,
        help=f"Uncounted steps before them; default: {GPU_WARM}, of which compiling is one, "
        f"on a CPU {CPU_WARM}.",
    ),
]
Batch = Annotated[
    int | None,
    typer.Option(
        "--batch",
        min=1,
        help=f"Problems a step at plan sizes; default: the plan's 16, on a CPU {CPU_BATCH}.",
    ),
]
Accumulation = Annotated[
    int | None,
    typer.Option(
        "--accumulation",
        min=1,
        help="Micro-batches a step at plan sizes; default: the plan's 8, on a CPU 1.",
    ),
]
Rung = Annotated[int, typer.Option("--rung", min=1, help="Steps of the grown core of the ladder.")]
Threads = Annotated[int, typer.Option("--threads", min=1, help="CPU threads of everybody.")]
Quick = Annotated[bool, typer.Option("--quick", help="Sizes that only show that everything runs.")]
Folder = Annotated[
    Path | None,
    typer.Option(
        "--folder", help="Where trained parts are kept; default: VOLTX_HOME/science, as for it."
    ),
]


@explained()
def scaling(
    parts: Parts = None,
    repeat: Repeat = 3,
    steps: Steps = None,
    warm: Warm = None,
    batch: Batch = None,
    accumulation: Accumulation = None,
    rung: Rung = 240,
    threads: Threads = 1,
    quick: Quick = False,
    folder: Folder = None,
    overrides: Overrides = [],  # noqa: B006 (typer reads the default and never changes it)
    as_json: AsJson = False,
) -> None:
    """Measure what growing costs and gives, what more processes do, and how fast exams go.

    The first time, a translator and a soft core are trained, about 5 minutes on two cores; they
    are kept in the folder. The parts take about 12 minutes more on a CPU, of which the ladder is
    half.

    Examples:

      voltx bench scaling --quick

      voltx bench scaling --parts sizes --steps 20 --json
    """
    wanted = _chosen(parts)
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: spinning threads contend
    import torch

    from voltx_core.stages.machine import device

    torch.set_num_threads(threads)
    here, out = device("auto"), console(stderr=as_json)
    load_before = os.getloadavg()[0]
    figures, why, samples = _nothing(), {}, {}

    def say(text: str) -> None:
        out.print(text, markup=False)

    with tempfile.TemporaryDirectory(prefix="voltx-scaling-") as room:
        if "sizes" in wanted:
            track = _track(Path(room), here, quick, batch, accumulation, warm, steps)
            samples["sizes"] = _sizes(track, repeat, figures, why, say)
        if len(wanted) > ("sizes" in wanted):
            made = _prepare(quick, overrides, folder, here, say)
        if "ranks" in wanted:
            samples["ranks"] = _ranks(made, Path(room) / "ranks", repeat, quick, figures, say)
        if "exam" in wanted:
            samples["exam"] = _exam(made, Path(room) / "exam", repeat, figures, say)
        if "ladder" in wanted:
            samples["ladder"] = _ladder(made, Path(room) / "ladder", 3 if quick else rung, say)
    if quick:
        stood_in = [name for name in figures if name.endswith(SIZE_ENDINGS)]
        figures |= dict.fromkeys(stood_in)
        why |= dict.fromkeys(stood_in, "--quick measures tiny sizes in place of the plan's")
    for name, value in figures.items():
        if value is None and name not in why:
            why[name] = "--parts leaves it out"
    _print_tables(out, samples, figures)
    if as_json:
        report = {
            "bench": "scaling",
            "figures": {k: None if v is None else _rounded(v) for k, v in figures.items()},
            "samples": samples,
            "environment": _environment(here, threads, repeat, quick, load_before),
            "why": why,
        }
        print(json.dumps(report))


def _chosen(parts: str | None) -> tuple[str, ...]:
    if parts is None:
        return PARTS
    asked = [part.strip() for part in parts.split(",")]
    unknown = [part for part in asked if part not in PARTS]
    if unknown:
        raise ConfigError(
            f"--parts {parts!r}: no part is called {', '.join(unknown) or 'nothing'}. "
            f"Parts: {', '.join(PARTS)}."
        )
    return tuple(asked)


def _nothing() -> Figures:
    return {
        **{f"step_ms{name}": None for name in SIZE_ENDINGS},
        **{f"mfu{name}": None for name in SIZE_ENDINGS},
        "vs_eager_51m": None,
        "two_rank_difference": None,
        "bench_problems_per_s": None,
        "bench_vs_sequential": None,
    }


def _track(
    room: Path,
    device: str,
    quick: bool,
    batch: int | None,
    accumulation: int | None,
    warm: int | None,
    steps: int | None,
) -> "Track":
    """The plan's sizes; ``quick`` keeps their names and takes tiny ones."""
    from voltx_core.bench import scaling_sizes as sizes
    from voltx_core.config import resolve

    on_gpu = device.startswith("cuda")
    if not on_gpu:
        batch, accumulation = batch or CPU_BATCH, accumulation or 1
    asked: dict[str, Any] = {"scaling.batch": batch, "scaling.accumulation": accumulation}
    if quick:
        asked["scaling.ladder"] = [{"width": 96, "blocks": 3}, {"width": 128, "blocks": 3}]
    config = resolve(
        "tiny" if quick else "cloud",
        {key: value for key, value in asked.items() if value is not None},
        environ={},
    )
    return sizes.track(
        config,
        room / "sizes",
        device,
        warm=warm or (GPU_WARM if on_gpu else CPU_WARM),
        steps=steps or (GPU_STEPS if on_gpu else CPU_STEPS),
    )


def _sizes(
    track: "Track", repeat: int, figures: Figures, why: dict[str, str], say: Any
) -> list[dict[str, Any]]:
    """Step time of both contenders with both bodies at every size that fits here."""
    from voltx_core.bench import scaling_sizes as sizes

    rows = []
    for name, size in sizes.ladder_sizes(track.config).items():
        for body in sizes.BODIES:
            config = sizes.core_config(track.config, size, body)
            count = sizes.parameters_of(config, track.config.translator.slot_width)
            row: dict[str, Any] = {"size": name, "body": body, "parameters": count}
            rows.append(row)
            row["why"] = sizes.missing_memory(count, track.device)
            if row["why"] is not None:
                if body == "mlp":
                    why |= dict.fromkeys((f"step_ms_{name}", f"mfu_{name}"), row["why"])
                continue
            turns: dict[str, list[sizes.Turn]] = {who: [] for who in sizes.CONTENDERS}
            for number in range(repeat):
                order = sizes.CONTENDERS if number % 2 == 0 else sizes.CONTENDERS[::-1]
                for who in order:
                    say(f"{name}, {body}, {track.device}; now {who}")
                    turns[who].append(sizes.turn(track, config, who))
            median = {
                who: statistics.median(turn.step_ms for turn in found)
                for who, found in turns.items()
            }
            share, reason = sizes.mfu(track, config, median[sizes.VOLTX])
            row |= {
                "step_ms": {who: [turn.step_ms for turn in found] for who, found in turns.items()},
                "cpu_ms": {who: [turn.cpu_ms for turn in found] for who, found in turns.items()},
                "memory_mib": turns[sizes.VOLTX][0].memory_mib,
                "mfu": share,
                "vs_eager": median[sizes.EAGER] / median[sizes.VOLTX],
                "batch": track.batch,
                "accumulation": track.config.scaling.accumulation,
            }
            if body == "mlp":
                figures[f"step_ms_{name}"], figures[f"mfu_{name}"] = median[sizes.VOLTX], share
                if share is None:
                    why[f"mfu_{name}"] = reason
                if name == "51m":
                    figures["vs_eager_51m"] = row["vs_eager"]
    return rows


def _prepare(
    quick: bool, overrides: list[str], folder: Path | None, device: str, say: Any
) -> "Material":
    from voltx_core.bench.scaling_material import prepare

    home = folder or Path(os.environ.get("VOLTX_HOME", "./.voltx")) / "science"
    return prepare(
        "tiny" if quick else "laptop",
        overrides,
        home.absolute(),
        workers=len(os.sched_getaffinity(0)),
        device=device,
        say=say,
    )


def _ranks(
    made: "Material", room: Path, repeat: int, quick: bool, figures: Figures, say: Any
) -> dict[str, Any]:
    from voltx_core.bench.scaling_ranks import compare

    found = compare(made, room, steps=4 if quick else 24, repeat=repeat, on_turn=say)
    figures["two_rank_difference"] = found["difference"]
    return found


def _exam(made: "Material", room: Path, repeat: int, figures: Figures, say: Any) -> dict[str, Any]:
    from voltx_core.bench.scaling_exam import OVERLAPPED, SEQUENTIAL, compare

    found = compare(made, room, problems=200, samples=4, repeat=repeat, on_turn=say)
    ours, plain = (statistics.median(found["seconds"][who]) for who in (OVERLAPPED, SEQUENTIAL))
    figures["bench_problems_per_s"] = found["programs"] / ours
    figures["bench_vs_sequential"] = plain / ours
    return found


def _ladder(made: "Material", room: Path, rung: int, say: Any) -> dict[str, Any]:
    from voltx_core.bench.scaling_ladder import climb

    rows, difference = climb(made, room, steps=rung, on_turn=say)
    return {"growth_difference": difference, "rows": rows}


def _print_tables(out: "Console", samples: dict[str, Any], figures: Figures) -> None:
    from rich.table import Table

    if rows := samples.get("ladder", {}).get("rows"):
        shown = ("cosine", "PFLOP in all", "heldout pass@1", "compositions pass@1")
        table = Table("core", "steps", *shown)
        for row in rows:
            table.add_row(row["size"], str(row["steps"]), *(f"{row[key]:.4g}" for key in shown))
        out.print(table)
    if rows := samples.get("sizes"):
        table = Table("size", "body", "parameters", "step ms", "x eager", "MFU")
        for row in rows:
            if row["why"] is not None:
                table.add_row(row["size"], row["body"], f"{row['parameters']:,}", row["why"])
                continue
            cells = (statistics.median(row["step_ms"]["voltx"]), row["vs_eager"], row["mfu"])
            shown = ("–" if cell is None else f"{cell:.4g}" for cell in cells)
            table.add_row(row["size"], row["body"], f"{row['parameters']:,}", *shown)
        out.print(table)
    for name, value in figures.items():
        out.print(f"{name}: {'–' if value is None else _rounded(value)}", markup=False)


def _rounded(value: float) -> float:
    """Five digits: differences of float32 sums are far below 1."""
    return float(f"{value:.5g}")


def _environment(
    device: str, threads: int, repeat: int, quick: bool, load_before: float
) -> dict[str, Any]:
    import torch

    return {
        "device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
        "threads": threads,
        "repeat": repeat,
        "quick": quick,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "system": f"{platform.system()} {platform.release()}",
        "processors": len(os.sched_getaffinity(0)),
        "load_before": round(load_before, 2),
        "load": round(os.getloadavg()[0], 2),
    }
