"""The charts of a report card, each a pure function from content to one SVG drawing."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from voltx_core.report import svg
from voltx_core.report.content import Curve, Score, StageCard
from voltx_core.report.curves import smoothed
from voltx_core.report.formatting import duration, number, share

WIDTH = 880.0
STATE_COLOURS = {
    "committed": "var(--c1)",
    "reused": "var(--c3)",
    "running": "var(--c2)",
    "failed": "var(--c5)",
    "interrupted": "var(--c4)",
    "stopped": "var(--c4)",
    "retrying": "var(--c4)",
    "cancelled": "var(--c4)",
    "waiting": "var(--line)",
    "queued": "var(--line)",
}
KIND_COLOURS = {"model": "var(--c1)", "ablation": "var(--muted)", "baseline": "var(--c2)"}


def curve_chart(name: str, curve: Curve, *, width: float = 420, height: float = 190) -> str:
    """One series over steps: the points faint, their moving average strong.

    Args:
        name: Title of the chart.
        curve: (step, value) pairs, sorted.
    """
    left, right, top, bottom = 52.0, 14.0, 28.0, 26.0
    steps, values = [s for s, _ in curve], [v for _, v in curve]
    low, high = min(values), max(values)
    pad = (high - low) * 0.06 or abs(high) * 0.05 or 1.0
    low, high = low - pad, high + pad
    across = max(steps[-1] - steps[0], 1)

    def place(step: float, value: float) -> tuple[float, float]:
        x = left + (step - steps[0]) / across * (width - left - right)
        return x, top + (high - value) / (high - low) * (height - top - bottom)

    marks = [
        svg.text(left, 15, name, kind="strong"),
        svg.text(width - right, 15, f"{number(values[0])} → {number(values[-1])}", end="end"),
    ]
    for value in svg.ticks(low, high):
        y = place(steps[0], value)[1]
        marks += [svg.line(left, y, width - right, y)]
        marks += [svg.text(left - 6, y + 4, number(value), end="end")]
    for step in svg.ticks(steps[0], steps[-1], 5):
        marks.append(svg.text(place(step, 0)[0], height - 8, number(step), end="middle"))
    if len(curve) == 1:
        marks.append(svg.dot(*place(*curve[0]), fill="var(--c1)"))
    else:
        points = [place(*point) for point in curve]
        if len(curve) > 12:
            marks.append(svg.polyline(points, stroke="var(--c1)", kind="curve faint"))
            points = [place(*point) for point in smoothed(curve)]
        marks.append(svg.polyline(points, stroke="var(--c1)"))
    return svg.drawing(width, height, marks, f"{name} over steps")


def score_chart(scores: Sequence[Score]) -> str:
    """Points with their confidence intervals on a scale from 0 to 100 %."""
    left, right, top, row = 210.0, 90.0, 30.0, 26.0
    height = top + row * len(scores) + 12
    marks = []
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        x = left + tick * (WIDTH - left - right)
        marks += [svg.line(x, top - 6, x, height - 8)]
        marks += [svg.text(x, top - 14, f"{100 * tick:.0f} %", end="middle")]
    for index, score in enumerate(scores):
        y = top + row * index + row / 2
        colour = KIND_COLOURS[score.kind]
        kind = "strong" if score.kind == "model" else "name"
        marks.append(svg.text(left - 14, y + 4, score.label, end="end", kind=kind))
        marks.append(svg.text(WIDTH - right + 12, y + 4, share(score.value), kind=kind))
        if score.value is None:
            continue
        scale = WIDTH - left - right
        if score.low is not None and score.high is not None:
            x1, x2 = left + score.low * scale, left + score.high * scale
            marks.append(svg.bar(x1, y - 3, x2 - x1, 6, fill=colour, opacity=0.3))
        hint = f"{score.label}: {share(score.value)}"
        marks.append(svg.dot(left + score.value * scale, y, fill=colour, hint=hint))
    return svg.drawing(WIDTH, height, marks, "pass@1 with 95 % intervals")


def timeline(stages: Sequence[StageCard], start: datetime, end: datetime) -> str:
    """A bar from start to finish of every stage: what ran side by side lies side by side."""
    left, right, top, row = 190.0, 78.0, 30.0, 24.0
    total = max((end - start).total_seconds(), 1e-3)
    height = top + row * len(stages) + 10
    scale = (WIDTH - left - right) / total
    marks = []
    for tick in svg.time_ticks(total):
        x = left + tick * scale
        marks += [svg.line(x, top - 6, x, height - 6)]
        label = duration(tick).removesuffix(" 00 s").removesuffix(" 00 min") if tick else "0"
        marks += [svg.text(x, top - 14, label, end="middle")]
    for index, stage in enumerate(stages):
        y = top + row * index
        marks.append(
            svg.text(left - 12, y + 15, f"{stage.number}  {stage.title}", end="end", kind="name")
        )
        colour = STATE_COLOURS.get(stage.state, "var(--muted)")
        for begun, ended in stage.earlier:
            x, seconds = (
                left + (begun - start).total_seconds() * scale,
                (ended - begun).total_seconds(),
            )
            hint = f"{stage.title}: an earlier attempt, {duration(seconds)}"
            marks.append(svg.bar(x, y + 4, seconds * scale, row - 9, fill="var(--c4)", hint=hint))
        if stage.started_at is None:
            marks.append(svg.text(left + 4, y + 15, stage.state))
            continue
        x = left + (stage.started_at - start).total_seconds() * scale
        if stage.state == "reused":
            marks.append(svg.dot(x + 4, y + 11, fill=colour, hint="reused"))
            marks.append(svg.text(x + 13, y + 15, "reused"))
            continue
        seconds = ((stage.finished_at or end) - stage.started_at).total_seconds()
        hint = f"{stage.title}: {stage.state}, {duration(seconds)}"
        marks.append(svg.bar(x, y + 4, seconds * scale, row - 9, fill=colour, hint=hint))
        label = duration(seconds) + ("" if stage.state == "committed" else f", {stage.state}")
        marks.append(svg.text(x + max(seconds * scale, 2) + 6, y + 15, label))
    return svg.drawing(WIDTH, height, marks, "Start and finish of every stage")


def lineage(stages: Sequence[StageCard]) -> str:
    """Stages in layers, each below all it was made from.

    What already follows from a chain of other edges is not drawn; the table beside has all.
    """
    layers = _layers(stages)
    widest = max((len(names) for names in layers), default=1)
    box_width, box_height, gap = min(172.0, WIDTH / widest - 10), 46.0, 46.0
    place: dict[str, tuple[float, float]] = {}
    for depth, names in enumerate(layers):
        slot = WIDTH / len(names)
        for index, name in enumerate(names):
            place[name] = (slot * (index + 0.5), 8 + depth * (box_height + gap))
    edges, boxes = [], []
    above: dict[str, set[str]] = {}
    for stage in stages:
        x, y = place[stage.name]
        parents = set(stage.inputs.values()) & set(place)
        implied = {far for parent in parents for far in above.get(parent, ())}
        above[stage.name] = parents | implied
        for px, py in (place[parent] for parent in sorted(parents - implied)):
            edges.append(svg.arc(px, py + box_height, x, y))
        boxes += [
            svg.box(
                x - box_width / 2,
                y,
                box_width,
                box_height,
                stroke=STATE_COLOURS.get(stage.state, ""),
            ),
            svg.text(x, y + 19, f"{stage.number}  {stage.title}", end="middle", kind="strong"),
            svg.text(x, y + 35, (stage.fingerprint or stage.state)[:12], end="middle"),
        ]
    height = 16 + len(layers) * (box_height + gap) - gap
    return svg.drawing(WIDTH, height, edges + boxes, "Which stage was made from which")


def _layers(stages: Sequence[StageCard]) -> list[list[str]]:
    depth: dict[str, int] = {}
    for stage in stages:  # graph order: parents come first
        above = [depth[parent] for parent in stage.inputs.values() if parent in depth]
        depth[stage.name] = max(above, default=-1) + 1
    layers: list[list[str]] = [[] for _ in range(max(depth.values(), default=0) + 1)]
    for name, level in depth.items():
        layers[level].append(name)
    return layers


def loss_first(curves: Mapping[str, Curve]) -> list[str]:
    """Names of the curves worth drawing: losses, then the rest; rates and speed are left out."""
    shown = [
        name
        for name, curve in curves.items()
        if curve and not name.endswith(("lr", "grad_norm")) and not name.startswith("pace/")
    ]
    return sorted(shown, key=lambda n: (not n.endswith("loss"), "loss" not in n, n))
