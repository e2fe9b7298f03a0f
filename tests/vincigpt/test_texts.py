"""Texts: every form they come in, and what is held out."""

import gzip
import json
from itertools import islice

import pytest

from voltx_core.errors import DataError
from voltx_core.vincigpt.texts import Text, docstrings, file_texts, held_out, machine_texts

SAID = "Says something about what it does, at a length that is worth reading by anybody at all."


def contents(path) -> list[str]:
    return [text.content for text in file_texts(path)]


def test_a_text_file_is_cut_at_its_separators(tmp_path):
    path = tmp_path / "stories.txt"
    path.write_text("One.\nTwo.\n<|endoftext|>\nThree.\n")
    assert contents(path) == ["One.\nTwo.\n", "Three.\n"]


def test_json_lines_and_parquet_give_their_text_column(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": "A"}) + "\n" + '{"story": "B"}\n')
    with gzip.open(tmp_path / "b.jsonl.gz", "wt") as stream:
        stream.write('{"content": "C"}\n')
    parquet.write_table(pyarrow.table({"text": ["D", "E"]}), tmp_path / "c.parquet")
    assert contents(tmp_path / "a.jsonl") == ["A", "B"]
    assert contents(tmp_path / "c.parquet") == ["D", "E"]
    assert contents(tmp_path) == ["A", "B", "C", "D", "E"]


def test_a_validation_file_is_the_validation_part(tmp_path):
    (tmp_path / "train-0.jsonl").write_text('{"text": "A"}\n')
    (tmp_path / "validation-0.jsonl").write_text('{"text": "B"}\n')
    assert {t.content: t.part for t in file_texts(tmp_path)} == {"A": "train", "B": "validation"}


@pytest.mark.parametrize("name", ["nothing", "table.csv", "empty"])
def test_what_holds_no_texts_is_refused_by_name(tmp_path, name):
    if name == "empty":
        (tmp_path / name).mkdir()
    elif name == "table.csv":
        (tmp_path / name).write_text("a,b")
    with pytest.raises(DataError, match=name):
        list(file_texts(tmp_path / name))


def test_a_row_without_a_text_names_what_it_has(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"title": "A"}\n')
    with pytest.raises(DataError, match="'title'"):
        list(file_texts(tmp_path / "a.jsonl"))


def test_docstrings_that_say_something_are_found_and_cleaned():
    source = f'"""{SAID}"""\nclass A:\n    """\n    {SAID}\n\n        Deeper.\n    """\n'
    source += 'def f():\n    "Short."\n'
    assert docstrings(source) == [SAID, f"{SAID}\n\n    Deeper."]
    assert docstrings("not python (") == []


def test_this_machine_has_texts_each_once_and_grouped_by_package():
    found = list(islice(machine_texts(0), 40))
    assert len({text.content for text in found}) == 40
    assert all(text.group and text.part is None for text in found)
    assert found == list(islice(machine_texts(0), 40))


def test_a_group_is_held_out_whole_and_about_as_often_as_asked():
    parts = [held_out(Text(f"{n}", f"package {n % 2_000}"), 0, 0.1) for n in range(4_000)]
    assert parts[:2_000] == parts[2_000:]
    assert 140 < sum(parts[:2_000]) < 260
    assert held_out(Text("a", "a", "validation"), 0, 1e-9)
    assert not held_out(Text("a", "a", "train"), 0, 0.4)
