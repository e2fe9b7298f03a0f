"""Questions answered in words, and how many steps an algorithm takes."""

from pathlib import Path

from voltx_core.data.jsonl import write_jsonl
from voltx_core.data.suites.answers import AnswerItem
from voltx_core.evaluation.answer_exams import answered, read_answers
from voltx_core.evaluation.examination import System
from voltx_core.evaluation.iterations import states_of, traced


def item(number: int, answer: str, form: str = "trace") -> AnswerItem:
    traits = {"algorithm": "minimum"}
    return AnswerItem(
        id=f"clrs/{number}", query="minimum: [3 1]", answer=answer, form=form, source="clrs",
        traits=traits,
    )  # fmt: skip


def test_states_are_those_before_the_result() -> None:
    assert states_of(item(0, "[0 1], [1 1], [1 0] | [1 0]\n\n")) == 3
    assert states_of(item(0, "(4, 7), (6, 7) | (7, 7)")) == 2
    assert states_of(item(0, " | 1\n\n")) == 0


def test_queries_of_one_algorithm_are_one_group() -> None:
    given = traced([item(0, "0 | 1"), item(1, "0, 0 | 1")])
    assert list(given.steps) == [1, 2]
    assert set(given.groups) == {"minimum"}


def test_right_answers_count_and_the_usual_one_stands_beside_them() -> None:
    items = [item(n, "0 | 1" if n else "0 | 2") for n in range(4)]
    knowing = System(
        name="it", label="it", kind="model", write=lambda asked, _: ["| 2"] * len(asked)
    )
    ours, usual = answered("clrs", items, [knowing], seed=0)
    assert (ours["answers from"], ours["right"], ours["n"]) == ("it", 0.25, 4)
    assert (usual["answers from"], usual["right"]) == ("most frequent answer", 0.75)
    assert ours["low"] <= ours["right"] <= ours["high"]


def test_sets_are_read_as_the_data_stage_wrote_them(tmp_path) -> None:
    from dataclasses import asdict

    (tmp_path / "answers").mkdir()
    write_jsonl(tmp_path / "answers" / "clrs.jsonl", [asdict(item(0, "0 | 1"))])
    assert read_answers(tmp_path) == {"clrs": [item(0, "0 | 1")]}
    assert read_answers(tmp_path / "empty") == {}


def test_a_set_without_a_question_is_no_set(tmp_path: Path) -> None:
    (tmp_path / "answers").mkdir()
    (tmp_path / "answers" / "clrs.jsonl").touch()
    assert read_answers(tmp_path) == {}
