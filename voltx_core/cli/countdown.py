"""How far a long command is, and how long it will still take, on stderr."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from voltx_core.cli.options import console

LINE_S = 20.0
"""Least seconds between two lines where no terminal can show a bar."""


@contextmanager
def countdown(title: str) -> Iterator[Callable[[int, int], None]]:
    """A function to call with (done, all): a bar with its ETA on a terminal, lines elsewhere.

    Args:
        title: what is being counted.
    """
    out = console(stderr=True)
    if not out.is_terminal:
        yield _lines(title)
        return
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=out, transient=True) as progress:
        bar = progress.add_task(title, total=None)
        yield lambda done, total: progress.update(bar, completed=done, total=total)


def _lines(title: str) -> Callable[[int, int], None]:
    began = last = time.monotonic()
    first: int | None = None

    def tell(done: int, total: int) -> None:
        nonlocal last, first
        first = done if first is None else first  # what an earlier run did says nothing of pace
        now = time.monotonic()
        if now - last < LINE_S or done in (first, total):
            return
        last = now
        left = (now - began) / (done - first) * (total - done)
        console(stderr=True).print(f"{title}: {done} of {total}, about {_rounded(left)} left")

    return tell


def _rounded(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
