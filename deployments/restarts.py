"""What starts what again, and whether it is at work now: the part of `voltx doctor` on restarts."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deployments.revival import GRACE_S, LIVES, LOOK_S
from deployments.services import LEAVE_S, Running, home_folder
from deployments.supervisor import CHECK_S, FIRST_PAUSE_S, LONGEST_PAUSE_S
from tasks.dispatch import ATTEMPTS, BACK_OFF_S, CRASH_PAUSE_S, CRASHES
from tasks.pulse import INTERVAL_S, SILENCE_S
from voltx_core.cli.doctor import Check


@dataclass(frozen=True, slots=True)
class Level:
    """Something that may die."""

    name: str
    how: str
    """Who starts it again, after how long."""
    keeper: str
    """The service that does so."""


def levels() -> tuple[Level, ...]:
    """From the smallest to the largest."""
    crashes = ", ".join(f"{pause:g}" for pause in CRASH_PAUSE_S)
    failures = ", ".join(f"{pause:g}" for pause in BACK_OFF_S)
    supervised = (
        f"the supervisor looks every {CHECK_S:g} s and starts it again after {FIRST_PAUSE_S:g} s "
        f"(up to {LONGEST_PAUSE_S:g} s when it keeps ending by itself)"
    )
    return (
        Level(
            "stage",
            "the parent flow starts the next attempt from the newest checkpoint: "
            f"{crashes} s after crashes, {failures} s after errors; {ATTEMPTS} errors or {CRASHES} "
            "crashes in one place end the stage with what to do",
            "worker",
        ),
        Level(
            "stage, SIGTERM",
            "it saves and leaves; the parent flow starts the next attempt at once",
            "worker",
        ),
        Level("worker", f"{supervised}; runs go on meanwhile", "supervisor"),
        Level(
            "worker, SIGTERM",
            f"it takes no other run, its runs save and leave within {LEAVE_S:g} s, others go on",
            "worker",
        ),
        Level(
            "machine",
            f"processes beat in the store every {INTERVAL_S:g} s; after {SILENCE_S:g} s of silence "
            "the parent flow starts the stage on another machine of its pool",
            "worker",
        ),
        Level(
            "parent flow",
            f"the worker of the graph looks every {LOOK_S:g} s and starts it again {GRACE_S:g} s "
            f"after a crash or after {SILENCE_S:g} s of silence, up to {LIVES} times",
            "worker",
        ),
        Level("server", f"{supervised}, on the same database", "supervisor"),
        Level("supervisor", "`voltx up` or `voltx run`, also after a reboot", ""),
    )


def checks() -> Iterator[Check]:
    """A line for each level."""
    home = home_folder()
    running = Running.load(home)
    alive = running.alive() if running else {}
    joined = running is not None and running.wanted.port is None
    for level in levels():
        if level.name == "server" and joined:
            assert running is not None
            yield _check(level, f"its own machine ({running.wanted.api_url})")
        elif not level.keeper:
            yield _check(level, level.how)
        elif not alive:
            yield _check(level, f"{level.how} (installed by `voltx up`; nothing is up here)")
        elif level.keeper in alive and _registered(home):
            keeper = f"{level.keeper} pid {alive[level.keeper].pid}"
            yield _check(level, f"{level.how} ({keeper} is at work)")
        else:
            yield Check(
                name=f"Restart of {level.name}",
                state="warning",
                found=f"{level.how}, but the {level.keeper} does not run",
                remedy="voltx up starts it.",
            )


def _registered(home: Path) -> bool:
    return (home / "registered").exists()


def _check(level: Level, found: str) -> Check:
    return Check(name=f"Restart of {level.name}", state="ok", found=found)
