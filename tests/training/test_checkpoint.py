"""Checkpoints: exact, atomic, and never worse than the one before."""

import json
from pathlib import Path

import pytest
import torch

from voltx_core.errors import StoreError
from voltx_core.training.checkpoint import Checkpoints
from voltx_core.training.origin import Origin


def test_a_new_process_restores_tensors_and_facts_exactly(tmp_path: Path) -> None:
    tensors = {"w": torch.randn(3, 4), "half": torch.randn(5).bfloat16(), "n": torch.tensor(7)}
    Checkpoints(tmp_path).save("train", 12, tensors, {"curve": [[1, 0.1]]})
    saved = Checkpoints(tmp_path).restore("train")
    assert saved is not None
    assert saved.step == 12
    assert saved.meta == {"curve": [[1, 0.1]]}
    assert all(torch.equal(saved.tensors[name], tensors[name]) for name in tensors)


def test_nothing_saved_restores_nothing(tmp_path: Path) -> None:
    assert Checkpoints(tmp_path).restore("train") is None


def test_the_newest_folder_holds_every_scope(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, keep=1)
    checkpoints.save("first", 5, {"a": torch.ones(2)}, {})
    checkpoints.save("second", 1, {"b": torch.zeros(2)}, {})
    checkpoints.save("second", 2, {"b": torch.ones(2)}, {})
    again = Checkpoints(tmp_path)
    assert again.sequences() == [3]
    first, second = again.restore("first"), again.restore("second")
    assert first is not None
    assert second is not None
    assert (first.step, second.step) == (5, 2)


@pytest.mark.parametrize("damage", ["flip", "truncate", "remove"])
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save("train", 1, {"w": torch.ones(64)}, {})
    checkpoints.save("train", 2, {"w": torch.zeros(64)}, {})
    path = tmp_path / "2" / "train.safetensors"
    content = bytearray(path.read_bytes())
    if damage == "remove":
        path.unlink()
    else:
        content[-1] ^= 1
        path.write_bytes(bytes(content if damage == "flip" else content[:-4]))
    saved = Checkpoints(tmp_path).restore("train")
    assert saved is not None
    assert saved.step == 1
    assert "damaged" in caplog.text


