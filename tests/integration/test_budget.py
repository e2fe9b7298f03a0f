"""A real run whose budget is spent in the middle of a training stage stops, and can go on."""

from typing import Any

import pytest

pytestmark = pytest.mark.integration

LONG = {"translator.steps": 300, "checkpoint.interval_s": 1.0}
DOLLAR_A_SECOND = {f"cost.rates_usd_per_hour.{kind}": 3600.0 for kind in ("cpu", "gpu")}


def test_a_spent_budget_stops_the_run_after_a_save_and_the_next_run_goes_on(
    fresh_project: Any,
) -> None:
    project = fresh_project
    first, _ = project.start(until="data")
    project.complete(first, timeout_s=200)

    limited = {**LONG, **DOLLAR_A_SECOND, "cost.budget_usd": 6.0}
    flow_run, run_id = project.start(until="translator", overrides=limited)
    end = project.end(flow_run, timeout_s=300)

    artifacts = project.workspace.artifacts
    outcome = artifacts.get_json(f"runs/{run_id}/outcome.json")
    record = project.record(run_id, "translator")
    saved = artifacts.progress_steps("translator", record["fingerprint"])
    print(outcome["state"], outcome["why"], f"checkpoints in the store: {saved}", sep="\n")
    assert end["state"] == "failed"
    assert outcome["state"] == record["state"] == "stopped"
    assert "and cost.budget_usd is $6.00. Progress is saved." in outcome["why"]
    assert saved

    again, _ = project.start(until="translator", overrides=LONG)
    project.complete(again, timeout_s=300)
    log = (project.home / "logs" / "worker.log").read_text()
    assert f"Resuming from checkpoint {saved[-1]}" in log
    assert artifacts.manifests("translator")[0].fingerprint == record["fingerprint"]
