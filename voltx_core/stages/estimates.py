"""What a stage will take, from what the same stage took before in this store."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from voltx_core.config import VoltxConfig
from voltx_core.errors import StoreError
from voltx_core.stages.contract import StageSpec
from voltx_core.stages.fingerprint import settings
from voltx_core.stages.lifecycle import read_report
from voltx_core.stages.planning import Planned
from voltx_core.stages.workspace import Workspace

PROPORTIONAL = ("steps", "batch")
"""Settings of a stage's own section that its time grows in proportion to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Expected seconds of one stage; None where nothing comparable has run."""

    seconds: float | None
    basis: str
    cost_usd: float | None

    def row(self) -> dict[str, Any]:
        """JSON-ready summary."""
        return {
            "estimated_s": self.seconds,
            "estimate_basis": self.basis,
            "estimated_cost_usd": self.cost_usd,
        }


def estimate(planned: Planned, config: VoltxConfig, workspace: Workspace) -> Estimate:
    """Expect of a stage what its most similar committed result took, scaled by its steps.

    Args:
        planned: The decision about the stage.
        config: The configuration it would run with.
        workspace: Where earlier results are looked up.
    """
    if planned.state == "reuse":
        return Estimate(seconds=0.0, basis="reused", cost_usd=0.0)
    seconds, basis = _expected(planned.spec, config, workspace)
    rate = config.cost.rates_usd_per_hour.get(planned.spec.pool)
    cost = None if seconds is None or rate is None else seconds / 3600 * rate
    return Estimate(seconds=seconds, basis=basis, cost_usd=cost)


def _expected(
    spec: StageSpec, config: VoltxConfig, workspace: Workspace
) -> tuple[float | None, str]:
    wanted = settings(spec, config)
    comparable = [
        (scale, manifest)
        for manifest in workspace.artifacts.manifests(spec.name)
        if (scale := _scale(spec, manifest.config, wanted)) is not None
    ]
    if not comparable:
        return None, "no earlier run of comparable size in this store"
    # Nearest in size; among equals the first, which is the newest.
    scale, manifest = min(comparable, key=lambda pair: abs(pair[0] - 1))
    try:
        timings = read_report(workspace, manifest)["timings_s"]
        took = timings["total"] + timings.get("earlier attempts", 0.0)
    except (StoreError, KeyError, ValueError):
        return None, "the report of its earlier run cannot be read"
    where = f"{took:.0f} s on {manifest.created_at[:10]}"
    return took * scale, where if scale == 1 else f"{where}, times {scale:.2g} for its size"


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
