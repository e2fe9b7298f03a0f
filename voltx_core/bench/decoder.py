"""`voltx bench decoder`: where the sixteen slots of a frame stop carrying a function.

    voltx bench decoder --variants few,slots,width,decoder,data,heart

Functions of this machine's packages are written back from their own frames, by their length: held
out, learned from, and from the best frame that descent finds, which is what the decoder could do.
Beside them a decoder reads every token's features, which is the plan's diagnostic.
"""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voltx_core.bench.decoder_variants import SIZES, VARIANTS, chosen, configured
from voltx_core.bench.encoder import Pool, Steps, Threads, environment
from voltx_core.cli.options import AsJson, Overrides, console, explained
from voltx_core.errors import DataError

if TYPE_CHECKING:
    from rich.console import Console

    from voltx_core.bench.decoder_work import Material, Measured
    from voltx_core.bench.reconstruction import Carried

SEARCHED = 48

Size = Annotated[str, typer.Option("--size", metavar="|".join(SIZES), help="Of the translator.")]
Functions = Annotated[int, typer.Option("--functions", min=64, help="Most functions mined.")]
Variants = Annotated[
    str,
    typer.Option("--variants", metavar="A,B", help=f"What moves the limit: {', '.join(VARIANTS)}."),
]
Quick = Annotated[bool, typer.Option("--quick", help="Sizes that only show that everything runs.")]
Folder = Annotated[
    Path | None,
    typer.Option("--folder", help="Where results are kept; default: VOLTX_HOME/decoder."),
]
Plot = Annotated[
    Path | None, typer.Option("--plot", metavar="FILE.svg", help="Draw accuracy over length.")
]


@explained()
def decoder(
    size: Size = "laptop",
    functions: Functions = 20_000,
    pool: Pool = 800,
    steps: Steps = None,
    variants: Variants = "base,few,slots,width,decoder,data",
    quick: Quick = False,
    folder: Folder = None,
    threads: Threads = 2,
    plot: Plot = None,
    overrides: Overrides = [],  # noqa: B006 - typer copies it
    as_json: AsJson = False,
) -> None:
    """Measure how much of a real function comes back from its frame, by its length.

    Every variant trains encoder and decoder anew, for the arithmetic of the first one, whose
    figures are reported. Finished work is kept in the folder: a bench that was killed goes on
    where it stopped. The defaults take about 15 minutes on two idle cores.

    Examples:

      voltx bench decoder --quick

      voltx bench decoder --variants few,slots,width,decoder,data,noise,roles --plot frame.svg

      voltx bench decoder --json
    """
    names = chosen(variants)
    configs = {
        name: configured(size, VARIANTS[name], steps, overrides, quick=quick) for name in names
    }
    if quick:
        functions, pool = min(functions, 400), min(pool, 60)
    import torch

    from voltx_core.bench.decoder_work import measure, prepare

    torch.set_num_threads(threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    folder = (folder or Path(os.environ.get("VOLTX_HOME", "./.voltx")) / "decoder").absolute()
    out = console(stderr=as_json)

    def say(text: str) -> None:
        out.print(text, markup=False)

    material = prepare(folder, configs["base"], functions, pool, say)
    say(f"{len(material.learn)} functions to learn from, {len(material.held_out)} held out")
    found: dict[str, Measured] = {}
    for name, config in configs.items():
        say(f"{name}: {VARIANTS[name].title}")
        found[name] = measure(
            material,
            VARIANTS[name],
            config,
            configs["base"],
            folder,
            searched=SEARCHED,
            diagnostic=name == "base",
            device=device,
            say=say,
        )
    figures = figures_of(found["base"])
    _print_tables(out, found, figures)
    if plot:
        draw(found["base"].held_out, plot)
        say(f"{plot} shows the token accuracy over the length")
    if as_json:
        report = {
            "bench": "decoder",
            "figures": figures,
            "samples": {
                "variants": {name: VARIANTS[name].title for name in names},
                "measured": {name: asdict(each) for name, each in found.items()},
            },
            "environment": _environment(size, threads, material)
            | {"translator": configs["base"].translator.model_dump(mode="json")},
            "why": {},
        }
        print(json.dumps(report))


def figures_of(base: "Measured") -> dict[str, float | None]:
    """The figures of the bench: those of the variant that nothing is changed in."""
    from voltx_core.bench.reconstruction import half_carried, overall

    kinds = {
        "": base.held_out,
        "_learned": base.learned,
        "_best_frame": base.best_frame,
    }
    figures: dict[str, float | None] = {"token_accuracy_diagnostic": base.accuracy_from_tokens}
    for kind, rows in kinds.items():
        figures[f"token_accuracy_slots{kind}"] = round(overall(rows, "token_accuracy"), 4)
        for name in ("exact", "same_program", "carried"):
            figures[f"{name}{kind}"] = round(overall(rows, name), 4)
        figures[f"half_carried_tokens{kind}"] = float(half_carried(rows))
    return figures


def draw(found: "list[Carried]", path: Path) -> None:
    """Token accuracy over the length of the functions, as an SVG.

    Raises:
        DataError: The file cannot be written.
    """
    from voltx_core.report import svg
    from voltx_core.report.charts import curve_chart

    curve = tuple((each.tokens, each.token_accuracy) for each in found)
    drawing = curve_chart("token accuracy from the true frame, by tokens of the function", curve)
    try:
        path.write_text(svg.standalone(drawing), encoding="utf-8")
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error}. Choose another --plot.") from error


def _environment(size: str, threads: int, material: "Material") -> dict[str, Any]:
    return {
        "size": size,
        "functions": len(material.learn),
        "longer_than_the_decoder": round(material.longer, 4),
        "held_out": len(material.held_out),
        "searched": min(SEARCHED, len(material.held_out)),
        "threads": threads,
        **environment(),
    }


def _print_tables(
    out: "Console", found: "dict[str, Measured]", figures: dict[str, float | None]
) -> None:
    """Token accuracy and share written back the same, by length, a line for each variant."""
    from rich.table import Table

    from voltx_core.bench.reconstruction import overall

    ends = sorted({row.tokens for each in found.values() for row in each.learned + each.held_out})
    for what in ("token_accuracy", "same_program"):
        table = Table("variant", "functions", "steps", *(f"≤ {end}" for end in ends), "all")
        for name, each in found.items():
            for kind in ("held_out", "learned", "best_frame"):
                rows: list[Carried] = getattr(each, kind)
                by_end = {row.tokens: f"{getattr(row, what):.2f}" for row in rows}
                shown = (by_end.get(end, "") for end in ends)
                steps = str(each.training["steps"])
                table.add_row(
                    name, kind.replace("_", " "), steps, *shown, f"{overall(rows, what):.3f}"
                )
        out.print(f"{what.replace('_', ' ')}, by tokens of the function", table)
    for name, value in figures.items():
        out.print(f"{name:32} {value}")
