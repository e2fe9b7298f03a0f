"""`voltx bench encoder`: where its functions and questions come from, and a small run of it."""

import gzip
import json
import os
import subprocess
import sys

import pytest

from voltx_core.bench.encoder import configured
from voltx_core.bench.functions import mine_functions, read_questions
from voltx_core.data.pairs import held_out
from voltx_core.errors import ConfigError

WHOLE = 'def area(w, h):\n    """Area of a rectangle."""\n    return w * h'
PYTHON_2 = 'def say(x):\n    """Say it."""\n    print x'


@pytest.fixture
def published(tmp_path):
    """A folder with three functions and two questions, as they are published."""
    folder = tmp_path / "code_search"
    folder.mkdir()
    codes = [WHOLE, PYTHON_2, "def add(a, b):\n    return a + b"]
    with gzip.open(folder / "csn_python_functions.jsonl.gz", "wt") as file:
        for n, code in enumerate(codes):
            file.write(json.dumps({"code": code, "idx": 10 * n}) + "\n")
    asked = [
        {"doc": "add a and b", "code": codes[2], "retrieval_idx": 20},
        {"doc": "area of w by h", "code": codes[0], "retrieval_idx": 0},
        {"doc": "whose answer is elsewhere", "code": "", "retrieval_idx": 999},
    ]
    with gzip.open(folder / "cosqa-retrieval-dev.json.gz", "wt") as file:
        json.dump(asked, file)
    return tmp_path


def test_no_package_and_no_function_is_on_both_sides():
    found = mine_functions(300, pool=40)
    assert (len(found.learn), len(found.pool)) == (300, 40)
    learned, kept = ({pair.package for pair in side} for side in (found.learn, found.pool))
    assert not learned & kept
    assert all(held_out(package) for package in kept)
    assert not any(held_out(package) for package in learned)
    both = found.learn + found.pool
    assert len({pair.code for pair in both}) == len({pair.docstring for pair in both}) == len(both)


def test_functions_that_are_asked_for_are_not_learned_from():
    first = mine_functions(20, pool=2).learn
    spelled = first[3].code.replace("\n", "\n\n")
    again = mine_functions(20, pool=2, exclude=[spelled]).learn
    assert first[3].code not in {pair.code for pair in again}
    assert [pair.code for pair in again][:3] == [pair.code for pair in first][:3]


def test_questions_point_at_their_answers_whose_docstrings_are_cut_out(published):
    found, origin = read_questions(str(published))
    assert found.texts == ["add a and b", "area of w by h"]
    assert [found.whole[place].split("(")[0] for place in found.answers] == ["def add", "def area"]
    assert found.codes[0] == "def area(w, h):\n    return w * h\n"
    assert found.codes[1] == PYTHON_2  # no Python of today: kept as it is, and counted
    assert found.uncut == 1
    assert "2 questions" in origin


def test_without_questions_it_says_what_is_missing(tmp_path):
    assert read_questions(None) == (None, "VOLTX_DATA_DIR is not set")
    found, why = read_questions(str(tmp_path))
    assert found is None
    assert "csn_python_functions" in why


def test_the_users_settings_lie_on_top_of_the_size():
    config = configured("laptop", 7, ["translator.lexicon=false"])
    assert (config.translator.steps, config.translator.lexicon) == (7, False)
    assert config.translator.objective == "contrastive"
    assert configured("plan", None, []).translator.encoder_width == 256
    with pytest.raises(ConfigError, match="laptop, plan"):
        configured("huge", None, [])


def test_the_last_line_is_one_object_in_which_every_null_has_a_reason(published):
    command = [sys.executable, "-m", "voltx_core.cli.main", "bench", "encoder", "--json"]
    sizes = ["--pairs", "200", "--pool", "130", "--steps", "3", "--threads", "1"]
    small = ["--set", "translator.vocabulary=600", "--set", "translator.batch=16"]
    done = subprocess.run(
        [*command, *sizes, *small],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=published,
        env={**os.environ, "VOLTX_DATA_DIR": str(published)},
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    figures = report["figures"]
    assert report["bench"] == "encoder"
    assert {
        "mrr", "mrr_bm25", "recall_at_1", "recall_at_10", "questions_mrr",
        "questions_mrr_bm25", "contrastive_validation", "pairs_per_s",
    } <= figures.keys()  # fmt: skip
    assert (
        {name for name, value in figures.items() if value is None} == report["why"].keys() == set()
    )
    assert 0 < figures["mrr"] <= 1
    assert figures["mrr_bm25"] > 0.2
    assert figures["questions_mrr_bm25"] == 1
    assert report["environment"]["pairs"] == 200
    assert report["environment"]["steps"] == 3
    assert [step for step, _ in report["samples"]["pool_mrr_on_the_way"]] == [3]
    assert report["samples"]["pool_mrr_on_the_way"][0][1] == pytest.approx(figures["mrr"], abs=1e-4)
