"""The flow `stage`: one stage in a process of its own. Every stage has a deployment of it."""

import logging
import os
import time
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Cancelled, Completed, Crashed, Failed

from tasks.dispatch import INTERRUPTED, REFUSED, SPENT
from tasks.publisher import Publisher
from tasks.pulse import Pulse, key_of
from tasks.results import publish, publish_cost
from voltx_core.config import resolve
from voltx_core.errors import BudgetError, ConfigError, DataError, Interrupted
from voltx_core.stages.contract import Observer, StopFlag
from voltx_core.stages.lifecycle import execute
from voltx_core.stages.machine import device
from voltx_core.stages.runs import RunRecord
from voltx_core.stages.workspace import Workspace
from voltx_core.training.session import stopping

logger = logging.getLogger("voltx_core.stage")


@flow(name="stage", persist_result=False)
def stage(
    name: str,
    run_id: str,
    preset: str = "laptop",
    overrides: dict[str, Any] | None = None,
    force: bool = False,
    rehearse_s: float | None = None,
) -> State[Any]:
    """Make sure that the result of one stage exists.

    Args:
        name: The stage; each deployment has its own.
        run_id: The run of the graph that the result is recorded under.
        preset: tiny, laptop, single-gpu or cloud.
        overrides: Settings by dotted key, such as {"soft_core.steps": 900}.
        force: Do the work even though a committed result exists.
        rehearse_s: Wait this many seconds instead of working; for rehearsals of a fleet.
    """
    config = resolve(preset, overrides or {})
    workspace = Workspace.open()
    stop = StopFlag()
    pulse = Pulse(workspace.artifacts, key_of(run_id, name), flow_run=str(flow_run.id))
    with (
        stopping(stop, "this machine or `voltx down` wants an end"),
        pulse,
        Publisher(name) as publisher,
    ):
        try:
            if rehearse_s is not None:
                rehearse(name, run_id, workspace, rehearse_s, stop, publisher)
                return Completed(message=f"rehearsed for {rehearse_s:g} s")
            finished = execute(
                name,
                config,
                workspace,
                run_id=run_id,
                stop=stop,
                observer=publisher,
                force=force,
            )
        except Interrupted as interruption:
            return _left(str(interruption))
        except BudgetError as error:
            logger.warning("%s", error)
            return Failed(name=SPENT, message=str(error))
        except (ConfigError, DataError) as error:
            logger.error("%s", error)
            return Failed(name=REFUSED, message=str(error))
        try:
            publish(finished, workspace)
            publish_cost(run_id, config.cost, workspace)
        except Exception as error:  # the stage is committed: what the UI lacks is no failure
            logger.warning("Tables and pictures of %s are not in the UI: %s", name, error)
    return Completed(message=f"{finished.state} as {finished.manifest.fingerprint}")


def rehearse(
    name: str,
    run_id: str,
    workspace: Workspace,
    seconds: float,
    stop: StopFlag,
    observer: Observer,
) -> None:
    """Go through the motions of a stage without its work: imports, records, progress, signals.

    Raises:
        Interrupted: A stop was asked for.
    """
    device("auto")  # a rehearsal pays for importing torch like the real thing
    record = RunRecord(workspace.artifacts, run_id)
    record.begin(name, why="rehearsal", pid=os.getpid(), host=os.uname().nodename)
    steps = max(1, round(seconds / 0.1))
    for step in range(steps):
        stop.check()
        observer.progress(step, steps, "steps", "rehearsal")
        time.sleep(seconds / steps)
    record.stage(name, state="rehearsed", why="rehearsal", finished_at=_now())


def _left(reason: str) -> State[Any]:
    """Final state of a child that saved and left; the dispatcher starts the next attempt."""
    with get_client(sync_client=True) as client:
        state = client.read_flow_run(UUID(str(flow_run.id))).state
    if state is not None and (state.is_cancelling() or state.is_cancelled()):
        return Cancelled(message=f"Cancelled; progress is saved ({reason}).")
    return Crashed(name=INTERRUPTED, message=reason)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
