"""The generated problem set: families, phrases, tasks, test cases."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voltx_core.data.generator import (
    FAMILIES,
    Step,
    Task,
    difficulty_of,
    mutate,
    problem_of,
    render,
    render_tests,
    supported,
    task_of,
)
from voltx_core.data.generator.cases import MAX_CASES, MIN_CASES, cases_of
from voltx_core.data.generator.families.family import Undefined
from voltx_core.data.generator.phrasing import (
    BASES,
    CONNECTIVES,
    INTRODUCTIONS,
    NESTED_VERBS,
    phrase,
)
from voltx_core.data.problem import Problem
from voltx_core.errors import DataError


def task(*steps: str | tuple[str, int]) -> Task:
    return Task(tuple(Step(s) if isinstance(s, str) else Step(*s) for s in steps))


def alone(name: str) -> list[Task]:
    """The family on its own, with every constant that can be tested."""
    tasks = [Task((Step(name, k),)) for k in FAMILIES[name].constants or (None,)]
    return [t for t in tasks if cases_of(t) is not None]


def run_python(solution: str, tests: tuple[str, ...]) -> None:
    """Execute generated reference code (our own) and its tests."""
    scope: dict[str, object] = {}
    exec(solution, scope)
    for test in tests:
        exec(test, scope)


def words_of(text: str) -> set[str]:
    return set(text.replace("{k}", " ").replace("{}", " ").replace(",", " ").split())


def test_there_are_enough_families_and_algorithms():
    counts = Counter(f.algorithm for f in FAMILIES.values())
    assert counts[False] >= 57
    assert counts[True] >= 17


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_passes_its_own_tests_in_python(name):
    tasks = alone(name)
    assert tasks, f"{name} can never be tested on its own"
    for single in tasks:
        assert supported(single, "python")
        run_python(render(single), render_tests(single))


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_has_four_training_phrases_and_both_kinds_of_held_out_ones(name):
    family = FAMILIES[name]
    phrases = family.phrases
    assert len(set(phrases.train)) >= 4
    assert phrases.seen_words
    assert phrases.unseen_words
    assert not set(phrases.train) & {*phrases.seen_words, *phrases.unseen_words}
    for text in (*phrases.train, phrases.nested, *phrases.seen_words, *phrases.unseen_words):
        assert ("{k}" in text) == bool(family.constants), text
    assert phrases.nested.count("{}") == 1


def test_no_two_families_share_a_phrase():
    phrases = Counter(
        text
        for f in FAMILIES.values()
        for text in (
            *f.phrases.train,
            f.phrases.nested,
            *f.phrases.seen_words,
            *f.phrases.unseen_words,
        )
    )
    assert [text for text, count in phrases.items() if count > 1] == []


def test_held_out_phrases_keep_their_promise_about_words():
    training = {"tell"}
    for f in FAMILIES.values():
        training |= words_of(f.phrases.nested).union(*map(words_of, f.phrases.train))
    for texts in (*INTRODUCTIONS.values(), *BASES.values(), NESTED_VERBS):
        training |= set().union(*map(words_of, texts))
    new_words = {
        (f.name, text): words_of(text) - training
        for f in FAMILIES.values()
        for text in f.phrases.seen_words
    }
    assert {key: words for key, words in new_words.items() if words} == {}
    all_seen = [
        (f.name, text)
        for f in FAMILIES.values()
        for text in f.phrases.unseen_words
        if not words_of(text) - training
    ]
    assert all_seen == []


def test_a_composition_reads_as_successive_statements():
    assert render(task("keep_even", "square", "sum")) == (
        "def solve(xs):\n"
        "    xs = [x for x in xs if x % 2 == 0]\n"
        "    xs = [x * x for x in xs]\n"
        "    return sum(xs)"
    )


def test_a_helper_function_stands_before_solve():
    assert render(task("reverse", "cube")) == (
        "def cube(x):\n    return x * x * x\n\n\n"
        "def solve(xs):\n    xs = xs[::-1]\n    return [cube(x) for x in xs]"
    )


def test_the_constant_appears_in_query_and_solution():
    problem = problem_of(task(("add_each", 7), ("keep_less", 9)))
    for constant in ("7", "9"):
        assert constant in problem.query
        assert constant in problem.solution


@pytest.mark.parametrize(
    ("steps", "difficulty"),
    [
        (("keep_even", "sum"), "simple"),
        (("keep_even", "running_sums"), "loops"),
        (("running_sums", "digit_sums"), "multi-function"),
        (("gcd", "is_even"), "algorithmic"),
    ],
)
def test_the_difficulty_is_that_of_the_hardest_step(steps, difficulty):
    assert difficulty_of(task(*steps)) == difficulty


@pytest.mark.parametrize(
    ("steps", "argument", "expected"),
    [
        (("keep_even", "square", "sum"), [1, 2, 3, -4], 20),
        ((("keep_greater", 3), "length"), [3, 4, 5], 2),
        ((("rotate", 2), "first"), [1, 2, 3], 3),
        (("split_words", "word_lengths", "maximum"), "to bee or", 3),
        (("max_subarray",), [-2, 1, -3, 4, -1, 2, 1, -5, 4], 6),
        (("collatz",), 6, 8),
        (("pascal_row",), 4, [1, 4, 6, 4, 1]),
        (("run_length",), "aaabb", "a3b2"),
        (("digital_root",), 9875, 2),
        (("balanced",), "())(", False),
        ((("base_digits", 3),), 11, [1, 0, 2]),
        ((("caesar", 3),), "xyZ", "abZ"),
    ],
)
def test_a_task_means_what_its_name_says(steps, argument, expected):
    assert task(*steps).apply(argument) == expected


@pytest.mark.parametrize(
    ("steps", "argument"),
    [(("maximum",), []), (("digit_total",), -5), (("search",), [2, 1]), (("factorial",), 10**9)],
)
def test_a_task_outside_its_domain_is_undefined(steps, argument):
    steps = [(s, 3) if FAMILIES[s].constants else s for s in steps]
    with pytest.raises(Undefined):
        task(*steps).apply(argument)


def test_the_cases_tell_a_task_from_its_neighbours():
    cases = cases_of(task(("keep_greater", 5), "sum"))
    assert MIN_CASES <= len(cases) <= MAX_CASES
    neighbours = [
        task(("keep_greater", 4), "sum"),
        task(("keep_greater", 6), "sum"),
        task(("keep_less", 5), "sum"),
        task("sum"),
        task(("keep_greater", 5), "product"),
        task(("keep_greater", 5), "length"),
    ]
    for neighbour in neighbours:
        assert any(neighbour.apply(argument) != expected for argument, expected in cases)


def test_the_cases_include_the_empty_input_where_it_is_defined():
    assert cases_of(task("sum"))[0] == ([], 0)
    assert cases_of(task("maximum"))[0][0] != []


@pytest.mark.parametrize(
    "steps",
    [
        ("sort_ascending", "sum"),
        ("keep_odd", "count_even"),
        ("absolute", "keep_negative"),
        (("take_first", 2), ("take_first", 9)),
        (("mod_each", 5), ("keep_less", 7)),
    ],
)
def test_a_task_in_which_a_step_changes_nothing_has_no_cases(steps):
    idle = task(*steps)
    assert cases_of(idle) is None
    with pytest.raises(DataError, match="cannot be tested"):
        problem_of(idle)


def test_a_task_survives_json():
    original = task(("keep_multiples", 3), "square", "last")
    assert Task.from_json(original.to_json()) == original
    assert task_of(problem_of(original)) == original


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ([["nonsense", None]], "does not exist"),
        ([["add_each", 100]], "takes one from 2 to 99"),
        ([["add_each", None]], "does not suit"),
        ([["sum", 3]], "it takes none"),
        ([["sum", None], ["upper", None]], "takes text"),
        ([], "1 to 3 steps"),
        ("sum", "is not a list"),
        (5, "is not a list"),
        ([[["sum"], None]], "is not a list"),
        ([["add_each", 7.0]], "is not a list"),
        ([["add_each"]], "is not a list"),
    ],
)
def test_a_bad_task_spec_is_refused_with_the_reason(spec, message):
    with pytest.raises(DataError, match=message):
        Task.from_json(spec)


@given(st.recursive(st.none() | st.integers() | st.text(), lambda x: st.lists(x, max_size=4)))
def test_any_json_is_either_a_task_or_a_data_error(spec):
    try:
        loaded = Task.from_json(spec)
    except DataError:
        return
    assert Task.from_json(loaded.to_json()) == loaded


def test_queries_in_held_out_words_differ_from_training_ones():
    chain = task(("keep_greater", 5), "sum")
    rng = random.Random(3)
    training = {phrase(chain, "train", rng) for _ in range(400)}
    for kind in ("seen-words", "unseen-words"):
        assert not training & {phrase(chain, kind, rng) for _ in range(50)}
    assert any(q.endswith("the sum of the numbers greater than 5") for q in training)


def test_connectives_mention_every_step_in_order():
    for depth, forms in CONNECTIVES.items():
        for form in forms:
            places = [form.index(f"{{{i}}}") for i in range(depth)]
            assert places == sorted(places)


def test_a_mutation_is_a_different_task_with_a_true_reference():
    rng = random.Random(0)
    start = task(("keep_greater", 5), "square", "sum")
    current, depths = start, set()
    for _ in range(60):
        changed = mutate(current, rng)
        assert changed != current
        changed.check()
        problem = problem_of(changed)
        run_python(problem.solution, problem.tests)
        depths.add(len(changed.steps))
        current = changed
    assert depths == {1, 2, 3}


def test_a_mutation_starts_from_a_generated_problem_and_stays_in_the_language():
    problem = problem_of(task("keep_even", "sum"), language="rust")
    changed = mutate(problem, random.Random(1), language="rust")
    assert supported(changed, "rust")


def test_a_problem_from_elsewhere_cannot_be_mutated():
    foreign = Problem(id="x/1", query="q", solution="s", tests=("assert True",))
    with pytest.raises(DataError, match="carries no task_spec"):
        mutate(foreign, random.Random(0))


def test_a_language_nobody_writes_is_refused():
    with pytest.raises(DataError, match="cobol"):
        render(task("sum"), "cobol")  # type: ignore[arg-type]
