"""What a run costs, and what happens when its budget is spent."""

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from voltx_core.config import resolve
from voltx_core.errors import BudgetError
from voltx_core.stages import graph, spending
from voltx_core.stages.contract import StopFlag
from voltx_core.stages.lifecycle import execute
from voltx_core.stages.planning import plan
from voltx_core.stages.runs import RunRecord
from voltx_core.stages.spending import SILENCE_S, Meter, Spell, account, spells

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
RATES = {"cpu": 0.35, "gpu": 2.5, "multi-gpu": 16.0}
SLOW = ("total += ", "import time; time.sleep(0.05); total += ")
DEAR = {"cost.rates_usd_per_hour.cpu": 3600.0, "cost.budget_usd": 0.1}
"""A dollar a second, and money for a tenth of one."""


def spell(host, kind, start_min, end_min):
    start, end = (NOON + timedelta(minutes=m) for m in (start_min, end_min))
    return Spell(host, kind, start, end)


def test_stages_side_by_side_on_one_machine_are_paid_for_once():
    made = account([spell("a", "gpu", 0, 60), spell("a", "gpu", 0, 30)], RATES)
    assert (made.paid_usd, made.idle_usd) == (2.5, 0.0)


def test_a_machine_that_waits_is_paid_for_too():
    made = account([spell("a", "gpu", 0, 30), spell("a", "gpu", 90, 120)], RATES)
    assert (made.paid_usd, made.idle_usd) == (5.0, 2.5)


def test_each_machine_has_the_price_of_its_kind():
    made = account([spell("a", "cpu", 0, 60), spell("b", "multi-gpu", 0, 60)], RATES)
    assert made.paid_usd == pytest.approx(16.35)
    assert made.usd_per_hour == pytest.approx(16.35)
    assert [machine.host for machine in made.machines] == ["a", "b"]


def test_nothing_done_costs_nothing():
    assert account([], RATES).paid_usd == 0.0


def test_attempts_count_until_their_last_sign_of_life_and_reuse_does_not():
    at = [(NOON + timedelta(minutes=m)).isoformat() for m in (0, 10, 20, 50)]
    lost = {"started_at": at[0], "alive_at": at[1], "host": "a", "kind": "gpu"}
    last = {"started_at": at[2], "host": "b", "kind": "cpu", "state": "running"}
    run = {
        "records": {
            "press": {**last, "alive_at": at[2], "earlier": [lost]},
            "seeds": {"state": "reused", "started_at": at[0], "finished_at": at[3], "kind": "gpu"},
            "taste": None,
        }
    }
    now = NOON + timedelta(minutes=20, seconds=40)
    found = spells(run, now=now)
    assert [(s.host, (s.end - s.start).total_seconds()) for s in found] == [("a", 600), ("b", 40)]


def test_an_attempt_that_died_does_not_cost_until_now():
    """Its record still says running: nobody was there to write anything else."""
    at = [(NOON + timedelta(minutes=m)).isoformat() for m in (0, 10)]
    dead = {"started_at": at[0], "alive_at": at[1], "host": "a", "kind": "gpu", "state": "running"}
    run, tomorrow = {"records": {"press": dead}}, NOON + timedelta(days=1)
    (found,) = spells(run, now=tomorrow)
    assert found.end == NOON + timedelta(minutes=10, seconds=SILENCE_S)
    (found,) = spells(run, now=tomorrow, at_work="press")
    assert found.end == tomorrow


def test_the_time_a_machine_was_off_is_not_paid_for():
    first, second = spell("a", "gpu", 0, 30), spell("a", "gpu", 600, 630)
    made = account([replace(first, boot="1"), replace(second, boot="2")], RATES)
    assert (made.paid_usd, made.idle_usd) == (2.5, 0.0)


@pytest.mark.usefixtures("orchard")
def test_a_stage_records_what_its_machine_is(workspace, tiny):
    execute("seeds", tiny, workspace, run_id="r1")
    assert RunRecord(workspace.artifacts, "r1").of("seeds")["kind"] in RATES


@pytest.fixture
def dear(monkeypatch):
    monkeypatch.setattr("voltx_core.stages.lifecycle.kind", lambda: "cpu")
    return resolve("tiny", {"safety.steps": 20, **DEAR}, environ={})


