"""What a stage will take: from what it took before, here or on a machine that is known."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from voltx_core.config import VoltxConfig
from voltx_core.errors import StoreError
from voltx_core.stages import yardstick
from voltx_core.stages.contract import Pool, StageSpec
from voltx_core.stages.fingerprint import settings
from voltx_core.stages.lifecycle import read_report
from voltx_core.stages.machine import kind
from voltx_core.stages.planning import Planned
from voltx_core.stages.workspace import Workspace

PROPORTIONAL = ("steps", "batch")
"""Settings of a stage's own section that its time grows in proportion to."""
SAME, SCALED, ELSEWHERE, UNLIKE = 1.3, 1.6, 2.0, 10.0
"""How far off an expectation is taken to be at most, as a factor: of the same work on this kind of
device, of other step counts, from the record of another machine, and from the other kind of
device: of a GPU by what a CPU took, or the reverse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What one stage is expected to take; None where nothing comparable was ever measured."""

    seconds: float | None
    low_s: float | None
    high_s: float | None
    size: int | None
    """Bytes of its outputs."""
    cost_usd: float | None
    """Of its time by itself, on a machine of the kind that this is expected of."""
    basis: str

    def row(self) -> dict[str, Any]:
        """JSON-ready summary."""
        return {
            "estimated_s": self.seconds,
            "estimated_low_s": self.low_s,
            "estimated_high_s": self.high_s,
            "estimated_bytes": self.size,
            "estimated_cost_usd": self.cost_usd,
            "estimate_basis": self.basis,
        }


@dataclass(frozen=True, slots=True)
class _Basis:
    """Something comparable: how long it took, how it compares, and how sure that is."""

    seconds: float
    size: int
    scale: float
    doubt: float
    kind: Pool
    """Of machine, to be paid for."""
    words: str


def estimate(planned: Planned, config: VoltxConfig, workspace: Workspace) -> Estimate:
    """Expect of a stage what its most similar committed result took, scaled by its steps.

    Results of the kind of device that this machine would use go before others, however near these
    are. A stage that has none in this store is expected to take what it took where voltx was
    measured, by the speed of this machine.

    Args:
        planned: The decision about the stage.
        config: The configuration it would run with.
        workspace: Where earlier results are looked up.
    """
    if planned.state == "reuse":
        return Estimate(seconds=0.0, low_s=0.0, high_s=0.0, size=0, cost_usd=0.0, basis="reused")
    wanted = settings(planned.spec, config)
    used = _device(config)
    found = _here(planned.spec, wanted, workspace, used) or _elsewhere(planned.spec, wanted, used)
    if found is None:
        why = "no run of comparable size is known"
        return Estimate(seconds=None, low_s=None, high_s=None, size=None, cost_usd=None, basis=why)
    seconds = found.seconds * found.scale
    rate = config.cost.rates_usd_per_hour.get(found.kind)
    return Estimate(
        seconds=seconds,
        low_s=seconds / found.doubt,
        high_s=seconds * found.doubt * _crowding(),
        size=found.size,
        cost_usd=None if rate is None else seconds / 3600 * rate,
        basis=found.words,
    )


def forecast(
    planned: Mapping[str, Planned], config: VoltxConfig, workspace: Workspace
) -> dict[str, dict[str, Any]]:
    """What each stage of a plan is expected to take, JSON-ready, to be compared afterwards."""
    return {
        name: {"state": decided.state, **asdict(estimate(decided, config, workspace))}
        for name, decided in planned.items()
    }


