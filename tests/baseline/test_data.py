"""Packing: every token of every document arrives once, at the right place, with the right loss."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from voltx_core.baseline.data import IGNORE, Document, documents_of, pack, prompts_of
from voltx_core.data.problem import Problem
from voltx_core.errors import DataError
from voltx_core.translator.tokenizer import BOS, EOS, CodeTokenizer
from voltx_core.vincigpt.model import document_positions

CONTEXT = 16

documents = st.lists(
    st.lists(st.integers(4, 99), min_size=2, max_size=20).flatmap(
        lambda ids: st.integers(1, len(ids) - 1).map(lambda prompt: Document(ids, prompt))
    ),
    min_size=1,
    max_size=30,
)


def unpack(rows) -> list[tuple[list[int], list[int]]]:
    """(ids, targets) of each document of each row, padding left out."""
    found = []
    for ids, targets, numbers in zip(rows.ids, rows.targets, rows.documents, strict=True):
        for number in numbers.unique():
            inside = numbers == number
            if int(ids[inside].max()) > 0:
                found.append((ids[inside].tolist(), targets[inside].tolist()))
    return found


@settings(max_examples=60, deadline=None)
@given(documents, st.sampled_from(["solution", "all"]))
def test_every_document_that_fits_arrives_once_with_its_own_targets(given_documents, loss_on):
    fitting = [d for d in given_documents if len(d.ids) <= CONTEXT]
    if not fitting:
        with pytest.raises(DataError, match="context"):
            pack(given_documents, CONTEXT, loss_on=loss_on)
        return
    rows = pack(given_documents, CONTEXT, loss_on=loss_on)
    expected = []
    for d in fitting:
        following = [*d.ids[1:], IGNORE]
        first = d.prompt - 1 if loss_on == "solution" else 0
        expected.append((d.ids, [IGNORE] * first + following[first:]))
    assert sorted(unpack(rows)) == sorted(expected)
    assert (rows.packed, rows.dropped) == (len(fitting), len(given_documents) - len(fitting))
    assert rows.tokens == sum(len(d.ids) for d in fitting)


@settings(max_examples=30, deadline=None)
@given(documents)
def test_stored_positions_are_the_ones_the_model_would_count(given_documents):
    if any(len(d.ids) <= CONTEXT for d in given_documents):
        rows = pack(given_documents, CONTEXT)
        assert rows.positions.equal(document_positions(rows.ids, rows.documents))


def test_best_fit_leaves_no_padding_where_none_is_needed():
    halves = [Document([5] * n, 1) for n in (10, 6, 9, 7, 8, 8, 12, 4)]
    rows = pack(halves, CONTEXT)
    assert len(rows) == 4
    assert rows.padding_share == 0


@pytest.fixture(scope="module")
def tokenizer() -> CodeTokenizer:
    return CodeTokenizer.train(["def f(x):\n    return x + 1\n", "add one to x"] * 5, 300)


def test_a_document_is_query_bos_solution_eos(tokenizer):
    problem = Problem(id="p", query="add one to x", solution="return x + 1", tests=("assert 1",))
    (document,) = documents_of([problem], tokenizer, 64)
    (prompt,) = prompts_of([problem.query], tokenizer, 64)
    assert document.ids[: document.prompt] == prompt
    assert prompt[-1] == BOS
    assert document.ids[-1] == EOS
    assert tokenizer.decode(prompt) == "add one to x"
    assert tokenizer.decode(document.ids[document.prompt :]) == "return x + 1"


def test_the_loss_is_on_the_program_and_its_end(tokenizer):
    problem = Problem(id="p", query="add one to x", solution="return x + 1", tests=("assert 1",))
    rows = pack(documents_of([problem], tokenizer, 64), 64)
    scored = rows.targets[rows.targets != IGNORE]
    assert tokenizer.decode(scored.tolist()) == "return x + 1"
    assert int(scored[-1]) == EOS


def test_a_cut_query_still_ends_with_bos(tokenizer):
    (prompt,) = prompts_of(["x " * 100], tokenizer, 10)
    assert len(prompt) == 10
    assert prompt[-1] == BOS


def test_a_document_beyond_the_limit_shows_by_its_length(tokenizer):
    long = Problem(id="p", query="x " * 400, solution="y", tests=("assert 1",))
    short = Problem(id="q", query="x", solution="y", tests=("assert 1",))
    rows = pack(documents_of([long, short], tokenizer, 33), 32)
    assert (rows.packed, rows.dropped) == (1, 1)


def test_equal_documents_give_equal_rows():
    made = [Document([4 + n % 7] * (3 + n % 11), 1) for n in range(40)]
    one, two = pack(made, CONTEXT), pack(made, CONTEXT)
    assert all(
        torch.equal(getattr(one, name), getattr(two, name))
        for name in ("ids", "targets", "documents", "positions")
    )
