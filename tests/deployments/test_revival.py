"""Which graphs are scheduled again, by what they beat and by a clock of our own."""

from pathlib import Path
from uuid import uuid4

import pytest
from prefect.client.schemas.objects import FlowRun, State
from prefect.states import Completed, Crashed, Running

from deployments.revival import GRACE_S, LIVES, Reviver
from tasks.pulse import SILENCE_S, key_of
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
