"""Stage 3.1, run for real at the tiny preset."""

import json

import pytest

from voltx_core.data.intents import STRANDS
from voltx_core.errors import Interrupted
from voltx_core.hard_core.router import IntentRouter
from voltx_core.stages import router
from voltx_core.stages.contract import StopFlag
from voltx_core.stages.soft_core import load_translator

TEMPLATES = {
    "CodeRunner": ("Write a function for {n}", "Implement {n} please"),
    "CodeDebugger": ("This crashes at line {n}, fix it", "Why the error in {n}"),
    "CodeExplainer": ("Explain what {n} does", "Walk me through {n}"),
    "MathEngine": ("{n} + {n} * 12 = ?", "What is {n} squared"),
    "MemoryRetrieval": ("find notes about {n}", "recall where {n} was"),
}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory, translator_files):
    folder = tmp_path_factory.mktemp("intents")
    for split, numbers in (("train", range(14)), ("heldout", range(100, 104))):
        with (folder / f"{split}.jsonl").open("w") as file:
            for n in numbers:
                for strand, templates in TEMPLATES.items():
                    for template in templates:
                        row = {
                            "text": template.format(n=n),
                            "strands": [strand],
                            "template": template,
                            "source": "made up",
                        }
                        file.write(json.dumps(row) + "\n")
    return {"intents": folder, **translator_files}


STEPS = ("router.steps=80", "router.batch=64")


@pytest.fixture(scope="module")
def finished(stage_run, inputs):
    run = stage_run("router", inputs, *STEPS)
    return run, router.run(run)


def test_it_learns_to_route_and_reports_where_it_errs(finished):
    run, report = finished
    assert report.metrics["top1_accuracy"] > 0.9  # chance is 0.2
    assert report.metrics["accuracy"] > 0.8
    assert run.observer.figures == ["router-confusion"]
    rows = report.tables["confusion, best strand of one-strand queries"]
    assert [row["labelled"] for row in rows] == list(STRANDS)
    counts = [[row[name] for name in STRANDS] for row in rows]
    assert [sum(row) for row in counts] == [8] * 5
    right = sum(counts[n][n] for n in range(5))
    assert right / 40 == pytest.approx(report.metrics["top1_accuracy"])
    assert report.flops > 0
    assert report.metrics["bag_of_words_top1"] > 0.6


def test_the_router_it_leaves_routes_as_reported(finished):
    run, report = finished
    saved = IntentRouter.load(run.output("router"))
    texts, wanted = router._queries(run, "heldout")
    gists = load_translator(run).encode(texts).gist()
    assert router._exact(saved.decide(gists), wanted) == report.metrics["accuracy"]
    assert all(route.strands for route in saved.route(gists))


def test_stopped_and_resumed_it_makes_the_same_bytes(stage_run, inputs, finished):
    whole, _ = finished

    class AfterAWhile(StopFlag):
        polls = 0

        def __bool__(self) -> bool:
            type(self).polls += 1
            if self.polls > 9:
                self.set("asked to")
            return self.reason is not None

    with pytest.raises(Interrupted):
        router.run(stage_run("router", inputs, *STEPS, home="cut", stop=AfterAWhile()))
    resumed = stage_run("router", inputs, *STEPS, home="cut")
    assert 0 < resumed.checkpoints.restore("router").step < 40
    router.run(resumed)
    assert resumed.output("router").read_bytes() == whole.output("router").read_bytes()
