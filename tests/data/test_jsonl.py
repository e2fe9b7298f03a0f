"""The JSON-lines reader refuses what is wrong, by file and line; the writer is atomic and exact."""

import gzip
import json
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voltx_core.data.jsonl import (
    BadLines,
    problem_from_row,
    read_jsonl,
    read_problems,
    row_from_problem,
    write_jsonl,
    write_problems,
)
from voltx_core.data.problem import LANGUAGES, Problem, StdioTest
from voltx_core.errors import DataError

GOOD = {"id": "a/1", "query": "add", "solution": "def f(): ...", "tests": ["assert f() is None"]}

filled = st.text(min_size=1).filter(str.strip)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
problems = st.builds(
    Problem,
    id=filled,
    query=filled,
    solution=st.text(),
    tests=st.lists(
        filled | st.builds(StdioTest, stdin=st.text(), stdout=st.text()), min_size=1, max_size=3
    ).map(tuple),
    language=st.sampled_from(LANGUAGES),
    difficulty=st.none() | st.text(),
    source=st.none() | st.text(),
    entry_point=st.none() | st.text(),
    setup=st.text(),
    traits=st.dictionaries(st.text(), st.none() | st.booleans() | st.text() | st.integers()),
)


def write_lines(path: Path, *lines: str | dict) -> Path:
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_text("".join(text + "\n" for text in texts))
    return path


@settings(max_examples=60, deadline=None)
@given(batch=st.lists(problems, max_size=4), suffix=st.sampled_from(["", ".gz", ".xz", ".bz2"]))
def test_what_is_written_reads_back_equal(batch, suffix, tmp_path_factory):
    path = tmp_path_factory.mktemp("round") / f"set.jsonl{suffix}"
    assert write_problems(path, batch) == len(batch)
    assert list(read_problems(path)) == batch


@settings(max_examples=40, deadline=None)
@given(row=st.dictionaries(st.text(), json_values, max_size=4))
def test_any_json_object_round_trips_as_a_generic_row(row, tmp_path_factory):
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    write_jsonl(path, [row])
    assert list(read_jsonl(path)) == [row]


@pytest.mark.parametrize("suffix", ["", ".gz", ".xz", ".bz2"])
def test_equal_problems_give_equal_bytes_whatever_the_key_order(tmp_path, suffix):
    one = Problem(id="x", query="q", solution="s", tests=("t",), traits={"b": 1, "a": [True]})
    other = Problem(id="x", query="q", solution="s", tests=("t",), traits={"a": [True], "b": 1})
    first, second = tmp_path / f"one.jsonl{suffix}", tmp_path / f"two.jsonl{suffix}"
    write_problems(first, [one])
    write_problems(second, [other])
    assert first.read_bytes() == second.read_bytes()


def test_a_file_cut_at_any_byte_of_its_last_line_is_refused_by_line_number(tmp_path):
    path = tmp_path / "set.jsonl"
    last = Problem(id="b", query="größe ✓", solution="x", tests=(StdioTest(stdin="", stdout="1"),))
    write_problems(path, [problem_from_row(GOOD), last])
    whole = path.read_bytes()
    start = whole[:-1].rindex(b"\n") + 1
    for end in range(start + 1, len(whole) - 1):
        path.write_bytes(whole[:end])
        with pytest.raises(DataError, match=rf"{path.name}:2: .*(truncated|UTF-8)"):
            list(read_problems(path))
    path.write_bytes(whole[:-1])  # only the newline is missing: nothing is lost
    assert [problem.id for problem in read_problems(path)] == ["a/1", "b"]


def test_a_compressed_file_cut_short_is_refused_and_never_skipped(tmp_path):
    path = tmp_path / "set.jsonl.gz"
    rows = [GOOD | {"id": str(n), "solution": f"{n * 7919:x}" * 50} for n in range(200)]
    write_problems(path, map(problem_from_row, rows))
    whole = path.read_bytes()
    for end in (len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:end])
        with pytest.raises(DataError, match=r"after line \d+: .*damaged or cut short"):
            list(read_problems(path, on_bad="skip"))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"id": None}, r"'id' must be a text, this is null"),
        ({"id": " "}, r"'id' is empty"),
        ({"query": 7}, r"'query' must be a text, this is a number"),
        ({"solution": ["x"]}, r"'solution' must be a text, this is a list"),
        ({"tests": []}, r"'tests' is empty"),
        ({"tests": "assert"}, r"'tests' must be a list, this is a text"),
        ({"tests": ["ok", "  "]}, r"tests\[1\] is an empty text"),
        ({"tests": [{"stdin": "1"}]}, r"tests\[0\] must be .* keys \['stdin'\]"),
        ({"tests": [{"stdin": "1", "stdout": 2}]}, r"tests\[0\]: 'stdin' and 'stdout' must be"),
        ({"tests": [None]}, r"tests\[0\] must be .* this is null"),
        ({"language": "pyton"}, r"unknown language 'pyton'; known: python"),
        ({"language": ["python"]}, r"unknown language"),
        ({"solutoin": ""}, r"unknown key 'solutoin'; did you mean 'solution'\?"),
        ({"traits": []}, r"'traits' must be an object"),
        ({"entry_point": 3}, r"'entry_point' must be a text"),
        ({"setup": None}, r"'setup' must be a text"),
    ],
)
def test_a_bad_value_is_named_with_its_line(tmp_path, change, complaint):
    path = write_lines(tmp_path / "set.jsonl", GOOD, GOOD | change)
    with pytest.raises(DataError, match=rf"set\.jsonl:2: {complaint}"):
        list(read_problems(path))


