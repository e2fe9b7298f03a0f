"""Progress in the store, also when the store is much slower than the work."""

import threading
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from voltx_core.stages.remote_progress import RemoteProgress, take_over
from voltx_core.store import ArtifactStore, Mirror, open_store
from voltx_core.training.checkpoint import Checkpoints
from voltx_core.training.origin import Origin


@pytest.fixture
def artifacts(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(open_store(str(tmp_path / "store")), tmp_path / "cache")


def save(checkpoints: Checkpoints, step: int) -> None:
    checkpoints.save("train", step, {"w": torch.full((8,), float(step))}, {})


def remote(artifacts: ArtifactStore, tmp_path: Path, mirror: Mirror) -> RemoteProgress:
    return RemoteProgress(
        artifacts, "press", "f00d", keep=2, outbox=tmp_path / "outbox", mirror=mirror
    )


def test_another_machine_takes_over_the_newest_checkpoint(
    artifacts: ArtifactStore, tmp_path: Path
) -> None:
    with Mirror(capacity=1) as mirror:
        sending = remote(artifacts, tmp_path, mirror)
        checkpoints = Checkpoints(tmp_path / "here", mirror=sending.send)
        for step in (5, 10):
            save(checkpoints, step)
            mirror.drain()
    take_over(artifacts, "press", "f00d", tmp_path / "there")
    found = Checkpoints(tmp_path / "there").restore("train")
    assert found is not None
    assert found.step == 10
    assert torch.equal(found.tensors["w"], torch.full((8,), 10.0))
    assert not list((tmp_path / "outbox").iterdir())


def test_the_slowest_of_the_last_copies_tells_how_long_the_next_may_take(
    artifacts: ArtifactStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = threading.Event()
    sent = artifacts.save_progress

    def held_up(*args: Any) -> None:
        assert go.wait(30)
        sent(*args)

    monkeypatch.setattr(artifacts, "save_progress", held_up)
    with Mirror(capacity=1) as mirror:
        sending = remote(artifacts, tmp_path, mirror)
        checkpoints = Checkpoints(tmp_path / "here", mirror=sending.send)
        assert sending.lag_s() == 0.0
        handed_over = time.monotonic()
        save(checkpoints, 5)
        time.sleep(0.2)
        go.set()
        mirror.drain()
        slow = sending.lag_s()
        assert 0.2 <= slow <= time.monotonic() - handed_over
        save(checkpoints, 10)
        mirror.drain()
        assert sending.lag_s() == slow


def send_two(artifacts: ArtifactStore, tmp_path: Path, origin: Origin | None = None) -> Path:
    """Checkpoints 1 (step 5) and 2 (step 10), here and in the store; the folder here."""
    with Mirror(capacity=1) as mirror:
        sending = remote(artifacts, tmp_path, mirror)
        checkpoints = Checkpoints(tmp_path / "here", mirror=sending.send, origin=origin)
        for step in (5, 10):
            save(checkpoints, step)
            mirror.drain()
    return tmp_path / "here"


def step_of(folder: Path, origin: Origin | None = None) -> int:
    found = Checkpoints(folder, origin=origin).restore("train")
    assert found is not None
    return found.step


def test_a_damaged_checkpoint_here_is_replaced_by_the_one_in_the_store(
    artifacts: ArtifactStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    here = send_two(artifacts, tmp_path)
    (here / "2" / "train.json").write_text("torn")
    take_over(artifacts, "press", "f00d", here)
    assert step_of(here) == 10
    assert "newer than 1, the newest here" in caplog.text


def test_a_newer_checkpoint_here_is_kept(artifacts: ArtifactStore, tmp_path: Path) -> None:
    here = send_two(artifacts, tmp_path)
    save(Checkpoints(here), 15)
    take_over(artifacts, "press", "f00d", here)
    assert step_of(here) == 15


def test_a_damaged_checkpoint_in_the_store_gives_way_to_the_one_before(
    artifacts: ArtifactStore, tmp_path: Path
) -> None:
    send_two(artifacts, tmp_path)
    (torn,) = (tmp_path / "store").rglob("progress/2/*/train.safetensors")
    torn.chmod(0o644)
    torn.write_bytes(torn.read_bytes()[:-1] + b"x")
    take_over(artifacts, "press", "f00d", tmp_path / "there")
    assert step_of(tmp_path / "there") == 5


def test_progress_of_another_configuration_is_not_taken_over(
    artifacts: ArtifactStore, tmp_path: Path
) -> None:
    theirs = Origin(fingerprint="other", settings={}, code={})
    ours = Origin(fingerprint="f00d", settings={}, code={})
    send_two(artifacts, tmp_path, theirs)
    take_over(artifacts, "press", "f00d", tmp_path / "there", ours)
    assert Checkpoints(tmp_path / "there", origin=ours).resume() is None
    assert list((tmp_path / "there").iterdir()) == []


def test_a_store_slower_than_the_work_still_receives_the_newest(
    artifacts: ArtifactStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Event(), threading.Event()
    save_progress = artifacts.save_progress

    def slowly(stage: str, fingerprint: str, step: int, folder: Path) -> None:
        begun.set()
        assert go_on.wait(30)
        save_progress(stage, fingerprint, step, folder)

    monkeypatch.setattr(artifacts, "save_progress", slowly)
    with Mirror(capacity=1) as mirror:
        checkpoints = Checkpoints(
            tmp_path / "here", keep=1, mirror=remote(artifacts, tmp_path, mirror).send
        )
        save(checkpoints, 1)
        assert begun.wait(30)
        for step in range(2, 9):  # the one being sent is long pruned on this machine
            save(checkpoints, step)
        go_on.set()
    assert mirror.failures == []
    assert artifacts.progress_steps("press", "f00d") == [1, 8]
    assert not list((tmp_path / "outbox").iterdir())