def test_a_half_written_checkpoint_is_invisible(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save("train", 1, {"w": torch.ones(4)}, {})
    (tmp_path / "2").mkdir()
    (tmp_path / "2" / "train.json").write_text("{}")
    assert Checkpoints(tmp_path).sequences() == [1]


def test_the_files_of_equal_states_are_equal(tmp_path: Path) -> None:
    for name in ("a", "b"):
        Checkpoints(tmp_path / name).save(
            "t", 1, {"x": torch.ones(3), "y": torch.ones(2)}, {"k": 1}
        )
    digests = [json.loads((tmp_path / n / "1" / "complete.json").read_text()) for n in ("a", "b")]
    assert digests[0] == digests[1]


def test_a_full_disk_keeps_what_was_saved_and_says_so(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save("train", 1, {"w": torch.ones(4)}, {})
    (tmp_path / "2").write_text("a file where the folder should go")
    with pytest.raises(StoreError, match="Earlier checkpoints are intact"):
        checkpoints.save("train", 2, {"w": torch.zeros(4)}, {})
    saved = Checkpoints(tmp_path).restore("train")
    assert saved is not None
    assert saved.step == 1


def test_due_follows_the_clock(tmp_path: Path) -> None:
    now = [0.0]
    checkpoints = Checkpoints(tmp_path, interval_s=10, clock=lambda: now[0])
    assert not checkpoints.due()
    now[0] = 10.0
    assert checkpoints.due()
    checkpoints.save("train", 1, {"w": torch.ones(1)}, {})
    assert not checkpoints.due()


@pytest.mark.parametrize(("lag_s", "due_s"), [(0.0, 60.0), (10.0, 50.0), (55.0, 30.0)])
def test_a_save_comes_earlier_by_what_its_copy_takes_at_most_by_half_the_interval(
    tmp_path: Path, lag_s: float, due_s: float
) -> None:
    now = 0.0
    checkpoints = Checkpoints(
        tmp_path, interval_s=60.0, mirror_lag_s=lambda: lag_s, clock=lambda: now
    )
    checkpoints.save("train", 1, {"w": torch.ones(1)}, {})
    now = due_s - 0.1
    assert not checkpoints.due()
    now = due_s
    assert checkpoints.due()


def test_the_first_save_is_due_an_interval_after_the_attempt_began(tmp_path: Path) -> None:
    now = 7.0
    checkpoints = Checkpoints(tmp_path, interval_s=10.0, clock=lambda: now, began=0.0)
    assert not checkpoints.due()
    now = 10.0
    assert checkpoints.due()


def test_a_save_in_the_background_keeps_the_state_of_its_moment(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    weights = torch.ones(1000)
    checkpoints.save("train", 1, {"w": weights, "tied": weights}, {"curve": [1.0]}, wait=False)
    weights.zero_()
    checkpoints.flush()
    saved = Checkpoints(tmp_path).restore("train")
    assert saved is not None
    assert torch.equal(saved.tensors["w"], torch.ones(1000))
    assert torch.equal(saved.tensors["tied"], torch.ones(1000))


def test_saves_in_the_background_end_in_their_order(tmp_path: Path) -> None:
    mirrored: list[int] = []
    checkpoints = Checkpoints(tmp_path, mirror=lambda sequence, _: mirrored.append(sequence))
    for step in (1, 2, 3):
        checkpoints.save("train", step, {"w": torch.full((9,), float(step))}, {}, wait=False)
    saved = checkpoints.restore("train")
    assert saved is not None
    assert (saved.step, mirrored) == (3, [1, 2, 3])
    assert checkpoints.sequences() == [2, 3]


def test_a_state_that_changes_its_names_shapes_and_types_is_saved_as_it_is(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    states = (
        {"w": torch.ones(4), "gone": torch.ones(2)},
        {"w": torch.full((2, 3), 2.0), "new": torch.arange(3)},
        {"w": torch.full((2, 3), 3.0, dtype=torch.bfloat16).T, "new": torch.tensor(7)},
    )
    for step, state in enumerate(states):
        checkpoints.save("train", step, state, {}, wait=False)
        saved = checkpoints.restore("train")
        assert saved is not None
        assert saved.tensors.keys() == state.keys()
        for name, tensor in state.items():
            assert saved.tensors[name].dtype == tensor.dtype
            assert torch.equal(saved.tensors[name], tensor)


def test_after_a_failed_save_in_the_background_the_next_one_is_tried_and_waited_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save("train", 1, {"w": torch.ones(4)}, {})
    obstacle = tmp_path / "2"
    obstacle.write_text("a file where the folder should go")
    checkpoints.save("train", 2, {"w": torch.zeros(4)}, {}, wait=False)
    with pytest.raises(StoreError, match="Earlier checkpoints are intact"):
        checkpoints.save("train", 3, {"w": torch.zeros(4)}, {}, wait=False)
    assert "Trying again with the state of step 3" in caplog.text
    checkpoints.save("train", 4, {"w": torch.zeros(4)}, {}, wait=False)
    checkpoints._writer.join()  # it fails, and nobody has asked yet
    obstacle.unlink()
    checkpoints.save("train", 5, {"w": torch.zeros(4)}, {}, wait=False)
    saved = Checkpoints(tmp_path).restore("train")
    assert saved is not None
    assert saved.step == 5


def test_a_save_that_failed_last_is_said_when_the_work_ends(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Checkpoints(tmp_path) as checkpoints:
        (tmp_path / "1").write_text("a file where the folder should go")
        checkpoints.save("train", 1, {"w": torch.zeros(4)}, {}, wait=False)
    assert "Could not save checkpoint 1" in caplog.text


def test_a_save_slower_than_the_notice_is_warned_about(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ticks = iter(range(0, 1000, 40))
    checkpoints = Checkpoints(tmp_path, clock=lambda: float(next(ticks)), notice_s=30.0)
    checkpoints.save("train", 1, {"w": torch.ones(4)}, {})
    assert "longer than the notice of 30 s" in caplog.text


def origin(fingerprint: str = "f00d", **code: str) -> Origin:
    return Origin(fingerprint=fingerprint, settings={"soft_core.steps": fingerprint}, code=code)


def test_progress_of_another_configuration_is_passed_over_and_the_difference_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Checkpoints(tmp_path, origin=origin("old")).save("train", 7, {"w": torch.ones(1)}, {})
    found = Checkpoints(tmp_path, origin=origin("new"))
    assert found.resume() is None
    assert found.restore("train") is None
    assert "soft_core.steps was old, is new" in caplog.text


def test_an_older_checkpoint_of_this_configuration_is_preferred_to_a_newer_foreign_one(
    tmp_path: Path,
) -> None:
    Checkpoints(tmp_path, origin=origin("mine")).save("train", 7, {"w": torch.ones(1)}, {})
    Checkpoints(tmp_path, origin=origin("else")).save("train", 9, {"w": torch.ones(1)}, {})
    found = Checkpoints(tmp_path, origin=origin("mine"))
    assert found.resume() == 1
    saved = found.restore("train")
    assert saved is not None
    assert saved.step == 7


def test_a_checkpoint_that_does_not_say_whose_it_is_is_passed_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Checkpoints(tmp_path).save("train", 7, {"w": torch.ones(1)}, {})
    assert Checkpoints(tmp_path, origin=origin()).resume() is None
    assert "does not say what it is the progress of" in caplog.text


def test_progress_of_other_code_goes_on_and_the_modules_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Checkpoints(tmp_path, origin=origin(loop="a", rar="b")).save("t", 1, {"w": torch.ones(1)}, {})
    assert Checkpoints(tmp_path, origin=origin(loop="a", rar="c")).resume() == 1
    assert "Changed: rar" in caplog.text


def test_a_resume_says_which_checkpoint_and_why(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    checkpoints = Checkpoints(tmp_path)
    for step in (1, 2, 3):
        checkpoints.save("train", step, {"w": torch.ones(4)}, {})
    (tmp_path / "3" / "train.json").write_text("torn")
    assert Checkpoints(tmp_path).resume() == 2
    assert "train.json does not match its digest" in caplog.text
    assert "Resuming from checkpoint 2 of [2, 3]" in caplog.text


def test_the_log_is_rewound_to_the_moment_of_the_checkpoint(tmp_path: Path) -> None:
    log, folder = tmp_path / "metrics.jsonl", tmp_path / "progress"
    checkpoints = Checkpoints(folder, log=log)
    log.write_text("1\n2\n")
    checkpoints.save("train", 2, {"w": torch.ones(4)}, {}, wait=False)
    with log.open("a") as file:
        file.write("3\n")  # while the checkpoint is being written, or after it
    checkpoints.flush()
    Checkpoints(folder, log=log).resume()
    assert log.read_text() == "1\n2\n"


def test_another_machine_receives_the_log_with_the_checkpoint(tmp_path: Path) -> None:
    log = tmp_path / "here.jsonl"
    log.write_text("1\n")
    Checkpoints(tmp_path / "progress", log=log).save("train", 1, {"w": torch.ones(4)}, {})
    log.unlink()
    Checkpoints(tmp_path / "progress", log=log).resume()
    assert log.read_text() == "1\n"


def test_work_that_begins_anew_begins_its_log_anew(tmp_path: Path) -> None:
    log = tmp_path / "metrics.jsonl"
    log.write_text("points of a process that never saved\n")
    assert Checkpoints(tmp_path / "progress", log=log).resume() is None
    assert not log.exists()


def test_scopes_that_did_not_change_keep_their_digests(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save("first", 1, {"a": torch.ones(2)}, {})
    checkpoints.save("second", 1, {"b": torch.zeros(2)}, {})
    one, two = (json.loads((tmp_path / n / "complete.json").read_text()) for n in ("1", "2"))
    assert one.items() <= two.items()
    assert Checkpoints(tmp_path).resume() == 2
