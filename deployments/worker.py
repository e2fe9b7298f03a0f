"""The worker of this machine: `python -m deployments.worker POOL...` serves each pool.

One process serves several pools, because on two cores every process that imports Prefect is
felt. On several machines each machine serves its own pool, and the control pool has a machine of
its own, so that losing a rented one never takes the parent flow along.
"""

import asyncio
import os
import signal
import sys

from deployments.pools import CONTROL
from deployments.revival import start_reviving


async def serve(pools: list[str]) -> None:
    """Poll every pool until SIGTERM."""
    from prefect.workers.process import ProcessWorker

    if CONTROL in pools:
        start_reviving()
    host = os.uname().nodename
    async with asyncio.TaskGroup() as group:
        tasks = []
        for pool in pools:
            worker = ProcessWorker(
                work_pool_name=pool,
                name=f"{host} {pool}",
                limit=None if pool == CONTROL else os.cpu_count(),
                create_pool_if_not_found=False,
            )
            tasks.append(group.create_task(worker.start()))
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, lambda: [task.cancel() for task in tasks])


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1:]))
