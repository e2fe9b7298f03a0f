"""Stage 3.3, run for real at the tiny preset."""

import pytest

from voltx_core.hard_core.safety import SafetyAxioms
from voltx_core.stages import safety

SMALL = ("safety.adversarial=60", "safety.steps=30", "safety.batch=32")


@pytest.fixture(scope="module")
def inputs(problems_folder, translator_files):
    return {"problems": problems_folder, **translator_files}


@pytest.fixture(scope="module")
def finished(stage_run, inputs):
    run = stage_run("safety", inputs, *SMALL)
    return run, safety.run(run)


def test_vectors_guard_and_both_are_reported_apart(finished):
    run, report = finished
    rows = {row["by"]: row for row in report.tables["held-out programs"]}
    assert set(rows) == {"vectors", "guard", "both"}
    for kind in ("false_negatives", "false_positives"):
        metrics = report.metrics
        assert 0 <= metrics[kind] <= 1
        assert metrics[f"guard_{kind}"] is not None
    assert report.metrics["guard_false_negatives"] == 0
    assert report.metrics["guard_false_positives"] == 0
    assert report.metrics["false_negatives"] <= report.metrics["vectors_false_negatives"]
    assert report.metrics["false_positives"] >= report.metrics["vectors_false_positives"]
    assert run.observer.figures == ["safety"]


def test_the_vectors_learn_more_than_chance(finished):
    _, report = finished
    caught = 1 - report.metrics["vectors_false_negatives"]
    assert caught > report.metrics["vectors_false_positives"] + 0.2


def test_families_of_the_examination_were_not_in_training(finished):
    run, report = finished
    examined = {row["program"] for row in report.tables["by kind of program"] if row["harmful"]}
    trained = {sample.family for sample in safety._training_samples(run)}
    assert examined
    assert not examined & trained


def test_k1_to_k3_share_the_programs_and_k4_k5_come_on_top():
    counts = {str(axiom): count for axiom, count in safety._counts(1_500).items()}
    assert counts == {"K1": 500, "K2": 500, "K3": 500, "K4": 250, "K5": 250}


def test_it_leaves_frozen_axioms_with_reachable_thresholds(finished):
    run, _ = finished
    axioms = SafetyAxioms.load(run.output("safety"))
    assert not any(parameter.requires_grad for parameter in axioms.parameters())
    assert float(axioms.thresholds.max()) <= 1.0 + 1e-5


def test_the_same_run_makes_the_same_bytes(stage_run, inputs, finished):
    again = stage_run("safety", inputs, *SMALL)
    safety.run(again)
    run, _ = finished
    assert again.output("safety").read_bytes() == run.output("safety").read_bytes()
