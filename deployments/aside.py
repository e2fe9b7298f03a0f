"""Services of voltx in a folder of their own, for measurements that must not touch a project."""

import os
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from deployments.departure import take_down
from deployments.local import Up, bring_up
from deployments.processes import of_home, stop
from voltx_core.errors import StageError
from voltx_core.stages.runs import RunRecord
from voltx_core.stages.workspace import Workspace

LEFT_OUT = ("PREFECT_API_URL", "VOLTX_DATA_DIR", "VOLTX_HOME", "VOLTX_STORE")
"""A measurement has a server, data and a store of its own."""


@dataclass
class Aside:
    """A project folder with a home and a store, and services up for it."""

    folder: Path
    environ: dict[str, str]
    services: Up

    @property
    def home(self) -> Path:
        return Path(self.environ["VOLTX_HOME"])

    @cached_property
    def workspace(self) -> Workspace:
        return Workspace.open(environ=self.environ)

    def record(self, run_id: str, stage: str) -> dict[str, Any]:
        """How a stage of a run is doing."""
        return RunRecord(self.workspace.artifacts, run_id).of(stage)

    def start(self, **parameters: Any) -> tuple[Any, str]:
        """Ask for a run of the tiny graph; its flow run id and its run id."""
        from deployments.client import connect, start_run

        with connect(self.services.api_url) as client:
            run = start_run(client, "voltx/full", {"preset": "tiny", **parameters})
        return run.id, run.name

    def state(self, flow_run_id: Any) -> dict[str, Any] | None:
        """How a run ended; None while it goes on or the server does not answer."""
        from deployments.client import connect, final_state

        with connect(self.services.api_url) as client:
            return final_state(client, flow_run_id)

    def complete(self, flow_run_id: Any, *, timeout_s: float) -> None:
        """Wait until a run has completed.

        Raises:
            StageError: It failed, or took too long.
        """
        deadline = time.monotonic() + timeout_s
        while (end := self.state(flow_run_id)) is None:
            if time.monotonic() > deadline:
                raise StageError(f"The tiny graph took longer than {timeout_s:.0f} s.")
            time.sleep(0.25)
        if end["state"] != "completed":
            raise StageError(f"The tiny graph failed: {end['why']}")


@contextmanager
def aside(
    environ: Mapping[str, str] = os.environ,
    *,
    folder: Path | None = None,
    serve: Sequence[str] | None = None,
    listen: str | None = None,
    **changes: str,
) -> Iterator[Aside]:
    """A project in a folder; its server and workers end with the block.

    Args:
        environ: Everything but server, data, home and store is taken from here.
        folder: Of the project; a temporary one, which goes with the block, by default.
        serve: Pools that are served, all of one machine by default.
        listen: Address of the server, loopback by default.
        changes: Variables of the environment, such as VOLTX_STORE.
    """
    with tempfile.TemporaryDirectory(
        prefix="voltx-bench-", ignore_cleanup_errors=True
    ) as temporary:
        there = folder or Path(temporary)
        own = {name: value for name, value in environ.items() if name not in LEFT_OUT}
        own |= {"VOLTX_HOME": str(there / ".voltx"), "VOLTX_STORE": str(there / "store"), **changes}
        # Asked to end by SIGTERM, the block is left like any other: nothing stays behind.
        earlier = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
        try:
            up = bring_up(lambda _: None, serve=serve, listen=listen, project=there, environ=own)
            yield Aside(there, own, up)
        finally:
            take_down(lambda _: None, environ=own)
            stop(of_home(Path(own["VOLTX_HOME"])), grace_s=0.0)  # even if its files are gone
            signal.signal(signal.SIGTERM, earlier)


def environment() -> dict[str, Any]:
    """The machine, with its load: other work on it shows in every figure."""
    import prefect

    return {
        "python": platform.python_version(),
        "prefect": prefect.__version__,
        "system": f"{platform.system()} {platform.release()}",
        "processors": os.cpu_count(),
        "load": os.getloadavg()[0],
    }
