"""Questions with answers: the published texts are read exactly, and comparing forgives nothing."""

import gzip
import json
import os
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voltx_core.data.suites import (
    AnswerItem,
    available_answer_suites,
    compare,
    load_answers,
    load_clrs,
    load_defects,
    load_ds1000,
)
from voltx_core.data.suites.answers import final_answer, parse_values
from voltx_core.errors import DataError

CLRS_ROW = {
    "prompt": "bfs:\ns: 1, A: [[1 1], [1 1]], initial_trace: [0 1]\ntrace | pi:\n",
    "references": ["[1 1] | [1 1]\n\n"],
    "auxiliary": {"algorithm": "bfs", "length": 2, "seed": 7, "use_hints": True},
}
DEFECT_ROW = {"project": "QEMU", "commit_id": "c", "target": 1, "func": "int f() {}", "idx": 5}
CONTEXT = """\
import copy
import numpy as np
exec_context = '''
import pandas as pd
[insert]
'''
def test_execution(solution: str):
    space = {}
    exec(exec_context.replace("[insert]", solution), space)
    assert space["result"] == 3
def test_string(solution: str):
    assert "for" not in solution
"""
DS1000_ROW = {
    "prompt": "Problem:\nthree\n",
    "reference_code": "result = 3",
    "metadata": {"problem_id": 4, "library": "Numpy"},
    "code_context": CONTEXT,
}


def write_rows(path: Path, *rows: dict) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def item(answer: str, form: str = "trace") -> AnswerItem:
    return AnswerItem(id="a", query="q", answer=answer, form=form, source="s")


nested = st.recursive(
    st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-99, max_value=99),
    lambda inner: st.lists(inner, max_size=4).map(tuple),
    max_leaves=12,
)


def printed(value: object) -> str:
    if isinstance(value, tuple):
        return "[" + " ".join(printed(inner) for inner in value) + "]"
    return str(value)


@given(st.lists(nested, min_size=1, max_size=4).map(tuple))
def test_values_are_read_as_they_were_printed(values) -> None:
    assert parse_values(", ".join(printed(value) for value in values)) == values


@given(st.text(alphabet="[]() ,.-+0123456789e|", max_size=30))
def test_any_answer_is_compared_and_none_breaks_the_comparison(text) -> None:
    found = compare(item("[1 2], 3"), text)
    assert found.right == (not found.why)
    assert 0 <= found.elements_right <= 1


def test_only_what_follows_the_last_bar_is_the_answer() -> None:
    assert final_answer("[0 0], [0 1] | [1 1], 2") == ((Decimal(1), Decimal(1)), Decimal(2))
    assert compare(item("[0 0] | [1 1]"), "[9 9], [9 9] | [1 1]").right
    assert compare(item("[0 0] | [1 1]"), "[1 1]").right
    assert not compare(item("[0 0] | [1 1]"), "[1 1] | [0 0]").right


@pytest.mark.parametrize(
    ("answer", "share"),
    [
        ("[1 2 3 4]", 1.0),
        ("[1.0, 2, 3, 4]", 1.0),
        ("[1 2 3 5]", 0.75),
        ("[1 2 3]", 0.0),
        ("[[1 2], [3 4]]", 0.0),
        ("[1 2 3 4], 5", 0.0),
        ("[1 2 3 4.0000001]", 0.75),
        ("four", 0.0),
        ("[1 2 3 4", 0.0),
        ("", 0.0),
    ],
)
def test_a_share_of_elements_needs_the_right_shape(answer: str, share: float) -> None:
    found = compare(item("[1 2 3 4]"), answer)
    assert found.elements_right == share
    assert found.right == (share == 1.0)


def test_nesting_without_end_is_an_answer_like_any_other_wrong_one() -> None:
    assert "deeper than" in compare(item("1"), "[" * 100_000).why


def test_a_label_is_the_label_and_nothing_longer() -> None:
    assert compare(item("1", "label"), " 1\n").right
    assert not compare(item("1", "label"), "1, it is defective").right
    assert not compare(item("1", "label"), "0").right


def test_clrs_items_keep_repeated_seeds_apart(tmp_path) -> None:
    items = load_clrs(write_rows(tmp_path / "clrs30_text_dev.jsonl", CLRS_ROW, CLRS_ROW))
    assert [found.id for found in items] == ["clrs/bfs/2/7", "clrs/bfs/2/7/2"]
    assert available_answer_suites(tmp_path) == ["clrs"]
    assert items[0].traits["algorithm"] == "bfs"
    assert not items[0].traits["train_allowed"]


