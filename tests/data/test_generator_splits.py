"""The splits of the generated problem set and what they guarantee."""

import os
import subprocess
import sys
from collections import Counter
from itertools import chain, combinations

import pytest

from voltx_core.config import resolve
from voltx_core.data.generator import FAMILIES, SplitCounts, generate_problems, task_of
from voltx_core.data.generator.families.constants import WIDE
from voltx_core.data.generator.splits import (
    BUCKETS,
    DEPTH_WEIGHTS,
    has_held_out_pair,
    is_held_out_pair,
    split_of_task,
)
from voltx_core.data.problem import Problem
from voltx_core.errors import DataError
from voltx_core.translator.tokenizer import CodeTokenizer

COUNTS = SplitCounts(
    train=900,
    validation=60,
    calibration=60,
    heldout=80,
    compositions=80,
    phrasing=60,
    replay=40,
)
KNOWN = ("validation", "calibration", "heldout", "replay", "phrasing")


@pytest.fixture(scope="module")
def problems() -> dict[str, list[Problem]]:
    return generate_problems(7, COUNTS)


def everything(problems: dict[str, list[Problem]]) -> list[Problem]:
    return list(chain.from_iterable(problems.values()))


def compositions(split: list[Problem]) -> set[str]:
    return {p.traits["composition"] for p in split}


def constants(problem: Problem) -> set[int | None]:
    return {constant for _, constant in problem.traits["task_spec"]}


def test_every_split_has_the_asked_size(problems):
    assert {split: len(found) for split, found in problems.items()} == {
        "train": 900,
        "validation": 60,
        "calibration": 60,
        "heldout": 80,
        "compositions": 80,
        "phrasing": 60,
        "replay": 40,
    }


def test_every_reference_solution_passes_its_tests(problems):
    for problem in everything(problems):
        scope: dict[str, object] = {}
        exec(problem.solution, scope)
        for test in problem.tests:
            exec(test, scope)
        assert 6 <= len(problem.tests) <= 8


def test_problems_carry_what_reports_and_self_play_need(problems):
    for split, found in problems.items():
        for problem in found:
            task = task_of(problem)
            assert problem.entry_point == "solve"
            assert problem.source == "generated"
            assert problem.difficulty in ("simple", "loops", "multi-function", "algorithmic")
            assert problem.traits["composition"] == task.composition
            assert problem.traits["families"] == list(task.families)
            assert problem.traits["depth"] == len(task.steps)
            assert problem.traits["split"] == split
            assert problem.traits["task"] == task.id


def test_no_query_and_no_id_occurs_twice(problems):
    found = everything(problems)
    assert len({p.query for p in found}) == len(found)
    assert len({p.id for p in found}) == len(found)


def test_one_task_has_one_solution_and_one_solution_one_task(problems):
    pairs = {(p.traits["task"], p.solution) for p in everything(problems)}
    assert len(pairs) == len({task for task, _ in pairs}) == len({code for _, code in pairs})


def test_solutions_with_constants_belong_to_one_split_only(problems):
    owners: dict[str, set[str]] = {}
    for split in ("train", "validation", "calibration", "heldout", "replay"):
        for problem in problems[split]:
            if any(constant is not None for _, constant in problem.traits["task_spec"]):
                owners.setdefault(problem.solution, set()).add(split)
    assert owners
    assert all(len(splits) == 1 for splits in owners.values())


def test_the_trait_says_whether_training_saw_the_solution(problems):
    in_train = {p.solution for p in problems["train"]}
    for problem in everything(problems):
        assert problem.traits["solution_in_train"] == (problem.solution in in_train)
    new = [p for p in problems["heldout"] if not p.traits["solution_in_train"]]
    assert len(new) >= len(problems["heldout"]) / 3


def test_known_splits_use_train_compositions(problems):
    known = compositions(problems["train"])
    for split in KNOWN:
        assert compositions(problems[split]) <= known


def test_held_out_pairs_never_meet_in_training(problems):
    for problem in problems["train"]:
        for first, second in combinations(problem.traits["families"], 2):
            assert not is_held_out_pair(7, first, second)
    pairs_in_train = {
        frozenset(pair)
        for problem in problems["train"]
        for pair in combinations(problem.traits["families"], 2)
    }
    trained = {name for p in problems["train"] for name in p.traits["families"]}
    for problem in problems["compositions"]:
        families = problem.traits["families"]
        assert len(families) >= 2
        assert trained.issuperset(families)
        assert has_held_out_pair(7, tuple(families))
        assert not pairs_in_train.issuperset(map(frozenset, combinations(families, 2)))


