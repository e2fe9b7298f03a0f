import json
import re
import subprocess
import sys

import pytest

from voltx_core.cli.plan import plan
from voltx_core.stages import estimates, graph, yardstick
from voltx_core.stages.estimates import makespan_s
from voltx_core.stages.fingerprint import settings
from voltx_core.stages.lifecycle import execute

NAMES = ("seeds", "press", "taste", "benchmarks")
SET = ("--preset", "tiny", "--set", "safety.steps=20")


@pytest.fixture
def committed(orchard, workspace, tiny):
    del orchard
    for name in NAMES:
        execute(name, tiny, workspace, run_id="r1")


def rows(result):
    assert result.exit_code == 0, result.output
    return {row["name"]: row for row in json.loads(result.stdout)}


@pytest.mark.usefixtures("orchard")
def test_json_lists_every_stage_with_number_state_why_and_fingerprint(invoke):
    found = rows(invoke(plan, *SET, "--json"))
    assert list(found) == list(NAMES)
    for row in found.values():
        assert {"number", "name", "state", "why", "fingerprint", "pool"} <= set(row)
    assert found["press"]["estimated_s"] is None
    assert found["press"]["needs"] == ["seeds"]


@pytest.mark.usefixtures("committed")
def test_one_changed_setting_reruns_its_stage_and_what_follows(invoke):
    found = rows(invoke(plan, *SET, "--set", "safety.steps=40", "--json"))
    assert [name for name, row in found.items() if row["state"] == "run"] == [
        "press",
        "benchmarks",
    ]
    assert found["press"]["why"] == "safety.steps: 20 → 40"
    assert found["press"]["estimated_s"] > 0
    assert found["seeds"]["estimated_s"] == 0


@pytest.mark.usefixtures("committed")
def test_the_table_says_why_and_how_to_go_on(invoke):
    result = invoke(plan, *SET, "--set", "safety.steps=40")
    assert result.exit_code == 0
    assert "safety.steps: 20 → 40" in result.stdout
    assert "2 of 4 stages would run" in result.stdout
    assert (
        "voltx run --preset tiny --set safety.steps=20 --set safety.steps=40 --watch"
        in result.stdout
    )


@pytest.mark.usefixtures("committed")
def test_nothing_to_do_is_said_in_words(invoke):
    assert "all 4 stages would be reused" in invoke(plan, *SET).stdout


@pytest.mark.usefixtures("orchard")
def test_only_and_until_narrow_the_plan(invoke):
    assert list(rows(invoke(plan, *SET, "--until", "2.0", "--json"))) == ["seeds", "press"]
    assert list(rows(invoke(plan, *SET, "--only", "taste", "--json"))) == ["seeds", "taste"]


@pytest.mark.usefixtures("orchard")
def test_planning_leaves_no_trace(invoke, workspace):
    invoke(plan, *SET)
    assert list(workspace.artifacts.store.list()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--set", "soft_core.stpes=1"), "did you mean 'soft_core.steps'?"),
        (("--preset", "labtop"), "did you mean 'laptop'?"),
        (("--until", "squash"), "No stage is called 'squash'"),
        (("--set", "seed"), "'seed' is not KEY=VALUE"),
    ],
)
@pytest.mark.usefixtures("orchard")
def test_a_wrong_request_is_one_message_and_exit_code_2(invoke, arguments, message):
    result = invoke(plan, *arguments, "--json")
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.output
    assert result.stdout == ""


@pytest.mark.usefixtures("orchard")
def test_a_store_that_is_none_is_exit_code_1(invoke):
    result = invoke(plan, "--store", "ftp://nowhere")
    assert result.exit_code == 1
    assert "ftp://nowhere" in result.stderr


@pytest.mark.usefixtures("committed")
def test_the_bill_names_time_money_disk_and_whether_the_budget_will_do(invoke, monkeypatch):
    monkeypatch.setattr("voltx_core.stages.machine.kind", lambda: "gpu")
    dear = (*SET, "--set", "safety.steps=40", "--set", "cost.rates_usd_per_hour.gpu=1000000")
    said = invoke(plan, *dear, "--set", "cost.budget_usd=0.01").stdout
    assert re.search(r"at once, here +[\d.]+ s, \$[\d.,]+, gpu at \$1,000,000\.00 an hour", said)
    assert re.search(r"A machine for each +[\d.]+ s", said)
    assert re.search(r"Disk +\d", said)
    assert "$0.01, which will stop it" in said
    assert "which should do" in invoke(plan, *dear, "--set", "cost.budget_usd=1e9").stdout


@pytest.mark.usefixtures("committed")
def test_a_machine_for_each_stage_costs_what_all_of_them_cost_together(invoke):
    prices = ("cpu=3600", "gpu=36000", "multi-gpu=360000")
    words = [*SET, "--set", "safety.steps=40"]
    words += [w for price in prices for w in ("--set", f"cost.rates_usd_per_hour.{price}")]
    found = rows(invoke(plan, *words, "--json")).values()
    assert len([row for row in found if row["estimated_s"]]) > 1
    dollars = {"cpu": 1, "gpu": 10, "multi-gpu": 100}
    expected = sum(row["estimated_s"] * dollars[row["pool"]] for row in found)
    said = re.search(r"A machine for each +[^,]+, \$([\d.,]+), along", invoke(plan, *words).stdout)
    assert said is not None
    assert float(said[1].replace(",", "")) == pytest.approx(expected, abs=0.01)


