"""Stage 0.3, run for real at the tiny preset."""

import inspect
import json
import textwrap

import pytest
import torch

from voltx_core.errors import DataError, Interrupted
from voltx_core.hard_core import slots
from voltx_core.hard_core.codebook import Codebook
from voltx_core.hard_core.index import CodebookIndex
from voltx_core.stages import codebook
from voltx_core.stages.contract import StopFlag
from voltx_core.stages.soft_core import load_translator

SMALL = ("codebook.entries=24", "codebook.iterations=3")


@pytest.fixture(scope="module", autouse=True)
def small_chunks():
    """Several chunks even of a few texts, so that there is something to interrupt."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slots, "CHUNK", 32)
        yield


@pytest.fixture(scope="module")
def inputs(tmp_path_factory, problems_folder, translator_files):
    """Standard-library functions as a corpus."""
    path = tmp_path_factory.mktemp("corpus") / "corpus.jsonl"
    functions = [f for _, f in inspect.getmembers(textwrap, inspect.isfunction)]
    functions += [f for _, f in inspect.getmembers(json.decoder, inspect.isfunction)]
    with path.open("w") as file:
        for function in functions:
            row = {"content": inspect.getsource(function), "language": "python", "package": "std"}
            file.write(json.dumps(row) + "\n")
    return {"corpus": path, "problems": problems_folder, **translator_files}


def outputs(run) -> tuple[bytes, bytes]:
    return run.output("codebook").read_bytes(), run.output("codebook_index").read_bytes()


@pytest.fixture(scope="module")
def finished(stage_run, inputs):
    run = stage_run("codebook", inputs, *SMALL)
    return run, codebook.run(run)


def test_it_makes_a_codebook_and_an_index_that_belong_together(finished):
    run, report = finished
    entries = Codebook.load(run.output("codebook"))
    index = CodebookIndex.load(run.output("codebook_index"), entries)
    assert (len(entries), entries.width) == (24, 64)
    assert index.beam == report.metrics["ef_search"]
    assert report.metrics["recall@1"] >= 0.95
    rows = {(r["entries"], r["vectors"]): r for r in report.tables["entries on the same vectors"]}
    assert len(rows) == 6
    ours, random = (rows[name, "clustered"] for name in ("spherical k-means", "random vectors"))
    assert ours["mean L2"] < random["mean L2"]
    assert ours["mean L2"] == round(report.metrics["mean_l2"], 4)
    assert report.metrics["heldout_mean_l2"] > report.metrics["mean_l2"]
    assert report.counts["vectors"] + report.counts["held-out vectors"] > 24
    assert run.observer.figures == ["codebook"]


def test_the_metrics_are_those_of_the_file(finished, inputs):
    run, report = finished
    translator = load_translator(run)
    found = slots.slot_vectors(translator, codebook._texts(inputs["corpus"], inputs["problems"]))
    clustered = found.vectors[found.owners % 20 != 19]
    measured = Codebook.load(run.output("codebook")).quantisation(clustered)
    assert measured.mean_l2 == pytest.approx(report.metrics["mean_l2"], abs=1e-6)
    assert measured.perplexity == pytest.approx(report.metrics["perplexity"], rel=1e-6)


def test_too_few_vectors_for_the_entries_is_an_error_that_says_what_to_do(stage_run, inputs):
    run = stage_run("codebook", inputs, "codebook.entries=5000")
    with pytest.raises(DataError, match=r"Lower codebook\.entries"):
        codebook.run(run)


def test_few_vectors_an_entry_are_pointed_out(stage_run, inputs):
    report = codebook.run(stage_run("codebook", inputs, "codebook.entries=200"))
    assert any("39 are needed" in note for note in report.notes)


def test_no_more_vectors_are_clustered_than_allowed(stage_run, inputs):
    report = codebook.run(stage_run("codebook", inputs, *SMALL, "codebook.vectors=100"))
    assert report.counts["vectors"] == 100


@pytest.mark.parametrize("polls", [1, 3, 5])
def test_stopped_anywhere_and_resumed_it_makes_the_same_bytes(stage_run, inputs, finished, polls):
    whole, _ = finished

    class AfterAWhile(StopFlag):
        left = polls

        def __bool__(self) -> bool:
            type(self).left -= 1
            if self.left < 0:
                self.set("asked to")
            return self.reason is not None

    home = f"cut-{polls}"
    with pytest.raises(Interrupted):
        codebook.run(stage_run("codebook", inputs, *SMALL, home=home, stop=AfterAWhile()))
    resumed = stage_run("codebook", inputs, *SMALL, home=home)
    assert resumed.checkpoints.sequences()
    codebook.run(resumed)
    assert outputs(resumed) == outputs(whole)


def test_entries_are_unit_vectors(finished):
    run, _ = finished
    norms = Codebook.load(run.output("codebook")).entries.norm(dim=1)
    assert torch.allclose(norms, torch.ones(24), atol=1e-5)
