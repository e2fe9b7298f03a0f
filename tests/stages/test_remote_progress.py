"""Progress in the store, also when the store is much slower than the work."""

import threading
from pathlib import Path

import pytest
import torch

from voltx_core.stages.remote_progress import RemoteProgress, take_over
from voltx_core.store import ArtifactStore, Mirror, open_store
from voltx_core.training.checkpoint import Checkpoints


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


def test_a_damaged_local_checkpoint_gives_way_to_its_intact_copy_in_the_store(
    artifacts: ArtifactStore, tmp_path: Path
) -> None:
    with Mirror(capacity=1) as mirror:
        sending = remote(artifacts, tmp_path, mirror)
        checkpoints = Checkpoints(tmp_path / "here", mirror=sending.send)
        for step in (5, 10):
            save(checkpoints, step)
            mirror.drain()
    (tmp_path / "here" / "2" / "train.safetensors").write_bytes(b"damaged")
    take_over(artifacts, "press", "f00d", tmp_path / "here")
    found = Checkpoints(tmp_path / "here").restore("train")
    assert found is not None
    assert found.step == 10


def test_a_newer_intact_local_checkpoint_is_not_replaced(
    artifacts: ArtifactStore, tmp_path: Path
) -> None:
    with Mirror(capacity=1) as mirror:
        checkpoints = Checkpoints(
            tmp_path / "here", mirror=remote(artifacts, tmp_path, mirror).send
        )
        save(checkpoints, 5)
    save(Checkpoints(tmp_path / "here"), 10)  # its copy never reached the store
    take_over(artifacts, "press", "f00d", tmp_path / "here")
    found = Checkpoints(tmp_path / "here").restore("train")
    assert found is not None
    assert found.step == 10


def test_a_damaged_remote_checkpoint_gives_way_to_the_one_before(
    artifacts: ArtifactStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Mirror(capacity=1) as mirror:
        sending = remote(artifacts, tmp_path, mirror)
        checkpoints = Checkpoints(tmp_path / "here", mirror=sending.send)
        for step in (5, 10):
            save(checkpoints, step)
            mirror.drain()
    for found in artifacts.store.list("stages/press/f00d/progress/2/"):
        if found.key.endswith(".safetensors"):
            artifacts.store.put_bytes(found.key, b"damaged")
    take_over(artifacts, "press", "f00d", tmp_path / "there")
    saved = Checkpoints(tmp_path / "there").restore("train")
    assert saved is not None
    assert saved.step == 5
    assert "Remote checkpoint 2 of press passed over" in caplog.text


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
