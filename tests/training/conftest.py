"""A training session without a stage: real checkpoints in a folder, a recording observer."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from voltx_core.config import resolve
from voltx_core.training.checkpoint import Checkpoints
from voltx_core.training.ranks import ALONE, Ranks
from voltx_core.training.session import StopFlag


@dataclass
class Recorded:
    """Remembers what it was told."""

    curves: list[tuple[int, dict[str, float]]] = field(default_factory=list)

    def progress(self, done: int, total: int, unit: str, note: str = "") -> None:
        self.last = (done, total, unit, note)

    def metrics(self, values: dict[str, float], step: int) -> None:
        self.curves.append((step, dict(values)))

    def figure(self, name: str, path: Path) -> None:
        pass


@dataclass
class TrainingSession:
    config: Any
    device: str
    checkpoints: Checkpoints
    observer: Recorded
    stop: StopFlag
    ranks: Ranks = ALONE


@pytest.fixture
def session(tmp_path):
    """A factory: every call is a new process on the same folder of checkpoints."""

    def start(folder: str = "progress") -> TrainingSession:
        config = resolve("tiny", {"compute.log_every": 1}, environ={})
        checkpoints = Checkpoints(tmp_path / folder, interval_s=1e9)
        return TrainingSession(config, "cpu", checkpoints, Recorded(), StopFlag())

    return start