def test_every_family_is_trained_about_equally_often(problems):
    counts = Counter(name for p in problems["train"] for name in p.traits["families"])
    assert set(counts) == set(FAMILIES)
    assert min(counts.values()) >= 3
    assert max(counts.values()) <= 15 * sum(counts.values()) / len(counts)


def test_all_levels_and_depths_are_trained(problems):
    levels = Counter(p.difficulty for p in problems["train"])
    assert set(levels) == {"simple", "loops", "multi-function", "algorithmic"}
    assert min(levels.values()) >= 45
    assert set(Counter(p.traits["depth"] for p in problems["train"])) == set(DEPTH_WEIGHTS)


def test_held_out_phrasing_is_half_seen_and_half_unseen_words(problems):
    kinds = Counter(p.traits["phrasing"] for p in problems["phrasing"])
    assert kinds == {"seen-words": 30, "unseen-words": 30}
    vocabulary = {w for p in problems["train"] for w in p.query.replace(",", " ").split()}
    for problem in problems["phrasing"]:
        if problem.traits["phrasing"] == "unseen-words":
            assert not vocabulary.issuperset(problem.query.replace(",", " ").split())
    assert {p.traits["phrasing"] for p in problems["heldout"]} == {"train"}


def test_buckets_are_complete_and_tasks_without_constants_are_free(problems):
    assert sum(BUCKETS.values()) == 100
    assert sum(DEPTH_WEIGHTS.values()) == pytest.approx(1)
    for problem in problems["train"]:
        assert split_of_task(7, task_of(problem)) in (None, "train")


def test_the_seed_decides_everything():
    few = SplitCounts(train=200, validation=5, calibration=5, heldout=5, compositions=5, phrasing=4)
    found, other = generate_problems(7, few), generate_problems(8, few)
    assert found == generate_problems(7, few)
    assert [p.id for p in found["train"]] != [p.id for p in other["train"]]


def test_a_smaller_training_set_is_the_beginning_of_a_larger_one(problems):
    few = SplitCounts(train=200, validation=0, calibration=0, heldout=0, compositions=0, phrasing=0)
    found = generate_problems(7, few)
    assert [p.id for p in found["train"]] == [p.id for p in problems["train"][:200]]


def test_the_hash_seed_of_the_interpreter_does_not_matter():
    script = (
        "from voltx_core.data.generator import *\n"
        "c = SplitCounts(train=150, validation=4, calibration=4, heldout=4, compositions=4,"
        " phrasing=4)\n"
        "import hashlib\n"
        "print(hashlib.sha256(repr(generate_problems(1, c)).encode()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        ).stdout
        for hash_seed in ("0", "1")
    }
    assert len(digests) == 1


def test_asking_for_more_than_exists_is_refused_clearly():
    greedy = SplitCounts(
        train=5, validation=5000, calibration=0, heldout=0, compositions=0, phrasing=0
    )
    with pytest.raises(DataError, match=r"only \d+ of the 5000 .* split 'validation'"):
        generate_problems(0, greedy)


def test_solutions_fit_the_decoder_of_the_laptop_preset(problems):
    config = resolve("laptop").translator
    texts = [text for p in problems["train"] for text in (p.query, p.solution)]
    tokenizer = CodeTokenizer.train(texts, config.vocabulary)
    longest = max(tokenizer.lengths([p.solution for p in everything(problems)]))
    assert longest <= config.decoder_tokens - 2


def test_constants_of_two_digits_occur_in_training_alone(problems):
    wide = {
        split: [p for p in found if constants(p) & set(WIDE)] for split, found in problems.items()
    }
    assert len(wide.pop("train")) > 0.1 * COUNTS.train
    assert not any(wide.values())


def test_another_language_asks_the_same_tasks(problems):
    rust = generate_problems(7, COUNTS, language="rust")
    by_task = {p.traits["task"]: p for p in problems["train"]}
    assert len(rust["train"]) >= 300
    for problem in rust["train"]:
        twin = by_task[problem.traits["task"]]
        assert problem.language == "rust"
        assert problem.solution.startswith("fn ")
        assert problem.traits["task_spec"] == twin.traits["task_spec"]
        assert len(problem.tests) == len(twin.tests)
    assert not {p.id for p in rust["train"]} & {p.id for p in problems["train"]}
