"""Which machine worked on which stage, when: the timeline of a run as plain text.

voltx status --timeline
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from voltx_core.report.formatting import duration
from voltx_core.stages.timings import covered

WIDTH = 40
MARKS = {"committed": "█", "running": "▓", "rehearsed": "█"}
BROKEN_OFF = "░"
"""An attempt that ended without a result: killed, stopped, or its machine was lost."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at a stage; a reused stage has none."""

    number: str
    title: str
    count: int
    host: str
    state: str
    start: datetime
    end: datetime
    """Of a killed one its last sign of life."""


def attempts(run: Mapping[str, Any], titles: Mapping[str, tuple[str, str]]) -> list[Attempt]:
    """Every attempt of a run, by its start.

    Args:
        run: The record of the run with those of its stages.
        titles: Stage → (number, title).
    """
    found = []
    for name, record in run["records"].items():
        if not record or record.get("state") == "reused":
            continue
        earlier = record.get("earlier", ())
        for count, attempt in enumerate([*earlier, record], 1):
            # Whoever dispatches a stage may have noted more in the record of a dead attempt.
            lost = count <= len(earlier) and not attempt.get("finished_at")
            end = attempt.get("finished_at") or attempt.get("alive_at")
            if attempt.get("started_at") and end:
                found.append(
                    Attempt(
                        *titles.get(name, ("?", name)),  # a stage of another version of voltx
                        count=count,
                        host=attempt.get("host") or "",
                        state="lost" if lost else attempt.get("state") or "",
                        start=datetime.fromisoformat(attempt["started_at"]),
                        end=datetime.fromisoformat(end),
                    )
                )
    return sorted(found, key=lambda attempt: attempt.start)


def render(run: Mapping[str, Any], titles: Mapping[str, tuple[str, str]]) -> str:
    """A line an attempt: machine, stage, seconds from the first start, and a bar."""
    found = attempts(run, titles)
    if not found:
        return "No stage of this run has worked yet.\n"
    zero = min(attempt.start for attempt in found)
    total = max((attempt.end - zero).total_seconds() for attempt in found) or 1.0
    hosts = max(len(attempt.host) for attempt in found)
    lines = [f"{'machine':<{max(hosts, 7)}}  {'stage':<26} {'from':>8} {'to':>8}"]
    for a in found:
        start, end = (a.start - zero).total_seconds(), (a.end - zero).total_seconds()
        again = f" #{a.count}" if a.count > 1 or a.state not in MARKS else ""
        title = f"{a.number} {a.title}{again}"
        bar = _bar(start / total, end / total, MARKS.get(a.state, BROKEN_OFF))
        ended = "" if a.state in ("committed", "rehearsed") else f"  {a.state}"
        lines.append(
            f"{a.host:<{max(hosts, 7)}}  {title:<26} {start:8.1f} {end:8.1f}  |{bar}|{ended}"
        )
    return "\n".join([*lines, "", *_machines(found, total)]) + "\n"


def _bar(start: float, end: float, mark: str) -> str:
    first = min(int(start * WIDTH), WIDTH - 1)
    last = max(first + 1, round(end * WIDTH))
    return (" " * first + mark * (last - first)).ljust(WIDTH)[:WIDTH]


def _machines(found: list[Attempt], total: float) -> Iterator[str]:
    """How much of the time each machine was at work."""
    for host in dict.fromkeys(attempt.host for attempt in found):
        mine = [attempt for attempt in found if attempt.host == host]
        busy = covered((attempt.start, attempt.end) for attempt in mine)
        done = sum(attempt.state == "committed" for attempt in mine)
        yield f"{host}: {done} stages, at work {duration(busy)} of {duration(total)}"
