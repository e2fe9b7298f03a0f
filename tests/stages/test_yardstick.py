"""The record of a known machine: what it covers, and how this machine is set beside it."""

import pytest

from voltx_core.config import resolve
from voltx_core.stages import graph, yardstick
from voltx_core.stages.estimates import estimate
from voltx_core.stages.lifecycle import execute
from voltx_core.stages.planning import plan
from voltx_core.stages.runs import RunRecord


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


@pytest.mark.usefixtures("orchard")
def test_a_record_holds_the_median_of_each_stage_that_these_runs_did(workspace, tiny):
    for run_id, force in (("r1", False), ("r2", True)):
        RunRecord(workspace.artifacts, run_id).start(tiny, ("seeds", "press"))
        for name in ("seeds", "press"):
            execute(name, tiny, workspace, run_id=run_id, force=force)
    found = yardstick.record(workspace, ["r1", "r2"])
    assert set(found["stages"]) == {"seeds", "press"}
    (mark,) = found["stages"]["press"]
    assert mark["seconds"] > 0
    assert mark["settings"]["safety.steps"] == 20
