import json
from pathlib import Path

import pytest

from voltx_core.errors import StoreError
from voltx_core.stages import observer
from voltx_core.stages.observer import Fanout, Recorder


class Clock:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(observer, "time", clock)
    return clock


def test_metrics_become_one_json_line_each(tmp_path):
    recorder = Recorder(tmp_path / "new", [].append)
    recorder.metrics({"loss": 0.5, "lr": 1e-3}, 1)
    recorder.flush()
    recorder.metrics({"loss": 0.25}, 2)
    lines = (tmp_path / "new" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"step": 1, "loss": 0.5, "lr": 1e-3},
        {"step": 2, "loss": 0.25},
    ]


def test_progress_is_published_at_most_once_an_interval_and_at_the_end(tmp_path, clock):
    published = []
    recorder = Recorder(tmp_path, published.append, interval_s=1.0)
    for done in range(1, 11):
        clock.now += 0.25
        recorder.progress(done, 10, "steps")
        recorder.flush()
    assert [live["done"] for live in published] == [1, 5, 9, 10]


def test_the_eta_is_extrapolated_from_the_pace_since_the_start(tmp_path, clock):
    published = []
    recorder = Recorder(tmp_path, published.append, interval_s=0.0)
    recorder.progress(0, 10, "steps")
    recorder.flush()
    assert published[-1]["eta_s"] is None
    clock.now += 4.0
    recorder.progress(2, 10, "steps")
    recorder.flush()
    assert published[-1]["eta_s"] == pytest.approx(16.0)


def test_a_resumed_stage_does_not_count_the_steps_of_an_earlier_process(tmp_path, clock):
    published = []
    recorder = Recorder(tmp_path, published.append, interval_s=0.0)
    recorder.progress(90, 100, "steps")
    recorder.flush()
    clock.now += 5.0
    recorder.progress(95, 100, "steps")
    recorder.flush()
    assert published[-1]["eta_s"] == pytest.approx(5.0)


def test_another_part_of_the_work_starts_a_new_pace(tmp_path, clock):
    published = []
    recorder = Recorder(tmp_path, published.append, interval_s=0.0)
    recorder.progress(0, 10, "files", "reading")
    recorder.flush()
    clock.now += 100.0
    recorder.progress(10, 10, "files", "reading")
    recorder.flush()
    recorder.progress(0, 10, "steps", "training")
    clock.now += 1.0
    recorder.progress(1, 10, "steps", "training")
    recorder.flush()
    assert published[-1]["eta_s"] == pytest.approx(9.0)
    assert published[-1]["note"] == "training"


def test_the_live_record_holds_the_newest_metrics(tmp_path):
    published = []
    recorder = Recorder(tmp_path, published.append, interval_s=0.0)
    recorder.progress(0, 2, "steps")
    recorder.flush()
    recorder.metrics({"loss": 0.5}, 7)
    recorder.progress(1, 2, "steps")
    recorder.flush()
    assert published[-1]["metrics"] == {"loss": 0.5}
    assert published[-1]["step"] == 7
    assert published[-1]["done"] == 1
    assert published[0] is not published[-1]


def test_points_of_one_step_are_shown_together(tmp_path):
    published = []
    recorder = Recorder(tmp_path, published.append, interval_s=0.0)
    for step in (1, 2):
        recorder.metrics({"fit/loss": 1.0 / step}, step)
        recorder.metrics({"pace/fit/items_per_s": 100.0 * step}, step)
    recorder.progress(2, 2, "steps")
    recorder.flush()
    assert published[-1]["metrics"] == {"fit/loss": 0.5, "pace/fit/items_per_s": 200.0}


def test_a_fanout_tells_everyone_everything():
    class Listener:
        def __init__(self):
            self.heard = []

        def progress(self, *words):
            self.heard.append(("progress", *words))

        def metrics(self, *words):
            self.heard.append(("metrics", *words))

        def figure(self, *words):
            self.heard.append(("figure", *words))

    first, second = Listener(), Listener()
    fanout = Fanout([first, second])
    fanout.progress(1, 2, "steps", "note")
    fanout.metrics({"loss": 1.0}, 3)
    fanout.figure("map", Path("map.png"))
    assert first.heard == second.heard
    assert [kind for kind, *_ in first.heard] == ["progress", "metrics", "figure"]


def test_a_store_that_is_away_costs_one_warning_and_no_work(tmp_path, caplog):
    def publish(_live):
        raise StoreError("no answer from the store")

    with Recorder(tmp_path, publish, interval_s=0.0) as recorder:
        for step in range(1, 6):
            recorder.metrics({"loss": 1.0 / step}, step)
            recorder.progress(step, 5, "steps")
            recorder.flush()
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 5
    assert caplog.text.count("no answer from the store") == 1


def test_a_torn_line_in_the_curves_costs_a_warning_and_no_work(tmp_path, caplog):
    with Recorder(tmp_path, [].append) as recorder:
        recorder.metrics({"loss": 1.5}, 1)
        with (tmp_path / "metrics.jsonl").open("a") as log:
            log.write('{"step": 2, "lo\n')
    assert "TensorBoard's files" in caplog.text


def test_what_is_not_a_number_is_null_in_the_curves(tmp_path):
    Recorder(tmp_path, [].append).metrics({"loss": 1.5, "grad_norm": float("nan")}, 3)
    (line,) = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert json.loads(line) == {"step": 3, "loss": 1.5, "grad_norm": None}
