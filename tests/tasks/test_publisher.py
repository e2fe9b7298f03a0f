"""What the UI shows of a stage at work; the server is a list."""

import time
from typing import Any
from uuid import uuid4

import pytest

from tasks import publisher
from tasks.publisher import Pace, Publisher, artifact_key, spoken


class Server:
    def __init__(self) -> None:
        self.said: list[tuple[float, str]] = []
        self.keys: set[str] = set()
        self.error: Exception | None = None

    def create(self, progress: float, *, key: str, description: str) -> Any:
        self._hear(progress, description)
        self.keys.add(key)
        return uuid4()

    def update(self, _: Any, *, progress: float, description: str) -> None:
        self._hear(progress, description)

    def _hear(self, progress: float, description: str) -> None:
        if self.error:
            raise self.error
        self.said.append((progress, description))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    made = Server()
    monkeypatch.setattr(publisher, "create_progress_artifact", made.create)
    monkeypatch.setattr(publisher, "update_progress_artifact", made.update)
    return made


def test_the_last_word_is_published_even_when_it_came_at_the_end(server: Server) -> None:
    with Publisher("soft_core", interval_s=60) as stage:
        for step in range(1, 101):
            stage.progress(step, 100, "steps", "fitting")
        stage.metrics({"loss": 0.25}, 100)

    assert server.keys == {"soft-core-progress"}
    assert len(server.said) <= 3  # however often the stage spoke
    assert server.said[-1] == (100.0, "fitting: 100 of 100 steps · loss 0.25")


def test_a_server_that_is_down_costs_the_stage_nothing(server: Server) -> None:
    server.error = ConnectionError("down")
    with Publisher("data", interval_s=0.01) as stage:
        stage.progress(1, 4, "files")
        time.sleep(0.05)
        server.error = None
        stage.progress(2, 4, "files")

    assert server.said[-1][0] == 50.0


def test_a_stage_that_says_nothing_publishes_nothing(server: Server) -> None:
    with Publisher("data"):
        pass
    assert server.said == []


def test_the_pace_of_a_part_does_not_count_the_part_before() -> None:
    pace = Pace()
    pace.note(0, 10, "slow", now=0.0)
    assert pace.eta_s(0, 10, now=5.0) is None
    assert pace.eta_s(5, 10, now=50.0) == pytest.approx(50.0)
    pace.note(0, 1_000, "fast", now=100.0)
    assert pace.eta_s(500, 1_000, now=105.0) == pytest.approx(5.0)


def test_times_and_keys_are_as_people_and_prefect_want_them() -> None:
    assert [spoken(s) for s in (42, 600, 9_000)] == ["42 s", "10 min", "2.5 h"]
    assert artifact_key("rust_go") == "rust-go"
