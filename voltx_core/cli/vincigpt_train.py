"""``voltx vincigpt train``: texts, tokens, stream, model; each step is skipped when it is done."""

import json
import logging
import os
import shlex
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voltx_core.cli.options import Overrides, StoreUrl, console, explained
from voltx_core.config.vincigpt import ABLATION_NAMES, PRESET_OF
from voltx_core.errors import ConfigError

if TYPE_CHECKING:
    from voltx_core.stages.contract import StopFlag
    from voltx_core.stages.lifecycle import Finished

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""

Preset = Annotated[
    str,
    typer.Option(
        "--preset",
        "-p",
        metavar="|".join(PRESET_OF),
        help="[b]tiny[/b] is for tests; [b]laptop[/b] takes about ten minutes on 2 cores; "
        "[b]h100-1h[/b] is 110 million parameters on TinyStories, about an hour of one H100.",
    ),
]
Ablations = Annotated[
    list[str],
    typer.Option(
        "--ablation",
        metavar="|".join(ABLATION_NAMES),
        help="Change one thing: attention across documents, ReLU² for SwiGLU, Muon for AdamW. "
        "May be repeated.",
    ),
]
Texts = Annotated[
    str | None,
    typer.Option(
        "--texts",
        metavar="tinystories|PATH",
        help="What is read instead of the preset's texts: .txt, .jsonl, .parquet or a folder.",
    ),
]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume/--fresh",
        help="Go on where an earlier training stopped, to the same bits; or train anew.",
    ),
]


@explained()
def train(
    preset: Preset = "laptop",
    ablations: Ablations = [],  # noqa: B006 (typer copies it)
    texts: Texts = None,
    overrides: Overrides = [],  # noqa: B006
    resume: Resume = True,
    store: StoreUrl = None,
) -> None:
    """Train vinciGPT here, in this process: texts → tokenizer → stream of tokens → model.

    What is done already is reused. Progress is saved on the way: after Ctrl-C, a kill or a power
    cut the same command goes on. The same through Prefect: [b]prefect deployment run
    vincigpt/train[/b].

    Examples:

      voltx vincigpt train                               docstrings of this machine

      voltx vincigpt train --texts stories.txt           your own texts

      voltx vincigpt train --preset h100-1h              TinyStories, on a GPU

      voltx vincigpt train --ablation muon --ablation relu2
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: spinning threads contend
    from voltx_core.config import resolve
    from voltx_core.config.vincigpt import translated
    from voltx_core.errors import Interrupted
    from voltx_core.stages import graph
    from voltx_core.stages.contract import StopFlag
    from voltx_core.stages.lifecycle import execute
    from voltx_core.stages.runs import RunRecord
    from voltx_core.stages.workspace import Workspace

    given = {"vincigpt.corpus.source": texts} if texts else {}
    size, changes = translated(
        _known("--preset", preset, PRESET_OF),
        [_known("--ablation", name, ABLATION_NAMES) for name in ablations],
        given,
    )
    settings = [f"{key}={json.dumps(value)}" for key, value in changes.items()]
    config, workspace = resolve(size, [*settings, *overrides]), Workspace.open(store)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    run_id = f"{datetime.now():%Y-%m-%d-%H%M%S}-vincigpt"
    stages = graph.select(["vincigpt"])
    RunRecord(workspace.artifacts, run_id).start(config, stages)
    began = datetime.now(UTC).isoformat(timespec="milliseconds")
    stop, out = StopFlag(), console()
    with _stopping(stop):
        try:
            for name in stages:
                finished = execute(
                    name,
                    config,
                    workspace,
                    run_id=run_id,
                    stop=stop,
                    force=not resume and name == "vincigpt",
                )
        except Interrupted as interruption:
            again = _again(preset, ablations, texts, overrides)
            out.print(f"{interruption}\nGo on: [b]{again}[/]", soft_wrap=True)
            raise typer.Exit(INTERRUPTED) from None
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    outcome = {
        "state": "completed",
        "why": None,
        "started_at": began,
        "finished_at": now,
        "report": None,
    }
    workspace.artifacts.put_json(f"runs/{run_id}/outcome.json", outcome)
    _show(finished, out)


def _known(option: str, name: str, names: Any) -> Any:
    if name not in names:
        raise ConfigError(f"{option} {name!r} is unknown; use one of {', '.join(names)}.")
    return name


@contextmanager
def _stopping(stop: "StopFlag") -> Iterator[None]:
    """Within, SIGINT and SIGTERM ask the training to save and leave."""

    def ask(number: int, _: Any) -> None:
        stop.set(f"{signal.Signals(number).name}: progress is being saved")

    earlier = {wish: signal.signal(wish, ask) for wish in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for wish, handler in earlier.items():
            signal.signal(wish, handler)


def _again(preset: str, ablations: list[str], texts: str | None, overrides: list[str]) -> str:
    words = ["voltx", "vincigpt", "train", "--preset", preset]
    words += [word for name in ablations for word in ("--ablation", name)]
    words += ["--texts", texts] if texts else []
    words += [word for text in overrides for word in ("--set", text)]
    return shlex.join([*words, "--resume"])


def _show(finished: "Finished", out: Any) -> None:
    found = finished.report["metrics"]
    out.print(
        f"\nvinciGPT {finished.state}: validation loss [b]{found['best_validation_loss']:.4f}[/], "
        f"best at step {found['best_step']:.0f}; a 3-gram model of the same tokens has "
        f"{found['ngram_loss']:.4f}.",
        soft_wrap=True,
    )
    out.print('Next: [b]voltx vincigpt infer --prompt "Return the"[/]')
