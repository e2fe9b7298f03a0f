"""`voltx bench vincigpt`: tokens a second and MFU, beside plain loops of the same transformer.

Everybody trains on the same rows with the same threads in one process, in turns; what the mask
costs is voltx beside itself without it.
"""

import json
import os
import platform
import statistics
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voltx_core.cli.options import AsJson, StoreUrl, console, explained
from voltx_core.config.vincigpt import PRESET_OF
from voltx_core.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console

    from voltx_core.bench.vincigpt_race import Track

Preset = Annotated[
    str | None,
    typer.Option(
        "--preset",
        "-p",
        metavar="|".join(PRESET_OF),
        help="Sizes; default: h100-1h on a CUDA device, else laptop.",
    ),
]
Steps = Annotated[int, typer.Option("--steps", min=1, help="Counted steps of a turn.")]
Warm = Annotated[int, typer.Option("--warm", min=1, help="Uncounted steps before them.")]
Repeat = Annotated[int, typer.Option("--repeat", min=1, help="Turns of each; medians count.")]
Threads = Annotated[int, typer.Option("--threads", min=1, help="CPU threads of everybody.")]
HotSpots = Annotated[
    bool, typer.Option("--hot-spots", help="Also show which operators take the time.")
]


@explained()
def vincigpt(
    preset: Preset = None,
    steps: Steps = 6,
    warm: Warm = 3,
    repeat: Repeat = 3,
    threads: Threads = 1,
    hot_spots: HotSpots = False,
    store: StoreUrl = None,
    as_json: AsJson = False,
) -> None:
    """Measure training of vinciGPT beside plain PyTorch loops.

    A plain eager loop and a plain compiled one, both without masks, and voltx with and without
    its mask. Losses come from the newest vinciGPT of the store. About 3 minutes on a CPU, of
    which compiling is one.

    Examples:

      voltx bench vincigpt --json

      voltx bench vincigpt --steps 50 --hot-spots
    """
    if preset is not None and preset not in PRESET_OF:
        raise ConfigError(f"--preset {preset!r} is unknown; use one of {', '.join(PRESET_OF)}.")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: spinning threads contend
    import torch

    from voltx_core.bench import vincigpt_race as contest
    from voltx_core.config import resolve
    from voltx_core.stages.machine import device

    here = device("auto")
    chosen = preset or ("h100-1h" if here == "cuda" else "laptop")
    config = resolve(PRESET_OF[chosen])
    torch.set_num_threads(threads)
    out = console(stderr=as_json)
    with tempfile.TemporaryDirectory(prefix="voltx-bench-") as folder:
        track = contest.track(config, Path(folder), here, warm=warm, steps=steps)
        with out.status("") as status:

            def on_turn(name: str) -> None:
                if out.is_terminal:
                    status.update(f"{chosen} on {here}; now {name}")
                else:
                    out.print(f"{chosen} on {here}; now {name}")

            speeds = contest.race(track, repeat=repeat, on_turn=on_turn)
        spots = contest.hot_spots(track) if hot_spots else []
    figures, why = _figures(track, speeds, store)
    _print_table(out, chosen, here, speeds, figures, spots)
    if as_json:
        report = {
            "bench": "vincigpt",
            "figures": figures,
            "samples": {"tok_s": speeds, "hot_spots": spots},
            "environment": _environment(chosen, here, steps, warm, repeat, threads),
            "why": why,
        }
        print(json.dumps(report))


def _figures(
    track: "Track", speeds: dict[str, list[float]], store: str | None
) -> tuple[dict[str, float | None], dict[str, str]]:
    import torch

    from voltx_core.bench import vincigpt_race as contest
    from voltx_core.training.peaks import dense_peak
    from voltx_core.vincigpt.token_pace import utilisations

    median = {name: statistics.median(found) for name, found in speeds.items()}
    peak, reason = None, "no CUDA device here"
    if track.device == "cuda":
        name = torch.cuda.get_device_name()
        peak, reason = dense_peak(name, "bfloat16"), f"the peak of {name} is not in the table"
    figures = utilisations(track.shape, median[contest.VOLTX], peak)
    why = {key: reason for key, value in figures.items() if value is None}
    figures |= {
        "vs_eager": median[contest.VOLTX] / median[contest.EAGER],
        "vs_compiled_unmasked": median[contest.VOLTX] / median[contest.COMPILED],
        "mask_cost_share": 1 - median[contest.VOLTX] / median[contest.UNMASKED],
    }
    losses, said = _losses(store)
    figures |= losses
    why |= dict.fromkeys((key for key, value in losses.items() if value is None), said)
    return {k: None if v is None else round(v, 4) for k, v in figures.items()}, why


def _losses(store: str | None) -> tuple[dict[str, float | None], str]:
    """Of the newest vinciGPT in the store."""
    from voltx_core.stages.lifecycle import read_report
    from voltx_core.stages.workspace import Workspace

    workspace = Workspace.open(store)
    made = workspace.artifacts.manifests("vincigpt")
    if not made:
        said = f"{workspace.url} holds no vinciGPT; train one: voltx vincigpt train"
        return {"validation_loss": None, "ngram_loss": None}, said
    found = read_report(workspace, made[0])["metrics"]
    losses = {"validation_loss": found["best_validation_loss"], "ngram_loss": found["ngram_loss"]}
    return losses, "its report does not say"


def _print_table(
    out: "Console",
    preset: str,
    device: str,
    speeds: dict[str, list[float]],
    figures: dict[str, float | None],
    spots: list[tuple[str, float]],
) -> None:
    from rich.table import Table

    table = Table(title=f"vinciGPT, {preset}, {device}")
    table.add_column("", no_wrap=True)
    for column in ("tok/s", "slowest", "fastest"):
        table.add_column(column, justify="right", no_wrap=True)
    for name, found in speeds.items():
        row = (statistics.median(found), min(found), max(found))
        table.add_row(name, *(f"{value:,.0f}" for value in row))
    out.print(table)
    for name, value in figures.items():
        out.print(f"{name}: {'–' if value is None else value}", markup=False)
    for name, share in spots:
        out.print(f"{share:6.1%}  {name}", markup=False)


def _environment(
    preset: str, device: str, steps: int, warm: int, repeat: int, threads: int
) -> dict[str, Any]:
    import torch

    return {
        "preset": preset,
        "device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
        "steps": steps,
        "warm": warm,
        "repeat": repeat,
        "threads": threads,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "system": f"{platform.system()} {platform.release()}",
        "processors": len(os.sched_getaffinity(0)),
        "load": os.getloadavg()[0],
    }
