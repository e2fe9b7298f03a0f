"""Role labels follow the syntax tree, not the spelling of tokens."""

import pytest

from voltx_core.translator.roles import (
    AGENT,
    INSTRUMENT,
    LOCATION,
    PATIENT,
    PREDICATE,
    TIME,
    UNLABELLED,
    distribution,
    label_characters,
    label_tokens,
)  # fmt: skip
from voltx_core.translator.tokenizer import CodeTokenizer

CODE = """def solve(xs):
    total = 0
    for x in xs:
        if x > 2:
            total += abs(x)
    return total
"""


def role_of(fragment: str, code: str = CODE) -> int:
    """The role painted on the first character of a fragment."""
    return label_characters(code)[code.index(fragment)]


@pytest.mark.parametrize(
    ("fragment", "role"),
    [
        ("solve", AGENT),
        ("xs)", PATIENT),
        ("for x", TIME),
        ("if x", INSTRUMENT),
        ("abs", PREDICATE),
        ("return", LOCATION),
        ("0\n", PATIENT),
    ],
)
def test_each_construct_gets_its_slot(fragment: str, role: int) -> None:
    assert role_of(fragment) == role


def test_code_that_does_not_parse_is_unlabelled() -> None:
    assert set(label_characters("def f(:")) == {UNLABELLED}


def test_columns_are_counted_right_behind_wide_characters() -> None:
    code = "s = 'äöü€'; foo(s)\n"
    assert role_of("foo", code) == PREDICATE


def test_tokens_that_start_with_a_space_are_labelled_too() -> None:
    tokenizer = CodeTokenizer.train([CODE] * 20, 420)
    labels = label_tokens(tokenizer, [CODE, "x"], 64)
    pieces = [CODE[a:b] for a, b in tokenizer.offsets(CODE, 64)]
    spaced = [n for n, piece in enumerate(pieces) if piece.strip() == "return"]
    assert spaced
    assert all(labels[0, n] == LOCATION for n in spaced)
    assert (labels[1, 1:] == UNLABELLED).all()
    shares = distribution(labels)
    assert abs(sum(shares.values()) - 1) < 0.01
    assert max(shares.values()) < 0.9
