"""``voltx tensorboard``: the curves of a run's stages in TensorBoard."""

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voltx_core.cli.options import StoreUrl, console, explained
from voltx_core.errors import StageError

if TYPE_CHECKING:
    from voltx_core.stages.workspace import Workspace

Runs = Annotated[
    list[str] | None,
    typer.Argument(metavar="[RUN]...", help="Ids of runs, side by side; default: the latest one."),
]
Host = Annotated[str, typer.Option("--host", help="Address to listen on.")]
Port = Annotated[int, typer.Option("--port", min=1, max=65_535, help="Port to listen on.")]


@explained()
def tensorboard(
    runs: Runs = None,
    host: Host = "127.0.0.1",
    port: Port = 6006,
    store: StoreUrl = None,
) -> None:
    """Show the curves of all stages of a run in TensorBoard, while it goes on and afterwards.

    Stages that ran elsewhere are fetched from the store. Ctrl-C ends it.

    Examples:

      voltx tensorboard                                  the latest run

      voltx tensorboard 2026-01-02-1504 2026-01-03-0900  two runs side by side
    """
    from voltx_core.stages.runs import latest
    from voltx_core.stages.workspace import Workspace

    workspace = Workspace.open(store)
    wanted = runs or [run for run in [latest(workspace.artifacts)] if run]
    if not wanted:
        raise StageError(f"{workspace.url} has no run yet. Start one: voltx run --watch.")
    folder = workspace.home / "tensorboard" / str(port)  # another one may be up on another port
    shutil.rmtree(folder, ignore_errors=True)
    found = {run: gather(run, workspace, folder / run) for run in wanted}
    if not any(found.values()):
        raise StageError(f"No stage of {', '.join(wanted)} has curves yet. Try again in a minute.")
    for run, stages in found.items():
        console().print(f"{run}: {', '.join(stages)}", soft_wrap=True)
    console().print(f"[bold]http://{host}:{port}[/], Ctrl-C ends it", soft_wrap=True)
    command = ["-m", "tensorboard.main", "--logdir", str(folder), "--host", host, "--port"]
    os.execv(sys.executable, [sys.executable, *command, str(port)])


def gather(run_id: str, workspace: "Workspace", folder: Path) -> list[str]:
    """Links to the event files of each stage of a run, by number and name.

    Args:
        run_id: The run.
        workspace: The store that knows it.
        folder: For the links; made when there are any.

    Returns:
        The stages that have curves.

    Raises:
        StageError: There is no such run.
    """
    from voltx_core.stages import graph
    from voltx_core.stages.observer import EVENTS
    from voltx_core.stages.runs import RunRecord

    run = RunRecord(workspace.artifacts, run_id).read()
    if run is None:
        raise StageError(f"{workspace.url} knows no run {run_id!r}. See: voltx status.")
    stages = []
    for name, spec in graph.specs().items():
        fingerprint = (run["records"].get(name) or {}).get("fingerprint")
        if not fingerprint:
            continue
        events = workspace.work(name, fingerprint) / EVENTS
        manifest = workspace.artifacts.manifest(name, fingerprint)
        for path in manifest.files if manifest else ():
            if manifest and path.startswith(f"{EVENTS}/"):
                events = workspace.artifacts.fetch_file(manifest, path).parent
        if events.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{spec.number} {name}").symlink_to(events.absolute())
            stages.append(f"{spec.number} {name}")
    return stages
