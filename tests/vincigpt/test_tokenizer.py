"""Tokens: text goes through them unchanged, also piece by piece."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voltx_core.errors import DataError
from voltx_core.vincigpt.tokenizer import TextStream, TextTokenizer

TOKENIZER = TextTokenizer.train(["once upon a time there was a cat"] * 20, 300)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_comes_back(text):
    (ids,) = TOKENIZER.encode([text])
    assert TOKENIZER.decode(ids) == text
    assert all(0 <= token < TOKENIZER.entries for token in ids)


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufffd")))
def test_a_stream_of_tokens_shows_the_same_text_and_no_half_characters(text):
    stream = TextStream(TOKENIZER)
    shown = [stream.add(token) for token in TOKENIZER.encode([text])[0]]
    assert "".join(shown) == text
    assert not any("\ufffd" in part for part in shown)


def test_a_text_that_spells_the_separator_is_text():
    (ids,) = TOKENIZER.encode(["a <eot> b"])
    assert TOKENIZER.ends[0] not in ids
    assert TOKENIZER.prompt("a")[0] == TOKENIZER.ends[0] == 0


def test_it_is_what_it_was_after_a_file(tmp_path):
    path = tmp_path / "tokenizer.json"
    path.write_text(TOKENIZER.text())
    assert TextTokenizer.load(path).encode(["a cat"]) == TOKENIZER.encode(["a cat"])


@pytest.mark.parametrize("content", [None, "", "{}", "not json"])
def test_what_is_no_tokenizer_is_refused_by_name(tmp_path, content):
    path = tmp_path / "tokenizer.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(DataError, match=r"tokenizer\.json"):
        TextTokenizer.load(path)
