"""What a piece of training is given by whoever runs it: settings, device, progress, stopping."""

import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from voltx_core.errors import Interrupted
from voltx_core.training.checkpoint import Checkpoints
from voltx_core.training.ranks import Ranks


class Observer(Protocol):
    """Where work tells what it is doing. Cheap to call; implementations throttle."""

    def progress(self, done: int, total: int, unit: str, note: str = "") -> None:
        """``done`` of ``total`` units; the ETA is the implementation's business."""

    def metrics(self, values: Mapping[str, float], step: int) -> None:
        """Points of curves, such as ``{"loss": 1.2, "lr": 3e-4}``."""

    def figure(self, name: str, path: Path) -> None:
        """A picture was written."""


class StopFlag:
    """Set when the work shall end (SIGTERM, SIGINT); every loop polls it.

    Attributes:
        reason: Why, once it is set.
        set_at: When, in monotonic seconds.
    """

    def __init__(self) -> None:
        self.reason: str | None = None
        self.set_at: float | None = None

    def set(self, reason: str) -> None:
        if self.reason is None:
            self.reason, self.set_at = reason, time.monotonic()

    def __bool__(self) -> bool:
        return self.reason is not None

    def __call__(self) -> bool:
        return bool(self)

    def check(self) -> None:
        """Leave a loop that has nothing to save.

        Raises:
            Interrupted: A stop was asked for.
        """
        if self.reason is not None:
            raise Interrupted(self.reason)


@contextmanager
def stopping(stop: StopFlag, why: str) -> Iterator[None]:
    """Within, SIGTERM and SIGINT ask the work to save and leave, instead of ending it there.

    Args:
        stop: Set with the name of the signal and ``why``.
        why: What that means here.
    """

    def ask(number: int, _: Any) -> None:
        stop.set(f"{signal.Signals(number).name}: {why}")

    earlier = {wish: signal.signal(wish, ask) for wish in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for wish, handler in earlier.items():
            signal.signal(wish, handler)


class Session(Protocol):
    """The part of a stage's run that training needs; ``StageRun`` is one."""

    config: Any
    device: str
    checkpoints: Checkpoints
    observer: Observer
    stop: StopFlag
    ranks: Ranks
