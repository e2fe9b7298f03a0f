"""Bringing the services of a project up and taking them down."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from deployments import settings_file
from deployments.pools import CONTROL, Layout, pools
from deployments.processes import stop, wait
from deployments.services import (
    ENDING,
    Running,
    Wanted,
    exclusive,
    free_port,
    home_folder,
    passed_on,
    store_url,
)
from deployments.supervisor import healthy
from voltx_core.errors import ConfigError, StageError, StoreError
from voltx_core.stages.workspace import Workspace

START_S = 180.0
"""A server on a cold disk migrates its database for a while."""
ENOUGH_ENDS = 3
PORTS_TRIED = 3
LEAVE_S = 30.0
"""Time for stages to save and leave; cloud machines give the same notice."""

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Up:
    """What is up now."""

    running: Running
    started: bool
    """Whether this call started it, rather than finding it."""
    reachable: bool
    """Whether the plain Prefect command line finds the server in this folder."""

    @property
    def api_url(self) -> str:
        return self.running.wanted.api_url

    @property
    def ui_url(self) -> str:
        return self.running.wanted.ui_url

    def log(self, service: str) -> Path:
        """Where a service writes what it does."""
        return Path(self.running.wanted.home) / "logs" / f"{service}.log"


def bring_up(
    tell: Tell,
    *,
    layout: Layout | None = None,
    project: Path | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Up:
    """Make sure that server, pools, deployments and workers are there.

    Args:
        tell: Told what takes time.
        layout: Whether this machine runs every stage; by default as it is up, else it does.
        project: Folder that relative paths of runs count from; the current one by default.
        environ: Where VOLTX_HOME, VOLTX_STORE and PREFECT_API_URL are looked up.

    Raises:
        ConfigError: Services of this home run for another store or data folder.
        StageError: Something did not start; quotes its log.
    """
    home = home_folder(environ)
    with exclusive(home):
        running = Running.load(home)
        if running is not None and running.alive():
            _same(running.wanted, layout, environ)
            (home / ENDING).unlink(missing_ok=True)  # a `voltx down` that was broken off
            wanted, found = running.wanted, "supervisor" in running.alive()
        else:
            wanted, found = _want(home, layout or "one", project or Path.cwd(), environ), False
        try:
            if not found:
                wanted = _start(home, wanted, tell)
            elif not _await_server(home, wanted):
                raise StageError(
                    f"Port {wanted.port} belongs to another program now. Run `voltx down`, then "
                    "try again: another port is taken."
                )
            _register(home, wanted, tell)
            running = _await_services(home)
        except BaseException:
            if not found:
                _stop_services(home)
            raise
        reachable = settings_file.write(Path(wanted.project), wanted.api_url)
    return Up(running=running, started=not found, reachable=reachable)


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
        runs = [child for name in alive if name == "worker" for child in alive[name].children()]
        if runs:
            tell(f"Asking {len(runs)} running processes to save and leave...")
            for process in runs:
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
        stopped += _stop_services(home)
        settings_file.remove(Path(running.wanted.project))
        (home / ENDING).unlink()
    return stopped


def _stop_services(home: Path) -> list[str]:
    """Supervisor first: it ends the others in order and would only start them again."""
    running = Running.load(home)
    alive = running.alive() if running else {}
    if "supervisor" in alive:
        stop([alive["supervisor"]], grace_s=40.0)
    stop(alive.values(), grace_s=10.0)
    for name in ("up.json", "registered"):
        (home / name).unlink(missing_ok=True)
    return [f"{name} (pid {identity.pid})" for name, identity in alive.items()]


def _same(wanted: Wanted, layout: Layout | None, environ: Mapping[str, str]) -> None:
    """Refuse to run with workers that look at another store or serve other pools."""
    differences = []
    if layout is not None and wanted.pools != _served(layout):
        differences.append(f"pools are {_served(layout)}, theirs are {wanted.pools}")
    if wanted.store != store_url(environ):
        differences.append(f"VOLTX_STORE is {store_url(environ)}, theirs is {wanted.store}")
    if wanted.settings != passed_on(environ):
        differences.append(f"settings are {passed_on(environ)}, theirs are {wanted.settings}")
    if differences:
        raise ConfigError(
            f"The services up for {wanted.home} were started differently: "
            f"{'; '.join(differences)}. Run `voltx down` first, or set VOLTX_HOME to another "
            "folder for a second set of services."
        )


def _want(home: Path, layout: Layout, project: Path, environ: Mapping[str, str]) -> Wanted:
    given = environ.get("PREFECT_API_URL")
    if given and not healthy(given):
        raise ConfigError(
            f"PREFECT_API_URL names {given}, where no Prefect server answers. Start it, or unset "
            "the variable and voltx starts a server of its own."
        )
    port = None if given else free_port()
    return Wanted(
        project=str(project),
        home=str(home),
        store=store_url(environ),
        api_url=given or f"http://127.0.0.1:{port}/api",
        port=port,
        pools=_served(layout),
        settings=passed_on(environ),
    )


def _served(layout: Layout) -> tuple[str, ...]:
    """Pools that this machine serves."""
    return pools("one") if layout == "one" else (CONTROL,)


def _start(home: Path, wanted: Wanted, tell: Tell) -> Wanted:
    """Start the supervisor and wait for the server; on another port if somebody was faster.

    Returns:
        What was started in the end.
    """
    for folder in (home / "logs", home / "prefect"):
        folder.mkdir(parents=True, exist_ok=True)
    for _ in range(PORTS_TRIED):
        for name in ("registered", ENDING):
            (home / name).unlink(missing_ok=True)
        wanted.save()
        tell(
            f"Starting a Prefect server on {wanted.ui_url} and workers..."
            if wanted.port is not None
            else f"Starting workers for the Prefect server at {wanted.api_url}..."
        )
        _start_supervisor(home)
        if _await_server(home, wanted):
            return wanted
        _stop_services(home)
        port = free_port()
        wanted = replace(wanted, port=port, api_url=f"http://127.0.0.1:{port}/api")
    raise StageError(f"Other programs took {PORTS_TRIED} ports away before the server had them.")


def _start_supervisor(home: Path) -> None:
    with (home / "logs" / "supervisor.log").open("ab") as file:
        subprocess.Popen(
            (sys.executable, "-m", "deployments.supervisor", str(home)),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            cwd=home,
            start_new_session=True,
        )


def _await_server(home: Path, wanted: Wanted) -> bool:
    """Wait until the server answers; False when its port turned out to be somebody else's."""
    import flows.full  # noqa: F401  (imports Prefect meanwhile, for registering)

    for _ in _until(START_S):
        answers = healthy(wanted.api_url)
        if wanted.port is None and answers:
            return True
        if wanted.port is not None:
            running = Running.load(home)
            server = running.services.get("server") if running else None
            ours = server is not None and server.listens(wanted.port)
            if answers and ours:
                return True
            if answers and running is not None and running.early_ends.get("server", 0):
                return False
        _check_ends(home, "server")
    raise StageError(_silent(home, "server", f"no answer from {wanted.api_url}"))


