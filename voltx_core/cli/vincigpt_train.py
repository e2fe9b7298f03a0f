"""``voltx vincigpt train``: texts, tokens, stream, model; each step is skipped when it is done."""

import json
import logging
import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voltx_core.cli.options import Overrides, StoreUrl, console, explained
from voltx_core.config.vincigpt import ABLATION_NAMES, PRESET_OF
from voltx_core.errors import ConfigError

if TYPE_CHECKING:
    from voltx_core.config import VoltxConfig
    from voltx_core.stages.lifecycle import Finished
    from voltx_core.stages.workspace import Workspace

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
Run = Annotated[
    str | None,
    typer.Option(
        "--run",
        metavar="RUN",
        help="Take up this training again: with [b]--fresh[/b], the one that was begun anew.",
    ),
]


@explained()
def train(
    preset: Preset = "laptop",
    ablations: Ablations = [],  # noqa: B006 (typer copies it)
    texts: Texts = None,
    overrides: Overrides = [],  # noqa: B006
    resume: Resume = True,
    run: Run = None,
    store: StoreUrl = None,
) -> None:
    """Train vinciGPT here, in this process: texts → tokenizer → stream of tokens → model.

    What is done already is reused. Progress is saved on the way: after Ctrl-C, a kill or a power
    cut the same command goes on; one with [b]--fresh[/b] says at its start how. The same through
    Prefect: [b]prefect deployment run vincigpt/train[/b].

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
    from voltx_core.training.session import stopping

    given = {"vincigpt.corpus.source": texts} if texts else {}
    size, changes = translated(
        _known("--preset", preset, PRESET_OF),
        [_known("--ablation", name, ABLATION_NAMES) for name in ablations],
        given,
    )
    settings = [f"{key}={json.dumps(value)}" for key, value in changes.items()]
    config, workspace = resolve(size, [*settings, *overrides]), Workspace.open(store)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    stages = graph.select(["vincigpt"])
    run_id = run or f"{datetime.now():%Y-%m-%d-%H%M%S}-vincigpt"
    if run:
        _take_up(run, config, workspace)
    else:
        RunRecord(workspace.artifacts, run_id).start(config, stages)
    stop, out = StopFlag(), console()
    again = _again(preset, ablations, texts, overrides, store, None if resume else run_id)
    if not resume:
        out.print(f"If it is cut short, go on: [b]{again}[/]", soft_wrap=True)
    try:
        with stopping(stop, "progress is being saved"), _concluded(workspace, run_id):
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
        out.print(f"{interruption}\nGo on: [b]{again}[/]", soft_wrap=True)
        raise typer.Exit(INTERRUPTED) from None
    _show(finished, out)


def _known(option: str, name: str, names: Any) -> Any:
    if name not in names:
        raise ConfigError(f"{option} {name!r} is unknown; use one of {', '.join(names)}.")
    return name


def _take_up(run_id: str, config: "VoltxConfig", workspace: "Workspace") -> None:
    """Make sure that a run is this training, and let whoever watches it know that it goes on.

    Raises:
        ConfigError: There is no such run, or it trains something else.
    """
    from voltx_core.stages.runs import RunRecord

    begun = RunRecord(workspace.artifacts, run_id).read()
    if begun is None:
        raise ConfigError(
            f"--run: there is no run {run_id!r} in {workspace.url}. Name one of this store "
            "(--store), or leave --run out."
        )
    if begun["config"].get("vincigpt") != config.vincigpt.model_dump(mode="json"):
        raise ConfigError(
            f"--run: {run_id!r} was begun with other settings of vinciGPT. Give the options that "
            "it was begun with, or leave --run out."
        )
    workspace.artifacts.store.delete(_outcome_of(run_id))


@contextmanager
def _concluded(workspace: "Workspace", run_id: str) -> Iterator[None]:
    """Within, a run goes on; how it ended is written down, also for those who watch it."""
    from voltx_core.errors import Interrupted

    began, state, why = _now(), "completed", None
    try:
        yield
    except BaseException as error:
        state = "interrupted" if isinstance(error, Interrupted) else "failed"
        why = str(error) or type(error).__name__
        raise
    finally:
        times = {"started_at": began, "finished_at": _now()}
        outcome = {"state": state, "why": why, **times, "report": None}
        workspace.artifacts.put_json(_outcome_of(run_id), outcome)


def _outcome_of(run_id: str) -> str:
    return f"runs/{run_id}/outcome.json"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _again(
    preset: str,
    ablations: list[str],
    texts: str | None,
    overrides: list[str],
    store: str | None,
    forced: str | None,
) -> str:
    """The command that goes on; what was begun anew is found by its run alone."""
    words = ["voltx", "vincigpt", "train", "--preset", preset]
    words += [word for name in ablations for word in ("--ablation", name)]
    words += ["--texts", texts] if texts else []
    words += [word for text in overrides for word in ("--set", text)]
    words += ["--store", store] if store else []
    return shlex.join([*words, *(["--fresh", "--run", forced] if forced else ["--resume"])])


def _show(finished: "Finished", out: Any) -> None:
    found = finished.report["metrics"]
    out.print(
        f"\nvinciGPT {finished.state}: validation loss [b]{found['best_validation_loss']:.4f}[/], "
        f"best at step {found['best_step']:.0f}; a 3-gram model of the same tokens has "
        f"{found['ngram_loss']:.4f}.",
        soft_wrap=True,
    )
    out.print('Next: [b]voltx vincigpt infer --prompt "Return the"[/]')
