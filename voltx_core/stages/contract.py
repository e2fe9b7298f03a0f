"""The stage contract: everything the pipeline does is a stage, and there is one kind of stage.

A stage module holds ``SPEC`` (what it needs, makes and promises) and ``run(run) -> StageReport``.
It may also hold ``external(config)`` when its result depends on files outside the store. It
imports torch inside ``run`` only, so that listing the graph stays instant.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from voltx_core.config import VoltxConfig
from voltx_core.training.checkpoint import Checkpoints
from voltx_core.training.ranks import ALONE, Ranks
from voltx_core.training.session import Observer, StopFlag

Pool = Literal["cpu", "gpu", "multi-gpu"]
Comparison = Literal[">", ">=", "<", "<="]

__all__ = [
    "ALWAYS_READABLE",
    "Artifact",
    "ConfigView",
    "Observer",
    "StageReport",
    "StageRun",
    "StageSpec",
    "StopFlag",
    "Target",
    "TargetResult",
    "viewed",
]


@dataclass(frozen=True, slots=True)
class Artifact:
    """Something a stage makes: a file or a folder, relative to the stage's outputs."""

    name: str
    path: str


@dataclass(frozen=True, slots=True)
class Target:
    """What the plan promised for one metric."""

    metric: str
    comparison: Comparison
    value: float
    title: str

    def judge(self, metrics: Mapping[str, float | None]) -> "TargetResult":
        """Compare with what was measured; a metric that was not measured is neither."""
        measured = metrics.get(self.metric)
        met = None
        if measured is not None:
            met = {
                ">": measured > self.value,
                ">=": measured >= self.value,
                "<": measured < self.value,
                "<=": measured <= self.value,
            }[self.comparison]
        return TargetResult(target=self, measured=measured, met=met)


@dataclass(frozen=True, slots=True)
class TargetResult:
    """A target beside its measurement; ``met`` is None when nothing was measured."""

    target: Target
    measured: float | None
    met: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StageSpec:
    """What a stage is, before anything runs."""

    number: str
    name: str
    title: str
    needs: tuple[str, ...]
    """Names of artifacts other stages make."""
    makes: tuple[Artifact, ...]
    reads: tuple[str, ...]
    """Dotted paths of the configuration that decide the result; nothing else may be read."""
    pool: Pool = "cpu"
    targets: tuple[Target, ...] = ()
    alone: bool = False
    """Nothing else runs beside it: it may use ``compute.threads_alone`` threads."""
    judges: bool = False
    """Executes generated code: preflight makes sure that the judge can."""
    version: int = 1
    """Raised when a code change makes earlier results invalid."""


class ConfigView:
    """The part of the configuration that a stage declared in ``reads``.

    Reading anything else is a programming mistake: it would change the result without changing
    the fingerprint.
    """

    def __init__(self, section: BaseModel, reads: Sequence[str], prefix: str = "") -> None:
        self._section, self._reads, self._prefix = section, tuple(reads), prefix

    def __getattr__(self, name: str) -> Any:
        path = f"{self._prefix}{name}"
        value = getattr(self._section, name)
        if any(path == r or path.startswith(f"{r}.") for r in self._reads):
            return value
        if isinstance(value, BaseModel) and any(r.startswith(f"{path}.") for r in self._reads):
            return ConfigView(value, self._reads, f"{path}.")
        raise AttributeError(f"this stage does not declare {path!r} in SPEC.reads")


def viewed(view: ConfigView) -> BaseModel:
    """The whole configuration that a view is of, for another process of the same stage."""
    return view._section


ALWAYS_READABLE = ("seed", "preset", "compute", "judge", "checkpoint")
"""Settings every stage may read. Of these ``seed`` and the precision are part of every
fingerprint, and the limits of the judge part of those of stages that judge."""


@dataclass(slots=True, kw_only=True)
class StageRun:
    """One execution of a stage: everything ``run`` may touch."""

    spec: StageSpec
    config: Any
    """A ConfigView: ``run.config.soft_core.steps``."""
    inputs: Mapping[str, Path]
    """Local, verified path of each artifact in ``spec.needs``."""
    folder: Path
    """Where outputs go; figures under ``figures/``."""
    device: str
    checkpoints: Checkpoints
    observer: Observer
    stop: StopFlag
    ranks: Ranks = ALONE
    """This process among those that train together."""

    @classmethod
    def view(cls, spec: StageSpec, config: VoltxConfig) -> ConfigView:
        return ConfigView(config, (*spec.reads, *ALWAYS_READABLE))

    def output(self, artifact: str) -> Path:
        """Path of an artifact this stage makes; its parent folder exists.

        Raises:
            KeyError: The spec does not list it.
        """
        path = self.folder / {a.name: a.path for a in self.spec.makes}[artifact]
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def figure(self, name: str) -> Path:
        """Where to write the picture ``name`` (a PNG)."""
        path = self.folder / "figures" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


@dataclass(slots=True, kw_only=True)
class StageReport:
    """What a stage found. Numbers only from things that ran; None means not measured."""

    metrics: dict[str, float | None] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    tables: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """Titled tables: rows with equal keys, e.g. the ablation table."""
    notes: list[str] = field(default_factory=list)
    """Sentences a reader must know: what was not run and why, what disappointed."""
    timings_s: dict[str, float] = field(default_factory=dict)
    flops: float = 0.0
    """Arithmetic of training, 6 x parameters x tokens or counted; 0 when nothing trained."""
