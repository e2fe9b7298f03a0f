"""What a worker takes, how many at once, and for whom it beats."""

import asyncio
import os
from uuid import uuid4

import pytest
from prefect.client.schemas.objects import FlowRun, WorkPool

from deployments.worker import Worker, at_once
from tasks.pulse import key_of


def worker(pool: str) -> Worker:
    made = Worker(work_pool_name=pool)
    made._work_pool = WorkPool(name=pool, type="process")
    return made


def run(**facts: object) -> FlowRun:
    return FlowRun(id=uuid4(), flow_id=uuid4(), **facts)  # type: ignore[arg-type]


def test_a_stage_a_core_but_one_where_stages_share_a_gpu() -> None:
    assert at_once("voltx-cpu") == os.cpu_count()
    assert at_once("voltx-gpu") == at_once("voltx-multi-gpu") == 1
    assert at_once("control") is None


def test_a_worker_that_leaves_takes_nothing() -> None:
    leaving = worker("voltx-cpu")
    leaving.leaving = True
    assert asyncio.run(leaving.get_and_submit_flow_runs()) == []


@pytest.mark.parametrize(
    ("pool", "facts", "key"),
    [
        ("control", {"name": "a-run"}, key_of("a-run", "graph")),
        ("voltx-gpu", {"parameters": {"run_id": "a-run", "name": "e2e"}}, key_of("a-run", "e2e")),
        ("voltx-gpu", {"parameters": {"who": "a flow of the user's own"}}, None),
    ],
)
def test_it_beats_where_whoever_waits_for_the_run_listens(
    pool: str, facts: dict[str, object], key: str | None
) -> None:
    assert worker(pool)._key(run(**facts)) == key


def test_prefect_keeps_its_own_process_worker() -> None:
    from prefect.workers.base import BaseWorker
    from prefect.workers.process import ProcessWorker

    assert BaseWorker.get_worker_class_from_type("process") is ProcessWorker
