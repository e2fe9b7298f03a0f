"""Training problems that repeat an exam are found and dropped; common idiom is no repetition."""

import os
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voltx_core.data.overlap import find_overlap, remove_overlap
from voltx_core.data.problem import Problem
from voltx_core.data.suites import available_suites, load_suite

WORDS = [f"{a}{b}" for a in "bcdfghklmn" for b in ("alo", "ido", "ure", "eth", "oss")]


def problem(id: str, query: str, solution: str = "") -> Problem:
    return Problem(id=id, query=query, solution=solution, tests=("assert True",))


def sentence(start: int, length: int) -> str:
    """Different words, always the same for the same place."""
    return " ".join(f"{WORDS[(start + n) % 50]}{(start + n) // 50}" for n in range(length))


EXAM = [problem(f"exam/{n}", sentence(100 * n, 40)) for n in range(30)]


def hits(train: Problem, exam=None, n=(8, 13)) -> bool:
    return find_overlap([train], {"exam": exam or EXAM}, n).exams["exam"].hits == 1


@pytest.mark.parametrize(("length", "found"), [(12, False), (13, True), (40, True)])
def test_one_run_of_the_largest_length_in_a_long_query_is_an_overlap(length, found):
    query = f"{sentence(9000, 30)} {sentence(500, length)} {sentence(9500, 30)}"
    assert hits(problem("t", query)) == found


def test_a_shorter_run_needs_to_cover_half_of_one_of_the_texts():
    assert hits(problem("t", sentence(500, 12)))  # the whole training query
    assert hits(problem("t", f"{sentence(500, 12)} {sentence(9000, 3)}"))
    assert not hits(problem("t", f"{sentence(500, 12)} {sentence(9000, 30)}"))


def test_case_punctuation_and_layout_do_not_hide_an_overlap():
    query = sentence(500, 20).title().replace(" ", ",\n  ")
    assert hits(problem("t", query))


def test_short_queries_overlap_only_when_they_are_the_same():
    exam = [problem("e", "Reverse a list.")]
    assert hits(problem("t", "reverse a LIST"), exam)
    assert not hits(problem("t", "reverse a list twice"), exam)


def test_a_phrase_of_many_exam_problems_is_idiom_even_when_training_repeats_it():
    phrase = sentence(7000, 14)
    exam = [problem(f"e{n}", f"{phrase} {sentence(100 * n, 20)}") for n in range(30)]
    train = [problem(f"t{n}", f"{phrase} {sentence(9000 + 50 * n, 20)}") for n in range(5)]
    assert find_overlap(train, {"exam": exam}).train_ids == set()


def test_a_leak_stays_a_leak_however_often_training_repeats_it():
    train = [problem(f"t{n}", sentence(500, 40)) for n in range(500)]
    assert len(find_overlap(train, {"exam": EXAM}).train_ids) == 500


LONG_SOLUTION = '''
def merge_intervals(intervals, tolerance):
    """{doc}"""
    # {doc}
    ordered = sorted(intervals, key=leftmost)
    merged = [ordered[0]]
    for left, right in ordered[1:]:
        if left <= merged[-1][1] + tolerance:
            merged[-1] = (merged[-1][0], max(merged[-1][1], right))
    return merged
'''


def test_solutions_are_compared_without_docstrings_comments_and_layout():
    exam = [problem("e", sentence(0, 20), LONG_SOLUTION.format(doc="one"))]
    copy = LONG_SOLUTION.format(doc="two").replace("    ", "  ")
    assert hits(problem("t", sentence(9000, 20), copy), exam)
    documented = f'def f(x):\n    """{sentence(300, 40)}"""\n    return x\n'
    exam = [problem("e", sentence(0, 20), documented)]
    assert not hits(problem("t", sentence(9000, 20), documented.replace("f(x)", "g(x)")), exam)


def test_loops_that_everybody_writes_alike_are_no_overlap():
    exam_code = (
        "def walk(a):\n  for i in range(n):\n    for j in range(i + 1, n):\n      use(a, i)\n"
    )
    train_code = "def scan(b):\n  for i in range(n):\n    for j in range(i + 1, n):\n      x = b\n"
    exam = [problem(f"e{n}", sentence(100 * n, 20), exam_code) for n in range(4)]
    assert not hits(problem("t", sentence(9000, 20), train_code), exam)


def test_the_report_names_the_exam_the_problems_the_rule_and_the_words():
    other = [problem(f"other/{n}", sentence(5000 + 100 * n, 30)) for n in range(3)]
    train = [problem("t/1", sentence(500, 20)), problem("t/2", sentence(9000, 20))]
    report = find_overlap(iter(train), {"exam": EXAM, "other": other})
    assert report.checked == 2
    assert report.train_ids == {"t/1"}
    assert (report.exams["exam"].hits, report.exams["other"].hits) == (1, 0)
    assert report.exams["exam"].exam_ids == {"exam/5"}
    assert report.exams["exam"].by_rule == {"query/13": 1}
    (example,) = report.exams["exam"].examples
    assert (example.train_id, example.exam_id) == ("t/1", "exam/5")
    assert example.shared == sentence(500, 13)


def test_removing_drops_exactly_what_was_found_and_says_how_many(caplog):
    train = [problem("t/1", sentence(500, 20)), problem("t/2", sentence(9000, 20))]
    report = find_overlap(train, {"exam": EXAM})
    assert [kept.id for kept in remove_overlap(train, report)] == ["t/2"]
    assert "dropped 1 training problems" in caplog.text


@settings(max_examples=60, deadline=None)
@given(
    place=st.integers(0, 29),
    before=st.integers(0, 30),
    after=st.integers(0, 30),
    length=st.integers(13, 40),
)
def test_wherever_a_run_of_thirteen_stands_it_is_found(place, before, after, length):
    parts = (sentence(9000, before), sentence(100 * place, length), sentence(9500, after))
    assert hits(problem("t", " ".join(parts)))


@pytest.mark.parametrize("n", [(), (1, 8)])
def test_lengths_that_mean_nothing_are_refused(n):
    with pytest.raises(ValueError, match="at least 2"):
        find_overlap([], {}, n)


def test_other_lengths_can_be_asked_for():
    assert hits(problem("t", f"{sentence(9000, 30)} {sentence(500, 5)}"), n=(5,))


def test_empty_exams_and_empty_solutions_overlap_nothing():
    train = problem("t", sentence(500, 20))
    assert find_overlap([train], {"none": []}).train_ids == set()
    exam = [problem(f"e{n}", sentence(100 * n, 30)) for n in range(3)]
    assert not hits(problem("t", sentence(9000, 20)), exam)


@pytest.mark.parametrize("name", ["humaneval", "mbpp"])
def test_every_problem_of_a_real_exam_is_recognised_under_another_name(name):
    data_dir = os.environ.get("VOLTX_DATA_DIR")
    if not data_dir:
        pytest.skip("VOLTX_DATA_DIR is not set: no published data sets to read")
    if name not in available_suites(data_dir):
        pytest.skip(f"VOLTX_DATA_DIR holds no {name}")
    exam = load_suite(name, data_dir, "test")
    for part in ({"solution": ""}, {"query": "something else entirely"}):
        copies = [replace(item, id=f"copy of {item.id}", **part) for item in exam]
        found = find_overlap(copies, {name: exam}).exams[name]
        assert len(found.exam_ids) >= 0.97 * len(exam)
