"""`voltx bench science`: does every part of the method earn its place?

Trains the method and what it would be without each of its parts, with several seeds, by the
stages of the graph. Each seed draws its own problems, so its held-out problems are its own too.
"""

import json
import os
import platform
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voltx_core.cli.options import AsJson, Overrides, console, explained
from voltx_core.errors import Interrupted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from voltx_core.bench.science_figures import Spread
    from voltx_core.bench.science_variants import Variant
    from voltx_core.bench.science_work import Job, Work

_PACKAGES = ("torch", "tokenizers", "faiss-cpu", "scikit-learn")

Seeds = Annotated[
    int | None,
    typer.Option("--seeds", min=1, help="Seeds 0, 1, ...; default: 3, with --quick 1."),
]
Variants = Annotated[
    str | None,
    typer.Option("--variants", metavar="NAME,NAME", help="Only these; default: every one."),
]
Quick = Annotated[bool, typer.Option("--quick", help="Sizes that only show that everything runs.")]
Folder = Annotated[
    Path | None,
    typer.Option("--folder", help="Where results are kept; default: VOLTX_HOME/science."),
]
Workers = Annotated[
    int | None, typer.Option("--workers", min=1, help="Stages side by side; default: one a core.")
]


@explained()
def science(
    seeds: Seeds = None,
    variants: Variants = None,
    quick: Quick = False,
    folder: Folder = None,
    workers: Workers = None,
    overrides: Overrides = [],  # noqa: B006 (typer reads the default and never changes it)
    as_json: AsJson = False,
) -> None:
    """Train the method and its ablations with several seeds, and say what each part is worth.

    Finished work is kept in the folder: an interrupted bench goes on where it stopped, and asking
    for more seeds or variants trains only what is missing. Everything, with three seeds, should
    take between one and two hours on two idle cores.

    Examples:

      voltx bench science --quick

      voltx bench science --seeds 3 --variants soft_core,baseline,no_attention --json
    """
    from voltx_core.bench.science_figures import figures
    from voltx_core.bench.science_variants import chosen
    from voltx_core.bench.science_work import Cell, Work, run
    from voltx_core.cli.countdown import countdown

    wanted = chosen(variants)
    numbers = range(seeds or (1 if quick else 3))
    preset = "tiny" if quick else "laptop"
    folder = (folder or Path(os.environ.get("VOLTX_HOME", "./.voltx")) / "science").absolute()
    cores = len(os.sched_getaffinity(0))
    out = console(stderr=as_json)
    work = Work.of(
        [Cell(variant, seed) for variant in wanted for seed in numbers], preset, overrides
    )
    out.print(f"{len(wanted)} variants, {len(numbers)} seeds: {len(work.jobs)} stages to run")

    def tell(job: "Job", seconds: float) -> None:
        said = job.why or f"{job.stage}, seed {job.seed}: {seconds:.0f} s"
        out.print(said, markup=False)

    load_before, interruption = os.getloadavg()[0], None
    with countdown("science") as on_progress:
        try:
            run(work, folder, workers=workers or cores, on_progress=on_progress, on_end=tell)
        except Interrupted as error:
            interruption = error
    _print_tables(out, work, wanted, numbers)
    values, samples, why = figures(work, numbers)
    if as_json and interruption is None:
        report = {
            "bench": "science",
            "figures": values,
            "samples": samples,
            "environment": _environment(preset, numbers, overrides, load_before),
            "why": why,
        }
        print(json.dumps(report))
    if interruption is not None:
        raise interruption


def _print_tables(
    out: "Console", work: "Work", variants: "Sequence[Variant]", seeds: "Sequence[int]"
) -> None:
    """Pass rates of every variant beside the method itself, then everything else measured."""
    from rich.table import Table

    from voltx_core.bench.science_figures import SOURCES, difference, own, spread
    from voltx_core.bench.science_variants import VARIANTS

    table = Table("variant", "compositions", "held-out problems", "against soft_core", "seeds")
    for variant in variants:
        if variant.compared_in not in variant.stages:
            continue
        here = own(variant, "compositions")
        found, why = spread(work, here, seeds)
        if found is None:
            table.add_row(f"{variant.name}: {variant.title}", f"not run: {why}", "", "", "0")
            continue
        also, _ = spread(work, own(variant, "heldout"), seeds)
        gap = difference(work, here, own(VARIANTS["soft_core"], "compositions"), seeds)
        table.add_row(
            f"{variant.name}: {variant.title}",
            _shown(found),
            _shown(also),
            "" if variant.name == "soft_core" else _shown(gap, signed=True),
            str(len(found.values)),
        )
    out.print("pass@1, greedy, with 95 % intervals", table)
    rest = Table("figure", "", "seeds")
    for name, source in SOURCES.items():
        found, _ = spread(work, source, seeds)
        if found is not None:
            rest.add_row(name, _shown(found), str(len(found.values)))
    out.print(rest)


def _shown(found: "Spread | None", *, signed: bool = False) -> str:
    if found is None:
        return "not run"
    mean = f"{found.mean:+.3f}" if signed else f"{found.mean:.3f}"
    return mean if found.low is None else f"{mean} [{found.low:.3f}, {found.high:.3f}]"


def _environment(
    preset: str, seeds: "Sequence[int]", overrides: "Sequence[str]", load_before: float
) -> dict[str, Any]:
    return {
        "preset": preset,
        "seeds": list(seeds),
        "overrides": list(overrides),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "processors": len(os.sched_getaffinity(0)),
        "load_before": round(load_before, 2),
        "load": round(os.getloadavg()[0], 2),
        "packages": {name: metadata.version(name) for name in _PACKAGES},
    }