@pytest.mark.parametrize("key", ["id", "query", "solution", "tests"])
def test_a_missing_key_is_named(tmp_path, key):
    row = {name: value for name, value in GOOD.items() if name != key}
    with pytest.raises(DataError, match=rf"set\.jsonl:1: the key '{key}' is missing"):
        list(read_problems(write_lines(tmp_path / "set.jsonl", row)))


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("[1]", "must be a JSON object, this is a list"),
        ("{'id': 1}", "not valid JSON"),
        ('{"id": NaN}', "NaN is not JSON"),
        ('{"id": "a", "id": "b"}', "'id' appears twice"),
        ('{"id": "\\ud800"}', "lone surrogate"),
        ('{"n": ' + "9" * 5000 + "}", "not readable as JSON"),
        ('{"n": ' + "[" * 200_000, "nested too deeply"),
    ],
)
def test_json_that_is_not_a_plain_object_is_refused(tmp_path, line, complaint):
    with pytest.raises(DataError, match=rf"rows\.jsonl:1: .*{complaint}"):
        list(read_jsonl(write_lines(tmp_path / "rows.jsonl", line)))


def test_bytes_that_are_not_utf8_are_refused(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"a": "\xff"}\n')
    with pytest.raises(DataError, match="not UTF-8"):
        list(read_jsonl(path))


def test_skipping_counts_and_logs_every_bad_line(tmp_path, caplog):
    bad = ["{", json.dumps(GOOD | {"tests": []}), "nonsense"]
    path = write_lines(tmp_path / "set.jsonl", GOOD, *bad, GOOD | {"id": "z"})
    report = BadLines()
    kept = [problem.id for problem in read_problems(path, on_bad="skip", report=report)]
    assert kept == ["a/1", "z"]
    assert report.count == 3
    assert [f":{line}:" in text for line, text in zip((2, 3, 4), report.examples, strict=True)]
    assert "3 bad lines skipped" in caplog.text


def test_one_report_sums_over_files_and_keeps_few_examples(tmp_path):
    path = write_lines(tmp_path / "set.jsonl", *["{"] * 30)
    report = BadLines()
    for _ in range(2):
        assert list(read_problems(path, on_bad="skip", report=report)) == []
    assert report.count == 60
    assert len(report.examples) == 20


def test_blank_lines_and_a_byte_order_mark_are_no_rows(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + b'{"a": 1}\n\n  \n{"a": 2}')
    assert list(read_jsonl(path)) == [{"a": 1}, {"a": 2}]


def test_a_missing_file_is_a_data_error_that_names_it(tmp_path):
    with pytest.raises(DataError, match=r"none\.jsonl: no such file"):
        list(read_problems(tmp_path / "none.jsonl"))


def test_reading_starts_before_the_end_of_the_file_is_known(tmp_path):
    path = tmp_path / "set.jsonl"
    path.write_text(json.dumps(GOOD) + "\n" + "broken\n")
    stream = read_problems(path)
    assert next(stream).id == "a/1"  # the bad second line has not been looked at
    with pytest.raises(DataError):
        next(stream)


def test_a_writer_that_fails_midway_leaves_the_old_file_and_no_litter(tmp_path):
    path = tmp_path / "set.jsonl"
    write_problems(path, [problem_from_row(GOOD)])
    before = path.read_bytes()

    def broken():
        yield problem_from_row(GOOD)
        raise RuntimeError("the source broke")

    with pytest.raises(RuntimeError):
        write_problems(path, broken())
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["set.jsonl"]


def test_what_json_cannot_hold_is_refused_by_row(tmp_path):
    problem = Problem(id="x", query="q", solution="s", tests=("t",), traits={"a": {1, 2}})
    with pytest.raises(DataError, match="row 1 cannot be written as JSON"):
        write_problems(tmp_path / "set.jsonl", [problem])
    with pytest.raises(DataError, match="row 1 cannot be written"):
        write_jsonl(tmp_path / "set.jsonl", [{"a": float("nan")}])


def test_a_written_file_has_the_permissions_of_an_ordinary_file(tmp_path):
    (tmp_path / "plain").write_text("")
    write_problems(tmp_path / "set.jsonl", [problem_from_row(GOOD)])
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("plain", "set.jsonl")]
    assert modes[0] == modes[1]


def test_a_row_keeps_only_what_differs_from_the_defaults():
    assert row_from_problem(problem_from_row(GOOD)) == GOOD | {"language": "python"}


def test_gzip_written_by_others_is_read(tmp_path):
    path = tmp_path / "set.jsonl.gz"
    with gzip.open(path, "wt") as stream:
        stream.write(json.dumps(GOOD) + "\n")
    assert [problem.id for problem in read_problems(path)] == ["a/1"]
