"""Verdicts survive whatever ends the process that reached them, and never mix with others."""

import pytest

from voltx_core.errors import ConfigError, DataError
from voltx_core.evaluation.ledger import Ledger

TERMS = {"problems": "abc", "limits.cpu_s": 2.0}
ROWS = [{"task_id": "a", "n": 1}, {"task_id": "ü\n", "n": 2}, {"task_id": "c", "n": 3}]


@pytest.fixture
def path(tmp_path):
    place = tmp_path / "deep" / "ledger.jsonl"
    with Ledger(place, TERMS) as ledger:
        ledger.append(ROWS[:2])
        ledger.append(ROWS[2:])
    return place


def test_rows_come_back_in_order(path) -> None:
    with Ledger(path, TERMS) as ledger:
        assert ledger.rows == ROWS
        assert ledger.dropped == 0


def test_cut_anywhere_it_keeps_every_whole_row_and_goes_on(path) -> None:
    whole = path.read_bytes()
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        with Ledger(path, TERMS) as ledger:
            kept = len(ledger.rows)
            assert ledger.rows == ROWS[:kept]
            assert kept == max(0, whole[:end].count(b"\n") - 1)
            assert ledger.dropped == end - (whole[:end].rfind(b"\n") + 1)
            ledger.append(ROWS[kept:])
        assert path.read_bytes() == whole


def test_other_terms_are_refused_and_say_what_differs(path) -> None:
    with pytest.raises(ConfigError, match=r"limits\.cpu_s was 2\.0, is 3\.0.*--fresh"):
        Ledger(path, TERMS | {"limits.cpu_s": 3.0})
    with Ledger(path, TERMS | {"limits.cpu_s": 3.0}, fresh=True) as ledger:
        assert ledger.rows == []


def test_damage_in_the_middle_is_an_error_and_not_a_shorter_file(path) -> None:
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([lines[0], b"{broken", *lines[2:]]))
    with pytest.raises(DataError, match=r"ledger\.jsonl:2: not a verdict"):
        Ledger(path, TERMS)


@pytest.mark.parametrize("text", ['{"task_id": "HumanEval/0"}\n', "notes without a newline", "x"])
@pytest.mark.parametrize("fresh", [False, True])
def test_a_file_that_is_no_ledger_is_left_alone(tmp_path, text, fresh) -> None:
    path = tmp_path / "samples.jsonl"
    path.write_text(text)
    with pytest.raises(DataError, match="no ledger of verdicts"):
        Ledger(path, TERMS, fresh=fresh)
    assert path.read_text() == text


def test_two_writers_are_one_too_many(path) -> None:
    with Ledger(path, TERMS), pytest.raises(ConfigError, match="another process"):
        Ledger(path, TERMS)
