"""`voltx bench encoder`: how well the encoder finds functions by their description.

It is trained here on docstrings of the packages installed on this machine, and asked for functions
of other packages and for answers to questions that people asked. BM25 and a bag of tokens answer
the same on the same pools.
"""

import json
import os
import platform
import tempfile
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voltx_core.cli.options import AsJson, Overrides, console, explained
from voltx_core.errors import ConfigError, DataError

if TYPE_CHECKING:
    from rich.console import Console

    from voltx_core.bench.functions import Functions, Questions
    from voltx_core.bench.retrieval_training import TrainedEncoder
    from voltx_core.config import VoltxConfig

MOST_PAIRS = 50_000
LEAST_PAIRS = 200
SIZES: dict[str, dict[str, Any]] = {
    "laptop": {
        "translator.vocabulary": 16_384,
        "translator.encoder_tokens": 160,
        "translator.slot_width": 512,
        "translator.batch": 128,
        "translator.steps": 2_000,
        "compute.log_every": 20,
    },
    "plan": {},
}
"""What differs from the preset of that name; ``plan`` is the plan's own translator."""
PRESET = {"laptop": "laptop", "plan": "cloud"}
METHOD: dict[str, Any] = {
    "translator.objective": "contrastive",
    "compute.evaluate_every": 250,
}
_PACKAGES = ("torch", "tokenizers", "scikit-learn")
_OF_QUESTIONS = ("questions_mrr", "questions_mrr_bm25", "questions_mrr_bag")

Size = Annotated[str, typer.Option("--size", metavar="|".join(SIZES), help="Of the translator.")]
Pairs = Annotated[
    int, typer.Option("--pairs", min=LEAST_PAIRS, help="Most docstring pairs trained on.")
]
Pool = Annotated[int, typer.Option("--pool", min=10, help="Held-out functions to search among.")]
Minutes = Annotated[
    float | None, typer.Option("--minutes", min=0.01, help="Train about so long instead of steps.")
]
Steps = Annotated[int | None, typer.Option("--steps", min=1, help="Optimizer steps.")]
Threads = Annotated[int, typer.Option("--threads", min=1, help="CPU threads.")]


@explained()
def encoder(
    size: Size = "laptop",
    pairs: Pairs = MOST_PAIRS,
    pool: Pool = 1_000,
    steps: Steps = None,
    minutes: Minutes = None,
    threads: Threads = 2,
    overrides: Overrides = [],  # noqa: B006 - typer copies it
    as_json: AsJson = False,
) -> None:
    """Train the encoder on docstrings and measure how well it finds functions.

    The pool holds functions of packages that nothing was trained on. Questions come from
    code_search under VOLTX_DATA_DIR. The defaults take about 12 minutes on two idle cores.

    Examples:

      voltx bench encoder --pairs 5000 --minutes 1

      voltx bench encoder --set translator.lexicon=false

      voltx bench encoder --json
    """
    config = configured(size, steps, overrides)
    if steps is not None and minutes is not None:
        raise ConfigError("Give --steps or --minutes, not both.")
    import torch

    from voltx_core.bench.functions import mine_functions, read_questions
    from voltx_core.bench.retrieval_training import train_encoder

    torch.set_num_threads(threads)
    out = console(stderr=as_json)

    def say(text: str) -> None:
        out.print(text, markup=False)

    questions, origin = read_questions(config.data.directory)
    functions = mine_functions(
        pairs,
        pool=pool,
        seed=config.seed,
        exclude=questions.codes if questions else (),
        tell=lambda count: say(f"{count} pairs mined") if count % 10_000 == 0 else None,
    )
    if len(functions.learn) < LEAST_PAIRS or len(functions.pool) < 2:
        raise DataError(
            f"The packages installed here gave {len(functions.learn)} pairs to train on and "
            f"{len(functions.pool)} held out; at least {LEAST_PAIRS} and 2 are needed."
        )
    with tempfile.TemporaryDirectory(prefix="voltx-bench-") as folder:
        trained = train_encoder(
            functions,
            config,
            Path(folder),
            minutes=minutes,
            device="cuda" if torch.cuda.is_available() else "cpu",
            say=say,
        )
    say("searching")
    figures, tables, why = _search(trained, functions, questions, origin, config)
    _print_tables(out, tables, figures)
    for reason in dict.fromkeys(why.values()):
        say(f"not measured: {reason}")
    if as_json:
        report = {
            "bench": "encoder",
            "figures": figures,
            "samples": {
                "retrieval": tables,
                "loss": trained.curve,
                "pool_mrr_on_the_way": trained.watched,
                "questions_from": origin,
                "functions_that_kept_their_docstring": questions.uncut if questions else None,
                "packages_held_out": sorted({pair.package or "" for pair in functions.pool}),
            },
            "environment": {
                "size": size,
                "pairs": len(functions.learn),
                "pool": len(functions.pool),
                "steps": trained.steps,
                "training_s": round(trained.seconds, 1),
                "training_cpu_s": round(trained.cpu_s, 1),
                "tflop": round(trained.flops / 1e12, 2),
                "threads": threads,
                "translator": config.translator.model_dump(mode="json"),
                **environment(),
            },
            "why": why,
        }
        print(json.dumps(report))


