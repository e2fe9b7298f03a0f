import pytest
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer

from voltx_core.cli.tensorboard import gather, tensorboard
from voltx_core.errors import StageError
from voltx_core.stages.lifecycle import execute
from voltx_core.stages.observer import Recorder
from voltx_core.stages.runs import RunRecord


def read(folder):
    """What TensorBoard itself finds there: scalars by stage."""
    found = EventMultiplexer()
    found.AddRunsFromDirectory(str(folder))
    found.Reload()
    return {stage: tags["tensors"] for stage, tags in found.Runs().items()}


@pytest.mark.usefixtures("orchard")
def test_curves_of_finished_stages_come_from_the_store(workspace, tiny, tmp_path):
    RunRecord(workspace.artifacts, "r1").start(tiny, ("seeds", "press"))
    for name in ("seeds", "press"):
        execute(name, tiny, workspace, run_id="r1")
    assert gather("r1", workspace, tmp_path / "r1")
    assert any(read(tmp_path).values())


@pytest.mark.usefixtures("orchard")
def test_a_stage_at_work_is_shown_as_far_as_it_is(workspace, tiny, tmp_path):
    record = RunRecord(workspace.artifacts, "r1")
    record.start(tiny, ("seeds", "press"))
    record.stage("press", state="running", fingerprint="f00d")
    with Recorder(workspace.work("press", "f00d"), lambda _: None) as recorder:
        recorder.metrics({"loss": 0.5}, 10)
    stages = gather("r1", workspace, tmp_path / "r1")
    (stage,) = [name for name in stages if name.endswith("press")]
    assert read(tmp_path)[f"r1/{stage}"] == ["loss"]


def test_an_unknown_run_is_named(workspace, tmp_path):
    with pytest.raises(StageError, match="knows no run 'nowhere'"):
        gather("nowhere", workspace, tmp_path)


def test_without_a_run_it_says_how_to_start_one(invoke):
    done = invoke(tensorboard)
    assert done.exit_code == 1
    assert "has no run yet. Start one: voltx run --watch" in done.output
