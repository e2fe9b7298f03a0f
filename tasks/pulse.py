"""Signs of life in the store: how others learn that a process or its machine is gone.

A killed process is reported by its worker within a second. When the worker or the whole machine
vanishes, nobody reports anything, and Prefect goes on showing "Running". So the process of every
stage and of every graph beats in the store, and whoever waits for it listens. The store is the one
thing that all machines reach for as long as the work has any sense at all; a Prefect server that
is down for a while silences nobody. The listener compares beats with its own clock only, so
clocks of machines may differ.
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from itertools import count
from types import TracebackType
from typing import Self
from uuid import uuid4

from voltx_core.errors import StoreError
from voltx_core.store import ArtifactStore

logger = logging.getLogger("voltx_core.pulse")

INTERVAL_S = 15.0
SILENCE_S = 90.0
"""Six missed beats; rented time is too dear to wait longer."""


def key_of(run_id: str, who: str) -> str:
    """Where the beats of a stage of a run, or of its parent flow ("graph"), are."""
    return f"runs/{run_id}/{who}.pulse.json"


class Pulse:
    """Beats while its block lasts.

    Args:
        artifacts: The store.
        key: See ``key_of``.
        interval_s: Seconds between two beats.
    """

    def __init__(
        self, artifacts: ArtifactStore, key: str, *, interval_s: float = INTERVAL_S
    ) -> None:
        self._artifacts, self._key, self._interval_s = artifacts, key, interval_s
        self._identity = {"life": uuid4().hex, "pid": os.getpid(), "host": os.uname().nodename}
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"pulse {key}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end.set()
        self._thread.join(timeout=self._interval_s)

    def _beat(self) -> None:
        for number in count():
            try:
                self._artifacts.put_json(self._key, self._identity | {"beat": number})
            except (StoreError, OSError) as error:
                logger.warning("Missed a beat: %s", error)
            if self._end.wait(self._interval_s):
                return


class Listener:
    """Notices that beats have stopped.

    Args:
        artifacts: The store.
        key: See ``key_of``.
        silence_s: How long without a new beat is too long.
        interval_s: Least seconds between two looks at the store.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        artifacts: ArtifactStore,
        key: str,
        *,
        silence_s: float = SILENCE_S,
        interval_s: float = INTERVAL_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._artifacts, self._key, self._clock = artifacts, key, clock
        self._silence_s, self._interval_s = silence_s, interval_s
        self._heard: object = None
        self._heard_at = self._looked_at = clock()

    def restart(self) -> None:
        """Count silence from now: the process has only just begun."""
        self._heard_at = self._looked_at = self._clock()

    def silent(self) -> bool:
        """Whether nothing was heard for too long; a store that does not answer proves nothing."""
        now = self._clock()
        if now - self._looked_at >= self._interval_s:
            self._looked_at = now
            try:
                beat = self._artifacts.get_json(self._key)
            except (StoreError, OSError):
                self._heard_at = now
                return False
            if beat != self._heard:
                self._heard, self._heard_at = beat, now
        return now - self._heard_at >= self._silence_s