def _search(
    trained: "TrainedEncoder",
    functions: "Functions",
    questions: "Questions | None",
    origin: str,
    config: "VoltxConfig",
) -> tuple[dict[str, float | None], dict[str, dict[str, dict[str, float]]], dict[str, str]]:
    """Figures, the metrics of every method on every pool, and why figures are missing."""
    from voltx_core.bench.retrieval_training import contrastive_validation, on_pool, on_questions

    translator = trained.translator
    found = on_pool(translator, functions)
    tables = {f"{len(functions.pool)} functions of held-out packages": found}
    validation = contrastive_validation(translator, functions, config.translator.temperature)
    figures: dict[str, float | None] = {
        "mrr": found["encoder"]["mrr"],
        "mrr_bm25": found["BM25"]["mrr"],
        "mrr_bag": found["bag of tokens"]["mrr"],
        "recall_at_1": found["encoder"]["recall@1"],
        "recall_at_10": found["encoder"]["recall@10"],
        "contrastive_validation": validation,
        "pairs_per_s": trained.pairs_per_s,
        **dict.fromkeys(_OF_QUESTIONS),
    }
    why = {}
    if validation is None:
        why["contrastive_validation"] = "fewer than 128 functions are held out"
    if questions is None:
        why |= dict.fromkeys(_OF_QUESTIONS, origin)
    else:
        asked = on_questions(translator, questions, questions.codes)
        figures |= {
            "questions_mrr": asked["encoder"]["mrr"],
            "questions_mrr_bm25": asked["BM25"]["mrr"],
            "questions_mrr_bag": asked["bag of tokens"]["mrr"],
        }
        tables[f"{origin}, docstrings cut out"] = asked
        whole = on_questions(translator, questions, questions.whole)
        tables["the same with their docstrings"] = whole
    rounded = {name: None if each is None else round(each, 4) for name, each in figures.items()}
    return rounded, tables, why


def configured(size: str, steps: int | None, overrides: list[str]) -> "VoltxConfig":
    """The settings of a size, with the user's own on top.

    Raises:
        ConfigError: Unknown size or setting.
    """
    from voltx_core.config import resolve

    if size not in SIZES:
        raise ConfigError(f"--size {size!r} is unknown; use one of {', '.join(SIZES)}")
    own = [f"{key}={json.dumps(value)}" for key, value in (METHOD | SIZES[size]).items()]
    if steps is not None:
        own.append(f"translator.steps={steps}")
    return resolve(PRESET[size], [*own, *overrides])


def environment() -> dict[str, Any]:
    """What a measurement depends on besides its settings."""
    import torch

    return {
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "processors": len(os.sched_getaffinity(0)),
        "load": os.getloadavg()[0],
        "packages": {name: metadata.version(name) for name in _PACKAGES},
    }


def _print_tables(
    out: "Console",
    tables: dict[str, dict[str, dict[str, float]]],
    figures: dict[str, float | None],
) -> None:
    from rich.table import Table

    for title, methods in tables.items():
        out.print(title, markup=False)
        table = Table()
        table.add_column("", no_wrap=True)
        names = list(next(iter(methods.values())))
        for name in names:
            table.add_column(name, justify="right")
        for method, found in methods.items():
            table.add_row(method, *(f"{found[name]:.4f}" for name in names))
        out.print(table)
    for name in ("contrastive_validation", "pairs_per_s"):
        out.print(f"{name:24} {figures[name]}")
