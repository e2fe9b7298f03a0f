"""A run as it goes, on a terminal and in a log."""

import io
from typing import Any

import pytest
from rich.console import Console

from voltx_core.cli.watch import headline, remark, watch


def row(name: str, state: str, **facts: Any) -> dict[str, Any]:
    base = {"number": "1.0", "name": name, "title": name.title(), "state": state, "why": "why"}
    return {
        **base,
        "started_at": None,
        "finished_at": None,
        "progress": None,
        "report": None,
        **facts,
    }


RUNNING = row(
    "data",
    "running",
    started_at="2026-01-01T00:00:00+00:00",
    progress={"done": 5, "total": 10, "note": "fitting", "eta_s": 40.0, "metrics": {"loss": 0.5}},
)
DONE = row(
    "data",
    "committed",
    started_at="2026-01-01T00:00:00+00:00",
    finished_at="2026-01-01T00:01:05+00:00",
    report={
        "targets": [
            {
                "metric": "pass@1",
                "title": "t",
                "comparison": ">=",
                "value": 0.4,
                "measured": 0.55,
                "met": True,
            }
        ],
        "metrics": {},
    },
)


def follow(looks: list[list[dict[str, Any]]], *, terminal: bool) -> tuple[str, Any]:
    """What is shown when each look finds the next rows and the last finds the end."""
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=120, color_system=None)
    ends = iter([None] * (len(looks) - 1) + [{"state": "completed"}])
    shown = iter(looks)
    result = watch(lambda: next(shown), lambda: next(ends), console=console, sleep=lambda _: None)
    return out.getvalue(), result


def test_in_a_log_every_change_is_one_line() -> None:
    text, result = follow(
        [[], [row("data", "waiting")], [RUNNING], [RUNNING], [DONE]], terminal=False
    )
    lines = text.splitlines()
    assert [line.split()[2] for line in lines] == ["running", "committed"]
    assert "1 min 05 s" in lines[1]
    assert "pass@1 0.55 (>= 0.4 met)" in lines[1]
    assert result == {"state": "completed"}


def test_on_a_terminal_a_table_shows_progress_and_time_left() -> None:
    text, _ = follow([[RUNNING], [DONE]], terminal=True)
    assert "50 %  fitting, about 40 s left, loss 0.5" in text


def test_ctrl_c_ends_the_watching() -> None:
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    console = Console(file=io.StringIO(), force_terminal=True)
    with pytest.raises(KeyboardInterrupt):
        watch(lambda: [RUNNING], lambda: None, console=console, sleep=interrupt)


def test_trouble_is_told_in_one_line() -> None:
    assert remark(row("data", "failed", why="disk\n  full")) == "disk full"


def test_without_promises_the_first_metric_is_the_headline() -> None:
    assert (
        headline({"targets": [], "metrics": {"skipped": None, "vocabulary": 768}})
        == "vocabulary 768"
    )
    assert headline({"targets": [], "metrics": {}}) == ""


def test_a_queued_stage_is_shown_on_a_terminal_and_makes_no_line_in_a_log() -> None:
    queued = row("data", "queued", why="waits for a worker of its pool to be free")
    shown, _ = follow([[queued], [DONE]], terminal=True)
    assert "waits for a worker of its pool" in shown
    logged, _ = follow([[queued], [DONE]], terminal=False)
    assert "queued" not in logged
    assert "committed" in logged
