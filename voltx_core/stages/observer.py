"""Observers: what a running stage says, kept as JSONL and as a small live record in the store."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from voltx_core.stages.contract import Observer


class Recorder:
    """Appends metrics to ``metrics.jsonl`` and publishes live progress at most every interval.

    Args:
        folder: Where ``metrics.jsonl`` goes.
        publish: Receives the live record: done, total, unit, note, eta_s, metrics, step.
        interval_s: Least seconds between two publications.
    """

    def __init__(
        self,
        folder: Path,
        publish: Callable[[Mapping[str, Any]], None],
        *,
        interval_s: float = 1.0,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._curves = folder / "metrics.jsonl"
        self._publish, self._interval_s = publish, interval_s
        self._live: dict[str, Any] = {}
        self._published = float("-inf")
        self._started: tuple[float, int, str] | None = None

    def progress(self, done: int, total: int, unit: str, note: str = "") -> None:
        now = time.monotonic()
        if self._started is None or self._started[2] != note or done < self._started[1]:
            self._started = (now, done, note)
        since, first, _ = self._started
        eta = (now - since) / (done - first) * (total - done) if done > first else None
        self._live.update(done=done, total=total, unit=unit, note=note, eta_s=eta)
        self._tell(now, final=done >= total)

    def metrics(self, values: Mapping[str, float], step: int) -> None:
        with self._curves.open("a") as file:
            file.write(json.dumps({"step": step, **values}) + "\n")
        self._live.update(step=step, metrics=dict(values))
        self._tell(time.monotonic())

    def figure(self, name: str, path: Path) -> None:
        del name, path  # figures are files of the stage's outputs already

    def _tell(self, now: float, *, final: bool = False) -> None:
        if final or now - self._published >= self._interval_s:
            self._published = now
            self._publish(dict(self._live))


class Fanout:
    """Passes everything on to several observers."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = tuple(observers)

    def progress(self, done: int, total: int, unit: str, note: str = "") -> None:
        for observer in self._observers:
            observer.progress(done, total, unit, note)

    def metrics(self, values: Mapping[str, float], step: int) -> None:
        for observer in self._observers:
            observer.metrics(values, step)

    def figure(self, name: str, path: Path) -> None:
        for observer in self._observers:
            observer.figure(name, path)
