"""Revival of graphs: a parent flow that died goes on as the same run.

The control worker looks every few seconds. A graph whose process crashed, or whose machine fell
silent, is scheduled again; its new process finds the children of the old one by their idempotency
keys. Prefect's automations could do this too, but on SQLite each of their evaluations writes under
a lock that every other call waits for: with three of them the empty graph took twice as long, and
events were lost, which made them fire for healthy runs.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from tasks.notification import notify
from tasks.pulse import Listener, key_of

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun, StateType

    from voltx_core.store import ArtifactStore

logger = logging.getLogger("voltx_core.revival")

LOOK_S = 1.0
LIVES = 20
"""A graph that dies this often does not die by chance."""
GRACE_S = 2.0
"""A crash this recent may be the first half of somebody's cancelling."""


class Reviver:
    """Remembers what it heard of each graph.

    Args:
        artifacts: The store that graphs beat in.
        clock: Monotonic seconds.
    """

    def __init__(
        self, artifacts: "ArtifactStore", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._artifacts, self._clock = artifacts, clock
        self._listeners: dict[tuple[UUID, str, StateType], Listener] = {}
        self._crashed: dict[UUID, float] = {}

    def dead(self, runs: "Iterable[FlowRun]") -> "list[FlowRun]":
        """Which of these pending, running or crashed graphs shall be scheduled again now."""
        now, found = self._clock(), []
        for run in runs:
            if run.state is None:
                continue
            if run.state.is_crashed():
                if now - self._crashed.setdefault(run.id, now) >= GRACE_S:
                    found.append(run)
                continue
            self._crashed.pop(run.id, None)
            listener = self._listener(run)
            # Nobody beats yet for a run that no worker has taken, or one of another kind.
            if listener.silent() if run.state.is_running() else listener.lost():
                found.append(run)
        return found

    def _listener(self, run: "FlowRun") -> Listener:
        """One for each name and state: a run gets its full name, and its voice, as it begins."""
        assert run.state is not None
        life = (run.id, run.name, run.state.type)
        if life not in self._listeners:
            self._listeners[life] = Listener(
                self._artifacts,
                key_of(run.name, "graph"),
                flow_run=str(run.id),
                clock=self._clock,
            )
        return self._listeners[life]

    def revive(self, client: "SyncPrefectClient", run: "FlowRun") -> None:
        """Schedule a graph again, unless it has ended meanwhile or has used up its lives."""
        from prefect.states import AwaitingRetry, Failed

        for life in [life for life in self._listeners if life[0] == run.id]:
            del self._listeners[life]
        self._crashed.pop(run.id, None)
        state = client.read_flow_run(run.id).state
        if state is not None and state.is_final() and not state.is_crashed():
            return
        if run.run_count >= LIVES:
            why = (
                f"It died {run.run_count} times, which is no chance. Read the last lines of its "
                "log, mend the cause and start it again: finished stages are not repeated."
            )
            logger.error("Run %s is given up. %s", run.name, why)
            ended = datetime.now(UTC).isoformat(timespec="milliseconds")
            outcome = {"state": "failed", "why": why, "finished_at": ended, "report": None}
            self._artifacts.put_json(f"runs/{run.name}/outcome.json", outcome)
            notify(run.name, outcome)
            client.set_flow_run_state(run.id, Failed(message=why), force=True)
            return
        logger.warning("Run %s died; it goes on where it was", run.name)
        again: Any = AwaitingRetry(message="It had died; it goes on where it was.")
        client.set_flow_run_state(run.id, again, force=True)


def start_reviving() -> threading.Thread:
    """Look after the graphs of this server, in a thread, for as long as the process lives."""
    # Imported here and not in the thread: two threads importing Prefect at once lock each other.
    from prefect.client.orchestration import get_client

    from deployments.client import living_graphs
    from deployments.services import ENDING
    from voltx_core.stages.workspace import Workspace

    workspace = Workspace.open()
    reviver = Reviver(workspace.artifacts)

    def look_after() -> None:
        with get_client(sync_client=True) as client:
            while True:
                time.sleep(LOOK_S)
                if (workspace.home / ENDING).exists():
                    continue
                try:
                    for run in reviver.dead(living_graphs(client)):
                        reviver.revive(client, run)
                except Exception as error:  # the next look may find server and store in order
                    logger.debug("No look at the graphs just now: %s", error)

    thread = threading.Thread(target=look_after, name="revival", daemon=True)
    thread.start()
    return thread
