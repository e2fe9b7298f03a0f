"""Which graphs are scheduled again, by what they beat and by a clock of our own."""

from pathlib import Path
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


class Server:
    """What a reviver asks of Prefect's."""

    def __init__(self, found: FlowRun) -> None:
        self.found = found
        self.asked: list[State] = []

    def read_flow_run(self, _: UUID) -> FlowRun:
        return self.found

    def set_flow_run_state(self, _: UUID, state: State, **_how: object) -> None:
        self.asked.append(state)


def test_a_graph_that_ended_while_it_was_looked_at_is_not_scheduled_again(
    artifacts: ArtifactStore,
) -> None:
    server = Server(graph(Completed()))

    Reviver(artifacts).revive(server, graph(Running()))  # type: ignore[arg-type]

    assert server.asked == []


@pytest.mark.parametrize(("lives", "ends"), [(LIVES - 1, False), (LIVES, True)])
def test_a_graph_that_dies_again_and_again_is_given_up_with_a_word(
    artifacts: ArtifactStore, lives: int, ends: bool
) -> None:
    clock = Clock()
    reviver, run = Reviver(artifacts, clock), graph(Crashed(), run_count=lives)
    server = Server(run)

    reviver.dead([run])
    clock.now += 10 * GRACE_S
    assert reviver.dead([run]) == [run]
    reviver.revive(server, run)  # type: ignore[arg-type]

    (state,) = server.asked
    assert state.is_failed() == ends
    assert (f"died {LIVES} times" in str(state.message)) == ends
    # Whoever watches the store learns it too.
    assert (artifacts.get_json("runs/a-run/outcome.json") is not None) == ends


def test_a_graph_that_ended_is_no_matter(artifacts: ArtifactStore) -> None:
    clock = Clock()
    reviver, run = Reviver(artifacts, clock), graph(Completed())

    clock.now += 1_000
    assert reviver.dead([run]) == []
