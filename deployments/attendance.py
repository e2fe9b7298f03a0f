"""Staying with a worker in the foreground: until it is asked to leave, or has been idle for long.

A rented machine is paid for until it is destroyed, so whoever rents it wants an end: SIGTERM (the
notice of a spot machine that is taken away), a terminal that hangs up (a dropped connection) and
idleness all let stages at work save, leave the pools, and return; what started this then destroys
the machine.
"""

import contextlib
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

LOOK_S = 2.0

End = Literal["asked", "idle", "down"]
"""By a signal; because nothing ran for long; because `voltx down` was faster."""


@dataclass(frozen=True, slots=True)
class Stay:
    """How long a machine was there, and for how much of that something ran on it."""

    end: End
    up_s: float
    busy_s: float

    def cost_usd(self, usd_per_hour: float) -> tuple[float, float]:
        """What the machine cost, and the part of that which it was idle for."""
        return self.up_s / 3600 * usd_per_hour, (self.up_s - self.busy_s) / 3600 * usd_per_hour


class Bell:
    """Rung by SIGTERM, SIGINT and SIGHUP."""

    def __init__(self) -> None:
        self.rung = False

    def ring(self, *_: object) -> None:
        self.rung = True


@contextlib.contextmanager
def listening() -> Iterator[Bell]:
    """Within, SIGTERM, SIGINT and SIGHUP ring a bell instead of ending the process.

    Under nohup, which ignores SIGHUP, a terminal that hangs up is no reason to leave.
    """
    bell = Bell()
    wishes = [signal.SIGTERM, signal.SIGINT]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        wishes.append(signal.SIGHUP)
    earlier = {wish: signal.signal(wish, bell.ring) for wish in wishes}
    try:
        yield bell
    finally:
        for wish, handler in earlier.items():
            signal.signal(wish, handler)


def attend(
    bell: Bell,
    *,
    busy: Callable[[], bool],
    alive: Callable[[], bool],
    idle_s: float | None,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Stay:
    """Look after a worker until there is a reason to leave.

    Args:
        bell: Rings when somebody asks for the end.
        busy: Whether a run is at work on this machine.
        alive: Whether the services of this machine are still up.
        idle_s: Seconds without a run after which to leave; None stays for ever.
        sleep: Between two looks.
        clock: Monotonic seconds.
    """
    began = quiet_since = seen = clock()
    worked_s, working = 0.0, False
    while True:
        now = clock()
        worked_s += now - seen if working else 0.0
        seen, working = now, busy()
        if working:
            quiet_since = now
        end: End | None = None
        if bell.rung:
            end = "asked"
        elif not alive():
            end = "down"
        elif idle_s is not None and now - quiet_since >= idle_s:
            end = "idle"
        if end is not None:
            return Stay(end=end, up_s=now - began, busy_s=worked_s)
        sleep(LOOK_S)


def at_work(home: Path) -> bool:
    """Whether a run has a process here."""
    from deployments.pools import ENTRY
    from deployments.processes import of_home

    return bool(of_home(home, ENTRY))
