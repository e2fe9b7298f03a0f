"""Observers: what a running stage says, kept as JSONL, TensorBoard events and a live record."""

import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from voltx_core.stages.contract import Observer
from voltx_core.stages.tensorboard import EventFolder
from voltx_core.store import Mirror, finite

logger = logging.getLogger(__name__)

LAST_WORD_S = 20.0
CURVES, EVENTS = "metrics.jsonl", "tensorboard"
"""Where the recorder keeps curves, in the stage's folder."""


class Recorder:
    """Appends metrics to ``metrics.jsonl`` and publishes live progress at most every interval.

    Publishing and TensorBoard's files are the business of a thread of its own: a slow store must
    not slow the work down, and one that is away costs a warning, never the stage.

    Args:
        folder: Where ``metrics.jsonl`` and ``tensorboard/`` go.
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
        self._curves = folder / CURVES
        self._events = EventFolder(folder / EVENTS, self._curves)
        self._publish, self._interval_s = publish, interval_s
        self._live: dict[str, Any] = {}
        self._published = float("-inf")
        self._started: tuple[float, int, str] | None = None
        self._mirror = Mirror(capacity=1, name="voltx-recorder", quiet=True)
        self._written = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.flush()
        try:
            self._events.close()
        except Exception as error:  # the curves are in the log all the same
            logger.warning("TensorBoard's files of %s are incomplete: %s", self._curves, error)

    def flush(self) -> None:
        """Wait until the last word is published, unless the store takes very long over it."""
        self._mirror.drain(LAST_WORD_S)

    def progress(self, done: int, total: int, unit: str, note: str = "") -> None:
        now = time.monotonic()
        if self._started is None or self._started[2] != note or done < self._started[1]:
            self._started = (now, done, note)
        since, first, _ = self._started
        eta = (now - since) / (done - first) * (total - done) if done > first else None
        self._live.update(done=done, total=total, unit=unit, note=note, eta_s=eta)
        self._tell(now, final=done >= total)

    def metrics(self, values: Mapping[str, float], step: int) -> None:
        line = json.dumps(finite({"step": step, **values}), allow_nan=False)
        try:
            with self._curves.open("a") as file:
                file.write(line + "\n")
        except OSError as error:
            if self._written:
                logger.warning("Curves have gaps: %s cannot be written (%s)", self._curves, error)
            self._written = False
        known = self._live.get("metrics", {}) if self._live.get("step") == step else {}
        self._live.update(step=step, metrics={**known, **values})  # with the next progress

    def figure(self, name: str, path: Path) -> None:
        del name, path  # figures are files of the stage's outputs already

    def _tell(self, now: float, *, final: bool = False) -> None:
        if final or now - self._published >= self._interval_s:
            self._published = now
            live = dict(self._live)
            self._mirror.submit(lambda: self._tell_all(live), "live progress")

    def _tell_all(self, live: Mapping[str, Any]) -> None:
        self._events.catch_up()
        self._publish(live)


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
