"""One file up to an S3 server and down again: this store, ``aws s3 cp`` and plain boto3 in turn.

This store verifies: on the way up what it reads has the file's SHA-256 and what the server holds
the MD5 of each part, on the way down what arrived has the SHA-256. The others do what they do by
default. That every download is right is checked for all, outside the measured time.
"""

import importlib.util
import os
import resource
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import psutil

from voltx_core.bench.s3_server import BUCKET, Server, program
from voltx_core.store import open_store, sha256_file

OURS = "voltx"
PEERS = ("aws", "boto3")
DIRECTIONS = ("up", "down")

Figures = dict[str, float | None]


class Contender(Protocol):
    """A way to bring a file to a bucket and back."""

    def up(self, path: Path, key: str) -> None: ...
    def down(self, key: str, path: Path) -> None: ...


class Voltx:
    """This store. The file's digest is known beforehand, as it is of all that a stage commits."""

    def __init__(self, server: Server, sha256: str) -> None:
        self._store = open_store(f"s3://{BUCKET}", endpoint_url=server.url)
        self._sha256 = sha256

    def up(self, path: Path, key: str) -> None:
        self._store.put_file(key, path, sha256=self._sha256)

    def down(self, key: str, path: Path) -> None:
        self._store.get_file(key, path, sha256=self._sha256)


class Boto3:
    """Plain boto3: ``upload_file`` and ``download_file`` of a default client."""

    def __init__(self, server: Server) -> None:
        import boto3

        self._client = boto3.client("s3", endpoint_url=server.url)

    def up(self, path: Path, key: str) -> None:
        self._client.upload_file(str(path), BUCKET, key)

    def down(self, key: str, path: Path) -> None:
        self._client.download_file(BUCKET, key, str(path))


class Aws:
    """``aws s3 cp``, its start included as for whoever calls it."""

    def __init__(self, server: Server) -> None:
        self._command = [str(program("aws")), "--endpoint-url", server.url, "s3", "cp"]

    def up(self, path: Path, key: str) -> None:
        self._copy(str(path), f"s3://{BUCKET}/{key}")

    def down(self, key: str, path: Path) -> None:
        self._copy(f"s3://{BUCKET}/{key}", str(path))

    def _copy(self, source: str, target: str) -> None:
        command = [*self._command, "--only-show-errors", source, target]
        subprocess.run(command, check=True, capture_output=True)


@dataclass(frozen=True, slots=True)
class Lap:
    """One file carried one way: wall seconds, and CPU seconds of the contender and the server."""

    wall_s: float
    cpu_s: float
    server_cpu_s: float


@dataclass
class Record:
    """Every counted lap by direction; ``why`` says why there are none."""

    laps: dict[str, list[Lap]] = field(default_factory=lambda: {"up": [], "down": []})
    why: str | None = None

    def seconds(self, direction: str) -> list[float]:
        return [lap.wall_s for lap in self.laps[direction]]


def race(
    server: Server, folder: Path, *, size: int, rounds: int, on_round: Callable[[str], None]
) -> dict[str, Record]:
    """Let every contender carry the same file ``rounds`` times, taking turns; one more to warm up.

    Args:
        server: With an empty bucket; the credentials for it are in the environment.
        folder: For the file and its copies.
        size: Bytes of the file.
        rounds: Counted ones.
        on_round: Told what comes next.
    """
    source = folder / "source.bin"
    _write_random(source, size)
    sha256 = sha256_file(source)
    records = {name: Record() for name in (OURS, *PEERS)}
    running: dict[str, Contender] = {OURS: Voltx(server, sha256)}
    if program("aws"):
        running["aws"] = Aws(server)
    else:
        records["aws"].why = "there is no aws here: pip install '.[bench]'"
    if importlib.util.find_spec("boto3"):
        running["boto3"] = Boto3(server)
    names = list(running)
    for turn in range(rounds + 1):
        first = turn % len(names)  # nobody always goes behind the same one
        for name in names[first:] + names[:first]:
            if records[name].why is None:
                on_round(f"round {turn} of {rounds}: {name}")
                course = Course(server, source, folder / name, sha256)
                _carry(records[name], running[name], course, counted=turn > 0)
    source.unlink()
    return records


@dataclass(frozen=True, slots=True)
class Course:
    """What is carried, whereto, and where it comes back; ``sha256`` is what it must be."""

    server: Server
    source: Path
    target: Path
    sha256: str


def _carry(record: Record, contender: Contender, course: Course, *, counted: bool) -> None:
    """One file up and down; a contender that fails or damages it is out."""
    key, target = course.target.name, course.target
    try:
        up = _timed(course.server, lambda: contender.up(course.source, key))
        down = _timed(course.server, lambda: contender.down(key, target))
        if sha256_file(target) != course.sha256:
            record.why = "it brought other bytes back"
    except Exception as error:  # whatever a peer raises
        said = getattr(error, "stderr", None) or b""
        record.why = f"{type(error).__name__}: {error} {said.decode(errors='replace')}".strip()
    else:
        if counted:
            record.laps["up"].append(up)
            record.laps["down"].append(down)
    if record.why is not None:
        record.laps = {"up": [], "down": []}
    target.unlink(missing_ok=True)


def _timed(server: Server, work: Callable[[], None]) -> Lap:
    os.sync()  # nobody pays for what another one wrote
    server_before, own_before = _cpu_s(server.pid), _own_cpu_s()
    started = time.perf_counter()
    work()
    wall_s = time.perf_counter() - started
    return Lap(wall_s, _own_cpu_s() - own_before, _cpu_s(server.pid) - server_before)


def _own_cpu_s() -> float:
    """CPU seconds of this process and of those it has waited for."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def _cpu_s(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def measure(records: Mapping[str, Record], size: int) -> tuple[Figures, dict[str, str]]:
    """Medians over rounds in MB/s, and this store's speed over the best peer's.

    ``up_vs_best`` is the smallest, over the peers, of the median of the ratios taken within each
    round: above 1 this store is the fastest.

    Returns:
        The figures, and why each of those that are None is.
    """
    figures: Figures = {}
    why: dict[str, str] = {}
    for direction in DIRECTIONS:
        ours = records[OURS].seconds(direction)
        ratios = []
        for name, record in records.items():
            seconds = record.seconds(direction)
            figure = f"{direction}_mb_s" + ("" if name == OURS else f"_{name}")
            speed = size / 1e6 / statistics.median(seconds) if seconds else None
            figures[figure] = None if speed is None else round(speed, 1)
            if speed is None:
                why[figure] = record.why or "it was not run"
            elif name != OURS and ours:
                pairs = zip(ours, seconds, strict=True)
                ratios.append(statistics.median(theirs / own for own, theirs in pairs))
        figures[f"{direction}_vs_best"] = round(min(ratios), 3) if ratios else None
        if not ratios:
            missing = [f"{n}: {r.why}" for n, r in records.items() if r.why]
            why[f"{direction}_vs_best"] = "; ".join(missing) or "there was nobody to compare with"
    return figures, why


def samples(records: Mapping[str, Record]) -> dict[str, Any]:
    """Every counted lap."""
    return {
        name: {
            way: [{k: round(getattr(lap, k), 3) for k in Lap.__slots__} for lap in record.laps[way]]
            for way in DIRECTIONS
        }
        for name, record in records.items()
    }


def _write_random(path: Path, size: int) -> None:
    with path.open("wb") as file:
        for start in range(0, size, 1 << 20):
            file.write(os.urandom(min(1 << 20, size - start)))
