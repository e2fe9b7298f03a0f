"""Pools and deployments on the server; registering them again changes nothing.

`prefect.yaml` would say the same a second time and could not ask the stages for their pools, so
this module is the only place where deployments are defined.
"""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from deployments.pools import CONTROL, CPU, Layout, job_template, pool_of, pools
from tasks.process import WARM
from voltx_core.stages import graph

if TYPE_CHECKING:
    from prefect import Flow
    from prefect.client.orchestration import SyncPrefectClient

    from voltx_core.stages.contract import StageSpec

PARENTS = ("voltx", "vincigpt")


def register(api_url: str, layout: Layout, version: str) -> None:
    """Create or update everything that voltx has on the server.

    Args:
        api_url: The server.
        layout: Whether one pool serves every stage.
        version: Of the code; machines that join compare it with their own.
    """
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL, temporary_settings

    from flows.full import voltx
    from flows.vincigpt import vincigpt
    from tasks.stage import stage

    with temporary_settings({PREFECT_API_URL: api_url}), get_client(sync_client=True) as client:
        for pool in pools(layout):
            _pool(client, pool, layout)
        for graph_flow, name, entrypoint in (
            (voltx, "full", "flows.full.voltx"),
            (vincigpt, "train", "flows.vincigpt.vincigpt"),
        ):
            _deployment(
                client,
                graph_flow,
                name,
                entrypoint,
                CONTROL,
                graph_flow.description,
                version,
                job_variables={"env": {WARM: "prefect"}},
            )
        flow_id = client.create_flow(stage)
        for spec in graph.specs().values():
            _deployment(
                client,
                stage,
                spec.name,
                "tasks.stage.stage",
                pool_of(spec.pool, layout),
                f"{spec.number} · {spec.title}: {', '.join(a.name for a in spec.makes)}",
                version,
                parameters={"name": spec.name},
                job_variables={"env": _environment(spec)},
                flow_id=flow_id,
            )


def _environment(spec: "StageSpec") -> dict[str, str]:
    """What the process of a stage needs beyond its worker's environment.

    A stage that runs alone uses every core, and its many short parallel sections lose a third of
    their speed if a thread sleeps after each. How long a thread waits awake is fixed when torch is
    loaded, so such a stage loads torch itself.
    """
    return {"GOMP_SPINCOUNT": "100000", WARM: "prefect"} if spec.alone else {WARM: "torch"}


def _pool(client: "SyncPrefectClient", name: str, layout: Layout) -> None:
    from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
    from prefect.exceptions import ObjectAlreadyExists

    template = job_template()
    limit = None if name == CONTROL else _limit(name, layout)
    description = "The graph itself." if name == CONTROL else "Stages, each in its own process."
    try:
        client.create_work_pool(
            WorkPoolCreate(
                name=name,
                type="process",
                description=description,
                base_job_template=template,
                concurrency_limit=limit,
            )
        )
    except ObjectAlreadyExists:
        client.update_work_pool(
            name,
            WorkPoolUpdate(base_job_template=template, concurrency_limit=limit, is_paused=False),
        )


def _limit(pool: str, layout: Layout) -> int | None:
    """Stages at once: one a core on one machine; of several each decides for itself."""
    return os.cpu_count() if pool == CPU and layout == "one" else None


def _deployment(
    client: "SyncPrefectClient",
    flow: "Flow[..., Any]",
    name: str,
    entrypoint: str,
    pool: str,
    description: str | None,
    version: str,
    *,
    parameters: Mapping[str, Any] | None = None,
    job_variables: Mapping[str, Any] | None = None,
    flow_id: Any = None,
) -> None:
    from prefect.utilities.callables import parameter_schema

    client.create_deployment(
        flow_id=flow_id or client.create_flow(flow),
        name=name,
        entrypoint=entrypoint,
        work_pool_name=pool,
        description=description,
        version=version,
        tags=["voltx"],
        parameters=dict(parameters or {}),
        job_variables=dict(job_variables or {}),
        parameter_openapi_schema=parameter_schema(flow).model_dump_for_openapi(),
        enforce_parameter_schema=True,
    )
