"""Every stage that trains, as a real process: killed, asked to leave, and the same bits anyway.

Each stage is killed with -9 at a random step after its first checkpoint, started again, asked to
leave by SIGTERM at a later random step, and started a last time. Its artifacts, its report and
its curves must be those of a run that nothing disturbed.
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
    "translator.steps=40", "soft_core.steps=40", "router.steps=600", "safety.steps=200",
    "alignment.e2e.steps=8", "alignment.rlvf.steps=8", "alignment.sleep.steps=24",
    "scaling.steps=30", "languages.steps=40", "languages.evaluation_problems=2",
    "baseline.steps=60", "translator.optimizer.ema_decay=0.9", "soft_core.optimizer.ema_decay=0.9",
)  # fmt: skip
TRAINED = (
    "translator", "soft_core", "baseline", "router", "safety", "e2e", "rlvf", "sleep", "scaling",
    "javascript", "java", "rust_go",
)  # fmt: skip
LEFT = 75
STAGES = f"""
import logging, signal, sys
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
try:
    for name in sys.argv[1:]:
        execute(name, config, workspace, run_id="run", stop=stop)
except Interrupted as interruption:
    print(interruption)
    sys.exit({LEFT})
"""
PATIENCE_S = 300


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

    def start(self, *names: str) -> "subprocess.Popen[bytes]":
        """Run stages in a process of their own."""
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-c", STAGES, *names],
                env=os.environ | self.environ,
                stdout=log,
                stderr=log,
            )

    def complete(self, *names: str) -> None:
        """Run stages to their end."""
        assert self.start(*names).wait(PATIENCE_S) == 0, self.log.read_text()

    def lines(self, name: str) -> list[dict[str, Any]]:
        """Points of the losses that the running stage has logged."""
        return [row for log in self._work(name, "metrics.jsonl") for row in losses(log)]

    def saved_at(self, name: str) -> float | None:
        """When the newest checkpoint was complete, in seconds since the epoch."""
        return max(
            (p.stat().st_mtime for p in self._work(name, "progress/[0-9]*/complete.json")),
            default=None,
        )

    def _work(self, name: str, pattern: str) -> list[Path]:
        return list((self.folder / "home" / "work" / name).glob(f"*/{pattern}"))

    def strike(self, name: str, number: signal.Signals, points: int) -> Struck:
        """Send a signal once the stage has a checkpoint and has logged so many losses."""
        process = self.start(name)
        deadline = time.monotonic() + PATIENCE_S
        while len(self.lines(name)) < points or self.saved_at(name) is None:
            assert process.poll() is None, f"{name} ended too soon\n{self.log.read_text()}"
            assert time.monotonic() < deadline
            time.sleep(0.002)
        process.send_signal(number)
        sent, saved_at = time.monotonic(), self.saved_at(name)
        lost_s = time.time() - (saved_at or 0.0)
        return Struck(process.wait(PATIENCE_S), lost_s, time.monotonic() - sent)


def losses(log: Path) -> list[dict[str, Any]]:
    """Whole lines of a log of curves, without figures of speed and memory."""
    whole, _, _ = log.read_text().rpartition("\n")
    rows = [json.loads(line) for line in whole.splitlines()]
    return [row for row in rows if not any(key.startswith("pace/") for key in row)]


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Every stage as it comes out when nothing happens."""
    place = Place(tmp_path_factory.mktemp("undisturbed"))
    place.complete(*graph.select(only=TRAINED))
    return place


def found(place: Place, name: str) -> dict[str, Any]:
    """What a stage made: digests of its artifacts, its report without times, its curves."""
    (manifest,) = place.workspace.artifacts.manifests(name)
    report = read_report(place.workspace, manifest)
    return {
        "artifacts": {key: entry.sha256 for key, entry in manifest.artifacts.items()},
        "report": {key: report[key] for key in ("metrics", "counts", "tables", "notes", "flops")},
        "curves": losses(place.workspace.artifacts.fetch_file(manifest, "metrics.jsonl")),
    }


@pytest.mark.parametrize("name", TRAINED)
def test_a_stage_that_is_killed_and_then_asked_to_leave_ends_with_the_same_bits(
    name: str, undisturbed: Place, tmp_path: Path, record_property: Any
) -> None:
    expected = found(undisturbed, name)
    place = Place(tmp_path)
    shutil.copytree(
        undisturbed.folder / "store", tmp_path / "store", copy_function=os.link,
        ignore=shutil.ignore_patterns("runs", name),
    )  # fmt: skip
    draw = random.Random(f"{SEED}/{name}")
    first, second = sorted(draw.sample(range(2, len(expected["curves"]) - 1), 2))

    killed = place.strike(name, signal.SIGKILL, first)
    left = place.strike(name, signal.SIGTERM, second)
    place.complete(name)

    assert killed.code == -signal.SIGKILL
    assert left.code == LEFT
    assert found(place, name) == expected
    attempt = RunRecord(place.workspace.artifacts, "run").of(name)["earlier"][-1]
    record_property("killed", f"point {first}, {killed.unsaved_s:.2f} s unsaved")
    record_property("left", f"point {second}, {left.leaving_s:.2f} s, saved {attempt['left_s']}")
