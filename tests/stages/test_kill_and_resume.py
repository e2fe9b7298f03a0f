"""Stages as real processes: killed, asked to leave, and the same bits anyway.

Each stage is killed with -9 at a random step after its first checkpoint, started again, asked to
leave by SIGTERM at a later random step, and started a last time. Stages that do not train are
struck at a random word of progress instead. Artifacts, report and curves must be those of a run
that nothing disturbed. Every process seeds the global generators differently: were anything
drawn from them, the bits would differ.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from voltx_core.stages import graph
from voltx_core.stages.lifecycle import read_report
from voltx_core.stages.runs import RunRecord
from voltx_core.stages.workspace import Workspace

pytestmark = pytest.mark.integration

SEED = 4
SETTINGS = (
    "compute.log_every=1", "checkpoint.interval_s=0.05", "data.evaluation_problems=8",
    "translator.steps=40", "soft_core.steps=40", "router.steps=200", "safety.steps=200",
    "alignment.e2e.steps=8", "alignment.rlvf.steps=8", "alignment.sleep.steps=24",
    "scaling.steps=30", "languages.steps=40", "languages.evaluation_problems=2",
    "baseline.steps=60", "translator.optimizer.ema_decay=0.9", "soft_core.optimizer.ema_decay=0.9",
    "vincigpt.steps=60",
)  # fmt: skip
TRAINED = (
    "translator", "soft_core", "baseline", "router", "safety", "e2e", "rlvf", "sleep", "scaling",
    "javascript", "java", "rust_go", "vincigpt",
)  # fmt: skip
OTHERS = ("data", "codebook", "benchmarks")
LEFT = 75
STAGES = f"""
import logging, os, random, signal, sys, time
from pathlib import Path
import numpy, torch
from voltx_core.config import resolve
from voltx_core.errors import Interrupted
from voltx_core.stages.contract import StopFlag
from voltx_core.stages.lifecycle import execute
from voltx_core.stages.runs import RunRecord
from voltx_core.stages.workspace import Workspace

logging.basicConfig(level=logging.INFO, format="%(message)s")
stop = StopFlag()
signal.signal(signal.SIGTERM, lambda *_: stop.set("SIGTERM"))
config, workspace = resolve("tiny", {SETTINGS!r}, environ={{}}), Workspace.open()
if RunRecord(workspace.artifacts, "run").read() is None:
    RunRecord(workspace.artifacts, "run").start(config, tuple(sys.argv[1:]))

class Waiting:
    # At the chosen loss or word, with something saved, wait for what the test does.
    def __init__(self, loss, word):
        self.loss, self.word, self.words = loss, word, 0

    def metrics(self, values, step):
        if self.loss and any(name.endswith("/loss") for name in values):
            (log,) = workspace.home.glob("work/*/*/metrics.jsonl")
            self.wait(sum("/loss" in line for line in log.open()) >= self.loss)

    def progress(self, *_):
        self.words += 1
        self.wait(0 < self.word <= self.words)

    def wait(self, there):
        if there and any(workspace.home.glob("work/*/*/progress/*/complete.json")):
            Path("there").touch()
            while not stop:
                time.sleep(0.01)

    def figure(self, *_): ...

waiting = Waiting(int(os.environ.get("LOSS", 0)), int(os.environ.get("WORD", 0)))
random.seed(os.getpid())
numpy.random.seed(os.getpid())
torch.manual_seed(os.getpid())
try:
    for name in sys.argv[1:]:
        execute(name, config, workspace, run_id="run", stop=stop, observer=waiting)
except Interrupted as interruption:
    print(interruption)
    sys.exit({LEFT})
