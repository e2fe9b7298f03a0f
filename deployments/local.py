"""Bringing the services of a project up."""

import hashlib
import http.client
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from deployments import settings_file
from deployments.departure import stop_services
from deployments.pools import CONTROL, Layout, pools, served
from deployments.processes import stop
from deployments.services import (
    AUTH,
    ENDING,
    EVERYWHERE,
    LOOPBACK,
    RESERVE,
    Running,
    Wanted,
    exclusive,
    free_port,
    home_folder,
    passed_on,
    store_url,
    within,
)
from deployments.supervisor import healthy
from voltx_core.errors import ConfigError, StageError

START_S = 180.0
"""A server on a cold disk migrates its database for a while."""
ENOUGH_ENDS = 3
PORTS_TRIED = 3

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
    serve: Sequence[str] | None = None,
    listen: str | None = None,
    project: Path | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Up:
    """Make sure that server, pools, deployments and workers are there.

    Args:
        tell: Told what takes time.
        serve: Pools that this machine works for, see ``pools.served``; by default as it is up,
            else all of one machine. Without the control pool it joins a server elsewhere.
        listen: Address that our own server listens on; by default as it is up, else loopback.
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
            _same(running.wanted, serve, listen, environ)
            (home / ENDING).unlink(missing_ok=True)  # a `voltx down` that was broken off
            wanted, found = running.wanted, "supervisor" in running.alive()
        else:
            wanted = _want(home, serve, listen or LOOPBACK, project or Path.cwd(), environ)
            found = False
        try:
            if not found:
                wanted = _start(home, wanted, tell, environ)
            elif not _await_server(home, wanted):
                raise StageError(
                    f"Port {wanted.port} belongs to another program now. Run `voltx down`, then "
                    "try again: another port is taken."
                )
            admitted(wanted.api_url, environ)
            _register(home, wanted, tell)
            running = _await_services(home)
        except BaseException:
            if not found:
                stop_services(home)
            raise
        reachable = settings_file.write(Path(wanted.project), wanted.api_url, home)
    return Up(running=running, started=not found, reachable=reachable)


def _same(
    wanted: Wanted, serve: Sequence[str] | None, listen: str | None, environ: Mapping[str, str]
) -> None:
    """Refuse to run with workers that look at another store or serve other pools."""
    differences = []
    if serve is not None and wanted.pools != tuple(serve):
        differences.append(f"pools are {', '.join(serve)}, theirs {', '.join(wanted.pools)}")
    if listen is not None and wanted.port is not None and wanted.listen != listen:
        differences.append(f"the server shall listen on {listen}, theirs does on {wanted.listen}")
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


def _want(
    home: Path,
    serve: Sequence[str] | None,
    listen: str,
    project: Path,
    environ: Mapping[str, str],
) -> Wanted:
    given = environ.get("PREFECT_API_URL")
    serve = served("one") if serve is None else tuple(serve)
    if not given and CONTROL not in serve:
        raise ConfigError(
            f"A worker for {', '.join(serve)} needs a server to work for. Set PREFECT_API_URL to "
            "what `voltx up --role server --listen ADDRESS` said on the machine of the graph, or "
            "give it as --server."
        )
    if given and not healthy(given):
        raise ConfigError(
            f"PREFECT_API_URL names {given}, where no Prefect server answers. Start it, or unset "
            "the variable and voltx starts a server of its own."
        )
    if not given and not within(listen) and not environ.get(AUTH):
        raise ConfigError(
            f"A server that listens on {listen} can be reached by others, and whoever reaches it "
            f"may start flows. Give it a password first, and the same on each machine that joins:\n"
            f"  export {AUTH}=voltx:$(openssl rand -hex 16)\n"
            "It travels unencrypted: the address still belongs in a private network."
        )
    port = None if given else free_port(listen)
    return Wanted(
        project=str(project),
        home=str(home),
        store=store_url(environ),
        api_url=given or _api_url(listen, port),
        port=port,
        pools=serve,
        settings=passed_on(environ),
        listen=listen,
    )


def _api_url(listen: str, port: int | None) -> str:
    """Where this machine reaches its own server."""
    return f"http://{LOOPBACK if listen == EVERYWHERE else listen}:{port}/api"


def _start(home: Path, wanted: Wanted, tell: Tell, environ: Mapping[str, str]) -> Wanted:
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
        _start_supervisor(home, environ)
        if _await_server(home, wanted):
            return wanted
        stop_services(home)
        port = free_port(wanted.listen)
        wanted = replace(wanted, port=port, api_url=_api_url(wanted.listen, port))
    raise StageError(f"Other programs took {PORTS_TRIED} ports away before the server had them.")


def _start_supervisor(home: Path, environ: Mapping[str, str]) -> None:
    with (home / "logs" / "supervisor.log").open("ab") as file:
        subprocess.Popen(
            (sys.executable, "-m", "deployments.supervisor", str(home)),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            cwd=home,
            env={**environ, "VOLTX_HOME": str(home)},
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


def admitted(api_url: str, environ: Mapping[str, str]) -> None:
    """Make sure that the server takes our password, or asks for none.

    One that PREFECT_API_KEY opens is left to Prefect, which says itself what is wrong with a key.

    Raises:
        ConfigError: It does not, or does not answer as a server does.
    """
    if environ.get("PREFECT_API_KEY"):
        return
    request = urllib.request.Request(f"{api_url}/admin/version")
    if auth := environ.get(AUTH):
        request.add_header("Authorization", f"Basic {b64encode(auth.encode()).decode()}")
    try:
        urllib.request.urlopen(request, timeout=10).close()
    except (OSError, http.client.HTTPException) as refusal:
        if isinstance(refusal, urllib.error.HTTPError) and refusal.code == 401:
            what = "another one than" if environ.get(AUTH) else "one, and none is in"
            raise ConfigError(
                f"The server at {api_url} asks for a password, {what} {AUTH}. Set it to what it "
                "is on the machine of the graph."
            ) from None
        raise ConfigError(
            f"The server at {api_url} does not say its version ({refusal}). Look whether it is a "
            "Prefect server, whether something stands between it and this machine, and try again."
        ) from refusal


def _register(home: Path, wanted: Wanted, tell: Tell) -> None:
    """Register what is not registered yet, or was registered by other code.

    That is for the machine of the graph; one that joins finds its pools there.
    """
    stamp = home / "registered"
    layout: Layout = "one" if wanted.pools == served("one") else "several"
    definition = f"{wanted.api_url} {layout} {definition_digest()}"
    if stamp.exists():
        if stamp.read_text() == definition:
            return
        running = Running.load(home)
        # What warm processes imported is other code now; the supervisor starts them again.
        alive = running.alive() if running else {}
        stop([alive[name] for name in (RESERVE,) if name in alive], grace_s=5.0)
    if CONTROL in wanted.pools:
        from deployments.registration import register

        tell("Registering pools and deployments...")
        register(wanted.api_url, layout, definition_digest())
    else:
        from deployments.client import connect, missing_pools, runs_code

        with connect(wanted.api_url) as client:
            missing = missing_pools(client, wanted.pools)
            same = bool(missing) or runs_code(client, definition_digest())
        if missing:
            raise ConfigError(
                f"The server at {wanted.api_url} has no pool {' or '.join(missing)}. It has those "
                "of several machines after `voltx up --role server` there; their names are "
                f"{', '.join(pools('several')[1:])}."
            )
        if not same:
            tell(
                "Other code than the server's is installed here. Results are told apart by the "
                "version of a stage and not by its code: install the same, unless you mean it."
            )
    stamp.write_text(definition)


def definition_digest() -> str:
    """Digest of the code that decides what is registered, and of all that runs import."""
    import deployments
    import flows
    import tasks
    import voltx_core

    digest = hashlib.sha256()
    for package in (deployments, flows, tasks, voltx_core):
        for path in sorted(Path(package.__path__[0]).rglob("*.py")):
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
