"""The few questions that the command line asks the Prefect server."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from deployments.registration import PARENTS

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun, StateType

HEARD_S = 90.0
"""Workers of Prefect say twice a minute that they are there."""


@contextmanager
def connect(api_url: str) -> "Iterator[SyncPrefectClient]":
    """A client of exactly this server, whatever profile is active."""
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with temporary_settings({PREFECT_API_URL: api_url}), get_client(sync_client=True) as client:
        yield client


def start_run(
    client: "SyncPrefectClient", deployment: str, parameters: Mapping[str, Any]
) -> "FlowRun":
    """Create a run of the graph; its name is its run id."""
    from prefect.utilities.names import generate_slug

    found = client.read_deployment_by_name(deployment)
    name = f"{datetime.now().astimezone():%Y-%m-%d-%H%M}-{generate_slug(2)}"
    return client.create_flow_run_from_deployment(found.id, name=name, parameters=dict(parameters))


def final_state(client: "SyncPrefectClient", flow_run_id: Any) -> dict[str, Any] | None:
    """How a run ended; None while it goes on or the server does not answer.

    A crashed run has not ended: the server revives it.
    """
    import httpx
    from prefect.exceptions import PrefectHTTPStatusError

    from tasks.dispatch import reason

    try:
        state = client.read_flow_run(flow_run_id).state
    except (httpx.TransportError, PrefectHTTPStatusError):
        return None
    if state is None or not state.is_final() or state.is_crashed():
        return None
    return {"state": "completed" if state.is_completed() else "failed", "why": reason(state)}


def cancel_runs(client: "SyncPrefectClient", why: str) -> list[str]:
    """Cancel every unfinished run of the graph with its stages; names of those of the graph.

    A crashed run of the graph is unfinished too: the server would revive it.
    """
    from prefect.client.schemas.objects import StateType
    from prefect.states import Cancelled

    going = (StateType.SCHEDULED, StateType.PENDING, StateType.RUNNING, StateType.CANCELLING)
    graphs = _runs(client, *going, StateType.CRASHED, flows=PARENTS)
    for run in (*graphs, *_runs(client, *going, flows=("stage",))):
        client.set_flow_run_state(run.id, Cancelled(message=why), force=True)
    return [run.name for run in graphs]


def living_graphs(client: "SyncPrefectClient") -> "list[FlowRun]":
    """Runs of the graph that are being started, are at work, or have crashed."""
    from prefect.client.schemas.objects import StateType

    return _runs(client, StateType.PENDING, StateType.RUNNING, StateType.CRASHED, flows=PARENTS)


def polls(client: "SyncPrefectClient", pool: str, since: datetime) -> bool:
    """Whether a worker of the pool was heard after a moment; not when the server is silent."""
    import httpx
    from prefect.exceptions import PrefectHTTPStatusError

    try:
        workers = client.read_workers_for_work_pool(pool)
    except (httpx.TransportError, PrefectHTTPStatusError):
        return False
    heard = [worker.last_heartbeat_time for worker in workers]
    return any(moment is not None and moment > since for moment in heard)


def unserved(client: "SyncPrefectClient", names: Sequence[str]) -> list[str]:
    """Which of these work pools the server has, but no worker was heard of for a while."""
    since = datetime.now(UTC) - timedelta(seconds=HEARD_S)
    missing = missing_pools(client, names)
    return [name for name in names if name not in missing and not polls(client, name, since)]


def missing_pools(client: "SyncPrefectClient", names: Sequence[str]) -> list[str]:
    """Which of these work pools the server does not have."""
    from prefect.exceptions import ObjectNotFound

    missing = []
    for name in names:
        try:
            client.read_work_pool(name)
        except ObjectNotFound:
            missing.append(name)
    return missing


def runs_code(client: "SyncPrefectClient", version: str) -> bool:
    """Whether this is the code that the server's deployments were registered by."""
    return client.read_deployment_by_name("voltx/full").version == version


def _runs(
    client: "SyncPrefectClient", *states: "StateType", flows: Sequence[str] = ()
) -> "list[FlowRun]":
    from prefect.client.schemas.filters import (
        FlowFilter,
        FlowFilterName,
        FlowRunFilter,
        FlowRunFilterState,
        FlowRunFilterStateType,
        FlowRunFilterTags,
    )
    from prefect.client.schemas.sorting import FlowRunSort

    # Limit and order are said, because some FastAPI versions refuse the nulls Prefect sends else.
    return client.read_flow_runs(
        limit=200,
        sort=FlowRunSort.START_TIME_DESC,
        flow_filter=FlowFilter(name=FlowFilterName(any_=list(flows))) if flows else None,
        flow_run_filter=FlowRunFilter(
            tags=FlowRunFilterTags(all_=["voltx"]),
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=list(states))),
        ),
    )
