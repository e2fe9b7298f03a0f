"""Progress of unfinished stages: complete or not there."""

from collections.abc import Callable
from pathlib import Path

import pytest

from voltx_core.errors import StoreError
from voltx_core.store import ArtifactStore, CorruptObjectError, MissingObjectError

STAGE = ("soft_core", "cafe")


@pytest.fixture
def save(artifacts: ArtifactStore, outputs: Callable[..., Path]) -> Callable[[int], None]:
    def save_step(step: int, mark: bytes = b"") -> None:
        files = {"model.safetensors": b"%d" % step * 100 + mark, "meta.json": b"{}"}
        artifacts.save_progress(*STAGE, step, outputs(files, name=f"checkpoint {step}"))

    return save_step


def read(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_saved_steps_come_back_on_another_machine(
    artifacts: ArtifactStore, save: Callable[..., None], tmp_path: Path
) -> None:
    assert artifacts.progress_steps(*STAGE) == []
    for step in (9, 100, 20):
        save(step)
    assert artifacts.progress_steps(*STAGE) == [9, 20, 100]
    artifacts.fetch_progress(*STAGE, 20, tmp_path / "here" / "20")
    assert read(tmp_path / "here" / "20") == {"model.safetensors": b"20" * 100, "meta.json": b"{}"}
    assert [path.name for path in (tmp_path / "here").iterdir()] == ["20"]


def test_a_step_saved_again_is_the_later_one(
    artifacts: ArtifactStore, save: Callable[..., None], tmp_path: Path
) -> None:
    save(5)
    save(5, b"after a restart")
    artifacts.fetch_progress(*STAGE, 5, tmp_path / "back")
    assert read(tmp_path / "back")["model.safetensors"] == b"5" * 100 + b"after a restart"


def test_a_step_without_its_manifest_is_not_complete(
    artifacts: ArtifactStore, save: Callable[..., None], tmp_path: Path
) -> None:
    save(1)
    save(2)
    artifacts.store.delete("stages/soft_core/cafe/progress/2/manifest.json")
    assert artifacts.progress_steps(*STAGE) == [1]
    with pytest.raises(MissingObjectError):
        artifacts.fetch_progress(*STAGE, 2, tmp_path / "back")
    assert not (tmp_path / "back").exists()


@pytest.mark.parametrize("harm", ["damaged", "deleted"])
def test_a_harmed_file_is_found_and_nothing_is_left_behind(
    artifacts: ArtifactStore, save: Callable[..., None], tmp_path: Path, harm: str
) -> None:
    save(1)
    (key,) = [f.key for f in artifacts.store.list() if f.key.endswith("model.safetensors")]
    data = artifacts.store.get_bytes(key)
    if harm == "damaged":
        artifacts.store.put_bytes(key, b"2" + data[1:])
    else:
        artifacts.store.delete(key)
    with pytest.raises(CorruptObjectError, match=r"model\.safetensors"):
        artifacts.fetch_progress(*STAGE, 1, tmp_path / "back")
    assert not (tmp_path / "back").exists()

    artifacts.store.put_bytes(key, data)  # restored: what was fetched before is used again
    artifacts.fetch_progress(*STAGE, 1, tmp_path / "back")
    assert set(read(tmp_path / "back")) == {"model.safetensors", "meta.json"}


def test_remains_of_another_attempt_do_not_leak_into_a_fetch(
    artifacts: ArtifactStore, save: Callable[..., None], tmp_path: Path
) -> None:
    save(1)
    remains = tmp_path / ".back.part"
    remains.mkdir()
    (remains / "model.safetensors").write_bytes(b"half")
    (remains / "stray").write_bytes(b"x")
    artifacts.fetch_progress(*STAGE, 1, tmp_path / "back")
    assert read(tmp_path / "back") == {"model.safetensors": b"1" * 100, "meta.json": b"{}"}


def test_a_folder_in_use_is_not_overwritten(
    artifacts: ArtifactStore, save: Callable[..., None], tmp_path: Path
) -> None:
    save(1)
    (tmp_path / "back").mkdir()
    (tmp_path / "back" / "mine").touch()
    with pytest.raises(StoreError, match="is not empty"):
        artifacts.fetch_progress(*STAGE, 1, tmp_path / "back")


def test_pruning_keeps_the_newest_complete_steps(
    artifacts: ArtifactStore, save: Callable[..., None]
) -> None:
    for step in (1, 2, 3, 4, 5):
        save(step)
    for incomplete in (2, 5):
        artifacts.store.delete(f"stages/soft_core/cafe/progress/{incomplete}/manifest.json")
    artifacts.prune_progress(*STAGE, keep=2)
    assert artifacts.progress_steps(*STAGE) == [3, 4]
    begun = list(artifacts.store.folders("stages/soft_core/cafe/progress"))
    assert begun == ["3", "4", "5"]  # 5 may be on its way
    artifacts.prune_progress(*STAGE, keep=0)
    assert list(artifacts.store.list()) == []
    artifacts.prune_progress(*STAGE, keep=0)


def test_impossible_numbers_are_refused(
    artifacts: ArtifactStore, save: Callable[..., None]
) -> None:
    with pytest.raises(StoreError, match="no step -1"):
        save(-1)
    with pytest.raises(StoreError, match="cannot keep -1"):
        artifacts.prune_progress(*STAGE, keep=-1)