def _register(home: Path, wanted: Wanted, tell: Tell) -> None:
    """Register what is not registered yet, or was registered by other code."""
    stamp = home / "registered"
    layout: Layout = "one" if wanted.pools == _served("one") else "several"
    definition = f"{wanted.api_url} {layout} {definition_digest()}"
    fresh = not stamp.exists() or stamp.read_text() != definition
    if fresh:
        from deployments.registration import register

        tell("Registering pools and deployments...")
        register(wanted.api_url, layout)
        stamp.write_text(definition)


def definition_digest() -> str:
    """Digest of the code that decides what is registered: flows, deployments, stages."""
    import deployments
    import flows
    import tasks
    from voltx_core import stages

    digest = hashlib.sha256()
    for package in (deployments, flows, tasks, stages):
        for path in sorted(Path(package.__path__[0]).glob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _await_services(home: Path) -> Running:
    for _ in _until(START_S):
        running = Running.load(home)
        if running is not None:
            expected = {"supervisor", "worker", *(("server",) if running.wanted.port else ())}
            if expected <= set(running.alive()):
                return running
        _check_ends(home, "worker")
    raise StageError(_silent(home, "worker", "it does not stay up"))


def _check_ends(home: Path, service: str) -> None:
    running = Running.load(home)
    if running is not None and running.early_ends.get(service, 0) >= ENOUGH_ENDS:
        raise StageError(_silent(home, service, f"it ended {ENOUGH_ENDS} times in a row"))


def _until(seconds: float) -> Iterator[None]:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        yield
        time.sleep(0.1)


def _silent(home: Path, service: str, what: str) -> str:
    log = home / "logs" / f"{service}.log"
    tail = log.read_text(errors="replace").splitlines()[-15:] if log.exists() else ["(no log)"]
    quoted = "\n".join(f"  | {line}" for line in tail)
    return (
        f"The {service} did not start ({what}). The end of {log}:\n{quoted}\n"
        "Run `voltx down` and try again, or `voltx doctor` to check this machine."
    )


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
