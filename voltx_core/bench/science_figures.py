"""From stage reports to figures: one value a seed, their mean, and how far it can be trusted."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from voltx_core.bench.science_variants import VARIANTS, Variant
from voltx_core.bench.science_work import Report, Work

EXAM = "compositions"
"""Held-out compositions: what the pass rates without a suffix are measured on."""
FRAME_TITLES = {
    "rar": "RAR loop, surer frame",
    "last": "RAR loop, last frame",
    "one_shot": "one endpoint evaluation",
    "query": "raw query frame",
    "zero": "zero frame",
    "shuffled": "another problem's frame",
    "true": "true solution frame (upper bound)",
}
"""What reports call the frames; ``evaluation.frames`` says the same, but imports torch."""
T_975 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)
"""97.5 % points of Student's t for 1 to 9 degrees of freedom."""


@dataclass(frozen=True, slots=True)
class Score:
    """What one seed gave; the interval is over its problems, where there is one."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """Where a figure stands in the reports of a variant.

    Attributes:
        variant: Whose.
        stage: Which stage's report.
        metric: A metric of it; or else
        timings: two of its timings, of which the first is a share of the second; or else
        frame: a frame of its table of pass rates, ``baseline`` for that of the transformer.
        exam: The rows of which exam.
    """

    variant: str
    stage: str
    metric: str | None = None
    timings: tuple[str, str] | None = None
    frame: str | None = None
    exam: str = EXAM

    def score(self, reports: Mapping[str, Report]) -> Score | None:
        """The score in the reports of one cell; None where it was not measured."""
        report = reports.get(self.stage)
        if report is None:
            return None
        if self.metric is not None:
            value = report["metrics"].get(self.metric)
            return None if value is None else Score(value)
        if self.timings is not None:
            part, whole = (report["timings_s"].get(name) for name in self.timings)
            return Score(part / whole) if whole else None
        return _pass_rate(report, self.exam, self.frame)


_BESIDE = "judge.beside_training"
SOURCES: dict[str, Source] = {
    "pass_at_1_soft_core": Source("soft_core", "soft_core", frame="rar"),
    "pass_at_1_last": Source("soft_core", "soft_core", frame="last"),
    "pass_at_1_one_shot": Source("soft_core", "soft_core", frame="one_shot"),
    "pass_at_1_query": Source("soft_core", "soft_core", frame="query"),
    "pass_at_1_zero": Source("soft_core", "soft_core", frame="zero"),
    "pass_at_1_shuffled": Source("soft_core", "soft_core", frame="shuffled"),
    "pass_at_1_true_frame": Source("soft_core", "soft_core", frame="true"),
    "pass_at_1_e2e": Source("aligned", "e2e", frame="rar"),
    "pass_at_1_rlvf": Source("aligned", "rlvf", frame="rar"),
    "pass_at_1_sleep": Source("aligned", "sleep", frame="rar"),
    "pass_at_1_baseline": Source("baseline", "baseline", frame="baseline"),
    "converged_share": Source("soft_core", "soft_core", metric="converged_share"),
    "cosine": Source("soft_core", "soft_core", metric="cosine"),
    "iterations": Source("soft_core", "soft_core", metric="iterations"),
    "router_accuracy": Source("hard_core", "router", metric="accuracy"),
    "ece": Source("hard_core", "certainty", metric="ece"),
    "ece_rlvf": Source("aligned", "rlvf", metric="ece"),
    "safety_fn": Source("hard_core", "safety", metric="false_negatives"),
    "safety_fp": Source("hard_core", "safety", metric="false_positives"),
    "judge_wait_share": Source("aligned", "rlvf", timings=("judge.waited_for", _BESIDE)),
    "judge_busy_share": Source("aligned", "rlvf", timings=("judge.executing", _BESIDE)),
}
"""Every figure but those of the ablations, which are ``pass_at_1_<variant>``."""

_NAMED = {"soft_core", "baseline", "aligned", "hard_core"}


def sources() -> dict[str, Source]:
    """Every figure and where it comes from."""
    ablations = {
        f"pass_at_1_{variant.name}": own(variant, EXAM)
        for variant in VARIANTS.values()
        if variant.name not in _NAMED
    }
    return SOURCES | ablations


def own(variant: Variant, exam: str) -> Source:
    """A variant's own pass rate on an exam."""
    frame = "baseline" if variant.compared_in == "baseline" else variant.frame
    return Source(variant.name, variant.compared_in, frame=frame, exam=exam)


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure over seeds.

    Attributes:
        mean: Over the seeds that have it.
        low, high: 95 % interval of the mean: Student's t over seeds, not cut off at 0 or 1; with
            one seed, or where all agree, that of their problems; None when neither is known.
        values: One a seed.
        interval: What the interval is over: ``seeds``, ``problems`` or None.
    """

    mean: float
    low: float | None
    high: float | None
    values: tuple[float, ...]
    interval: str | None

    @classmethod
    def of(cls, scores: Sequence[Score]) -> "Spread":
        """The spread of at least one score."""
        values = tuple(score.value for score in scores)
        n, mean = len(values), math.fsum(values) / len(values)
        if n == 1:
            one = scores[0]
            return cls(mean, one.low, one.high, values, None if one.low is None else "problems")
        deviation = math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (n - 1))
        lows = [score.low for score in scores if score.low is not None]
        highs = [score.high for score in scores if score.high is not None]
        if deviation == 0 and len(lows) == len(highs) == n:
            # Seeds that agree, such as on 0, do not prove an interval without width.
            return cls(mean, min(lows), max(highs), values, "problems")
        reach = T_975[min(n - 2, len(T_975) - 1)] * deviation / math.sqrt(n)
        return cls(mean, mean - reach, mean + reach, values, "seeds")

    def row(self) -> dict[str, Any]:
        """JSON-ready, rounded."""
        rounded = {
            key: round(value, 5) if isinstance(value, float) else value
            for key, value in asdict(self).items()
        }
        return rounded | {"values": [round(value, 5) for value in self.values]}


def spread(work: Work, source: Source, seeds: Sequence[int]) -> tuple[Spread | None, str | None]:
    """A figure over the seeds, and why it is missing or rests on fewer of them."""
    scores: list[Score] = []
    why: str | None = None
    for seed in seeds:
        score = source.score(work.reports(source.variant, seed))
        if score is not None:
            scores.append(score)
        else:
            why = work.why(source.variant, seed) or _absent(work, source, seed)
    return (Spread.of(scores) if scores else None), why


def difference(work: Work, one: Source, other: Source, seeds: Sequence[int]) -> Spread | None:
    """One figure minus another, seed by seed, over the seeds that have both."""
    pairs = [
        (a, b)
        for seed in seeds
        if (a := one.score(work.reports(one.variant, seed))) is not None
        and (b := other.score(work.reports(other.variant, seed))) is not None
    ]
    gaps = [Score(a.value - b.value) for a, b in pairs]
    return Spread.of(gaps) if gaps else None


def figures(
    work: Work, seeds: Sequence[int]
) -> tuple[dict[str, float | None], dict[str, Any], dict[str, str]]:
    """Every figure, its spread, and why it is null."""
    values: dict[str, float | None] = {}
    samples: dict[str, Any] = {}
    why: dict[str, str] = {}
    for name, source in sources().items():
        found, reason = spread(work, source, seeds)
        values[name] = None if found is None else round(found.mean, 5)
        if found is None:
            why[name] = reason or "not measured"
        else:
            samples[name] = found.row() | ({"missing": reason} if reason else {})
    return values, samples, why


def _absent(work: Work, source: Source, seed: int) -> str:
    if (source.variant, seed) not in work.cells:
        return f"--variants leaves out {source.variant}"
    if source.stage not in work.reports(source.variant, seed):
        return f"{source.stage} with seed {seed} has not run"
    what = source.metric or (source.timings or [f"frame {source.frame!r}"])[0]
    return f"the report of {source.stage} with seed {seed} has no {what}"


def _pass_rate(report: Report, exam: str, frame: str | None) -> Score | None:
    """The row of an exam and a frame in a report's table of pass rates."""
    for title, rows in report["tables"].items():
        for row in rows:
            if frame == "baseline":
                here = title == "Transformer baseline" and row.get("split") == exam
            else:
                here = row.get("suite") == exam and row.get("frame") == FRAME_TITLES[frame or ""]
            if here and row.get("pass@1") is not None:
                return Score(row["pass@1"], row["low"], row["high"])
    return None
