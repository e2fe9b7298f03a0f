"""Curves for TensorBoard, read back by TensorBoard's own reader."""

import json
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from voltx_core.stages.observer import Recorder
from voltx_core.stages.tensorboard import EventFolder


def curves(folder: Path) -> dict[str, list[tuple[int, float]]]:
    read = EventAccumulator(str(folder))
    read.Reload()
    return {
        tag: [(point.step, point.value) for point in read.Scalars(tag)]
        for tag in read.Tags()["scalars"]
    }


def test_what_is_recorded_is_what_tensorboard_shows(tmp_path: Path) -> None:
    with Recorder(tmp_path, lambda _: None) as recorder:
        for step in (1, 2, 3):
            recorder.metrics({"fit/loss": 1.0 / step, "fit/lr": 0.5}, step)
            recorder.progress(step, 3, "steps")
    found = curves(tmp_path / "tensorboard")
    assert set(found) == {"fit/loss", "fit/lr"}
    assert [step for step, _ in found["fit/loss"]] == [1, 2, 3]
    assert found["fit/loss"][1] == (2, 0.5)


def test_a_stage_taken_up_again_has_neither_gaps_nor_repetitions(tmp_path: Path) -> None:
    with Recorder(tmp_path, lambda _: None) as recorder:
        for step in (1, 2, 3, 4):
            recorder.metrics({"fit/loss": float(step)}, step)
    log = tmp_path / "metrics.jsonl"
    log.write_text("".join(log.read_text().splitlines(keepends=True)[:2]))  # rewound to step 2
    with Recorder(tmp_path, lambda _: None) as recorder:
        for step in (3, 4, 5):
            recorder.metrics({"fit/loss": 10.0 * step}, step)
    assert curves(tmp_path / "tensorboard")["fit/loss"] == [
        (1, 1.0),
        (2, 2.0),
        (3, 30.0),
        (4, 40.0),
        (5, 50.0),
    ]


def test_a_line_that_is_being_written_waits_for_its_end(tmp_path: Path) -> None:
    log = tmp_path / "log"
    events = EventFolder(tmp_path / "events", log)
    whole = json.dumps({"step": 1, "loss": 0.5, "grad_norm": None}) + "\n"
    log.write_text(whole + '{"step": 2, "lo')
    events.catch_up()
    log.write_text(whole + json.dumps({"step": 2, "loss": 0.25}) + "\n")
    events.close()
    assert curves(tmp_path / "events") == {"loss": [(1, 0.5), (2, 0.25)]}


def test_a_stage_without_curves_leaves_no_files(tmp_path: Path) -> None:
    events = EventFolder(tmp_path / "events", tmp_path / "log")
    events.catch_up()
    events.close()
    assert not (tmp_path / "events").exists()
