"""Seconds: of the parts of a stage, of its attempts, of saving and leaving."""

import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from voltx_core.stages.contract import StopFlag

logger = logging.getLogger(__name__)


class Timings:
    """Seconds of named parts."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        started = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = time.monotonic() - started


def earlier(record: Mapping[str, Any]) -> dict[str, float]:
    """Seconds that earlier attempts of this run worked, and took to save and leave when asked."""
    attempts = record.get("earlier", ())
    spans = ((a.get("started_at"), a.get("finished_at") or a.get("alive_at")) for a in attempts)
    timings = {
        "earlier attempts": sum(
            (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
            for start, end in spans
            if start and end
        )
    }
    if left := [a["left_s"] for a in attempts if a.get("left_s") is not None]:
        timings["checkpoint.leaving, slowest"] = max(left)
    return timings


def covered(spans: Iterable[tuple[datetime, datetime]]) -> float:
    """Seconds that lie in at least one of the spans."""
    total, reached = 0.0, None
    for start, end in sorted(spans):
        if reached is None or start > reached:
            total += (end - start).total_seconds()
            reached = end
        elif end > reached:
            total += (end - reached).total_seconds()
            reached = end
    return total


def leaving_s(stop: StopFlag, notice_s: float) -> float | None:
    """Seconds from the request to stop until everything was saved, here and in the store."""
    if stop.set_at is None:
        return None
    took = time.monotonic() - stop.set_at
    if took > notice_s:
        logger.warning(
            "Saving and leaving took %.0f s, longer than checkpoint.notice_s (%.0f s): a machine "
            "that is taken away would have lost what was done since the checkpoint before.",
            took,
            notice_s,
        )
    return took
