"""How honest a certainty is: reliability, calibration error, Brier score, discrimination.

The expected calibration error alone is no proof: it is low whenever everything fails and the
model says so. Read it beside the Brier score and the AUROC.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Predictions between two probabilities; means are None where there are none."""

    low: float
    high: float
    count: int
    certainty: float | None
    """Mean predicted probability."""
    pass_rate: float | None
    """Share that came true."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Calibration of a set of predictions.

    Attributes:
        ece: Expected calibration error over equal-width bins, in [0, 1].
        brier: Mean squared error of the probability, in [0, 1].
        brier_skill: 1 - brier / brier of always predicting the pass rate; None when the outcomes
            are all alike. Above 0 the certainty knows more than the average.
        auroc: Probability that a pass gets a higher certainty than a failure; None when the
            outcomes are all alike.
        pass_rate: Share that came true.
        points: Number of predictions.
        bins: The reliability table.
    """

    ece: float
    brier: float
    brier_skill: float | None
    auroc: float | None
    pass_rate: float
    points: int
    bins: tuple[ReliabilityBin, ...]

    def table(self) -> list[dict[str, Any]]:
        """The reliability table as rows for a report, rounded."""
        return [
            {k: v if isinstance(v, int | None) else round(v, 4) for k, v in asdict(each).items()}
            for each in self.bins
        ]


def calibrate(certainty: ArrayLike, outcomes: ArrayLike, *, bins: int = 10) -> Calibration:
    """Measure predicted probabilities against what happened.

    Args:
        certainty: ``[N]`` predicted probabilities in [0, 1].
        outcomes: ``[N]`` booleans.
        bins: Equal-width bins of [0, 1].

    Raises:
        ValueError: No points, unequal lengths, or a probability outside [0, 1].
    """
    p, y = _checked(certainty, outcomes)
    brier = float(np.mean((p - y) ** 2))
    rate = float(y.mean())
    mixed = 0.0 < rate < 1.0
    table = reliability(p, y, bins=bins)
    return Calibration(
        ece=expected_calibration_error(table),
        brier=brier,
        brier_skill=1 - brier / (rate * (1 - rate)) if mixed else None,
        auroc=auroc(p, y),
        pass_rate=rate,
        points=len(p),
        bins=table,
    )


def reliability(
    certainty: ArrayLike, outcomes: ArrayLike, *, bins: int = 10
) -> tuple[ReliabilityBin, ...]:
    """Group predictions into equal-width bins ``[low, high)``, the last one closed."""
    p, y = _checked(certainty, outcomes)
    place = np.minimum((p * bins).astype(int), bins - 1)
    rows = []
    for n in range(bins):
        inside = place == n
        count = int(inside.sum())
        rows.append(
            ReliabilityBin(
                low=n / bins,
                high=(n + 1) / bins,
                count=count,
                certainty=float(p[inside].mean()) if count else None,
                pass_rate=float(y[inside].mean()) if count else None,
            )
        )
    return tuple(rows)


def expected_calibration_error(bins: Sequence[ReliabilityBin]) -> float:
    """Mean gap between certainty and pass rate, weighted by count (Naeini et al. 2015)."""
    total = sum(each.count for each in bins)
    gaps = (
        each.count * abs(each.certainty - each.pass_rate)
        for each in bins
        if each.certainty is not None and each.pass_rate is not None
    )
    return sum(gaps) / total


def auroc(certainty: ArrayLike, outcomes: ArrayLike) -> float | None:
    """Area under the ROC curve; None when every outcome is the same."""
    p, y = _checked(certainty, outcomes)
    if y.min() == y.max():
        return None
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(y, p))


def draw_reliability(calibration: Calibration, path: Path, *, title: str) -> None:
    """Draw the reliability diagram: pass rate over certainty, with the points of each bin."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 6), layout="constrained")
    FigureCanvasAgg(figure)
    top, bottom = figure.subplots(2, 1, height_ratios=(3, 1), sharex=True)
    used = [each for each in calibration.bins if each.count]
    centre = [(each.low + each.high) / 2 for each in calibration.bins]
    width = calibration.bins[0].high - calibration.bins[0].low
    top.plot([0, 1], [0, 1], color="grey", linestyle="--", label="perfect")
    top.plot([b.certainty for b in used], [b.pass_rate for b in used], marker="o", label="measured")
    top.set(xlim=(0, 1), ylim=(0, 1), ylabel="share that passed", title=title)
    known = "not defined" if calibration.auroc is None else f"{calibration.auroc:.3f}"
    top.text(0.02, 0.86, f"ECE {calibration.ece:.3f}\nBrier {calibration.brier:.3f}\nAUROC {known}")
    top.legend(loc="lower right")
    bottom.bar(centre, [b.count for b in calibration.bins], width=width * 0.9)
    bottom.set(xlabel="certainty", ylabel="programs")
    figure.savefig(path, dpi=110, metadata={"Software": None})


def _checked(
    certainty: ArrayLike, outcomes: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    p = np.asarray(certainty, dtype=np.float64)
    y = np.asarray(outcomes, dtype=np.float64)
    if p.ndim != 1 or p.shape != y.shape or not len(p):
        raise ValueError(f"need equally many points, at least one: got {p.shape} and {y.shape}")
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError("certainties must lie in [0, 1] and be numbers")
    return p, y
