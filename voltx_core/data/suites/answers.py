"""Items that are answered in words instead of code, and how an answer is compared.

A suite of programs gives `Problem`s and needs a judge; CLRS-30 as text and defect detection give
`AnswerItem`s: a question, the one right answer, and the form both are written in. Nothing runs.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

Form = Literal["trace", "label"]
"""``trace``: values in brackets, perhaps after the steps that led to them (CLRS); ``label``: one
word of a fixed list (classification)."""

Value = Decimal | tuple["Value", ...]
"""A number, or a list of values; CLRS writes both lists and pairs, and both become tuples."""

MAX_NESTING = 20
_TOKEN = re.compile(r"[\[\](),]|[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|\s+")
_CLOSER = {"[": "]", "(": ")"}


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerItem:
    """A question with its published answer.

    Attributes:
        id: unique within its suite.
        query: the prompt as published.
        answer: the reference as published.
        form: how answers are written and compared.
        source: name of the suite.
        traits: what `suite_traits` holds, and facts for a report (algorithm, length).
    """

    id: str
    query: str
    answer: str
    form: Form
    source: str
    traits: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What comparing an answer with the reference found.

    Attributes:
        right: equal in every element.
        elements_right: share of the reference's elements that are equal in place, in [0, 1]; 0
            when the shapes differ, because then no element has a place.
        why: what is wrong; empty when right.
    """

    right: bool
    elements_right: float
    why: str = ""


def compare(item: AnswerItem, answer: str) -> Comparison:
    """Compare an answer with the item's reference.

    Args:
        item: what was asked.
        answer: the model's text. Of a trace only what follows its last ``|`` counts.

    Raises:
        ValueError: the *reference* is not of the item's form; a wrong answer never raises.
    """
    return _COMPARISONS[item.form](item.answer, answer)


def final_answer(text: str) -> tuple[Value, ...]:
    """The values after the last ``|`` of a trace: ``[0 1], 3`` is ``((0, 1), 3)``.

    Raises:
        ValueError: they are not numbers in matching brackets.
    """
    return parse_values(text.rpartition("|")[2])


def parse_values(text: str) -> tuple[Value, ...]:
    """Values as CLRS prints them: numbers, ``[1 2]``, ``[[1 2], [3 4]]``, ``(0, 3)``, ``[0], 2``.

    Blanks and commas both separate. Numbers are exact: ``0.50`` equals ``0.5``, and nothing is
    rounded.

    Raises:
        ValueError: something else is there, brackets do not match, or nothing is there.
    """
    levels: list[list[Value]] = [[]]
    open_brackets: list[str] = []
    at = 0
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None:
            raise ValueError(f"{text[at : at + 20]!r} is no number or bracket")
        word, at = token[0], token.end()
        if word in _CLOSER:
            if len(levels) > MAX_NESTING:
                raise ValueError(f"brackets are nested deeper than {MAX_NESTING}")
            open_brackets.append(word)
            levels.append([])
        elif word in _CLOSER.values():
            if not open_brackets or _CLOSER[open_brackets.pop()] != word:
                raise ValueError(f"a {word!r} closes nothing")
            inner = tuple(levels.pop())
            levels[-1].append(inner)
        elif word != "," and not word.isspace():
            levels[-1].append(Decimal(word))
    if open_brackets:
        raise ValueError(f"a {open_brackets[-1]!r} is not closed")
    if not levels[0]:
        raise ValueError("there is no value")
    return tuple(levels[0])


def _compare_traces(reference: str, answer: str) -> Comparison:
    expected = final_answer(reference)
    try:
        given = final_answer(answer)
    except ValueError as problem:
        return Comparison(False, 0.0, f"not readable as values: {problem}")
    if _shape(given) != _shape(expected):
        return Comparison(False, 0.0, "another number or nesting of values")
    pairs = list(zip(_leaves(expected), _leaves(given), strict=True))
    right = sum(wanted == got for wanted, got in pairs)
    if right == len(pairs):
        return Comparison(True, 1.0)
    return Comparison(
        False, right / len(pairs), f"{len(pairs) - right} of {len(pairs)} values differ"
    )


def _compare_labels(reference: str, answer: str) -> Comparison:
    given = answer.strip()
    if given == reference:
        return Comparison(True, 1.0)
    return Comparison(False, 0.0, f"said {given[:40]!r}")


_COMPARISONS: dict[Form, Callable[[str, str], Comparison]] = {
    "trace": _compare_traces,
    "label": _compare_labels,
}


def _shape(value: Value) -> Any:
    return [_shape(inner) for inner in value] if isinstance(value, tuple) else None


def _leaves(value: Value) -> list[Decimal]:
    if isinstance(value, Decimal):
        return [value]
    return [leaf for inner in value for leaf in _leaves(inner)]
