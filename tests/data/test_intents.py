"""Router queries are balanced and deterministic, and what is held out is truly held out."""

import ast
import json
import os
import random
import subprocess
import sys
from collections import Counter

import pytest

from voltx_core.data.generator import SplitCounts, generate_problems
from voltx_core.data.intents import STRANDS, build_intents
from voltx_core.data.intents.defects import plant_defect
from voltx_core.data.intents.templates import HELD_OUT, TRAIN
from voltx_core.data.problem import Problem
from voltx_core.errors import DataError


@pytest.fixture(scope="module")
def problems() -> list[Problem]:
    counts = SplitCounts(
        train=400, validation=0, calibration=0, heldout=0, compositions=0, phrasing=0
    )
    return generate_problems(0, counts)["train"]


@pytest.fixture(scope="module")
def intents(problems):
    return build_intents(problems, count=1_000, seed=1)


def test_the_numbers_asked_for_come_out(problems, intents):
    assert {side: len(items) for side, items in intents.items()} == {"train": 1000, "heldout": 200}
    few = build_intents(problems, count=50, seed=1, held_out=7)
    assert {side: len(items) for side, items in few.items()} == {"train": 50, "heldout": 7}


def test_no_template_source_or_text_is_on_both_sides(intents):
    for what in ("template", "source", "text"):
        train, held_out = (
            {getattr(intent, what) for intent in intents[side]} for side in ("train", "heldout")
        )
        assert not train & held_out


def test_texts_are_distinct(intents):
    for side in intents.values():
        assert len({intent.text for intent in side}) == len(side)


def test_strands_are_balanced_and_some_queries_need_two(intents):
    for side in intents.values():
        single = Counter(intent.strands for intent in side if len(intent.strands) == 1)
        assert {strands[0] for strands in single} == set(STRANDS)
        assert max(single.values()) < 1.3 * min(single.values())
        assert 0.03 < sum(len(intent.strands) == 2 for intent in side) / len(side) < 0.25


def test_a_source_does_not_give_its_strand_away(intents):
    strands_of: dict[str, set[str]] = {}
    for intent in intents["train"]:
        strands_of.setdefault(intent.source.partition("/")[0], set()).update(intent.strands)
    assert strands_of["generated"] >= {
        "CodeRunner", "CodeDebugger", "CodeExplainer", "MemoryRetrieval"
    }  # fmt: skip
    assert strands_of["arithmetic"] >= {"MathEngine", "CodeRunner", "MemoryRetrieval"}


def test_every_template_is_filled_completely(intents):
    for intent in (*intents["train"], *intents["heldout"]):
        before, _, after = intent.template.partition("{")
        assert intent.text.startswith(before)
        assert intent.text.endswith(after.rpartition("}")[2])
        assert "{task}" not in intent.text
        assert "{code}" not in intent.text


def test_the_held_out_templates_are_other_words_for_the_same_strands():
    assert TRAIN.keys() == HELD_OUT.keys()
    train = {template for templates in TRAIN.values() for template in templates}
    held_out = {template for templates in HELD_OUT.values() for template in templates}
    assert not train & held_out
    for first in (*train, *held_out):
        assert sum(first in templates for templates in (*TRAIN.values(), *HELD_OUT.values())) == 1


def test_intents_are_a_function_of_the_seed_in_every_process(problems, intents):
    assert build_intents(problems, count=1_000, seed=1) == intents
    assert build_intents(problems, count=1_000, seed=2) != intents
    script = (
        "import json; from voltx_core.data.intents import build_intents;"
        "print(json.dumps([i.text for i in build_intents([], count=40, seed=3)['train']]))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={"PYTHONHASHSEED": hash_seed},
            capture_output=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert len(outputs) == 1
    assert len(json.loads(outputs.pop())) == 40


def test_problems_of_an_exam_are_asked_about_in_held_out_intents_only(problems):
    exam = [
        Problem(
            id=f"exam/{n}",
            query=f"Write a function to do exam thing number {n}.",
            solution=f"def f(x):\n    return x + {n}\n",
            tests=("assert f(0)",),
            source="exam",
            entry_point="f",
            traits={"exam": True},
        )
        for n in range(30)
    ]
    intents = build_intents([*problems, *exam], count=600, seed=0, held_out=300)
    assert all(intent.source != "exam" for intent in intents["train"])
    assert any(intent.source == "exam" for intent in intents["heldout"])
    assert not any("exam thing" in intent.text for intent in intents["train"])


def test_too_little_material_is_an_error_that_says_what_to_do():
    with pytest.raises(DataError, match=r"no material left .* ask for fewer intents"):
        build_intents([], count=200_000, seed=0, held_out=10)


def test_published_sets_add_their_sources(problems):
    data_dir = os.environ.get("VOLTX_DATA_DIR")
    if not data_dir:
        pytest.skip("VOLTX_DATA_DIR is not set: no published data sets to read")
    intents = build_intents(problems, count=3_000, seed=0, data_dir=data_dir, held_out=600)
    sources = {side: {intent.source for intent in items} for side, items in intents.items()}
    published = {"mbpp", "gsm8k", "mathqa", "humanevalpack", "code_refinement", "cosqa"}
    assert published & (sources["train"] | sources["heldout"])
    assert not sources["train"] & sources["heldout"]
    assert "humanevalpack" not in sources["train"]  # its tasks are HumanEval's, an exam
    for side in sources.values():
        assert any(not source.startswith(("generated", "stdlib", "arith")) for source in side)


def test_a_planted_defect_changes_one_token_and_stays_python():
    code = "def f(xs):\n    return max(x + 1 for x in xs if x > 0)  # + 1\n"
    for seed in range(20):
        broken = plant_defect(code, random.Random(seed))
        assert broken is not None
        assert broken != code
        assert broken.endswith("# + 1\n")
        ast.parse(broken)


@pytest.mark.parametrize("code", ["", "def f(x):\n    return x\n", "def f(:\n  '''"])
def test_code_with_nothing_to_confuse_gets_no_defect(code):
    assert plant_defect(code, random.Random(0)) is None
