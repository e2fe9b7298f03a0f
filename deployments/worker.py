"""The worker of this machine: `python -m deployments.worker POOL...` serves each pool.

One process serves several pools, because on two cores every process that imports Prefect is
felt. On several machines each machine serves its own pools, and the control pool has a machine of
its own, so that losing a rented one never takes the parent flow along.

SIGTERM, the notice of a machine that is taken away, makes it take no other run, ask those at work
to save and leave, and wait for them.
"""

import asyncio
import os
import signal
import sys
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from prefect.client.schemas.objects import FlowRun
from prefect.workers.process import ProcessJobConfiguration, ProcessWorker, ProcessWorkerResult

from deployments.pools import CONTROL, CPU, ENTRY
from deployments.processes import of_home, wait
from deployments.revival import start_reviving
from deployments.services import LEAVE_S
from tasks.pulse import Pulse, key_of
from voltx_core.stages.workspace import Workspace
from voltx_core.store import ArtifactStore


class Worker(ProcessWorker):
    """Prefect's process worker that beats for runs until they do so themselves, and can leave."""

    leaving = False

    @classmethod
    def __dispatch_key__(cls) -> str:
        return "voltx"  # in Prefect's list of kinds, where its own is "process"

    async def get_and_submit_flow_runs(self) -> list[FlowRun]:
        return [] if self.leaving else await super().get_and_submit_flow_runs()

    async def run(
        self, flow_run: FlowRun, configuration: ProcessJobConfiguration, task_status: Any = None
    ) -> ProcessWorkerResult:
        key = self._key(flow_run)
        if key is None:
            return await super().run(flow_run, configuration, task_status)
        pulse = Pulse(_artifacts(), key, flow_run=str(flow_run.id), until_relieved=True)
        pulse.start()
        try:
            return await super().run(flow_run, configuration, task_status)
        finally:
            pulse.stop()

    def _key(self, flow_run: FlowRun) -> str | None:
        """Where whoever waits for this run listens; None for a flow that is not ours."""
        if self.work_pool.name == CONTROL:
            return key_of(flow_run.name, "graph")
        asked = flow_run.parameters
        return key_of(asked["run_id"], asked["name"]) if {"run_id", "name"} <= set(asked) else None


@cache
def _artifacts() -> ArtifactStore:
    return Workspace.open().artifacts


async def serve(pools: list[str]) -> None:
    """Poll every pool until SIGTERM."""
    if CONTROL in pools:
        start_reviving()
    home = sha256(os.environ["VOLTX_HOME"].encode()).hexdigest()[:4]  # of several on one host
    workers = [
        Worker(
            work_pool_name=pool,
            name=f"{os.uname().nodename} {pool} {home}",
            limit=at_once(pool),
            create_pool_if_not_found=False,
        )
        for pool in pools
    ]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(worker.start()) for worker in workers]
        asked = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, asked.set)
        group.create_task(_leave(asked, workers, tasks))


def at_once(pool: str) -> int | None:
    """Runs at once: a stage a core, but one where stages share a GPU; graphs weigh nothing."""
    return {CONTROL: None, CPU: os.cpu_count()}.get(pool, 1)


async def _leave(asked: asyncio.Event, workers: list[Worker], tasks: list[Any]) -> None:
    """Once asked, see to it that runs save their progress, and end."""
    await asked.wait()
    for worker in workers:
        worker.leaving = True
    # Not the children of this process only: runs outlive a worker that was killed.
    runs = of_home(Path(os.environ["VOLTX_HOME"]), ENTRY)
    for run in runs:
        run.send(signal.SIGTERM)
    await asyncio.to_thread(wait, runs, timeout_s=LEAVE_S)
    for task in tasks:
        task.cancel()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1:]))