def started(config, workspace, run_id):
    RunRecord(workspace.artifacts, run_id).start(config, ("seeds", "press", "taste", "benchmarks"))


@pytest.mark.usefixtures("orchard")
def test_a_run_taken_up_after_an_outage_has_not_spent_its_budget_on_it(workspace):
    """The attempt that died with its machine a day ago still says running."""
    config = resolve("tiny", {"safety.steps": 20, "cost.budget_usd": 1.0}, environ={})
    started(config, workspace, "r1")
    long_ago = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    dead = {"started_at": long_ago, "alive_at": long_ago, "state": "running", "kind": "cpu"}
    RunRecord(workspace.artifacts, "r1").stage("seeds", **dead, host=os.uname().nodename)
    assert execute("seeds", config, workspace, run_id="r1").state == "committed"
    assert execute("press", config, workspace, run_id="r1").state == "committed"


def test_a_meter_goes_on_after_whatever_it_could_not_read(workspace, dear, monkeypatch):
    started(dear, workspace, "r1")
    record, stop = RunRecord(workspace.artifacts, "r1"), StopFlag()
    record.begin("press", host="a", kind="cpu")
    monkeypatch.setattr(spending, "LOOK_S", (0.01, 0.01))
    looks, look = [], spending.spent

    def stumbling(*args, **settings):
        looks.append(1)
        if len(looks) == 1:
            raise KeyError("records")
        return look(*args, **settings)

    monkeypatch.setattr(spending, "spent", stumbling)
    with Meter(record, dear.cost, stop, "press") as meter:
        meter._thread.join(timeout=60)
    assert stop
    assert "cost.budget_usd is $0.10" in meter.why


@pytest.mark.usefixtures("orchard")
def test_an_account_that_cannot_be_read_leaves_the_stage_committed(workspace, tiny, monkeypatch):
    def stumbling(*_args, **_settings):
        raise KeyError("records")

    monkeypatch.setattr(spending, "account", stumbling)
    assert execute("seeds", tiny, workspace, run_id="r1").state == "committed"
    assert RunRecord(workspace.artifacts, "r1").of("seeds")["state"] == "committed"


def test_a_spent_budget_stops_a_stage_after_it_has_saved(orchard, workspace, tiny, dear):
    orchard.edit("press", *SLOW)
    started(dear, workspace, "r1")
    execute("seeds", tiny, workspace, run_id="r0")
    with pytest.raises(BudgetError, match=r"Stage 2\.0 press stopped\. The run has cost \$"):
        execute("press", dear, workspace, run_id="r1")

    record = RunRecord(workspace.artifacts, "r1").of("press")
    assert record["state"] == "stopped"
    saved = workspace.artifacts.progress_steps("press", record["fingerprint"])
    assert saved  # in the store, where any machine finds it

    with pytest.raises(BudgetError, match=r"Stage 2\.0 press did not start\."):
        execute("press", dear, workspace, run_id="r1")
    assert plan(tiny, workspace.artifacts)["press"].manifest is None

    points = []
    graph.module("press").run = _told(graph.module("press").run, points)
    went_on = execute("press", tiny, workspace, run_id="r2")
    assert went_on.state == "committed"
    assert points[0] > 0
    forced = execute("press", tiny, workspace, run_id="r3", force=True)
    assert forced.manifest.artifacts == went_on.manifest.artifacts


def _told(run, points):
    """The stage, and where its checkpoint let it begin."""

    def watched(given):
        saved = given.checkpoints.restore("press")
        points.append(saved.step if saved else 0)
        return run(given)

    return watched


@pytest.mark.usefixtures("orchard")
def test_a_budget_that_is_not_reached_changes_nothing(workspace, tiny):
    rich = resolve("tiny", {"safety.steps": 20, "cost.budget_usd": 1e6}, environ={})
    started(rich, workspace, "r1")
    execute("seeds", rich, workspace, run_id="r1")
    made = execute("press", rich, workspace, run_id="r1").manifest
    assert plan(tiny, workspace.artifacts)["press"].manifest == made
