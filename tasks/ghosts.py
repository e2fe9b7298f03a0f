"""Task runs that a killed parent flow left behind, which would stay in the picture for ever."""

from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.sorting import TaskRunSort

from tasks.outages import patiently

PLACEHOLDER = "voltx.child"
"""Task key of the node that stands for a child in the parent's picture."""


def remove_ghosts(root: str) -> int:
    """Delete unfinished dispatcher task runs of an earlier life of this flow run.

    Placeholders of children are kept: the children go on and are found again.

    Returns:
        How many there were.
    """
    with get_client(sync_client=True) as client:
        runs = patiently(
            lambda: client.read_task_runs(
                limit=200,
                sort=TaskRunSort.EXPECTED_START_TIME_DESC,
                flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[UUID(root)])),
            )
        )
        ghosts = [
            run
            for run in runs
            if (run.state is None or not run.state.is_final()) and run.task_key != PLACEHOLDER
        ]
        for ghost in ghosts:
            patiently(lambda ghost=ghost: client.delete_task_run(ghost.id))
    return len(ghosts)
