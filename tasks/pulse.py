"""Signs of life in the store: how others learn that a process or its machine is gone.

A killed process is reported by its worker within a second. When the worker or the whole machine
vanishes, nobody reports anything, and Prefect goes on showing "Running". So the process of every
stage and of every graph beats in the store, and whoever waits for it listens. The store is the one
thing that all machines reach for as long as the work has any sense at all; a Prefect server that
is down for a while silences nobody. The listener compares beats with its own clock only, so
clocks of machines may differ. On the machine of the process itself it need not wait for silence:
it looks whether the process is still there.
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from functools import cache
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from voltx_core.errors import StoreError
from voltx_core.stages.machine import boot
from voltx_core.store import ArtifactStore

logger = logging.getLogger("voltx_core.pulse")

INTERVAL_S = 10.0
SILENCE_S = 60.0
"""Six missed beats; rented time is too dear to wait longer."""
LOOK_S = 5.0


def key_of(run_id: str, who: str) -> str:
    """Where the beats of a stage of a run, or of its parent flow ("graph"), are."""
    return f"runs/{run_id}/{who}.pulse.json"


class Pulse:
    """Beats while its block lasts.

    Args:
        artifacts: The store.
        key: See ``key_of``.
        flow_run: Id of the flow run that this process carries out.
        interval_s: Seconds between two beats.
        until_relieved: Stop as soon as another process beats for the same flow run: a worker does
            so for the process that it has only just started.
    """

    def __init__(
        self,
        artifacts: ArtifactStore,
        key: str,
        *,
        flow_run: str | None = None,
        interval_s: float = INTERVAL_S,
        until_relieved: bool = False,
    ) -> None:
        self._artifacts, self._key, self._interval_s = artifacts, key, interval_s
        self._until_relieved = until_relieved
        self._identity = {
            "life": uuid4().hex,
            "flow_run": flow_run,
            "pid": os.getpid(),
            "started": started(os.getpid()),
            "host": os.uname().nodename,
            "machine": _machine(),
            "starting": until_relieved,
        }
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"pulse {key}", daemon=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        self._thread.join(timeout=self._interval_s)

    def start(self) -> None:
        """Beat from now on, in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Beat no more; returns at once."""
        self._end.set()

    def _beat(self) -> None:
        for number in count():
            try:
                if self._until_relieved and number and self._relieved():
                    return
                self._artifacts.put_json(self._key, self._identity | {"beat": number})
            except (StoreError, OSError) as error:
                logger.warning("Missed a beat: %s", error)
            if self._end.wait(self._interval_s):
                return

    def _relieved(self) -> bool:
        beat = self._artifacts.get_json(self._key) or {}
        mine = beat.get("life") == self._identity["life"]
        return not mine and beat.get("flow_run") == self._identity["flow_run"]


class Listener:
    """Notices that beats have stopped.

    Args:
        artifacts: The store.
        key: See ``key_of``.
        flow_run: Whose beats to hear; those of an earlier attempt under the same key are not.
        silence_s: How long without a new beat is too long.
        interval_s: Least seconds between two looks at the store.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        artifacts: ArtifactStore,
        key: str,
        *,
        flow_run: str | None = None,
        silence_s: float = SILENCE_S,
        interval_s: float = LOOK_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._artifacts, self._key, self._clock = artifacts, key, clock
        self._flow_run, self._silence_s, self._interval_s = flow_run, silence_s, interval_s
        self._heard: dict[str, Any] | None = None
        self._heard_at = self._looked_at = clock()

    def restart(self) -> None:
        """Count silence from now: the process has only just begun."""
        self._heard_at = self._looked_at = self._clock()

    def lost(self) -> bool:
        """Whether this very flow run was heard and is silent now."""
        silent, beat = self.silent(), self._heard
        return silent and beat is not None and beat.get("flow_run") == self._flow_run

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
        return self._ended() or now - self._heard_at >= self._silence_s

    def why(self) -> str:
        """What makes it look dead."""
        if self._ended():
            return "Its process is gone."
        return f"No sign of life for {self._silence_s:.0f} s."

    def _ended(self) -> bool:
        """Whether the process is known to be gone, because it was one of this machine."""
        beat = self._heard
        if beat is None or self._flow_run is None or beat.get("flow_run") != self._flow_run:
            return False
        return beat["machine"] == _machine() and started(beat["pid"]) != beat["started"]


@cache
def _machine() -> str:
    """What a pid means something in: this boot of this machine, this pid namespace."""
    return f"{boot()} {os.readlink('/proc/self/ns/pid')}"


def started(pid: int) -> str | None:
    """What tells a process from a later one with its pid: boot, and clock ticks of its start.

    None when there is no such process; a zombie is none. A change of the clock moves neither.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # from the third on: the name may hold anything
    return None if fields[0] in "ZX" else f"{boot()}/{fields[19]}"
