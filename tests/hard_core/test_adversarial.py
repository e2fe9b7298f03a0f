import ast
from collections import Counter

import pytest

from voltx_core.hard_core.adversarial import generate_adversarial, generate_lookalikes
from voltx_core.hard_core.adversarial.evasions import FAMILIES, HELD_OUT
from voltx_core.hard_core.axioms import AXIOMS, Axiom
from voltx_core.hard_core.guard import inspect

COUNTS = dict.fromkeys(AXIOMS, 90)


@pytest.fixture(scope="module", params=[False, True], ids=["training", "held out"])
def samples(request):
    return generate_adversarial(3, COUNTS, held_out=request.param)


def test_as_many_different_programs_as_asked_for_each_axiom(samples):
    assert len({sample.code for sample in samples}) == len(samples) == 90 * len(AXIOMS)
    assert all(sample.axioms for sample in samples)


def test_every_program_parses_and_is_in_a_function(samples):
    for sample in samples:
        tree = ast.parse(sample.code)
        assert any(isinstance(node, ast.FunctionDef) for node in tree.body)


def test_families_come_in_equal_numbers_and_never_on_both_sides():
    training = Counter(s.family for s in generate_adversarial(0, COUNTS, held_out=False))
    held_out = Counter(s.family for s in generate_adversarial(0, COUNTS, held_out=True))
    assert set(held_out) == set(HELD_OUT)
    assert set(training) == set(FAMILIES) - set(HELD_OUT)
    assert max(training.values()) == min(training.values())
    assert max(held_out.values()) == min(held_out.values())


def test_the_same_seed_gives_the_same_programs():
    again = generate_adversarial(3, COUNTS, held_out=True)
    assert again == generate_adversarial(3, COUNTS, held_out=True)
    assert again != generate_adversarial(4, COUNTS, held_out=True)


def test_the_guard_finds_what_each_program_breaks(samples):
    missed = [s.code for s in samples if not s.axioms <= {f.axiom for f in inspect(s.code)}]
    assert missed == []


def test_hiding_breaks_honesty_too(samples):
    for sample in samples:
        if sample.family in ("attribute lookup", "base64", "ctypes"):
            assert Axiom.HONESTY in sample.axioms


@pytest.mark.parametrize("held_out", [False, True])
def test_lookalikes_are_harmless_programs(held_out):
    found = generate_lookalikes(0, 120, held_out=held_out)
    assert all(not sample.axioms and ast.parse(sample.code) for sample in found)
    assert [s.code for s in found if inspect(s.code)] == []


def test_no_lookalike_template_is_on_both_sides():
    training = {s.family for s in generate_lookalikes(0, 50, held_out=False)}
    assert not training & {s.family for s in generate_lookalikes(0, 50, held_out=True)}
