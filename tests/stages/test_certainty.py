"""Stage 3.2, run for real at the tiny preset."""

from dataclasses import replace

import numpy as np
import pytest

from voltx_core.data.jsonl import read_problems, write_problems
from voltx_core.errors import Interrupted
from voltx_core.hard_core.certainty import FEATURES, Certainty
from voltx_core.stages import certainty
from voltx_core.stages.contract import StopFlag
from voltx_core.translator.translator import Translator, Written


@pytest.fixture(scope="module")
def inputs(tmp_path_factory, problems_folder, translator_files, soft_core_files, hard_core_files):
    folder = tmp_path_factory.mktemp("calibration")
    problems = {p.query: p for p in read_problems(problems_folder / "train.jsonl")}
    write_problems(folder / "calibration.jsonl", [*problems.values()][:16])
    return {"problems": folder, **translator_files, **soft_core_files, **hard_core_files}


@pytest.fixture
def half_knows(inputs, monkeypatch):
    """A translator that writes the solution of every other problem, and is surer of those."""
    solutions = {
        p.query: (p.solution if n % 4 < 2 else "def wrong():\n    pass", -0.1 if n % 4 < 2 else -2)
        for n, p in enumerate(read_problems(inputs["problems"] / "calibration.jsonl"))
    }
    queries: list[str] = []
    encode = Translator.encode

    def remember(self, texts, **options):
        queries[:] = texts
        return encode(self, texts, **options)

    def write(self, frame, **options):
        del self, options
        assert len(frame) == len(queries)
        return [Written(text, [5, 3], 2 * p, p) for text, p in (solutions[q] for q in queries)]

    monkeypatch.setattr(Translator, "encode", remember)
    monkeypatch.setattr(Translator, "write", write)


def test_when_everything_fails_it_says_so_instead_of_boasting(stage_run, inputs):
    report = certainty.run(stage_run("certainty", inputs))
    assert report.metrics["pass_rate"] == 0
    assert report.metrics["auroc"] is None
    assert report.metrics["brier_skill"] is None
    assert any("AUROC is not defined" in note for note in report.notes)
    assert any("one constant" in note for note in report.notes)


@pytest.mark.usefixtures("half_knows")
def test_it_learns_to_tell_passes_from_failures(stage_run, inputs):
    run = stage_run("certainty", inputs)
    report = certainty.run(run)
    assert report.metrics["pass_rate"] == 0.5
    assert report.metrics["auroc"] == 1.0
    assert report.metrics["brier_skill"] > 0.5
    assert report.counts == {"problems": 16, "fitting points": 16, "held-out points": 16}
    assert any("mostly noise" in note for note in report.notes)
    assert run.observer.figures == ["reliability"]
    model = Certainty.load(run.output("certainty"))
    weights = dict(zip(FEATURES, model.weights, strict=True))
    assert weights["mean_log_probability"] > 0


def test_phrasings_of_one_task_are_on_one_side(inputs):
    problems = list(read_problems(inputs["problems"] / "calibration.jsonl"))
    again = [
        replace(problem, id=f"{problem.id}-again", query="other words") for problem in problems
    ]
    groups = certainty.task_of_point([*problems, *again]).tolist()
    alone = certainty.task_of_point(problems).tolist()
    assert len(groups) == 4 * len(problems)
    assert set(groups) == set(alone)
    assert len(set(groups)) == len({problem.task for problem in problems})


@pytest.mark.usefixtures("half_knows")
def test_points_are_in_the_order_of_their_problems(stage_run, inputs, monkeypatch):
    monkeypatch.setattr(certainty, "CHUNK", 7)
    run = stage_run("certainty", inputs)
    _, passed = solve(run)
    problems = list(read_problems(inputs["problems"] / "calibration.jsonl"))
    place = {problem.task: n for n, problem in enumerate(problems)}
    by_number = list(dict.fromkeys(problem.task for problem in problems))
    points = [place[by_number[n]] for n in certainty.task_of_point(problems)]
    assert passed.tolist() == [bool(n % 4 < 2) for n in points]


def solve(run):
    from voltx_core.evaluation.frames import open_judge
    from voltx_core.hard_core.codebook import Codebook
    from voltx_core.soft_core.soft_core import SoftCore
    from voltx_core.stages.soft_core import load_translator

    problems = list(read_problems(run.inputs["problems"] / "calibration.jsonl"))
    core = SoftCore.load(run.inputs["soft_core"])
    codebook = Codebook.load(run.inputs["codebook"])
    with open_judge(run.config) as judge:
        return certainty.solve(run, load_translator(run), core, codebook, judge, problems)


@pytest.mark.usefixtures("half_knows")
def test_stopped_and_resumed_it_finds_the_same_points(stage_run, inputs, monkeypatch):
    monkeypatch.setattr(certainty, "CHUNK", 4)
    values, passed = solve(stage_run("certainty", inputs))
    stop = StopFlag()
    first = stage_run("certainty", inputs, home="cut", stop=stop)
    progress = first.observer.progress

    def stop_at_twenty(done, total, unit, note=""):
        progress(done, total, unit, note)
        if done == 8:
            stop.set("asked to")

    monkeypatch.setattr(first.observer, "progress", stop_at_twenty)
    with pytest.raises(Interrupted):
        solve(first)
    resumed = stage_run("certainty", inputs, home="cut")
    assert resumed.checkpoints.restore("points").step == 8
    again, passed_again = solve(resumed)
    assert np.array_equal(values, again)
    assert np.array_equal(passed, passed_again)
