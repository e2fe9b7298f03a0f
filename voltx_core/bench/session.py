"""A training session without a stage: progress goes to the console."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch

from voltx_core.config import VoltxConfig
from voltx_core.training.checkpoint import Checkpoints
from voltx_core.training.loop import Batch, Loss, autocast
from voltx_core.training.randomness import generator
from voltx_core.training.ranks import ALONE, Ranks
from voltx_core.training.session import StopFlag

TIMED_STEPS = 6
NEVER_S = 1e9
LOOK_S = 20.0
"""Least seconds between two lines of progress where there is no terminal."""


@dataclass(slots=True)
class Console:
    """Says how far the work is; keeps the curves.

    Attributes:
        say: Takes a line of text.
        curves: (step, values) as they were measured.
    """

    say: Callable[[str], object]
    curves: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    _last: float = 0.0

    def progress(self, done: int, total: int, unit: str, note: str = "") -> None:
        now = time.monotonic()
        if now - self._last >= LOOK_S or done == total:
            self._last = now
            self.say(f"{note}: {done} of {total} {unit}")

    def metrics(self, values: Mapping[str, float], step: int) -> None:
        self.curves.append((step, dict(values)))

    def curve(self, name: str) -> list[tuple[int, float]]:
        """(step, value) of one name."""
        return [(step, values[name]) for step, values in self.curves if name in values]

    def figure(self, name: str, path: Path) -> None:
        self.say(f"{name}: {path}")


@dataclass(slots=True)
class BenchSession:
    """What ``train`` needs."""

    config: VoltxConfig
    device: str
    checkpoints: Checkpoints
    observer: Console
    stop: StopFlag = field(default_factory=StopFlag)
    ranks: Ranks = ALONE

    @classmethod
    def open(
        cls,
        config: VoltxConfig,
        folder: Path,
        *,
        device: str,
        say: Callable[[str], object],
        interval_s: float = NEVER_S,
    ) -> "BenchSession":
        """A session with its checkpoints in ``folder``; by default only the last one is made."""
        return cls(config, device, Checkpoints(folder, interval_s=interval_s), Console(say))


def steps_within(
    session: BenchSession, minutes: float, loss: Loss, *, items: int, batch: int
) -> int:
    """Steps that fit into so many minutes at the pace of a few, whose gradients are discarded."""
    source, began = generator(session.config.seed, "pace"), 0.0
    for step in range(TIMED_STEPS):
        if step == TIMED_STEPS // 2:
            began = time.monotonic()
        rows = torch.randint(items, (batch,), generator=source)
        with autocast(session):
            value, _ = loss(Batch(step, rows, source))
        value.backward()
    pace = (time.monotonic() - began) / (TIMED_STEPS - TIMED_STEPS // 2)
    return max(1, int(60 * minutes / pace))
