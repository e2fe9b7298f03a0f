"""`voltx bench corpus`: reading, filtering, deduplicating and tokenising, beside a plain loop.

The loop does the same with the same libraries row by row, over a stream of the library `datasets`
where that is installed (``pip install '.[bench]'``). Memory is that of the whole process tree.
"""

import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from importlib import metadata, util
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voltx_core.cli.options import AsJson, console, explained
from voltx_core.errors import DataError, VoltxError

if TYPE_CHECKING:
    from rich.console import Console

VOCABULARY = 32_768
TOKENIZER_MB = 10
_HOST = "voltx_core.bench.corpus_host"
_LOOK_S = 0.1
_PACKAGES = ("datasets", "datasketch", "tokenizers")

Speed = Annotated[
    int, typer.Option("--mb", min=1, help="Size of the corpus of the speed rounds, in MB.")
]
Small = Annotated[int, typer.Option("--small-mb", min=1, help="Smaller corpus for memory, in MB.")]
Large = Annotated[int, typer.Option("--large-mb", min=1, help="Larger corpus for memory, in MB.")]
Repeat = Annotated[int, typer.Option("--repeat", min=1, help="Speed rounds; medians count.")]
Workers = Annotated[
    int | None, typer.Option("--workers", min=1, help="Processes; default: the usable cores.")
]


@dataclass(frozen=True)
class Pass:
    """One contender's way through one corpus.

    Attributes:
        mb: of input, in 10^6 bytes.
        wall_s: from the first row to the last.
        cpu_s: of its process tree, start included.
        peak_mib: most memory of the tree, resident.
        seen, kept, tokens: files in, files out, and their tokens.
    """

    mb: float
    wall_s: float
    cpu_s: float
    peak_mib: float
    seen: int
    kept: int
    tokens: int


@explained()
def corpus(
    speed_mb: Speed = 20,
    small_mb: Small = 100,
    large_mb: Large = 2_000,
    repeat: Repeat = 3,
    workers: Workers = None,
    as_json: AsJson = False,
) -> None:
    """Measure the way from raw files to tokens: MB/s beside a plain loop, and memory.

    The corpus is this machine's Python sources, repeated under other names as often as needed. The
    defaults take 10 minutes or more and 2.2 GB in the temporary folder.

    Examples:

      voltx bench corpus --large-mb 300

      voltx bench corpus --json
    """
    from voltx_core.bench.corpus_input import write_corpus

    out = console(stderr=as_json)
    workers = workers or len(os.sched_getaffinity(0))
    peer = "datasets" if util.find_spec("datasets") else "loop"
    passes: dict[str, list[Pass]] = {"voltx": [], peer: []}
    with tempfile.TemporaryDirectory(prefix="voltx-bench-") as name:
        folder = Path(name)
        _require_disk(folder, speed_mb + small_mb + large_mb)
        path = folder / "corpus.jsonl"
        write_corpus(path, speed_mb)
        tokenizer = _train_tokenizer(path, folder / "tokenizer.json")
        for turn in range(repeat):
            for one in (*passes,) if turn % 2 == 0 else tuple(reversed(passes)):
                _say(out, f"round {turn + 1} of {repeat}, {speed_mb} MB: {one}")
                passes[one].append(_run(one, path, tokenizer, workers))
        memory = []
        for size in (small_mb, large_mb):
            _say(out, f"memory, {size} MB: writing the corpus, then voltx")
            write_corpus(path, size)
            memory.append(_run("voltx", path, tokenizer, workers))
    ours, theirs = passes["voltx"], passes[peer]
    figures: dict[str, float | None] = {
        "mb_per_s": round(statistics.median(one.mb / one.wall_s for one in ours), 3),
        "vs_datasets": round(_ratio(ours, theirs, "wall_s"), 3),
        "vs_datasets_cpu": round(_ratio(ours, theirs, "cpu_s"), 3),
        "memory_growth": round(memory[1].peak_mib / memory[0].peak_mib, 3),
        "peak_mib_small": round(memory[0].peak_mib, 1),
        "peak_mib_large": round(memory[1].peak_mib, 1),
    }
    why: dict[str, str] = {}
    if peer != "datasets":
        figures["vs_loop"] = figures["vs_datasets"]
        for missing in ("vs_datasets", "vs_datasets_cpu"):
            figures[missing] = None
            why[missing] = "datasets is not installed: pip install '.[bench]'"
    _print_table(out, passes, memory, figures)
    if as_json:
        report = {
            "bench": "corpus",
            "figures": figures,
            "samples": {
                **{name: [asdict(one) for one in each] for name, each in passes.items()},
                "memory": [asdict(one) for one in memory],
            },
            "environment": _environment(workers, repeat, speed_mb, small_mb, large_mb),
            "why": why,
        }
        print(json.dumps(report))


