import json

import pytest

from voltx_core.cli.report import report
from voltx_core.stages.lifecycle import execute
from voltx_core.stages.runs import RunRecord

NAMES = ("seeds", "press", "taste", "benchmarks")


@pytest.fixture
def run(orchard, workspace, tiny):
    del orchard
    for run_id in ("first", "second"):
        RunRecord(workspace.artifacts, run_id).start(tiny, NAMES)
        for name in NAMES:
            execute(name, tiny, workspace, run_id=run_id)


@pytest.mark.usefixtures("run")
def test_the_latest_run_is_reported_and_summed_up(invoke, tmp_path):
    result = invoke(report)
    assert result.exit_code == 0, result.output
    assert "voltx run second" in result.stdout
    assert "52.0 %" in result.stdout
    assert "Press" in result.stdout
    assert str(tmp_path / "runs" / "second" / "report.html") in result.stdout
    assert (tmp_path / "runs" / "second" / "report.html").is_file()


@pytest.mark.usefixtures("run")
def test_a_run_can_be_named_and_the_folder_too(invoke, tmp_path):
    result = invoke(report, "first", "--folder", "elsewhere", "--json")
    assert json.loads(result.stdout)["run_id"] == "first"
    assert (tmp_path / "elsewhere" / "latest").resolve().name == "first"


@pytest.mark.usefixtures("run")
def test_an_unknown_run_is_a_message(invoke):
    result = invoke(report, "third")
    assert result.exit_code == 1
    assert "knows no run 'third'. Its runs: first, second." in result.stderr


@pytest.mark.usefixtures("orchard")
def test_an_empty_store_names_the_command_that_fills_it(invoke):
    result = invoke(report)
    assert result.exit_code == 1
    assert "voltx run --watch" in result.stderr
