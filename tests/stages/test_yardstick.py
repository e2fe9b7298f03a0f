"""The record of a known machine: what it covers, and how this machine is set beside it."""

import pytest

from voltx_core.config import resolve
from voltx_core.errors import DataError
from voltx_core.stages import graph, yardstick
from voltx_core.stages.estimates import estimate
from voltx_core.stages.planning import plan


def test_a_machine_is_as_much_slower_as_both_measurements_say():
    there = yardstick.Speed(matmul_gflops=100.0, python_mops=20.0)
    assert there.slowdown(there) == 1.0
    assert yardstick.Speed(25.0, 20.0).slowdown(there) == 2.0
    assert yardstick.Speed(400.0, 80.0).slowdown(there) == 0.25


def test_this_machine_can_be_measured():
    speed = yardstick.probe()
    assert speed.matmul_gflops > 0
    assert speed.python_mops > 0


def test_the_record_covers_every_stage_of_the_laptop_preset(workspace):
    config = resolve("laptop", environ={})
    for name, planned in plan(config, workspace.artifacts, stages=graph.select()).items():
        expected = estimate(planned, config, workspace)
        assert expected.seconds is not None, name
        assert expected.low_s < expected.seconds < expected.high_s
        assert expected.size > 0


def test_what_was_never_measured_at_a_size_is_unknown_and_not_invented(workspace):
    config = resolve("cloud", environ={})
    planned = plan(config, workspace.artifacts, stages=graph.select())["soft_core"]
    assert estimate(planned, config, workspace).seconds is None


def reported(run_id, seconds, *, overrides=(), state="committed"):
    """The part of a report.json that a record is made from."""
    stage = {
        "name": "press",
        "state": state,
        "work_s": seconds,
        "artifacts": {"juice": {"size": 300}, "pulp": {"size": 40}},
    }
    settings = [{"key": key} for key in overrides]
    return {"run_id": run_id, "preset": "tiny", "overrides": settings, "stages": [stage]}


@pytest.mark.usefixtures("orchard")
def test_a_record_holds_the_median_of_each_stage():
    found = yardstick.record([reported("a", 2.0), reported("b", 9.0), reported("c", 4.0)])
    assert found["runs"] == ["a", "b", "c"]
    (mark,) = found["stages"]["press"]
    assert (mark["seconds"], mark["size"]) == (4.0, 340)
    assert mark["settings"]["safety.steps"] == resolve("tiny", environ={}).safety.steps


@pytest.mark.usefixtures("orchard")
def test_a_stage_that_was_reused_is_left_out():
    assert yardstick.record([reported("a", 2.0, state="reused")])["stages"] == {}


@pytest.mark.usefixtures("orchard")
def test_a_run_with_settings_of_its_own_is_no_record():
    with pytest.raises(DataError, match=r"a is no plain run of its preset: it sets seed\."):
        yardstick.record([reported("a", 2.0, overrides=["seed"])])
