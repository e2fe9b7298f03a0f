"""Beats in a real store, heard with a clock of our own."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tasks.pulse import SILENCE_S, Listener, Pulse, key_of
from voltx_core.errors import StoreError
from voltx_core.store import ArtifactStore, open_store

KEY = key_of("run", "data")


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def artifacts(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(open_store(str(tmp_path / "store")), tmp_path / "cache")


def beat_of(artifacts: ArtifactStore) -> dict[str, object]:
    deadline = time.monotonic() + 10
    while (found := artifacts.get_json(KEY)) is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert found is not None
    return dict(found)


def test_a_process_beats_at_once_and_again(artifacts: ArtifactStore) -> None:
    with Pulse(artifacts, KEY, interval_s=0.02):
        first = beat_of(artifacts)
        deadline = time.monotonic() + 10
        while artifacts.get_json(KEY) == first and time.monotonic() < deadline:
            time.sleep(0.01)
    assert artifacts.get_json(KEY)["beat"] > first["beat"]


def test_who_beats_is_not_silent_and_who_stops_is(artifacts: ArtifactStore) -> None:
    clock = Clock()
    listener = Listener(artifacts, KEY, silence_s=90, interval_s=15, clock=clock)
    for beat in range(10):
        artifacts.put_json(KEY, {"beat": beat})
        clock.now += 30
        assert not listener.silent()
    for _ in range(5):
        clock.now += 15
        assert not listener.silent()
    clock.now += 15
    assert listener.silent()


def test_who_was_never_heard_is_silent_in_the_end(artifacts: ArtifactStore) -> None:
    clock = Clock()
    listener = Listener(artifacts, KEY, clock=clock)
    clock.now += SILENCE_S - 1
    assert not listener.silent()
    clock.now += 2
    assert listener.silent()


def test_silence_counts_from_the_restart(artifacts: ArtifactStore) -> None:
    clock = Clock()
    listener = Listener(artifacts, KEY, clock=clock)
    clock.now += 1_000  # it waited for a worker
    listener.restart()
    assert not listener.silent()


def beats_of_a_dead_process(artifacts: ArtifactStore) -> None:
    """Leave the beats of a process of this machine that was killed."""
    code = (
        "import sys; from pathlib import Path; from tasks.pulse import Pulse\n"
        "from voltx_core.store import ArtifactStore, open_store\n"
        "store = ArtifactStore(open_store(sys.argv[1]), Path(sys.argv[2]))\n"
        "with Pulse(store, sys.argv[3], flow_run='first'): input()"
    )
    store = str(artifacts.cache.with_name("store"))
    process = subprocess.Popen(
        [sys.executable, "-c", code, store, str(artifacts.cache), KEY], stdin=subprocess.PIPE
    )
    beat_of(artifacts)
    process.kill()
    process.wait()


def test_a_dead_process_of_this_machine_is_noticed_without_waiting(
    artifacts: ArtifactStore,
) -> None:
    clock = Clock()
    listener = Listener(artifacts, KEY, flow_run="first", clock=clock)
    beats_of_a_dead_process(artifacts)
    clock.now += 16
    assert listener.silent()


def test_the_death_of_an_earlier_attempt_is_not_that_of_this_one(artifacts: ArtifactStore) -> None:
    clock = Clock()
    beats_of_a_dead_process(artifacts)
    listener = Listener(artifacts, KEY, flow_run="second", clock=clock)
    clock.now += 16
    assert not listener.silent()


def test_who_was_never_heard_cannot_be_lost(artifacts: ArtifactStore) -> None:
    clock = Clock()
    listener = Listener(artifacts, KEY, flow_run="first", clock=clock)
    clock.now += 10 * SILENCE_S
    assert not listener.lost()

    artifacts.put_json(KEY, {"beat": 0, "flow_run": "first", "machine": "elsewhere"})
    clock.now += 16
    assert not listener.lost()
    clock.now += SILENCE_S
    assert listener.lost()
    assert "No sign of life" in listener.why()


def test_a_worker_beats_for_a_run_until_the_run_does_so_itself(artifacts: ArtifactStore) -> None:
    worker = Pulse(artifacts, KEY, flow_run="first", interval_s=0.05, until_relieved=True)
    worker.start()
    taken = beat_of(artifacts)
    with Pulse(artifacts, KEY, flow_run="first", interval_s=0.05):
        worker._thread.join(timeout=10)
        assert not worker._thread.is_alive()
    found = artifacts.get_json(KEY)
    assert found["flow_run"] == taken["flow_run"]
    assert found["life"] != taken["life"]


def test_a_worker_is_not_relieved_by_the_attempt_before(artifacts: ArtifactStore) -> None:
    artifacts.put_json(KEY, {"beat": 7, "flow_run": "first", "life": "another"})
    worker = Pulse(artifacts, KEY, flow_run="second", interval_s=0.02, until_relieved=True)
    worker.start()
    deadline = time.monotonic() + 10
    while (beat := artifacts.get_json(KEY)).get("beat", 0) < 3 or beat["flow_run"] == "first":
        assert time.monotonic() < deadline
        time.sleep(0.01)
    worker.stop()


def test_a_living_process_of_this_machine_is_not_given_up(artifacts: ArtifactStore) -> None:
    clock = Clock()
    listener = Listener(artifacts, KEY, flow_run="first", clock=clock)
    with Pulse(artifacts, KEY, flow_run="first"):
        beat_of(artifacts)
        clock.now += 16
        assert not listener.silent()


class Unreachable(ArtifactStore):
    def get_json(self, key: str) -> None:
        raise StoreError(f"{key} cannot be reached")


def test_a_store_that_does_not_answer_proves_nothing(tmp_path: Path) -> None:
    artifacts = Unreachable(open_store(str(tmp_path / "store")), tmp_path / "cache")
    clock = Clock()
    listener = Listener(artifacts, KEY, clock=clock)
    for _ in range(20):
        clock.now += 15
        assert not listener.silent()
