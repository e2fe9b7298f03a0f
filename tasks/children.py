"""Child flow runs: one attempt of one stage, in a process of its own."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from prefect import Task
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import State, TaskRunResult
from prefect.exceptions import ObjectNotFound
from prefect.runtime import task_run
from prefect.states import Crashed, Pending

from tasks.ghosts import PLACEHOLDER
from tasks.outages import patiently
from tasks.pulse import Listener
from tasks.run import Run
from voltx_core.stages.contract import StageSpec

POLL_S = (0.25, 5.0)
POLL_SHARE = 0.02
"""A look costs the server 10 ms, so looks get rarer with age: an end is seen 2 % late at most."""
LATE_S = 60.0
"""Waiting for a worker this long is worth a word."""
START_S = 120.0
"""From taken by a worker to running; a cold disk imports slowly."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """The n-th child of a stage, counted from 1."""

    run: Run
    spec: StageSpec
    number: int

    @property
    def key(self) -> str:
        """The same attempt of a restarted parent finds the same child, never a twin."""
        return f"{self.run.root}/{self.spec.name}/{self.number}"

    @property
    def title(self) -> str:
        again = f", attempt {self.number}" if self.number > 1 else ""
        return f"{self.spec.number} · {self.spec.title}{again}"


def start(client: SyncPrefectClient, attempt: Attempt) -> UUID:
    """Create the child, or find the one that an earlier life of the parent created."""
    run, spec = attempt.run, attempt.spec
    deployment = patiently(lambda: client.read_deployment_by_name(f"stage/{spec.name}"))
    node = Task(name=attempt.title, fn=lambda: None)
    node.task_key = PLACEHOLDER
    here = [TaskRunResult(id=UUID(task_run.id))] if task_run.id else []
    placeholder = patiently(
        lambda: client.create_task_run(
            task=node,
            flow_run_id=UUID(run.root),
            dynamic_key=f"{spec.name}-{attempt.number}",
            name=attempt.title,
            task_inputs={"__parents__": here},
            state=Pending(),
        )
    )
    child = patiently(
        lambda: client.create_flow_run_from_deployment(
            deployment.id,
            name=attempt.title,
            parameters={
                "run_id": run.run_id,
                "preset": run.preset,
                "overrides": dict(run.overrides),
                "force": spec.name in run.force,
                "rehearse_s": run.rehearse_s,
            },
            idempotency_key=attempt.key,
            parent_task_run_id=placeholder.id,
            tags=[run.run_id],
        )
    )
    return child.id


def follow(
    client: SyncPrefectClient,
    child: UUID,
    *,
    pulse: Listener,
    warn: Callable[[str], None],
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> State:
    """Wait until a child has ended.

    Args:
        pulse: Hears the beats of its process.
        warn: Told once when no worker picks the child up.

    Returns:
        Its final state. A child whose process or machine is gone without a word is declared
        crashed; one that somebody deleted counts as crashed.
    """
    began = since = clock()
    known, late = "", False
    while True:
        try:
            found = patiently(lambda: client.read_flow_run(child))
        except ObjectNotFound:
            return Crashed(message="The flow run was deleted.")
        state = found.state or Pending()
        if state.is_final():
            return state
        if state.type != known:
            since, known = clock(), state.type
            pulse.restart()
        waited_s = clock() - since
        working = state.is_running() or state.is_cancelling()
        if (working and pulse.silent()) or (state.is_pending() and pulse.lost()):
            return _declare_crashed(client, child, pulse.why())
        if state.is_pending() and waited_s > START_S:
            return _declare_crashed(client, child, f"Did not start within {START_S:.0f} s.")
        if state.is_scheduled() and waited_s > LATE_S and not late:
            late = True
            warn(
                f"No worker has taken this stage for {waited_s:.0f} s. Either its pool is busy, "
                f"or no worker serves pool {found.work_pool_name!r}: see `voltx up` here, or "
                "start a worker there."
            )
        sleep(min(max(POLL_S[0], POLL_SHARE * (clock() - began)), POLL_S[1]))


def _declare_crashed(client: SyncPrefectClient, child: UUID, why: str) -> State:
    # It may have ended in between, and a process says how it ended before it goes.
    found = patiently(lambda: client.read_flow_run(child)).state
    if found is not None and found.is_final():
        return found
    state: State = Crashed(message=why)
    patiently(lambda: client.set_flow_run_state(child, state, force=True))
    return state
