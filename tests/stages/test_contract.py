import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voltx_core.config import VoltxConfig
from voltx_core.errors import Interrupted
from voltx_core.stages.contract import (
    Artifact,
    ConfigView,
    StageRun,
    StageSpec,
    StopFlag,
    Target,
)

SPEC = StageSpec(
    number="9.9",
    name="test",
    title="Test",
    needs=(),
    makes=(Artifact("weights", "deep/weights.bin"),),
    reads=("soft_core", "alignment.e2e.steps"),
)


@given(st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_a_target_and_its_opposite_never_agree(measured, value):
    metrics = {"m": measured}
    for comparison, opposite in ((">", "<="), ("<", ">=")):
        met = Target("m", comparison, value, "t").judge(metrics).met
        assert met is not Target("m", opposite, value, "t").judge(metrics).met


@pytest.mark.parametrize("metrics", [{}, {"m": None}])
def test_what_was_not_measured_is_neither_met_nor_missed(metrics):
    result = Target("m", ">", 0.5, "t").judge(metrics)
    assert (result.measured, result.met) == (None, None)


@pytest.mark.parametrize("comparison", [">", ">=", "<", "<="])
def test_a_diverged_metric_meets_no_target(comparison):
    assert Target("m", comparison, 0.5, "t").judge({"m": math.nan}).met is False


def test_a_stage_reads_what_it_declared_and_nothing_else():
    view = StageRun.view(SPEC, VoltxConfig())
    assert view.soft_core.steps == VoltxConfig().soft_core.steps
    assert view.alignment.e2e.steps == VoltxConfig().alignment.e2e.steps
    for read in (
        lambda: view.router,
        lambda: view.alignment.e2e.batch,
        lambda: view.alignment.rlvf,
    ):
        with pytest.raises(AttributeError, match=r"does not declare"):
            read()


def test_every_stage_may_read_the_seed_and_what_changes_no_result():
    view = StageRun.view(SPEC, VoltxConfig())
    assert view.seed == 0
    assert view.compute.threads == 1
    assert view.checkpoint.keep == 2
    assert view.judge.level == "auto"


def test_a_setting_whose_name_begins_like_a_declared_one_stays_hidden():
    view = ConfigView(VoltxConfig(), ("soft_core.rar_budget",))
    assert view.soft_core.rar_budget == 30
    with pytest.raises(AttributeError):
        _ = view.soft_core.rar_dt


def test_a_misspelt_setting_is_an_attribute_error():
    with pytest.raises(AttributeError):
        _ = StageRun.view(SPEC, VoltxConfig()).soft_core.stpes


def test_a_stop_flag_keeps_its_first_reason():
    stop = StopFlag()
    stop.check()
    assert not stop
    stop.set("SIGTERM")
    stop.set("deadline")
    assert stop
    assert stop() is True
    with pytest.raises(Interrupted, match="SIGTERM"):
        stop.check()


def test_outputs_and_figures_have_a_place_and_only_promised_ones(tmp_path: Path):
    run = StageRun(
        spec=SPEC,
        config=None,
        inputs={},
        folder=tmp_path,
        device="cpu",
        checkpoints=None,
        observer=None,
        stop=StopFlag(),
    )
    run.output("weights").write_bytes(b"w")
    run.figure("attention").write_bytes(b"p")
    assert (tmp_path / "deep" / "weights.bin").exists()
    assert (tmp_path / "figures" / "attention.png").exists()
    with pytest.raises(KeyError):
        run.output("biases")
