"""A graph, a worker machine beside it, and a store that fails now and then: where chaos happens.

The graph's folder has the Prefect server and the worker of the graph. The machine has a folder,
home, cache, worker and supervisor of its own and serves the pools of the stages; lost, it takes
all of them along, and another machine starts with an empty folder. Both reach the store through
a proxy that injects faults; whoever measures reaches it directly.
"""

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from deployments.aside import Aside, aside
from deployments.pools import pools, served
from deployments.processes import Identity, of_home, wait
from deployments.services import Running
from voltx_core.bench.faults import FaultPlan, FaultyProxy
from voltx_core.bench.s3_server import CREDENTIALS, serving

BUCKET = "voltx"


class Arena:
    """What fights, and what it fights with.

    Args:
        graph: Server and worker of the graph.
        proxy: Between everybody and the store.
        rooms: Ends the machines with the arena.
    """

    def __init__(self, graph: Aside, proxy: FaultyProxy, rooms: ExitStack) -> None:
        self.graph, self.proxy, self._rooms = graph, proxy, rooms
        self.machine = self._machine()

    def lose_machine(self) -> None:
        """Kill everything that runs on the machine, all at once."""
        everyone = of_home(self.machine.home)
        for process in everyone:
            process.send(signal.SIGKILL)
        wait(everyone, timeout_s=10.0)

    def replace_machine(self) -> None:
        """Have another machine join, with nothing of what the lost one had."""
        self.machine = self._machine()

    def service(self, name: str, where: Aside) -> Identity | None:
        """A process of the services of the graph or of the machine, if it runs."""
        running = Running.load(where.home)
        return running.alive().get(name) if running else None

    def _machine(self) -> Aside:
        """A machine that serves the pools of the stages."""
        return self._rooms.enter_context(
            aside(
                self.graph.environ,
                serve=pools("several")[1:],
                VOLTX_STORE=self.graph.environ["VOLTX_STORE"],
                PREFECT_API_URL=self.graph.services.api_url,
            )
        )


@contextmanager
def arena(seed: int, fault_rate: float) -> Iterator[Arena]:
    """Everything up; it ends with the block.

    Args:
        seed: Of the faults of the store.
        fault_rate: Share of the requests to the store that are spoiled.
    """
    with ExitStack() as rooms:
        folder = Path(rooms.enter_context(TemporaryDirectory(prefix="voltx-arena-")))
        endpoint = rooms.enter_context(serving("moto", folder, buckets=(BUCKET,))).url
        rooms.enter_context(_environment(CREDENTIALS | {"VOLTX_S3_ENDPOINT": endpoint}))
        proxy = rooms.enter_context(FaultyProxy(endpoint, FaultPlan.storm(seed, fault_rate)))
        graph = rooms.enter_context(
            aside(
                serve=served("several"),
                VOLTX_STORE=f"s3://{BUCKET}/chaos",
                VOLTX_S3_ENDPOINT=proxy.url,
            )
        )
        yield Arena(graph, proxy, rooms)


@contextmanager
def _environment(changes: Mapping[str, str]) -> Iterator[None]:
    """Variables of this very process: stores read their endpoint and credentials from there."""
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
