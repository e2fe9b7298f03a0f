"""What `voltx up` keeps running for one project: what is wanted, and what runs.

Two files in the home folder: ``services.json`` says what is wanted (written by `voltx up`),
``up.json`` what runs (written by the supervisor alone).
"""

import contextlib
import fcntl
import ipaddress
import json
import os
import socket
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from deployments.processes import Identity
from tasks.process import RUN_LOG
from voltx_core.errors import ConfigError
from voltx_core.stages.workspace import DEFAULT_HOME, DEFAULT_STORE

PREFERRED_PORT = 4200
RESERVE = "reserve"
"""The service that keeps processes warm for runs."""
ENDING = "ending"
"""File in the home while `voltx down` is at work: nothing is revived meanwhile."""
LEAVE_S = 30.0
"""Time for stages to save and leave; cloud machines give the same notice."""
LOOPBACK, EVERYWHERE = "127.0.0.1", "0.0.0.0"
AUTH = "PREFECT_API_AUTH_STRING"
"""Prefect's own variable with the server's ``user:password``. It is read from the environment of
each process and written nowhere."""
DATABASE = "PREFECT_API_DATABASE_CONNECTION_URL"
"""Prefect's own variable; a Postgres of the user's goes before the SQLite file of the home."""
PASSED_ON = ("VOLTX_DATA_DIR", "VOLTX_S3_ENDPOINT", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
"""Variables that change what runs do; a change of one needs new workers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The services of one project on this machine."""

    project: str
    """Folder `voltx up` was called in; relative paths of a run count from here."""
    home: str
    store: str
    api_url: str
    port: int | None
    """Port of our own server; None when the server is somebody else's."""
    pools: tuple[str, ...]
    """Work pools served by this machine."""
    settings: dict[str, str] = field(default_factory=dict)
    """The variables of ``PASSED_ON`` that are set."""
    listen: str = LOOPBACK
    """Address that our own server listens on."""

    @property
    def ui_url(self) -> str:
        return self.api_url.removesuffix("/api")

    def save(self) -> None:
        write_json(Path(self.home) / "services.json", asdict(self))

    @classmethod
    def load(cls, home: Path) -> "Wanted | None":
        found = read_json(home / "services.json")
        if found is None:
            return None
        return cls(**{**found, "pools": tuple(found["pools"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """What the supervisor says about the processes of a home."""

    wanted: Wanted
    supervisor: Identity | None
    services: Mapping[str, Identity]
    early_ends: Mapping[str, int]
    """How often in a row each service ended soon after its start."""

    @classmethod
    def load(cls, home: Path) -> "Running | None":
        """None when nothing was ever started, or everything was taken down."""
        wanted, found = Wanted.load(home), read_json(home / "up.json")
        if wanted is None or found is None:
            return None
        services = {name: Identity.read(r) for name, r in found["services"].items()}
        return cls(
            wanted=wanted,
            supervisor=Identity.read(found["supervisor"]),
            services={name: identity for name, identity in services.items() if identity},
            early_ends=found["early_ends"],
        )

    def alive(self) -> dict[str, Identity]:
        """The processes that run now, the supervisor among them."""
        everyone = {"supervisor": self.supervisor, **self.services}
        return {
            name: identity for name, identity in everyone.items() if identity and identity.alive()
        }


def home_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where the services of this project keep their files."""
    return Path(environ.get("VOLTX_HOME", DEFAULT_HOME)).absolute()


def store_url(environ: Mapping[str, str] = os.environ) -> str:
    """The store as workers see it: a local folder as an absolute path."""
    url = environ.get("VOLTX_STORE", DEFAULT_STORE)
    return url if "://" in url else str(Path(url).absolute())


def passed_on(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Variables a worker of this project runs with."""
    return {name: environ[name] for name in PASSED_ON if environ.get(name)}


def environment(wanted: Wanted) -> dict[str, str]:
    """Environment of server and workers: everything explicit, nothing left to a profile."""
    home = Path(wanted.home)
    binaries = str(Path(sys.executable).parent)
    env = {
        **os.environ,
        **wanted.settings,
        "PATH": os.pathsep.join([binaries, os.environ.get("PATH", os.defpath)]),
        "VOLTX_HOME": wanted.home,
        "VOLTX_STORE": wanted.store,
        "VOLTX_PROJECT": wanted.project,
        RUN_LOG: str(home / "logs" / "worker.log"),
        "OMP_NUM_THREADS": "1",
        "OMP_WAIT_POLICY": "PASSIVE",
        "DO_NOT_TRACK": "1",
        "PREFECT_API_URL": wanted.api_url,
        "PREFECT_HOME": str(home / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_LOGGING_EXTRA_LOGGERS": "voltx_core",
        "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",  # a worker logs outside of runs too
        "PREFECT_WORKER_QUERY_SECONDS": "1",
        "PREFECT_LOGGING_TO_API_BATCH_INTERVAL": "1",
    }
    # Set by some shells and images; without bytecode every process imports twice as long.
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    if wanted.port is not None:
        env.setdefault(DATABASE, f"sqlite+aiosqlite:///{home}/prefect/prefect.db")
        if env.get(AUTH):
            env["PREFECT_SERVER_API_AUTH_STRING"] = env[AUTH]
        env |= {
            "PREFECT_SERVER_SERVICES_SCHEDULER_ENABLED": "false",  # nothing here has a schedule
            "PREFECT_SERVER_SERVICES_PAUSE_EXPIRATIONS_ENABLED": "false",
        }
    return env


def free_port(address: str = LOOPBACK) -> int:
    """The usual port of Prefect if nobody has it, else any free one.

    Raises:
        ConfigError: No port is free, or the address is none of this machine.
    """
    for port in (PREFERRED_PORT, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError as error:
                refused = error
                continue
            return int(probe.getsockname()[1])
    raise ConfigError(
        f"No server can listen on {address} ({refused}). `ip address` lists the addresses of this "
        "machine; if it is one of them, close some connections and try again."
    )


def within(address: str) -> bool:
    """Whether only this machine reaches an address of its own."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


@contextlib.contextmanager
def exclusive(home: Path) -> Iterator[None]:
    """One `voltx up` or `voltx down` at a time; the kernel frees the lock of a killed one."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / "up.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Atomically, so that a reader never meets half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    partial.write_text(json.dumps(content, indent=1))
    partial.replace(path)


def read_json(path: Path) -> dict[str, Any] | None:
    """None when the file is missing or not JSON."""
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None
