"""Following a child flow run, with the server's answers as a list and a clock of our own."""

from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from prefect.client.schemas.objects import FlowRun, State
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelling, Completed, Pending, Running, Scheduled

from tasks.children import LATE_S, POLL_S, START_S, Attempt, follow
from tasks.pulse import SILENCE_S, Listener, key_of
from tasks.run import Run
from voltx_core.stages import graph
from voltx_core.store import ArtifactStore, open_store


class World:
    """A server that shows one state at each moment, and the time."""

    def __init__(self, states: list[tuple[float, State[Any]]], artifacts: ArtifactStore) -> None:
        self.now, self.states, self.artifacts = 0.0, states, artifacts
        self.id = str(uuid4())
        self.declared: list[State[Any]] = []
        self.warnings: list[str] = []
        self.slept: list[float] = []
        self.beating = False

    def read_flow_run(self, child: Any) -> FlowRun:
        state = [state for since, state in self.states if since <= self.now][-1]
        return FlowRun(id=child, flow_id=uuid4(), state=state, work_pool_name="voltx-cpu")

    def set_flow_run_state(self, _: Any, state: State[Any], *, force: bool) -> None:
        assert force
        self.declared.append(state)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        if self.beating:
            self.artifacts.put_json(key_of("run", "data"), {"beat": self.now})

    def follow(self) -> State[Any]:
        pulse = Listener(
            self.artifacts, key_of("run", "data"), flow_run=self.id, clock=lambda: self.now
        )
        return follow(
            self,  # type: ignore[arg-type]
            UUID(self.id),
            pulse=pulse,
            warn=self.warnings.append,
            sleep=self.sleep,
            clock=lambda: self.now,
        )


@pytest.fixture
def artifacts(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(open_store(str(tmp_path / "store")), tmp_path / "cache")


def test_the_final_state_is_returned_and_seen_soon(artifacts: ArtifactStore) -> None:
    world = World([(0, Scheduled()), (1, Pending()), (2, Running()), (600, Completed())], artifacts)
    world.beating = True

    assert world.follow().is_completed()

    assert world.now <= 600 * 1.02
    assert min(world.slept) == POLL_S[0]
    assert max(world.slept) <= 5.0
    assert world.declared == []


@pytest.mark.parametrize("state", [Running(), Cancelling()])
def test_a_child_whose_machine_is_gone_is_declared_crashed(
    artifacts: ArtifactStore, state: State[Any]
) -> None:
    world = World([(0, state)], artifacts)

    state = world.follow()

    assert state.is_crashed()
    assert world.declared == [state]
    assert SILENCE_S <= world.now < SILENCE_S * 1.3


def test_waiting_for_a_worker_is_no_silence_but_worth_a_word(artifacts: ArtifactStore) -> None:
    world = World([(0, Scheduled()), (1_000, Running()), (1_010, Completed())], artifacts)

    assert world.follow().is_completed()

    assert len(world.warnings) == 1
    assert "'voltx-cpu'" in world.warnings[0]
    assert LATE_S < 1_000


def test_a_child_that_was_taken_and_never_starts_is_declared_crashed(
    artifacts: ArtifactStore,
) -> None:
    world = World([(0, Pending())], artifacts)

    assert world.follow().is_crashed()
    assert START_S <= world.now < START_S + 10


def test_a_child_whose_worker_is_lost_while_it_is_started_is_declared_crashed(
    artifacts: ArtifactStore,
) -> None:
    world = World([(0, Pending())], artifacts)
    beat = {"beat": 0, "flow_run": world.id, "machine": "elsewhere"}
    artifacts.put_json(key_of("run", "data"), beat)

    state = world.follow()

    assert state.is_crashed()
    assert SILENCE_S <= world.now < START_S


def test_a_child_that_ended_just_before_it_would_be_declared_crashed_has_ended(
    artifacts: ArtifactStore,
) -> None:
    class Late(World):
        def read_flow_run(self, child: Any) -> FlowRun:
            found = super().read_flow_run(child)
            if self.now >= SILENCE_S:  # right after this look
                self.states.append((self.now, Completed()))
            return found

    world = Late([(0, Running())], artifacts)

    assert world.follow().is_completed()
    assert world.declared == []


def test_a_child_that_somebody_deleted_counts_as_crashed(artifacts: ArtifactStore) -> None:
    class Empty(World):
        def read_flow_run(self, child: Any) -> FlowRun:
            raise ObjectNotFound(http_exc=Exception(str(child)))

    assert Empty([], artifacts).follow().is_crashed()


def test_the_same_attempt_has_the_same_key_and_the_next_another() -> None:
    run = Run("run", "root", "2026-01-01T00:00:00+00:00", "tiny", {}, ("data",))
    spec = graph.specs()["data"]
    assert Attempt(run, spec, 1).key == "root/data/1"
    assert Attempt(run, spec, 2).key == "root/data/2"
    assert Attempt(run, spec, 2).title == "1.0 · Data, attempt 2"
