"""Several processes of one stage: real ones, with gloo between them."""

import os
from types import SimpleNamespace

import psutil
import pytest
import torch
from safetensors.torch import load_file

from voltx_core.errors import Interrupted, StageError
from voltx_core.stages import graph
from voltx_core.stages.scaling import climb
from voltx_core.stages.team import team

pytestmark = pytest.mark.integration

SETTINGS = (
    "compute.log_every=1", "scaling.steps=6", "scaling.batch=8", "soft_core.rar_budget=4",
)  # fmt: skip


@pytest.fixture(scope="module")
def inputs(problems_folder, translator_files, soft_core_files):
    return {"problems": problems_folder, **translator_files, **soft_core_files}


@pytest.fixture
def climbed(inputs, stage_run):
    """Train the ladder with so many processes; its weights and the run's observer."""

    def go(processes, accumulation, *, home=None, run=None, **settings):
        wanted = (f"scaling.processes={processes}", f"scaling.accumulation={accumulation}")
        run = run or stage_run("scaling", inputs, *SETTINGS, *wanted, home=home, **settings)
        with team(run, climb, processes) as shared:
            core = climb(shared).core
        core.save(run.folder / "core.safetensors")
        return load_file(run.folder / "core.safetensors"), run.observer

    return go


def apart(one, other):
    return max(float((one[name] - other[name]).abs().max()) for name in one)


def ranks_of_this_process():
    found = []
    for child in psutil.Process(os.getpid()).children():
        if "voltx_core.stages.team" in child.cmdline():
            found.append(child)
    return found


def test_two_ranks_with_a_micro_batch_each_give_the_bits_of_one_process(climbed) -> None:
    alone, notes = climbed(1, 2)
    together, others = climbed(2, 2)
    assert apart(alone, together) == 0.0
    assert notes.curves["rung-1/loss"] == others.curves["rung-1/loss"]
    assert ranks_of_this_process() == []


def test_more_micro_batches_differ_by_the_order_of_additions_only(climbed) -> None:
    alone, _ = climbed(1, 4)
    together, _ = climbed(2, 4)
    assert apart(alone, together) < 1e-5


def test_a_rank_that_is_killed_fails_the_stage_which_then_ends_with_the_same_bits(
    climbed, inputs, stage_run
) -> None:
    undisturbed, _ = climbed(2, 2)
    wanted = (*SETTINGS, "scaling.processes=2", "scaling.accumulation=2")
    run = stage_run("scaling", inputs, *wanted, home="killed", interval_s=0.0)

    class Killer(type(run.observer)):
        def progress(self, done, _total, _unit, note=""):
            if note == "rung-1" and done == 3:
                (other,) = ranks_of_this_process()
                other.kill()

    run.observer = Killer()
    with pytest.raises(StageError, match=r"Rank 1 of 2 was killed by signal 9"):
        climbed(2, 2, run=run)
    again = stage_run("scaling", inputs, *wanted, home="killed", interval_s=0.0)
    assert again.checkpoints.resume()
    weights, notes = climbed(2, 2, run=again)
    assert len(notes.curves["rung-1/loss"]) < 6
    assert apart(undisturbed, weights) == 0.0


def test_ranks_that_are_told_to_stop_save_once_and_go_on(climbed, inputs, stage_run) -> None:
    undisturbed, _ = climbed(2, 2)
    wanted = (*SETTINGS, "scaling.processes=2", "scaling.accumulation=2")
    run = stage_run("scaling", inputs, *wanted, home="stopped")

    class Stopper(type(run.observer)):
        def progress(self, done, _total, _unit, note=""):
            if note == "rung-1" and done == 2:
                run.stop.set("SIGTERM")

    run.observer = Stopper()
    with pytest.raises(Interrupted, match="SIGTERM; rung-1 saved at step 2 of 6"):
        climbed(2, 2, run=run)
    assert ranks_of_this_process() == []
    again = stage_run("scaling", inputs, *wanted, home="stopped")
    again.checkpoints.resume()
    weights, _ = climbed(2, 2, run=again)
    assert apart(undisturbed, weights) == 0.0


def test_a_signal_to_all_processes_at_once_is_saved_as_one_to_the_stage(
    climbed, inputs, stage_run
) -> None:
    wanted = (*SETTINGS, "scaling.processes=2", "scaling.accumulation=2")
    run = stage_run("scaling", inputs, *wanted, home="signalled")

    class Preempted(type(run.observer)):
        def progress(self, done, _total, _unit, note=""):
            if note == "rung-1" and done == 2:
                (other,) = ranks_of_this_process()
                other.terminate()
                run.stop.set("SIGTERM")

    run.observer = Preempted()
    with pytest.raises(Interrupted, match="SIGTERM; rung-1 saved at step 2 of 6"):
        climbed(2, 2, run=run)


def test_a_rank_that_cannot_start_is_named_at_once(inputs, stage_run) -> None:
    wanted = (*SETTINGS, "scaling.processes=2", "scaling.accumulation=2")
    run = stage_run("scaling", inputs, *wanted)
    with (
        pytest.raises(StageError, match=r"Rank 1 of 2 ended with 1.*has no attribute 'climb_up'"),
        team(run, SimpleNamespace(__module__=climb.__module__, __qualname__="climb_up"), 2),
    ):
        pass


def test_the_stage_trains_with_two_processes_as_it_is_configured(inputs, stage_run) -> None:
    wanted = (*SETTINGS, "scaling.processes=2", "scaling.accumulation=2")
    report = graph.module("scaling").run(stage_run("scaling", inputs, *wanted))
    ladder = report.tables["growth ladder, validation problems"]
    assert [row["size"].split()[-1] for row in ladder][:3] == ["start", "training", "trained"]
    assert torch.isfinite(torch.tensor(report.metrics["converged_within_20"]))
