"""Which graphs are scheduled again, by what they beat and by a clock of our own."""

from pathlib import Path
from typing import ClassVar
from uuid import UUID, uuid4

import pytest
from prefect.client.schemas.objects import FlowRun, State
from prefect.states import Completed, Crashed, Pending, Running

from deployments.revival import GRACE_S, LIVES, Reviver
from tasks.pulse import LOOK_S, SILENCE_S, key_of
from voltx_core.store import ArtifactStore, open_store


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def artifacts(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(open_store(str(tmp_path / "store")), tmp_path / "cache")


def graph(state: State, **facts: object) -> FlowRun:
    return FlowRun(id=uuid4(), flow_id=uuid4(), name="a-run", state=state, **facts)  # type: ignore[arg-type]


def test_a_crashed_graph_is_revived_after_a_moment(artifacts: ArtifactStore) -> None:
    clock = Clock()
    reviver, run = Reviver(artifacts, clock), graph(Crashed())

    assert reviver.dead([run]) == []
    clock.now += GRACE_S
    assert reviver.dead([run]) == [run]


def test_a_graph_that_beats_is_left_alone_and_a_silent_one_revived(
    artifacts: ArtifactStore,
) -> None:
    clock = Clock()
    reviver, run = Reviver(artifacts, clock), graph(Running())
    for beat in range(10):
        artifacts.put_json(key_of("a-run", "graph"), {"beat": beat})
        clock.now += 20
        assert reviver.dead([run]) == []

    clock.now += SILENCE_S
    assert reviver.dead([run]) == [run]


def test_a_graph_whose_worker_is_lost_while_it_is_started_is_revived(
    artifacts: ArtifactStore,
) -> None:
    clock = Clock()
    reviver, run = Reviver(artifacts, clock), graph(Pending())
    assert reviver.dead([run]) == []
    clock.now += 10 * SILENCE_S
    assert reviver.dead([run]) == []  # nobody has taken it; that may last

    taken = {"beat": 0, "flow_run": str(run.id), "machine": "elsewhere"}
    artifacts.put_json(key_of("a-run", "graph"), taken)
    clock.now += LOOK_S + 1
    assert reviver.dead([run]) == []
    clock.now += SILENCE_S
    assert reviver.dead([run]) == [run]


def test_a_graph_that_ended_while_it_was_looked_at_is_not_scheduled_again(
    artifacts: ArtifactStore,
) -> None:
    class Server:
        asked: ClassVar[list[State]] = []

        def read_flow_run(self, _: UUID) -> FlowRun:
            return graph(Completed())

        def set_flow_run_state(self, _: UUID, state: State, **_how: object) -> None:
            self.asked.append(state)

    Reviver(artifacts).revive(Server(), graph(Running()))  # type: ignore[arg-type]

    assert Server.asked == []


def test_a_graph_that_dies_again_and_again_is_given_up(artifacts: ArtifactStore) -> None:
    clock = Clock()
    reviver, run = Reviver(artifacts, clock), graph(Crashed(), run_count=LIVES)

    reviver.dead([run])
    clock.now += 10 * GRACE_S
    assert reviver.dead([run]) == []


def test_a_graph_that_ended_is_no_matter(artifacts: ArtifactStore) -> None:
    clock = Clock()
    reviver, run = Reviver(artifacts, clock), graph(Completed())

    clock.now += 1_000
    assert reviver.dead([run]) == []
