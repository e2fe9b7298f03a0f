"""A report sets beside the plan of a run what it took, and what its machines cost."""

import json

import pytest

from voltx_core.config import resolve
from voltx_core.report.content import PlanRow
from voltx_core.report.report_card import read_card, write_report
from voltx_core.stages import estimates
from voltx_core.stages.lifecycle import execute
from voltx_core.stages.planning import plan
from voltx_core.stages.runs import RunRecord

pytestmark = pytest.mark.usefixtures("orchard")
NAMES = ("seeds", "press", "taste", "benchmarks")


@pytest.fixture
def compared(workspace, tiny, tmp_path, monkeypatch):
    """A second run of a store, whose times are planned from those of the first."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("voltx_core.stages.lifecycle.kind", lambda: "gpu")
    for name in NAMES:
        execute(name, tiny, workspace, run_id="r1")
    longer = resolve(
        "tiny", {"safety.steps": 40, "cost.rates_usd_per_hour.gpu": 7200.0}, environ={}
    )
    record = RunRecord(workspace.artifacts, "r2")
    record.start(longer, NAMES)
    record.expect(estimates.forecast(plan(longer, workspace.artifacts), longer, workspace))
    for name in NAMES:
        execute(name, longer, workspace, run_id="r2")
    return workspace


def test_stages_that_ran_stand_beside_their_plan_and_reused_ones_do_not(compared):
    card = read_card("r2", compared)
    assert [row.number for row in card.plan] == ["2.0", "3.0"]
    press, benchmarks = card.plan
    assert press.planned_s > 0
    assert press.factor >= 1
    assert "times 2 for its size" in press.basis
    assert benchmarks.planned_s is not None


def test_the_pages_and_the_json_say_it_too(compared, tmp_path):
    folder = write_report("r2", compared, folder=tmp_path / "runs")
    for page in ("report.md", "report.html"):
        text = (folder / page).read_text()
        assert "Plan and actual" in text
        assert "Paid idle" in text
    found = json.loads((folder / "report.json").read_text())
    assert [row["number"] for row in found["plan"]] == ["2.0", "3.0"]
    assert all(row["factor"] >= 1 for row in found["plan"])
    assert found["account"]["paid_usd"] > 0
    (machine,) = found["account"]["machines"]
    assert (machine["kind"], machine["usd_per_hour"]) == ("gpu", 7200.0)


def test_a_run_that_recorded_no_plan_has_no_such_table(workspace, tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    RunRecord(workspace.artifacts, "r1").start(tiny, ("seeds",))
    execute("seeds", tiny, workspace, run_id="r1")
    assert read_card("r1", workspace).plan == ()


@pytest.mark.parametrize(
    ("planned", "actual", "factor"), [(10, 20, 2.0), (20, 10, 2.0), (5, 5, 1.0), (None, 5, None)]
)
def test_off_by_counts_both_ways(planned, actual, factor):
    row = PlanRow(
        number="1",
        title="t",
        planned_s=planned,
        low_s=None,
        high_s=None,
        actual_s=actual,
        basis="",
    )
    assert row.factor == factor
