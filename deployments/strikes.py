"""Kill something of a run, and wait until it runs again."""

import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deployments.arena import Arena
from deployments.aside import Aside
from deployments.client import connect, polls
from deployments.processes import Identity
from deployments.supervisor import healthy
from tasks.pulse import key_of
from voltx_core.errors import StageError, StoreError
from voltx_core.stages.runs import RunRecord

KINDS = ("stage", "worker", "flow", "server", "machine")
RECOVERY_S = 300.0
LOOK_S = 0.25


@dataclass(frozen=True, slots=True)
class Kill:
    """One process, or one machine, that was killed."""

    kind: str
    at_s: float
    """Since the run was asked for."""
    stage: str | None = None
    """The stage that was hit, or that a lost machine was busy with longest."""
    lost_s: float | None = None
    """Its work since the newest checkpoint that survived, or since its attempt began when there
    is none; of a lost machine only checkpoints in the store survive."""
    restart_s: float | None = None
    """Until its successor and all stages that died are at work; None when the run ended first."""


@dataclass(frozen=True, slots=True)
class Struck:
    """What was killed, and how to tell that it runs again."""

    stage: str | None
    lost_s: float | None
    recovered: Callable[[], bool]
    at: float = field(default_factory=time.monotonic)


class Striker:
    """Strikes at one run.

    Args:
        arena: Where the run is.
        flow_run: Its flow run id.
        run_id: Its name.
    """

    def __init__(self, arena: Arena, flow_run: Any, run_id: str) -> None:
        self._arena, self._flow_run, self._run_id = arena, flow_run, run_id
        self._record = RunRecord(arena.graph.workspace.artifacts, run_id)
        self._began = time.monotonic()
        self._ways: dict[str, Callable[[random.Random], Struck | None]] = {
            "stage": self._stage,
            "worker": self._worker,
            "flow": self._flow,
            "server": self._server,
            "machine": self._machine,
        }

    def ended(self) -> bool:
        """Whether the run has ended."""
        return self._arena.graph.state(self._flow_run) is not None

    def strike(self, draw: random.Random) -> Kill | None:
        """Kill something as soon as it runs, and wait until it runs again.

        Returns:
            What was killed; None when the run ended before.

        Raises:
            StageError: It does not run again.
        """
        kind = draw.choice(KINDS)
        while (struck := self._ways[kind](draw)) is None:
            if self.ended():
                return None
            time.sleep(LOOK_S)
        at = struck.at
        while not _surely(struck.recovered):
            if self.ended():
                return Kill(kind, at - self._began, struck.stage, struck.lost_s)
            if time.monotonic() - at > RECOVERY_S:
                raise StageError(
                    f"A killed {struck.stage or kind} did not run again within "
                    f"{RECOVERY_S:.0f} s (run {self._run_id})."
                )
            time.sleep(LOOK_S)
        took_s = time.monotonic() - at
        return Kill(kind, at - self._began, struck.stage, struck.lost_s, took_s)

    def _stage(self, draw: random.Random) -> Struck | None:
        running = self._running()
        if not running:
            return None
        name = draw.choice(sorted(running))
        lost_s = self._since_saved_here(name)
        running[name].send(signal.SIGKILL)
        return Struck(name, lost_s, lambda: self._again({name: running[name]}))

    def _worker(self, draw: random.Random) -> Struck | None:
        """The worker of the graph or of the stages; their runs go on without it."""
        where = draw.choice((self._arena.graph, self._arena.machine))
        pool, since = where.services.running.wanted.pools[0], datetime.now(UTC)

        def answers() -> bool:
            with connect(self._arena.graph.services.api_url) as client:
                return polls(client, pool, since)

        return self._service("worker", where, answers)

    def _server(self, _: random.Random) -> Struck | None:
        graph = self._arena.graph
        return self._service("server", graph, lambda: healthy(graph.services.api_url))

    def _service(self, name: str, where: Aside, answers: Callable[[], bool]) -> Struck | None:
        victim = self._arena.service(name, where)
        if victim is None:
            return None
        victim.send(signal.SIGKILL)

        def recovered() -> bool:
            return self._arena.service(name, where) not in (None, victim) and answers()

        return Struck(None, None, recovered)

    def _flow(self, _: random.Random) -> Struck | None:
        victim = self._graph()
        if victim is None:
            return None
        victim.send(signal.SIGKILL)
        return Struck(None, None, lambda: self._graph() not in (None, victim))

    def _machine(self, _: random.Random) -> Struck | None:
        running = self._running()
        if not running:
            return None
        lost = {name: self._since_saved_in_store(name) for name in running}
        self._arena.lose_machine()
        name = max(lost, key=lambda name: lost[name])
        struck = Struck(name, lost[name], lambda: self._again(running))
        self._arena.replace_machine()
        return struck

    def _running(self) -> dict[str, Identity]:
        """Processes of the stages at work."""
        found = {}
        for row in self._record.rows():
            if row["state"] == "running":
                pid = self._record.of(row["name"]).get("pid")
                if pid and (identity := Identity.of(pid)):
                    found[row["name"]] = identity
        return found

    def _again(self, killed: dict[str, Identity]) -> bool:
        """Whether each of these stages has another process, or is done."""
        records = {name: self._record.of(name) for name in killed}
        return all(
            record.get("state") in ("committed", "reused")
            or (record.get("state") == "running" and record.get("pid") != killed[name].pid)
            for name, record in records.items()
        )

    def _graph(self) -> Identity | None:
        """The process of the parent flow."""
        key = key_of(self._run_id, "graph")
        beat = self._arena.graph.workspace.artifacts.get_json(key)
        return Identity.of(beat["pid"]) if beat and not beat["starting"] else None

    def _since_saved_here(self, stage: str) -> float:
        record = self._record.of(stage)
        work: Path = self._arena.machine.workspace.work(stage, record["fingerprint"])
        saved = [path.stat().st_mtime for path in work.glob("progress/[0-9]*/complete.json")]
        return max(0.0, time.time() - max([_began(record), *saved]))

    def _since_saved_in_store(self, stage: str) -> float:
        """As above, for checkpoints that are in the store as well."""
        record = self._record.of(stage)
        fingerprint = record["fingerprint"]
        stored = self._arena.graph.workspace.artifacts.progress_steps(stage, fingerprint)
        work: Path = self._arena.machine.workspace.work(stage, fingerprint)
        saved = [
            path.stat().st_mtime
            for step in stored
            if (path := work / "progress" / str(step) / "complete.json").exists()
        ]
        return max(0.0, time.time() - max([_began(record), *saved]))


def _began(record: dict[str, Any]) -> float:
    return datetime.fromisoformat(record["started_at"]).timestamp()


def _surely(question: Callable[[], bool]) -> bool:
    """The answer; no when there is none just now."""
    try:
        return question()
    except StoreError:
        return False