def _ratio(ours: list[Pass], theirs: list[Pass], what: str) -> float:
    """How many times less of it this library takes, median over rounds."""
    return statistics.median(
        getattr(b, what) / getattr(a, what) for a, b in zip(ours, theirs, strict=True)
    )


def _run(name: str, corpus: Path, tokenizer: Path, workers: int) -> Pass:
    """One pass in a process of its own, watched from here.

    Raises:
        VoltxError: the process failed.
    """
    import psutil

    environ = {
        **os.environ,
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_CACHE": str(corpus.parent / "cache"),
        "TOKENIZERS_PARALLELISM": "false",
    }
    command = [sys.executable, "-m", _HOST, name, str(corpus), str(tokenizer), str(workers)]
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environ
        )
        root, peak, cpu_s = psutil.Process(process.pid), 0, 0.0
        while process.poll() is None:
            try:
                tree = [root, *root.children(recursive=True)]
                peak = max(peak, sum(one.memory_info().rss for one in tree))
                cpu_s = max(cpu_s, sum(sum(one.cpu_times()[:4]) for one in reversed(tree)))
            except psutil.NoSuchProcess:
                pass
            time.sleep(_LOOK_S)
        said = process.stdout.read() if process.stdout else ""
        if process.returncode:
            errors.seek(0)
            last = (errors.read().strip().splitlines() or ["no message"])[-1]
            raise VoltxError(f"The contender {name} ended with {process.returncode}: {last}")
    found = json.loads(said.strip().splitlines()[-1])
    return Pass(
        mb=corpus.stat().st_size / 1e6, cpu_s=round(cpu_s, 2), peak_mib=peak / 2**20, **found
    )


def _train_tokenizer(corpus: Path, path: Path) -> Path:
    from voltx_core.data.corpus import read_corpus
    from voltx_core.translator.tokenizer import CodeTokenizer

    def some() -> Any:
        size = 0
        for file in read_corpus(corpus):
            size += len(file.text)
            if size > TOKENIZER_MB * 1_000_000:
                return
            yield file.text

    CodeTokenizer.train(some(), VOCABULARY).save(path)
    return path


def _require_disk(folder: Path, megabytes: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < 1.1e6 * megabytes:
        raise DataError(
            f"{folder.parent} has {free / 1e9:.1f} GB free; this takes {megabytes / 1e3:.1f} GB. "
            f"Choose a smaller --large-mb, or set TMPDIR to a folder with more room."
        )


def _say(out: "Console", text: str) -> None:
    out.print(text, highlight=False)


def _print_table(
    out: "Console",
    passes: dict[str, list[Pass]],
    memory: list[Pass],
    figures: dict[str, float | None],
) -> None:
    from rich.table import Table

    table = Table()
    table.add_column("", no_wrap=True)
    for column in ("MB", "MB/s", "CPU s", "peak MiB", "files", "kept", "tokens"):
        table.add_column(column, justify="right", no_wrap=True)
    rows = [(name, one) for name, each in passes.items() for one in each]
    for name, one in rows + [("voltx, memory", one) for one in memory]:
        table.add_row(
            name,
            f"{one.mb:.0f}",
            f"{one.mb / one.wall_s:.2f}",
            f"{one.cpu_s:.1f}",
            f"{one.peak_mib:.0f}",
            str(one.seen),
            str(one.kept),
            str(one.tokens),
        )
    out.print(table)
    for name, value in figures.items():
        if value is not None:
            out.print(f"{name:16} {value}")


def _environment(workers: int, repeat: int, *sizes_mb: int) -> dict[str, Any]:
    return {
        "workers": workers,
        "repeat": repeat,
        "sizes_mb": sizes_mb,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "processors": len(os.sched_getaffinity(0)),
        "load": os.getloadavg()[0],
        "packages": {name: _version(name) for name in _PACKAGES},
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
