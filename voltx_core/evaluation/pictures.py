"""Pictures of scores."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

COLOURS = {"model": "#2b6cb0", "ablation": "#a0aec0", "baseline": "#c05621"}


def draw_scores(rows: Sequence[Mapping[str, Any]], path: Path, *, title: str) -> None:
    """Bars of greedy pass@1 with their intervals, one a system, in the order of the rows.

    Args:
        rows: Rows of ``examination.score`` on one exam; those without a score are left out.
        path: Where the PNG goes.
        title: What was asked.
    """
    from matplotlib.figure import Figure

    measured = [row for row in rows if row["pass@1"] is not None][::-1]
    figure = Figure(figsize=(7, 1.2 + 0.34 * len(measured)), layout="constrained")
    axes = figure.subplots()
    axes.barh(
        [row["label"] for row in measured],
        [row["pass@1"] for row in measured],
        color=[COLOURS[row["kind"]] for row in measured],
        xerr=[
            [max(0.0, row["pass@1"] - row["low"]) for row in measured],
            [max(0.0, row["high"] - row["pass@1"]) for row in measured],
        ],
        capsize=3,
    )
    axes.set(xlim=(0, 1), xlabel="pass@1, greedy, with 95 % intervals", title=title)
    axes.grid(axis="x", alpha=0.3)
    figure.savefig(path, dpi=120)


def draw_loss(curve: Sequence[tuple[int, float]], path: Path, *, title: str) -> None:
    """A loss curve: (step, loss) on a logarithmic scale."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.5), layout="constrained")
    axes = figure.subplots()
    axes.plot([step for step, _ in curve], [value for _, value in curve])
    axes.set(xlabel="step", ylabel="loss, nats a token", yscale="log", title=title)
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120)
