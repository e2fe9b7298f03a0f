"""Every stage that trains: it works at the smallest size, and resumes with the same bits."""

import json
import random
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from voltx_core.data.generator import problem_of, task_of
from voltx_core.data.jsonl import read_problems, write_problems
from voltx_core.errors import Interrupted
from voltx_core.stages import graph

ALL = {
    "tokenizer", "encoder", "decoder", "problems", "corpus", "pairs", "soft_core",
    "soft_core_e2e", "soft_core_rlvf", "soft_core_sleep", "certainty", "safety", "codebook",
    "codebook_index", "certainty_rlvf", "router",
}  # fmt: skip
FEW = (
    "compute.log_every=1", "translator.steps=4", "soft_core.steps=6", "alignment.e2e.steps=3",
    "alignment.rlvf.steps=3", "alignment.sleep.steps=3", "alignment.sleep.replay=12",
    "scaling.steps=3", "languages.steps=3", "languages.problems=20",
    "languages.evaluation_problems=2", "soft_core.rar_budget=4",
)  # fmt: skip


@pytest.fixture(scope="session")
def inputs(
    tmp_path_factory, problems_folder, translator_files, soft_core_files, hard_core_files
) -> dict[str, Path]:
    """One of everything that a training stage may need."""
    folder = tmp_path_factory.mktemp("texts")
    rows = [
        {
            "code": f"def f{n}(x):\n    return x + {n}",
            "doc": f"Add {n} to the number that is given.",
            "package": f"package{n % 40}",
            "name": f"f{n}",
        }
        for n in range(200)
    ]
    (folder / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "corpus.jsonl").write_text(
        "".join(
            json.dumps({"content": row["code"], "language": "python", "package": row["package"]})
            + "\n"
            for row in rows
        )
    )
    return {
        **translator_files, **soft_core_files, **hard_core_files,
        "problems": problems_folder, "pairs": folder / "pairs.jsonl",
        "corpus": folder / "corpus.jsonl", "router": hard_core_files["router_sleep"],
        "certainty": hard_core_files["certainty_rlvf"],
    }  # fmt: skip


def made(run) -> dict[str, bytes]:
    """Bytes of every artifact."""
    return {
        str(path.relative_to(run.folder)): path.read_bytes()
        for artifact in run.spec.makes
        for place in [run.folder / artifact.path]
        for path in ([place] if place.is_file() else sorted(place.rglob("*.*")))
    }


def seed_globally(seed: int) -> None:
    """Start the global generators somewhere; nothing that a stage makes may depend on it."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


@pytest.mark.parametrize(
    ("name", "trained"),
    [
        ("translator", "translator"),
        ("soft_core", "curriculum-2"),
        ("e2e", "e2e"),
        ("rlvf", "rlvf"),
        ("sleep", "sleep"),
        ("scaling", "rung-1"),
        ("javascript", "javascript"),
    ],
)
def test_a_stage_that_is_stopped_and_started_again_ends_with_the_same_bits(
    name: str, trained: str, inputs, stage_run
) -> None:
    stage = graph.module(name)
    whole = stage_run(name, inputs, *FEW)
    seed_globally(1)
    report = stage.run(whole)
    assert set(made(whole)) >= {a.path for a in whole.spec.makes if "." in a.path}
    assert report.flops > 0
    assert all(value is None or value == value for value in report.metrics.values())

    stopped = stage_run(name, inputs, *FEW, home="stopped")
    observe = stopped.observer.metrics

    def stop_there(values, step) -> None:
        observe(values, step)
        if f"{trained}/loss" in values:
            stopped.stop.set("SIGTERM")

    stopped.observer.metrics = stop_there
    seed_globally(2)
    with pytest.raises(Interrupted, match="SIGTERM"):
        stage.run(stopped)
    resumed = stage_run(name, inputs, *FEW, home="stopped")
    seed_globally(3)
    again = stage.run(resumed)
    assert made(resumed) == made(whole)
    assert again.metrics == report.metrics
    assert len(resumed.observer.curves[f"{trained}/loss"]) < len(
        whole.observer.curves[f"{trained}/loss"]
    )


def test_the_soft_core_reports_every_ablation_beside_itself(inputs, stage_run) -> None:
    run = stage_run("soft_core", inputs, *FEW)
    report = graph.module("soft_core").run(run)
    rows = report.tables["pass@1 and frame ablations"]
    frames = {row["frame"] for row in rows if row["suite"] == "compositions"}
    assert len(frames) == 7
    assert all(row["low"] <= row["pass@1"] <= row["high"] for row in rows)
    assert {"slot-attention", "trajectories"} <= set(run.observer.figures)


def test_sleep_that_does_not_help_is_rolled_back(inputs, stage_run) -> None:
    run = stage_run("sleep", inputs, *FEW, "alignment.sleep.gain_required=1.0")
    report = graph.module("sleep").run(run)
    assert report.metrics["consolidated"] == 0.0
    assert run.output("soft_core_sleep").read_bytes() == inputs["soft_core_rlvf"].read_bytes()
    assert any("rolled back" in note for note in report.notes)


def test_growth_starts_from_the_same_function(inputs, stage_run) -> None:
    report = graph.module("scaling").run(stage_run("scaling", inputs, *FEW))
    assert report.metrics["growth_difference_1"] < 1e-4
    ladder = report.tables["growth ladder, validation problems"]
    assert ladder[1]["cosine"] == pytest.approx(ladder[0]["cosine"], abs=1e-3)
    assert ladder[1]["parameters"] > ladder[0]["parameters"]


@pytest.mark.toolchain
def test_a_language_is_compared_with_python_only_and_with_itself_alone(
    inputs, stage_run, tmp_path
) -> None:
    if shutil.which("node") is None:
        pytest.skip("node is not here")
    problems = tmp_path / "problems"
    shutil.copytree(inputs["problems"], problems)
    (known, *_) = read_problems(problems / "heldout.jsonl")
    published = problem_of(task_of(known), known.query, language="javascript")
    wanting = replace(published, id="x/2", traits={"requires": ["no-such-package"]})
    write_problems(problems / "exams" / "humaneval-x-javascript.jsonl", [published, wanting])
    run = stage_run("javascript", {**inputs, "problems": problems}, *FEW)
    report = graph.module("javascript").run(run)
    rows = report.tables["JavaScript: pass@1 on the same tasks"]
    for suite in ("heldout", "compositions"):
        told = [(r["language"], r["trained"], r["n"]) for r in rows if r["suite"] == suite]
        assert told == [
            ("JavaScript", "with the language", 2),
            ("JavaScript", "with the language", 2),
            ("JavaScript", "Python only", 2),
            ("JavaScript", "the language alone", 2),
            ("Python", "Python only", 2),
        ]
    assert report.metrics["javascript_transfer"] == pytest.approx(
        report.metrics["javascript_pass@1"] - report.metrics["javascript_alone_pass@1"], abs=1e-3
    )
    (row,) = report.tables["JavaScript: humaneval-x, greedy"]
    assert row["n"] == 1
    assert any("1 of 2 problems were asked" in note for note in report.notes)
    assert any("multipl-e-javascript not run" in note for note in report.notes)


def test_without_a_control_nothing_is_said_of_transfer(inputs, stage_run) -> None:
    run = stage_run("javascript", inputs, *FEW, "languages.control=false")
    report = graph.module("javascript").run(run)
    assert "javascript_transfer" not in report.metrics
    assert all(
        row["trained"] != "the language alone"
        for rows in report.tables.values()
        for row in rows
        if "trained" in row
    )
