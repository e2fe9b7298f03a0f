"""`voltx bench decoder`: where the sixteen slots of a frame stop carrying a function.

Functions of this machine's packages are written back from their own frames, and from the features
of every one of their tokens, which is the plan's diagnostic. Both are measured on functions of
packages that nothing was trained on, sorted by length.
"""

import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voltx_core.bench.encoder import PRESET, Pool, Steps, Threads, environment
from voltx_core.cli.options import AsJson, Overrides, console, explained
from voltx_core.errors import ConfigError, DataError

if TYPE_CHECKING:
    from rich.console import Console

    from voltx_core.bench.reconstruction import Carried
    from voltx_core.config import VoltxConfig

SIZES: dict[str, dict[str, Any]] = {
    "laptop": {
        "translator.vocabulary": 2_048,
        "translator.encoder_tokens": 96,
        "translator.decoder_tokens": 96,
        "translator.steps": 4_000,
        "compute.log_every": 50,
    },
    "plan": {},
}
METHOD: dict[str, Any] = {
    "translator.objective": "reconstruction",
    "translator.translation_share": 0.0,
    "translator.contrastive_weight": 0.0,
}
"""Every function is written from its own frame: there is no query."""
VARIANTS: dict[str, str] = {
    "base": "as it is",
    "width": "slots twice as wide",
    "decoder": "twice the decoder blocks",
    "data": "half of the functions",
    "noise": "slots without noise in training",
}

Size = Annotated[str, typer.Option("--size", metavar="|".join(SIZES), help="Of the translator.")]
Functions = Annotated[
    int, typer.Option("--functions", min=64, help="Most functions that are trained on.")
]
Minutes = Annotated[
    float | None,
    typer.Option("--minutes", min=0.01, help="Train each about so long instead of steps."),
]
Variants = Annotated[
    str,
    typer.Option("--variants", metavar="A,B", help=f"What moves the limit: {', '.join(VARIANTS)}."),
]
Plot = Annotated[
    Path | None, typer.Option("--plot", metavar="FILE.svg", help="Draw accuracy over length.")
]


