"""Curves of a stage from its ``metrics.jsonl``."""

import json
import math
from collections.abc import Iterable

from voltx_core.report.content import Curve

MOST_POINTS = 400
"""A curve with more points is thinned: no screen shows more."""


def read_curves(lines: Iterable[str]) -> dict[str, Curve]:
    """Every numeric series by name, sorted by step.

    A stage that was killed and restarted repeats the steps since its last checkpoint, and its
    last line may be torn: the later value of a step wins, a line that is no JSON is passed over.
    """
    series: dict[str, dict[int, float]] = {}
    for line in lines:
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if not isinstance(row, dict) or not isinstance(row.get("step"), int):
            continue
        for name, value in row.items():
            if name != "step" and isinstance(value, (int, float)) and math.isfinite(value):
                series.setdefault(name, {})[row["step"]] = float(value)
    return {name: _thin(sorted(points.items())) for name, points in sorted(series.items())}


def smoothed(curve: Curve) -> Curve:
    """The exponential moving average over about a fortieth of the curve, without start bias."""
    keep = 1 - 1 / max(1.0, len(curve) / 40)
    average = weight = 0.0
    smooth = []
    for step, value in curve:
        average = keep * average + (1 - keep) * value
        weight = keep * weight + (1 - keep)
        smooth.append((step, average / weight))
    return smooth


def _thin(curve: Curve) -> Curve:
    if len(curve) <= MOST_POINTS:
        return curve
    # Evenly spaced with both ends kept: the first and the last value are what people quote.
    last = len(curve) - 1
    return [curve[round(i * last / (MOST_POINTS - 1))] for i in range(MOST_POINTS)]
