"""A run as it goes: a live table on a terminal, plain lines everywhere else."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from voltx_core.stages.workspace import Workspace

STYLES = {
    "waiting": "dim",
    "queued": "cyan",
    "running": "bold cyan",
    "retrying": "bold yellow",
    "interrupted": "yellow",
    "stopped": "yellow",
    "committed": "green",
    "reused": "green",
    "rehearsed": "green",
    "failed": "bold red",
    "cancelled": "red",
    "blocked": "red",
}
BAR_WIDTH = 12
REFRESH_S = 1.0
LINE_S = 20.0
"""Least seconds between two lines about the same running stage."""

Rows = Sequence[Mapping[str, Any]]


def ended(workspace: "Workspace", run_id: str) -> dict[str, Any] | None:
    """How a run ended, with its report written; None while it goes on."""
    outcome: dict[str, Any] | None = workspace.artifacts.get_json(f"runs/{run_id}/outcome.json")
    return outcome if outcome and "report" in outcome else None


def watch(
    rows: Callable[[], Rows],
    outcome: Callable[[], dict[str, Any] | None],
    *,
    console: "Console",
    refresh_s: float = REFRESH_S,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, Any]:
    """Show a run until it has ended; Ctrl-C leaves it alone and is raised.

    Args:
        rows: The stages now; empty before the run has begun.
        outcome: How the run ended, None while it goes on.
        console: Where to.
        refresh_s: Seconds between two looks.
        sleep: Waits.

    Returns:
        What ``outcome`` said.
    """
    view = _Live(console) if console.is_terminal else _Lines(console)
    with view:
        while True:
            result = outcome()  # before the rows, so that the last look shows the end
            view.show(rows())
            if result is not None:
                return result
            sleep(refresh_s)


def table(rows: Rows, *, now: datetime | None) -> "Table":
    """The stages as a table; ``now`` gives running stages their time so far."""
    from rich.table import Table
    from rich.text import Text

    made = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    made.add_column("", min_width=4, no_wrap=True)
    made.add_column("stage", min_width=20, no_wrap=True)
    made.add_column("state", min_width=11, no_wrap=True)
    made.add_column("time", min_width=9, justify="right", no_wrap=True)
    made.add_column("", ratio=1, no_wrap=True, overflow="ellipsis")
    for row in rows:
        trouble = row["state"] in ("failed", "blocked", "retrying")
        made.add_row(
            row["number"],
            row["title"],
            Text(row["state"], style=STYLES.get(row["state"], "")),
            _spent(row, now),
            Text(remark(row), style="red" if trouble else "dim"),
        )
    return made


def remark(row: Mapping[str, Any]) -> str:
    """What is worth saying about a stage: its progress, its headline metric, or its trouble."""
    if row["state"] == "running":
        return _progress(row.get("progress") or {})
    if row.get("report"):
        return headline(row["report"])
    return "" if row["state"] == "waiting" else " ".join(str(row["why"]).split())


def headline(report: Mapping[str, Any]) -> str:
    """The first promise beside its measurement, else the first metric."""
    for target in report["targets"]:
        if target["measured"] is not None:
            promise = f"{target['comparison']} {target['value']:g}"
            verdict = "met" if target["met"] else "missed"
            return f"{target['metric']} {target['measured']:.3g} ({promise} {verdict})"
    for name, value in report["metrics"].items():
        if isinstance(value, int | float):
            return f"{name} {value:.3g}"
    return ""


class _Live:
    """Redraws one table in place."""

    def __init__(self, console: "Console") -> None:
        from rich.live import Live

        self._live = Live(console=console, auto_refresh=False)

    def __enter__(self) -> "_Live":
        self._live.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._live.__exit__(*error)

    def show(self, rows: Rows) -> None:
        if rows:
            self._live.update(table(rows, now=datetime.now(UTC)), refresh=True)


class _Lines:
    """One line for every change, and now and then one for a stage that is at work."""

    def __init__(self, console: "Console") -> None:
        self._console = console
        self._known: dict[str, str] = {}
        self._told: dict[str, float] = {}

    def __enter__(self) -> "_Lines":
        return self

    def __exit__(self, *error: Any) -> None:
        pass

    def show(self, rows: Rows) -> None:
        now = time.monotonic()
        for row in rows:
            name, state = row["name"], row["state"]
            changed = self._known.get(name, "waiting") != state != "queued"
            due = state == "running" and now - self._told.get(name, now) >= LINE_S
            if changed or due:
                self._known[name], self._told[name] = state, now
                spent = _spent(row, datetime.now(UTC))
                words = (f"{row['number']:>5}", f"{row['title']:<22}", f"{state:<11}", spent)
                line = "  ".join((*words, remark(row))).rstrip()
                self._console.print(line, markup=False, soft_wrap=True)


def _progress(progress: Mapping[str, Any]) -> str:
    """``━━━━╌╌╌╌  50 %  fitting, about 40 s left, loss 0.31``."""
    from voltx_core.report.formatting import duration

    parts = [str(progress["note"])] if progress.get("note") else []
    if progress.get("eta_s"):
        parts.append(f"about {duration(progress['eta_s'])} left")
    loss = (progress.get("metrics") or {}).get("loss")
    if loss is not None:
        parts.append(f"loss {loss:.3g}")
    words = ", ".join(parts)
    if not progress.get("total"):
        return words
    share = min(1.0, progress["done"] / progress["total"])
    filled = round(share * BAR_WIDTH)
    bar = f"{'━' * filled}{'╌' * (BAR_WIDTH - filled)}"
    return f"{bar} {100 * share:3.0f} %  {words}".rstrip()


def _spent(row: Mapping[str, Any], now: datetime | None) -> str:
    from voltx_core.report.formatting import duration

    if not row.get("started_at") or row["state"] == "reused":
        return ""
    end = datetime.fromisoformat(row["finished_at"]) if row.get("finished_at") else now
    if end is None:
        return ""
    return duration(max(0.0, (end - datetime.fromisoformat(row["started_at"])).total_seconds()))