"""
PATIENCE_S = 1500
"""Nothing here takes minutes by itself; on a machine with much else to do it may."""


@dataclass(frozen=True)
class Struck:
    """How a process that was sent a signal ended."""

    code: int
    unsaved_s: float
    """Work since its newest checkpoint, when the signal was sent."""
    leaving_s: float
    """From the signal to its end."""


class Place:
    """A store and a home, and processes that run stages there."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.log = folder, folder / "log"
        self.environ = {"VOLTX_STORE": str(folder / "store"), "VOLTX_HOME": str(folder / "home")}
        self.workspace = Workspace.open(environ=self.environ)

    def start(self, *names: str, **points: int) -> "subprocess.Popen[bytes]":
        """Run stages in a process of their own, which waits for a signal at LOSS or WORD."""
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-c", STAGES, *names],
                cwd=self.folder,
                env=os.environ | self.environ | {k: str(n) for k, n in points.items()},
                stdout=log,
                stderr=log,
            )

    def complete(self, *names: str) -> None:
        """Run stages to their end."""
        assert ended(self.start(*names)) == 0, self.log.read_text()

    def saved_at(self, name: str) -> float:
        """When the newest checkpoint was complete, in seconds since the epoch."""
        work = self.folder / "home" / "work" / name
        return max(p.stat().st_mtime for p in work.glob("*/progress/[0-9]*/complete.json"))

    def strike(self, name: str, number: signal.Signals, **point: int) -> Struck:
        """Send a signal once the stage has a checkpoint and has come to LOSS or WORD."""
        process, there = self.start(name, **point), self.folder / "there"
        deadline = time.monotonic() + PATIENCE_S
        while not there.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(number if there.exists() else signal.SIGKILL)
        assert there.exists(), f"{name} did not come to {point}\n{self.log.read_text()}"
        there.unlink()
        sent, lost_s = time.monotonic(), time.time() - self.saved_at(name)
        return Struck(ended(process), lost_s, time.monotonic() - sent)


def ended(process: "subprocess.Popen[bytes]") -> int:
    """How a process ended, which is not left behind when it takes too long."""
    try:
        return process.wait(PATIENCE_S)
    finally:
        process.kill()


def curves(log: Path) -> list[dict[str, Any]]:
    """Points of a log of curves, without figures of speed and memory."""
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    return [row for row in rows if not any(key.startswith("pace/") for key in row)]


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Every stage as it comes out when nothing happens."""
    place = Place(tmp_path_factory.mktemp("undisturbed"))
    place.complete(*graph.select(only=(*TRAINED, *OTHERS)))
    return place


def found(place: Place, name: str) -> dict[str, Any]:
    """What a stage made: digests of its artifacts, its report without times, its curves."""
    (manifest,) = place.workspace.artifacts.manifests(name)
    report = read_report(place.workspace, manifest)
    return {
        "artifacts": {key: entry.sha256 for key, entry in manifest.artifacts.items()},
        "report": {key: report[key] for key in ("metrics", "counts", "tables", "notes", "flops")},
        "curves": [
            row
            for log in manifest.files.keys() & {"metrics.jsonl"}
            for row in curves(place.workspace.artifacts.fetch_file(manifest, log))
        ],
    }


def without(name: str, undisturbed: Place, folder: Path) -> Place:
    """A place that has what the stage needs, and not the stage."""
    shutil.copytree(
        undisturbed.folder / "store",
        folder / "store",
        copy_function=os.link,
        ignore=shutil.ignore_patterns("runs", name),
    )
    return Place(folder)


@pytest.mark.parametrize("name", OTHERS)
def test_a_stage_that_does_not_train_ends_with_the_same_bits_as_well(
    name: str, undisturbed: Place, tmp_path: Path
) -> None:
    place, expected = without(name, undisturbed, tmp_path), found(undisturbed, name)
    draw = random.Random(f"{SEED}/{name}")

    killed = place.strike(name, signal.SIGKILL, WORD=draw.randint(2, 6))
    left = place.strike(name, signal.SIGTERM, WORD=draw.randint(2, 6))
    place.complete(name)

    assert (killed.code, left.code) == (-signal.SIGKILL, LEFT)
    assert found(place, name) == expected


@pytest.mark.parametrize("name", TRAINED)
def test_a_stage_that_is_killed_and_then_asked_to_leave_ends_with_the_same_bits(
    name: str, undisturbed: Place, tmp_path: Path, record_property: Any
) -> None:
    place, expected = without(name, undisturbed, tmp_path), found(undisturbed, name)
    points = sum(any(key.endswith("/loss") for key in row) for row in expected["curves"])
    first, second = sorted(random.Random(f"{SEED}/{name}").sample(range(2, points), 2))

    killed = place.strike(name, signal.SIGKILL, LOSS=first)
    left = place.strike(name, signal.SIGTERM, LOSS=second)
    place.complete(name)

    assert killed.code == -signal.SIGKILL
    assert left.code == LEFT
    assert found(place, name) == expected
    attempt = RunRecord(place.workspace.artifacts, "run").of(name)["earlier"][-1]
    record_property("killed", f"point {first}, {killed.unsaved_s:.2f} s unsaved")
    record_property("left", f"point {second}, {left.leaving_s:.2f} s, saved {attempt['left_s']}")