@pytest.mark.parametrize(
    "change", [{"references": ["[1 1"]}, {"references": []}, {"auxiliary": {"length": 2}}]
)
def test_a_damaged_clrs_row_is_refused_with_its_number(tmp_path, change) -> None:
    path = write_rows(tmp_path / "clrs30_text_dev.jsonl", CLRS_ROW, CLRS_ROW | change)
    with pytest.raises(DataError, match="row 2 is not CLRS-30 text"):
        load_clrs(path)


def test_defects_are_zero_or_one(tmp_path) -> None:
    (found,) = load_defects(write_rows(tmp_path / "devign_test.jsonl", DEFECT_ROW))
    assert (found.id, found.answer) == ("defects/5", "1")
    with pytest.raises(DataError, match="row 1 has the target 2"):
        load_defects(write_rows(tmp_path / "d.jsonl", DEFECT_ROW | {"target": 2}))


def test_ds1000_rows_say_what_they_import_and_that_they_cannot_be_split(tmp_path) -> None:
    (problem,) = load_ds1000(write_rows(tmp_path / "ds1000.jsonl", DS1000_ROW))
    assert problem.traits["requires"] == ["numpy", "pandas"]
    assert problem.traits["assurance"] == "inproc"
    assert problem.tests[0].endswith("test_execution(SOLUTION)\ntest_string(SOLUTION)\n")
    with pytest.raises(DataError, match="row 1 defines no test_execution"):
        load_ds1000(write_rows(tmp_path / "x.jsonl", DS1000_ROW | {"code_context": "pass"}))


def test_ds1000_tests_accept_the_reference_and_refuse_others(tmp_path) -> None:
    from voltx_core.data.suites import assemble
    from voltx_core.judge import Judge, Program

    bare = CONTEXT.replace("import numpy as np\n", "").replace("import pandas as pd\n", "")
    row = DS1000_ROW | {"code_context": bare}
    (problem,) = load_ds1000(write_rows(tmp_path / "ds1000.jsonl", row))
    codes = [
        problem.solution,
        assemble(problem, "result = 3"),
        assemble(problem, "result = 4"),
        assemble(problem, "for result in [3]: pass"),
    ]
    with Judge(workers=1) as judge:
        verdicts = judge.run([Program.of(problem, code) for code in codes])
    assert [verdict.passed for verdict in verdicts] == [True, True, False, False]
    assert {verdict.assurance for verdict in verdicts} == {"inproc"}


# Real published files, where they are present.


@pytest.fixture
def data_dir() -> Path:
    folder = os.environ.get("VOLTX_DATA_DIR")
    if not folder:
        pytest.skip("VOLTX_DATA_DIR is not set: no published data sets to read")
    return Path(folder)


@pytest.mark.parametrize("name", ["clrs", "defects"])
def test_every_published_answer_is_right_and_its_neighbours_mostly_wrong(data_dir, name) -> None:
    if name not in available_answer_suites(data_dir):
        pytest.skip(f"VOLTX_DATA_DIR holds no {name}")
    items = load_answers(name, data_dir)
    assert all(compare(found, found.answer).right for found in items)
    swapped = [compare(a, b.answer).right for a, b in pairwise(items)]
    assert sum(swapped) < 0.7 * len(swapped)


MASKED = ("minimum", "quickselect", "kmp_matcher", "naive_string_matcher")
SAME = ("bfs", "dfs", "dijkstra", "bellman_ford", "bridges", "floyd_warshall", "matrix_chain_order")


def test_clrs_answers_agree_with_the_traces_of_the_same_instances(data_dir) -> None:
    text, traces = (data_dir / f"clrs/clrs30_{kind}_dev.jsonl.gz" for kind in ("text", "traces"))
    if not text.exists() or not traces.exists():
        pytest.skip("VOLTX_DATA_DIR holds no CLRS traces")
    with gzip.open(traces, "rt") as stream:
        rows = [json.loads(line) for line in stream]
    checked = 0
    for found, row in zip(load_clrs(text), rows, strict=True):
        assert found.traits["algorithm"] == row["algorithm"]
        outputs = list(row["outputs"].values())
        if row["algorithm"] in MASKED:  # the text names the place where the mask is 1
            expected = str(outputs[0].index(1))
        elif row["algorithm"] in SAME:
            expected = json.dumps(outputs[0])
        else:
            continue
        assert compare(found, expected).right, found.id
        checked += 1
    assert checked >= 1000