@explained()
def decoder(
    size: Size = "laptop",
    functions: Functions = 50_000,
    pool: Pool = 500,
    steps: Steps = None,
    minutes: Minutes = None,
    variants: Variants = "base",
    threads: Threads = 2,
    plot: Plot = None,
    overrides: Overrides = [],  # noqa: B006 - typer copies it
    as_json: AsJson = False,
) -> None:
    """Measure how much of a real function comes back from its frame, by its length.

    Every variant trains encoder and decoder anew, for the same steps. The figures are those of the
    first one. The defaults take about 15 minutes on two cores.

    Examples:

      voltx bench decoder --functions 4000 --minutes 1

      voltx bench decoder --variants base,width,decoder,data --plot frame.svg

      voltx bench decoder --json
    """
    chosen = [name.strip() for name in variants.split(",") if name.strip()]
    unknown = [name for name in chosen if name not in VARIANTS]
    if unknown or not chosen:
        raise ConfigError(f"--variants {variants!r}: use some of {', '.join(VARIANTS)}")
    if steps is not None and minutes is not None:
        raise ConfigError("Give --steps or --minutes, not both.")
    configs = {name: configured(size, name, steps, overrides) for name in chosen}
    import torch

    from voltx_core.bench import reconstruction
    from voltx_core.bench.functions import mine_functions
    from voltx_core.translator.tokenizer import CodeTokenizer

    torch.set_num_threads(threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    out = console(stderr=as_json)

    def say(text: str) -> None:
        out.print(text, markup=False)

    first = configs[chosen[0]]
    settings = first.translator
    most = min(settings.encoder_tokens, settings.decoder_tokens)
    mined = mine_functions(functions, pool=pool, seed=first.seed)
    say(f"{len(mined.learn)} functions mined; learning a vocabulary of {settings.vocabulary}")
    tokenizer = CodeTokenizer.train((pair.code for pair in mined.learn), settings.vocabulary)
    learn = reconstruction.short_enough(tokenizer, [pair.code for pair in mined.learn], most)
    held_out = reconstruction.short_enough(tokenizer, [pair.code for pair in mined.pool], most)
    if len(learn) < settings.batch or not held_out:
        raise DataError(
            f"Of {len(mined.learn)} functions, {len(learn)} have at most {most} tokens, and "
            f"{len(held_out)} of those held out; use more functions or more tokens."
        )
    found: dict[str, list[Carried]] = {}
    trainings: dict[str, dict[str, float]] = {}
    accuracy = 0.0
    with tempfile.TemporaryDirectory(prefix="voltx-bench-") as name:
        for variant, config in configs.items():
            say(f"{variant}: {VARIANTS[variant]}")
            codes = learn[: len(learn) // 2] if variant == "data" else learn
            translator, trained = reconstruction.train_on_slots(
                tokenizer,
                codes,
                config,
                Path(name, variant),
                minutes=minutes,
                device=device,
                say=say,
            )
            trainings[variant] = _training(trained)
            found[variant] = reconstruction.by_length(translator, held_out)
            if variant == chosen[0]:
                reader, read = reconstruction.train_on_tokens(
                    translator,
                    learn,
                    config,
                    Path(name, "tokens"),
                    minutes=minutes,
                    device=device,
                    say=say,
                )
                trainings["every token"] = _training(read)
                accuracy = reconstruction.token_accuracy_from_tokens(translator, reader, held_out)
    base = found[chosen[0]]
    figures: dict[str, float | None] = {
        "token_accuracy_diagnostic": round(accuracy, 4),
        "token_accuracy_slots": round(reconstruction.overall(base, "token_accuracy"), 4),
        "exact": round(reconstruction.overall(base, "exact"), 4),
        "same_program": round(reconstruction.overall(base, "same_program"), 4),
        "carried": round(reconstruction.overall(base, "carried"), 4),
        "half_carried_tokens": float(reconstruction.half_carried(base)),
    }
    _print_tables(out, found, figures)
    if plot:
        draw(base, plot)
        say(f"{plot} shows the token accuracy over the length")
    if as_json:
        report = {
            "bench": "decoder",
            "figures": figures,
            "samples": {
                "by_length": {name: [asdict(row) for row in rows] for name, rows in found.items()},
                "variants": {name: VARIANTS[name] for name in chosen},
                "training": trainings,
            },
            "environment": {
                "size": size,
                "functions": len(learn),
                "longer_than_the_decoder": len(mined.learn) - len(learn),
                "held_out": len(held_out),
                "threads": threads,
                "translator": settings.model_dump(mode="json"),
                **environment(),
            },
            "why": {},
        }
        print(json.dumps(report))


def configured(size: str, variant: str, steps: int | None, overrides: list[str]) -> "VoltxConfig":
    """The settings of a variant at a size, with the user's own on top.

    Raises:
        ConfigError: Unknown size or setting.
    """
    from voltx_core.config import resolve

    if size not in SIZES:
        raise ConfigError(f"--size {size!r} is unknown; use one of {', '.join(SIZES)}")
    own = [f"{key}={json.dumps(value)}" for key, value in (METHOD | SIZES[size]).items()]
    if steps is not None:
        own.append(f"translator.steps={steps}")
    base = resolve(PRESET[size], [*own, *overrides])
    changed = {
        "width": {"translator.slot_width": 2 * base.translator.slot_width},
        "decoder": {"translator.decoder_blocks": 2 * base.translator.decoder_blocks},
        "noise": {"translator.slot_noise": 0.0},
    }.get(variant, {})
    return resolve(PRESET[size], [*own, *overrides, *(f"{k}={v}" for k, v in changed.items())])


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


def _training(trained: Any) -> dict[str, float]:
    return {
        "steps": trained.steps,
        "seconds": round(trained.seconds, 1),
        "tflop": round(trained.flops / 1e12, 2),
        "loss": round(trained.curve[-1][1], 4),
    }


def _print_tables(
    out: "Console", found: "dict[str, list[Carried]]", figures: dict[str, float | None]
) -> None:
    from rich.table import Table

    for variant, rows in found.items():
        out.print(f"{variant}: {VARIANTS[variant]}")
        table = Table()
        for name in asdict(rows[0]):
            table.add_column(name.replace("_", " "), justify="right")
        for row in rows:
            table.add_row(*(str(value) for value in asdict(row).values()))
        out.print(table)
    for name, value in figures.items():
        out.print(f"{name:28} {value}")