@pytest.mark.usefixtures("committed")
def test_a_result_of_another_kind_of_device_is_no_measure_of_this_one(invoke, monkeypatch):
    words = (*SET, "--set", "safety.steps=40", "--json")
    monkeypatch.setattr(estimates, "_crowding", lambda: 1.0)
    press = rows(invoke(plan, *words))["press"]
    assert press["estimated_high_s"] / press["estimated_low_s"] < estimates.UNLIKE
    monkeypatch.setattr(estimates, "kind", lambda: "gpu")
    press = rows(invoke(plan, *words))["press"]
    assert "on cpu, where this would be on cuda" in press["estimate_basis"]
    assert press["estimated_low_s"] == pytest.approx(press["estimated_s"] / estimates.UNLIKE)
    at_price_of_cpu = press["estimated_s"] / 3600 * 0.35
    assert press["estimated_cost_usd"] == pytest.approx(at_price_of_cpu)


@pytest.mark.usefixtures("committed")
def test_a_narrow_terminal_keeps_the_reasons_and_says_where_the_rest_is(invoke, monkeypatch):
    wide = invoke(plan, *SET, "--set", "safety.steps=40").stdout
    monkeypatch.setenv("COLUMNS", "80")
    narrow = invoke(plan, *SET, "--set", "safety.steps=40").stdout
    assert re.search(r"time +range +disk +cost +why", wide)
    assert re.search(r"time +cost +why", narrow)
    assert "Ranges and disk are shown from 120 columns on" in narrow
    assert "safety.steps: 20" in narrow


FOUR = [
    {"name": "a", "needs": [], "estimated_s": 5.0},
    {"name": "b", "needs": ["a"], "estimated_s": 3.0},
    {"name": "c", "needs": ["a"], "estimated_s": 4.0},
    {"name": "d", "needs": ["b", "c"], "estimated_s": None},
]


@pytest.mark.parametrize(("at_once", "seconds"), [(1, 12.0), (2, 9.0), (None, 9.0)])
def test_stages_side_by_side_do_not_add_up(at_once, seconds):
    assert makespan_s(FOUR, at_once) == seconds


def test_a_place_that_is_taken_is_waited_for():
    three = [{"name": n, "needs": [], "estimated_s": s} for n, s in (("a", 4), ("b", 2), ("c", 3))]
    assert makespan_s(three, 2) == 5.0
    assert makespan_s(three, None) == 4.0
    assert makespan_s([]) == 0.0


@pytest.mark.usefixtures("orchard")
def test_without_a_run_here_the_record_of_another_machine_is_scaled_to_this_one(
    invoke, monkeypatch, tiny
):
    there = yardstick.Speed(matmul_gflops=200.0, python_mops=20.0)
    here = yardstick.Speed(matmul_gflops=50.0, python_mops=20.0)
    of_press = settings(graph.specs()["press"], tiny)
    marks = {"press": (yardstick.Mark(seconds=30.0, size=4096, settings=of_press),)}
    monkeypatch.setattr(yardstick, "marks", lambda: (there, marks))
    monkeypatch.setattr(yardstick, "probe", lambda: here)
    monkeypatch.setattr(estimates, "_crowding", lambda: 1.0)
    found = rows(invoke(plan, *SET, "--set", "safety.steps=40", "--json"))
    assert found["press"]["estimated_s"] == pytest.approx(30 * 2 * 2)
    assert found["press"]["estimated_low_s"] == pytest.approx(60)
    assert found["press"]["estimated_high_s"] == pytest.approx(240)
    assert found["press"]["estimated_bytes"] == 4096
    assert "times 2 for this machine, times 2 for its size" in found["press"]["estimate_basis"]
    assert found["taste"]["estimated_s"] is None


def test_planning_imports_no_framework(tmp_path):
    code = (
        "import sys; from voltx_core.cli.plan import rows_of;"
        "from voltx_core.config import resolve;"
        "from voltx_core.stages.workspace import Workspace;"
        f"w = Workspace.open(environ={{'VOLTX_STORE': {str(tmp_path / 's')!r}, 'VOLTX_HOME': "
        f"{str(tmp_path / 'h')!r}}}); assert rows_of(resolve('tiny', environ={{}}), w);"
        "heavy = {'torch', 'prefect', 'sklearn', 'faiss', 'boto3', 'matplotlib'} & set(sys.modules)"
        "; sys.exit(', '.join(sorted(heavy)) or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_plan_of_vincigpt_names_the_command_that_visits_it(invoke, tmp_path):
    (tmp_path / "stories.txt").write_text("Once there was a cat.")
    texts = "vincigpt.corpus.source=stories.txt"
    result = invoke(plan, "--preset", "single-gpu", "--only", "vincigpt", "--set", texts)
    assert f"Next: voltx vincigpt train --preset h100-1h --set {texts}" in result.stdout
