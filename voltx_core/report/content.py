"""What a report card says, before it is drawn: plain dataclasses, gathered from records only."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from voltx_core.stages.spending import Account

Verdict = Literal["met", "missed", "not measured"]
Curve = list[tuple[int, float]]

DONE = ("committed", "reused")
ENDED_BADLY = ("failed", "blocked", "cancelled", "stopped")
"""States of a stage whose result exists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetRow:
    """One promise of the plan beside its measurement."""

    stage: str
    number: str
    title: str
    metric: str
    comparison: str
    value: float
    measured: float | None

    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A picture that a stage drew."""

    name: str
    media_type: str
    data: bytes

    @property
    def file_name(self) -> str:
        """Name with the ending of its type."""
        return f"{self.name}.{self.media_type.split('/')[1].removesuffix('+xml')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StageCard:
    """One stage of the run: its live record, and its report where it has one."""

    number: str
    name: str
    title: str
    pool: str
    state: str
    """``committed``, ``reused``, ``running``, ``retrying``, ``interrupted``, ``failed``,
    ``stopped`` (by the budget), ``cancelled``, ``blocked``, ``rehearsed`` or ``waiting``."""
    why: str
    fingerprint: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    earlier: tuple[tuple[datetime, datetime], ...] = ()
    """Start and end of the attempts before this one: failed, stopped or killed."""
    work_s: float | None = None
    """What making the result took, in this run or in the one it is reused from."""
    created_at: str | None = None
    version: int | None = None
    progress: dict[str, Any] | None = None
    metrics: dict[str, float | None] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    tables: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    targets: tuple[TargetRow, ...] = ()
    timings_s: dict[str, float] = field(default_factory=dict)
    flops: float = 0.0
    curves: dict[str, Curve] = field(default_factory=dict)
    figures: tuple[Figure, ...] = ()
    inputs: dict[str, str] = field(default_factory=dict)
    """Artifact that went in → the stage of this run that made it."""
    input_digests: dict[str, str] = field(default_factory=dict)
    artifacts: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Artifact that came out → path, sha256, size."""
    environment: dict[str, Any] = field(default_factory=dict)

    @property
    def done(self) -> bool:
        return self.state in DONE

    @property
    def spans(self) -> tuple[tuple[datetime, datetime | None], ...]:
        """Start and end of every attempt of this run; the end is None while one goes on."""
        if self.started_at is None or self.state == "reused":
            return self.earlier
        return (*self.earlier, (self.started_at, self.finished_at))

    def count(self, verdict: Verdict) -> int:
        """How many targets have this verdict."""
        return sum(target.verdict == verdict for target in self.targets)


@dataclass(frozen=True, slots=True, kw_only=True)
class WallTime:
    """Where the time between the first and the last sign of life of a run went."""

    wall_s: float | None
    stages_s: float
    """Sum over the stages; more than ``covered_s`` where stages overlapped."""
    covered_s: float
    """Time during which at least one stage was at work."""
    parts_s: dict[str, float]
    """What the stages' own life cycle spent: preflight, pull, resume, run, commit, saves."""

    @property
    def other_share(self) -> float | None:
        """Share of wall time during which no stage worked: starting processes, scheduling."""
        if not self.wall_s:
            return None
        return max(0.0, 1 - self.covered_s / self.wall_s)

    @property
    def overlapped_s(self) -> float:
        """Seconds won by running stages side by side."""
        return max(0.0, self.stages_s - self.covered_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRow:
    """What one stage was expected to take when the run began, beside what it took."""

    number: str
    title: str
    planned_s: float | None
    low_s: float | None
    high_s: float | None
    actual_s: float | None
    basis: str

    @property
    def factor(self) -> float | None:
        """By how much the plan was off, upwards or downwards: 1 is exact."""
        if not self.planned_s or not self.actual_s:
            return None
        return max(self.planned_s / self.actual_s, self.actual_s / self.planned_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One row of the headline: pass@1 of one answerer on one split."""

    split: str
    label: str
    kind: Literal["model", "ablation", "baseline"]
    value: float | None
    low: float | None = None
    high: float | None = None
    problems: int | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A setting that is not at its usual value."""

    key: str
    value: Any
    usual: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """Everything the report of one run shows."""

    run_id: str
    preset: str
    seed: int
    store: str
    started_at: datetime | None
    finished_at: datetime | None
    written_at: datetime
    stages: tuple[StageCard, ...]
    scores: tuple[Score, ...]
    time: WallTime
    plan: tuple[PlanRow, ...]
    """Stages that this run did; none for a run that recorded no plan."""
    account: Account
    machines: tuple[dict[str, Any], ...]
    overrides: tuple[Setting, ...]
    """Settings that differ from the preset."""
    scaled: tuple[Setting, ...]
    """Settings whose preset value differs from the training plan's."""
    facts: dict[str, Any]
    """What else the run recorded, such as where to watch it."""
    command: str
    """Repeats the run."""

    @property
    def targets(self) -> tuple[TargetRow, ...]:
        return tuple(target for stage in self.stages for target in stage.targets)

    @property
    def state(self) -> str:
        """``complete``, ``failed``, or ``partial``."""
        if all(stage.done for stage in self.stages):
            return "complete"
        return "failed" if any(s.state in ENDED_BADLY for s in self.stages) else "partial"
