"""Which artifacts a run made or reused, and where they lie."""

from collections.abc import Iterable
from pathlib import Path

from voltx_core.errors import StageError
from voltx_core.stages import graph
from voltx_core.stages.runs import RunRecord, history
from voltx_core.stages.workspace import Workspace
from voltx_core.store import Manifest


def fetch(run_id: str, names: Iterable[str], workspace: Workspace) -> dict[str, Path]:
    """Local, verified path of each artifact as this run made it.

    Args:
        run_id: The run.
        names: Artifacts of any of its stages.
        workspace: The store that holds them.

    Raises:
        StageError: No such run, or it has not come far enough yet.
        StoreError: Something in the store is damaged or gone.
    """
    wanted = {name: graph.makers()[name] for name in names}
    manifests = _manifests(run_id, set(wanted.values()), workspace)
    return {
        name: workspace.artifacts.fetch(manifests[maker], name) for name, maker in wanted.items()
    }


def manifests(run_id: str, workspace: Workspace) -> dict[str, Manifest]:
    """Manifest of each stage that a run has made or reused so far."""
    made = RunRecord(workspace.artifacts, run_id).fingerprints()
    found = {name: workspace.artifacts.manifest(name, made[name]) for name in made}
    return {name: manifest for name, manifest in found.items() if manifest is not None}


def newest_with(names: Iterable[str], workspace: Workspace) -> str | None:
    """Id of the newest run that has made or reused all of these artifacts, or None."""
    wanted = tuple(names)
    for run_id in history(workspace.artifacts):
        made = RunRecord(workspace.artifacts, run_id).fingerprints()
        if all(graph.makers()[name] in made for name in wanted):
            return run_id
    return None


def _manifests(run_id: str, stages: set[str], workspace: Workspace) -> dict[str, Manifest]:
    run = RunRecord(workspace.artifacts, run_id).read()
    if run is None:
        raise StageError(
            f"{workspace.url} knows no run {run_id!r}. Name another, or start one: voltx run."
        )
    found: dict[str, Manifest] = {}
    missing: list[str] = []
    for name in (n for n in graph.MODULES if n in stages):
        record = run["records"].get(name) or {}
        manifest = None
        if record.get("state") in ("committed", "reused"):
            manifest = workspace.artifacts.manifest(name, record["fingerprint"])
        if manifest is None:
            missing.append(
                f"{graph.specs()[name].number} {name} ({record.get('state', 'waiting')})"
            )
        else:
            found[name] = manifest
    if missing:
        raise StageError(
            f"Run {run_id} has no result yet from: {', '.join(missing)}. Wait for it (voltx "
            f"status), run the graph to its end (voltx run), or name another run."
        )
    return found
