"""What would happen: for every stage, reuse or run, and why.

The same walk decides in ``voltx plan`` and before a stage runs, so the plan cannot lie.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from voltx_core.config import VoltxConfig
from voltx_core.stages import graph
from voltx_core.stages.contract import StageSpec
from voltx_core.stages.fingerprint import code_digests, external, fingerprint, settings
from voltx_core.store import ArtifactStore, Manifest

State = Literal["reuse", "run"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """The decision about one stage.

    ``fingerprint`` is None when an input does not exist yet, so that nobody can know it.
    """

    spec: StageSpec
    state: State
    why: str
    fingerprint: str | None
    manifest: Manifest | None
    notes: tuple[str, ...] = ()

    def row(self) -> dict[str, Any]:
        """JSON-ready summary."""
        return {
            "number": self.spec.number,
            "name": self.spec.name,
            "title": self.spec.title,
            "pool": self.spec.pool,
            "state": self.state,
            "why": self.why,
            "fingerprint": self.fingerprint,
            "notes": list(self.notes),
        }


def plan(
    config: VoltxConfig,
    artifacts: ArtifactStore,
    *,
    stages: Sequence[str] | None = None,
    force: Sequence[str] = (),
    pinned: Mapping[str, str] | None = None,
) -> dict[str, Planned]:
    """Decide for each stage, in graph order, whether its result exists.

    Args:
        config: The resolved configuration.
        artifacts: Where results are looked up.
        stages: Names to visit (all they need must be among them); default those of `voltx run`.
        force: Names that run even though they are committed.
        pinned: Fingerprints that a run has settled on already, by stage. They are looked up and
            not computed anew, so that a stage on another machine, with other packages installed,
            still finds the results of its own run.
    """
    planned: dict[str, Planned] = {}
    for name in stages or graph.select():
        settled = (pinned or {}).get(name)
        manifest = artifacts.manifest(name, settled) if settled else None
        if manifest is not None:
            planned[name] = Planned(
                spec=graph.specs()[name],
                state="reuse",
                why="made in this run",
                fingerprint=settled,
                manifest=manifest,
            )
            continue
        planned[name] = _decide(graph.specs()[name], config, artifacts, planned, name in force)
    return planned


def input_digests(spec: StageSpec, planned: Mapping[str, Planned]) -> dict[str, str] | None:
    """Digest of every needed artifact, or None while one of them does not exist."""
    digests: dict[str, str] = {}
    for artifact in spec.needs:
        manifest = planned[graph.makers()[artifact]].manifest
        if manifest is None:
            return None
        digests[artifact] = manifest.artifacts[artifact].sha256
    return digests


def _decide(
    spec: StageSpec,
    config: VoltxConfig,
    artifacts: ArtifactStore,
    planned: Mapping[str, Planned],
    forced: bool,
) -> Planned:
    inputs = input_digests(spec, planned)
    if inputs is None:
        what = ", ".join(f"{graph.specs()[p].number} {p}" for p in _nearest_missing(spec, planned))
        why = f"its input from {what} will be made first"
        return Planned(spec=spec, state="run", why=why, fingerprint=None, manifest=None)
    outside = external(spec, config)
    identity = fingerprint(spec, config, inputs, outside)
    manifest = artifacts.manifest(spec.name, identity)
    if forced:
        return Planned(spec=spec, state="run", why="forced", fingerprint=identity, manifest=None)
    if manifest is None:
        why = _difference(spec, config, inputs, artifacts)
        return Planned(spec=spec, state="run", why=why, fingerprint=identity, manifest=None)
    notes: tuple[str, ...] = ()
    if manifest.code != code_digests(spec):
        notes = ("the code of this stage changed since; raise SPEC.version to run it anew",)
    return Planned(
        spec=spec,
        state="reuse",
        why=f"committed {manifest.created_at}",
        fingerprint=identity,
        manifest=manifest,
        notes=notes,
    )


def _nearest_missing(spec: StageSpec, planned: Mapping[str, Planned]) -> list[str]:
    """Stages whose result is waited for, without those that stand behind another of them."""
    missing = [p for p in graph.parents(spec.name) if planned[p].manifest is None]
    behind = {a for p in missing for a in graph.select(only=[p]) if a != p}
    return [p for p in missing if p not in behind]


def _difference(
    spec: StageSpec, config: VoltxConfig, inputs: Mapping[str, str], artifacts: ArtifactStore
) -> str:
    """Why no committed result fits: what differs from the most recent one."""
    earlier = artifacts.manifests(spec.name)
    if not earlier:
        return "never run in this store"
    wanted = settings(spec, config)
    closest = min(earlier, key=lambda m: len(_changed(m.config, wanted)))
    changed = _changed(closest.config, wanted)
    reasons = [f"{key}: {closest.config.get(key)!r} → {wanted.get(key)!r}" for key in changed[:4]]
    if len(changed) > 4:
        reasons.append(f"and {len(changed) - 4} more settings")
    reasons += [
        f"input {name} changed"
        for name, digest in inputs.items()
        if closest.inputs.get(name) != digest
    ]
    if closest.version != spec.version:
        reasons.append(f"stage version {closest.version} → {spec.version}")
    return "; ".join(reasons) or "what it reads from outside the store changed"


def _changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    return sorted(key for key in {*old, *new} if old.get(key) != new.get(key))
