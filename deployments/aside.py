"""Services of voltx in a temporary folder, for measurements that must not touch a project."""

import os
import platform
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deployments.departure import take_down
from deployments.local import Up, bring_up
from voltx_core.errors import StageError
from voltx_core.stages.workspace import Workspace

LEFT_OUT = ("PREFECT_API_URL", "VOLTX_DATA_DIR")
"""A measurement has a server and data of its own."""


@dataclass(frozen=True, slots=True)
class Aside:
    """A home and a store in a temporary folder, with services up for them."""

    environ: dict[str, str]
    services: Up

    @property
    def home(self) -> Path:
        return Path(self.environ["VOLTX_HOME"])

    @property
    def workspace(self) -> Workspace:
        return Workspace.open(environ=self.environ)

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
def aside(environ: Mapping[str, str] = os.environ) -> Iterator[Aside]:
    """Home and store in a temporary folder; server and workers there end with the block."""
    folder = tempfile.mkdtemp(prefix="voltx-bench-")
    own = {name: value for name, value in environ.items() if name not in LEFT_OUT}
    own |= {"VOLTX_HOME": f"{folder}/home", "VOLTX_STORE": f"{folder}/store"}
    Path(own["VOLTX_HOME"]).mkdir()
    try:
        up = bring_up(lambda _: None, project=Path(own["VOLTX_HOME"]), environ=own)
        yield Aside(own, up)
    finally:
        take_down(lambda _: None, environ=own)
        shutil.rmtree(folder, ignore_errors=True)


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
