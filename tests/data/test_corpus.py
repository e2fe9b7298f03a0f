"""A user's corpus is read whatever its form, and refused with the reason when it is none."""

import gzip
import json
import sys

import pytest

from voltx_core.data.corpus import CorpusFile, read_corpus
from voltx_core.data.jsonl import BadLines
from voltx_core.errors import DataError


def test_rows_may_carry_content_or_code_and_perhaps_a_language(tmp_path):
    rows = [
        {"content": "a = 1\r\n"},
        {"code": "let a;", "language": "JavaScript", "repo": "x/y", "stars": 3},
        {"content": "fn f() {}", "path": "src/f.rs"},
    ]
    path = tmp_path / "stack.jsonl.gz"
    path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode()))
    assert list(read_corpus(path)) == [
        CorpusFile(path="", text="a = 1\n"),
        CorpusFile(path="", text="let a;", package="x/y", language="javascript"),
        CorpusFile(path="src/f.rs", text="fn f() {}", language="rust"),
    ]


def test_a_folder_gives_its_sources_by_suffix_in_sorted_order_with_its_shards(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / ".git").mkdir()
    (tmp_path / "z.py").write_text("z = 1\n")
    (tmp_path / "b/Main.java").write_text("class Main {}\n")
    (tmp_path / "b/notes.txt").write_text("not code")
    (tmp_path / ".git/hook.py").write_text("hidden = True\n")
    (tmp_path / "b/shard.jsonl").write_text('{"content": "x = 2"}\n')
    files = list(read_corpus(tmp_path))
    assert [(file.path, file.language, file.package) for file in files] == [
        ("z.py", "python", None),
        ("b/Main.java", "java", "b"),
        ("", None, None),
    ]


def test_files_that_are_not_text_are_left_out_and_counted(tmp_path, caplog):
    (tmp_path / "good.py").write_text("x = 1\n")
    (tmp_path / "latin.py").write_bytes(b"# caf\xe9\n")
    (tmp_path / "binary.py").write_bytes(b"x\0y")
    assert [file.path for file in read_corpus(tmp_path)] == ["good.py"]
    assert "2 files are not UTF-8" in caplog.text


@pytest.mark.parametrize("row", [{}, {"text": "x"}, {"content": 3}, {"content": None}])
def test_a_row_without_text_is_refused_by_line_or_counted_when_asked(tmp_path, row):
    path = tmp_path / "c.jsonl"
    path.write_text('{"code": "ok"}\n' + json.dumps(row) + "\n")
    with pytest.raises(DataError, match=r"c\.jsonl:2: a corpus row needs a text under 'content'"):
        list(read_corpus(path))
    report = BadLines()
    assert len(list(read_corpus(path, on_bad="skip", report=report))) == 1
    assert report.count == 1


def test_a_folder_without_sources_and_a_missing_file_say_what_to_do(tmp_path):
    with pytest.raises(DataError, match=r"no source files .*Name the folder"):
        list(read_corpus(tmp_path))
    with pytest.raises(DataError, match="no such file"):
        list(read_corpus(tmp_path / "none.jsonl"))


def test_parquet_rows_are_read_like_lines(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = {"content": ["a = 1\r\n", "b = 2"], "path": ["x/a.py", "b.rs"], "stars": [1, 2]}
    parquet.write_table(pyarrow.table(rows), tmp_path / "shard.parquet")
    wanted = [
        CorpusFile(path="x/a.py", text="a = 1\n", language="python"),
        CorpusFile(path="b.rs", text="b = 2", language="rust"),
    ]
    assert list(read_corpus(tmp_path / "shard.parquet")) == wanted
    assert list(read_corpus(tmp_path)) == wanted


def test_a_damaged_parquet_file_and_one_without_texts_are_refused(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    bad = tmp_path / "bad.parquet"
    bad.write_bytes(b"PAR1 cut short")
    with pytest.raises(DataError, match="not readable as parquet"):
        list(read_corpus(bad))
    parquet.write_table(pyarrow.table({"stars": [1]}), tmp_path / "other.parquet")
    with pytest.raises(DataError, match="row 1: a corpus row needs a text"):
        list(read_corpus(tmp_path / "other.parquet"))


def test_parquet_without_its_library_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(DataError, match=r"pip install 'voltx\[data\]'"):
        list(read_corpus(tmp_path / "shard.parquet"))


def test_zstd_is_read_frame_after_frame_and_a_cut_file_is_noticed(tmp_path):
    zstandard = pytest.importorskip("zstandard")
    lines = "".join(json.dumps({"content": f"value = {n}"}) + "\n" for n in range(20_000))
    frames = [zstandard.ZstdCompressor().compress(part.encode()) for part in (lines, lines)]
    whole = tmp_path / "a.jsonl.zst"
    whole.write_bytes(b"".join(frames))
    assert sum(1 for _ in read_corpus(whole)) == 40_000
    for name, damage in (("cut", frames[0][:-9]), ("garbage", b"no zstd at all")):
        path = tmp_path / f"{name}.jsonl.zst"
        path.write_bytes(damage)
        with pytest.raises(DataError, match="damaged or cut short"):
            list(read_corpus(path))