def makespan_s(rows: Sequence[Mapping[str, Any]], at_once: int | None = None) -> float:
    """Seconds from the first start to the last end of dependent stages.

    Each starts as soon as what it needs is there and one of the places is free; of several that
    could start, the first in the order of the graph does. Unknown times count as nothing.

    Args:
        rows: Of a plan in the order of the graph: ``name``, ``needs``, ``estimated_s``.
        at_once: Places; None for as many as can be used.
    """
    ends: dict[str, float] = {}
    waiting, now = list(rows), 0.0
    busy: list[tuple[float, str]] = []
    while waiting or busy:
        ready = [
            row for row in waiting if all(ends.get(n, now + 1) <= now for n in _known(row, rows))
        ]
        while ready and (at_once is None or len(busy) < at_once):
            row = ready.pop(0)
            waiting.remove(row)
            end = now + (row["estimated_s"] or 0.0)
            busy.append((end, row["name"]))
        now, name = min(busy)
        busy.remove((now, name))
        ends[name] = now
    return max(ends.values(), default=0.0)


def _known(row: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """What a stage needs of those in the plan."""
    names = {other["name"] for other in rows}
    return [need for need in row["needs"] if need in names]


def _device(config: VoltxConfig) -> str:
    """Which device stages would use here, found without loading torch."""
    wanted = config.compute.device
    return wanted if wanted != "auto" else "cpu" if kind() == "cpu" else "cuda"


def _here(
    spec: StageSpec, wanted: Mapping[str, Any], workspace: Workspace, used: str
) -> _Basis | None:
    """The committed result that is nearest: by device, then in size; among equals the newest."""
    comparable = [
        (manifest.environment.get("device", ""), scale, manifest)
        for manifest in workspace.artifacts.manifests(spec.name)
        if (scale := _scale(spec, manifest.config, wanted)) is not None
    ]
    if not comparable:
        return None
    device, scale, manifest = min(comparable, key=lambda c: (c[0] != used, abs(c[1] - 1)))
    try:
        timings = read_report(workspace, manifest)["timings_s"]
        took = timings["total"] + timings.get("earlier attempts", 0.0)
    except (StoreError, KeyError, ValueError):
        return None
    where = f"{took:.0f} s on {manifest.created_at[:10]}"
    there: Pool = kind()
    if device != used:
        where += f" on {device or 'an unknown device'}, where this would be on {used}"
        there = "cpu" if device == "cpu" else "gpu" if spec.pool == "cpu" else spec.pool
    return _Basis(
        seconds=took,
        size=sum(entry.size for entry in manifest.files.values()),
        scale=scale,
        doubt=UNLIKE if device != used else SAME if scale == 1 else SCALED,
        kind=there,
        words=where if scale == 1 else f"{where}, times {scale:.2g} for its size",
    )


def _elsewhere(spec: StageSpec, wanted: Mapping[str, Any], used: str) -> _Basis | None:
    """The record of the machine that is known, by the speed of this one."""
    reference, stages = yardstick.marks()
    comparable = [
        (scale, mark)
        for mark in stages.get(spec.name, ())
        if (scale := _scale(spec, mark.settings, wanted)) is not None
    ]
    if not comparable:
        return None
    scale, mark = min(comparable, key=lambda pair: abs(pair[0] - 1))
    slowdown = yardstick.probe().slowdown(reference)
    words = f"{mark.seconds:.0f} s on 2 known cores, times {slowdown:.2g} for this machine"
    if used != "cpu":
        words += " without its GPU"
    return _Basis(
        seconds=mark.seconds,
        size=mark.size,
        scale=scale * slowdown,
        doubt=ELSEWHERE if used == "cpu" else UNLIKE,
        kind=kind(),
        words=words if scale == 1 else f"{words}, times {scale:.2g} for its size",
    )


def _crowding() -> float:
    """How much longer other work on this machine may make things."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def _scale(spec: StageSpec, old: Mapping[str, Any], new: Mapping[str, Any]) -> float | None:
    """How many times larger the new work is; None when more than step counts differ."""
    own = f"{spec.reads[0]}." if spec.reads else ""
    scale = 1.0
    for key in {*old, *new}:
        if not own or not key.startswith(own) or old.get(key) == new.get(key):
            continue
        before, after = old.get(key), new.get(key)
        numbers = isinstance(before, (int, float)) and isinstance(after, (int, float))
        if key.removeprefix(own) not in PROPORTIONAL or not numbers or not before or not after:
            return None
        scale *= after / before
    return scale
