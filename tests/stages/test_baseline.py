"""Stage 5.0, run for real at the tiny preset."""

import json

import pytest

from voltx_core.baseline.generate import write_programs
from voltx_core.errors import Interrupted
from voltx_core.stages import baseline
from voltx_core.stages.contract import StopFlag
from voltx_core.translator.tokenizer import CodeTokenizer
from voltx_core.vincigpt.model import VinciGPT


@pytest.fixture(scope="session")
def inputs(problems_folder, translator_files, budgets):
    return {"problems": problems_folder, **translator_files, **budgets}


SMALL = ("baseline.context=80", "baseline.batch_tokens=640")


def weights(run) -> bytes:
    return (run.output("baseline") / baseline.MODEL_FILE).read_bytes()


def test_it_learns_is_examined_and_leaves_a_model_that_writes(stage_run, inputs):
    run = stage_run("baseline", inputs, *SMALL, "baseline.steps=12", "compute.log_every=1")
    report = baseline.run(run)
    curve = run.observer.curves["baseline/loss"]
    assert curve[-1] < curve[0] - 0.3
    assert report.metrics["validation_loss"] < curve[0]
    exams = {row["split"]: row for row in report.tables["Transformer baseline"]}
    assert set(exams) == {"heldout", "compositions", "seen-words", "unseen-words"}
    assert exams["heldout"]["problems"] == 3
    assert report.metrics["pass@1"] == exams["heldout"]["pass@1"]
    assert report.metrics["pass@1_compositions"] == exams["compositions"]["pass@1"]
    assert run.observer.figures == ["baseline_loss"]
    folder = run.output("baseline")
    model = VinciGPT.load(folder / baseline.MODEL_FILE)
    tokenizer = CodeTokenizer.load(folder / baseline.TOKENIZER_FILE)
    (program,) = write_programs(model, tokenizer, ["the sum of a list"], limit=20)
    assert isinstance(program, str)
    assert model.training_facts["flops"] == report.flops


def test_without_a_number_of_steps_it_spends_what_translator_and_soft_core_spent(stage_run, inputs):
    run = stage_run("baseline", inputs, *SMALL, "baseline.steps=null")
    report = baseline.run(run)
    assert report.metrics["flops_budget"] == 4e9
    assert 0.8 < report.metrics["flops_share_of_budget"] <= 1
    assert report.counts["steps"] > 1


def test_an_unequal_comparison_says_so(stage_run, inputs):
    report = baseline.run(stage_run("baseline", inputs, *SMALL, "baseline.steps=1"))
    assert any("not an equal comparison" in note for note in report.notes)


def test_stopped_and_resumed_it_makes_the_same_bytes(stage_run, inputs):
    whole = stage_run("baseline", inputs, *SMALL, "baseline.steps=4", home="whole")
    baseline.run(whole)

    class AfterAWhile(StopFlag):
        polls = 0

        def __bool__(self) -> bool:
            type(self).polls += 1
            if self.polls > 2:
                self.set("asked to")
            return self.reason is not None

    with pytest.raises(Interrupted):
        baseline.run(
            stage_run(
                "baseline", inputs, *SMALL, "baseline.steps=4", home="cut", stop=AfterAWhile()
            )
        )
    resumed = stage_run("baseline", inputs, *SMALL, "baseline.steps=4", home="cut")
    assert 0 < resumed.checkpoints.restore("baseline").step < 4
    baseline.run(resumed)
    assert weights(resumed) == weights(whole)


def test_a_broken_budget_is_named(stage_run, inputs, tmp_path):
    from voltx_core.errors import DataError

    broken = tmp_path / "soft_core_budget.json"
    broken.write_text(json.dumps({"tokens": 1}))
    with pytest.raises(DataError, match=r"soft_core_budget\.json"):
        baseline.run(stage_run("baseline", {**inputs, "soft_core_budget": broken}))
