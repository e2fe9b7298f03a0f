"""Taking the services of a project down."""

import os
import signal
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from deployments import settings_file
from deployments.pools import ENTRY
from deployments.processes import of_home, stop, wait
from deployments.services import ENDING, LEAVE_S, Running, Wanted, exclusive, home_folder
from deployments.supervisor import healthy
from voltx_core.errors import StoreError
from voltx_core.stages.workspace import Workspace

Tell = Callable[[str], None]


def take_down(tell: Tell, *, environ: Mapping[str, str] = os.environ) -> list[str]:
    """Stop what `voltx up` started here, and nothing else.

    Stages are asked first: they save their progress and leave, and the next run goes on there.

    Returns:
        What was stopped, as words for the user; empty when nothing ran.
    """
    home = home_folder(environ)
    with exclusive(home):
        running = Running.load(home)
        if running is None:
            return []
        alive = running.alive()
        stopped: list[str] = []
        (home / ENDING).touch()  # from here on nothing is revived, until the next start
        ours = running.wanted.port is not None  # a shared server has runs of other machines
        ours = ours and bool(alive) and healthy(running.wanted.api_url)
        if ours:
            _pause_pools(home, running.wanted, tell)
        runs = of_home(home, ENTRY)
        if runs:
            tell(f"Asking {len(runs)} running processes to save and leave...")
            # The worker takes no other run; one that is just starting would not ask those at work.
            for process in [*([alive["worker"]] if "worker" in alive else []), *runs]:
                process.send(signal.SIGTERM)
            left = wait(runs, timeout_s=LEAVE_S)
            if not left:
                stop(runs, grace_s=0.0)
            saved = (
                "progress is saved"
                if left
                else f"killed after {LEAVE_S:.0f} s; their last checkpoints are intact"
            )
            stopped.append(f"{len(runs)} processes of a run ({saved})")
        if ours:
            for name in _cancel_runs(running.wanted, tell):
                stopped.append(f"run {name}")
                _record_end(name, running.wanted, environ, tell)
        stopped += stop_services(home)
        settings_file.remove(Path(running.wanted.project), home)
        (home / ENDING).unlink()
    return stopped


def stop_services(home: Path) -> list[str]:
    """Supervisor first: it ends the others in order and would only start them again."""
    running = Running.load(home)
    alive = running.alive() if running else {}
    if "supervisor" in alive:
        stop([alive["supervisor"]], grace_s=2 * LEAVE_S)
    stop(alive.values(), grace_s=10.0)
    for name in ("up.json", "registered"):
        (home / name).unlink(missing_ok=True)
    return [f"{name} (pid {identity.pid})" for name, identity in alive.items()]


def _record_end(run_id: str, wanted: Wanted, environ: Mapping[str, str], tell: Tell) -> None:
    """Write down that the run has ended, for those who watch it."""
    outcome = {
        "state": "cancelled",
        "why": "stopped by `voltx down`; run again to go on",
        "finished_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "report": None,
    }
    try:
        artifacts = Workspace.open(wanted.store, environ=environ).artifacts
        artifacts.put_json(f"runs/{run_id}/outcome.json", outcome)
    except StoreError as error:
        tell(str(error))


def _pause_pools(home: Path, wanted: Wanted, tell: Tell) -> None:
    """No worker takes another run; registering at the next `voltx up` lets them again."""
    from prefect.client.schemas.actions import WorkPoolUpdate

    from deployments.client import connect

    (home / "registered").unlink(missing_ok=True)
    try:
        with connect(wanted.api_url) as client:
            for pool in wanted.pools:
                client.update_work_pool(pool, WorkPoolUpdate(is_paused=True))
    except Exception as error:  # the services end all the same
        tell(f"Could not pause the work pools: {error}")


def _cancel_runs(wanted: Wanted, tell: Tell) -> list[str]:
    """Mark the runs that the user stopped, so that the next `voltx up` does not revive them."""
    from deployments.client import cancel_runs, connect

    try:
        with connect(wanted.api_url) as client:
            return cancel_runs(client, "Stopped by `voltx down`; run again to go on.")
    except Exception as error:  # the services end all the same
        tell(f"Could not mark the runs as cancelled: {error}")
        return []
