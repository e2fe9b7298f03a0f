"""The code tokenizer."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voltx_core.errors import DataError
from voltx_core.translator.tokenizer import BOS, EOS, PAD, CodeTokenizer

TEXTS = ["def solve(xs):\n    return [x * x for x in xs]", "return the squares", "12 3 45"] * 5
TOKENIZER = CodeTokenizer.train(TEXTS, 300)


@given(st.text(max_size=80))
@settings(max_examples=60, deadline=None)
def test_any_text_comes_back_as_it_was(text: str) -> None:
    ids, mask = TOKENIZER.encode([text], 10_000)
    assert TOKENIZER.decode(ids[0][mask[0]].tolist()) == text


def test_padding_is_masked_and_sentinels_frame_the_text() -> None:
    ids, mask = TOKENIZER.encode(["xs", "def solve(xs):"], 64, bos_eos=True)
    assert ids[:, 0].tolist() == [BOS, BOS]
    assert (ids == EOS).sum(1).tolist() == [1, 1]
    assert (ids[~mask] == PAD).all()
    assert mask[0].sum() < mask[1].sum()


def test_a_number_is_the_same_tokens_wherever_it_stands() -> None:
    rows, _ = TOKENIZER.encode(["keep the first 12 numbers", "xs[:12]", "(12)"], 64)
    digits = {TOKENIZER.encode([digit], 1)[0].item() for digit in "0123456789"}
    found = [[n for n in row if n in digits] for row in rows.tolist()]
    assert found == [TOKENIZER.encode(["12"], 2)[0][0].tolist()] * 3


def test_a_long_text_is_cut_before_its_end_mark() -> None:
    ids, mask = TOKENIZER.encode(["def solve(xs): " * 20], 10, bos_eos=True)
    assert ids.shape == (1, 10)
    assert ids[0, -1] == EOS
    assert mask.all()


def test_the_embedding_table_is_a_multiple_of_128() -> None:
    assert TOKENIZER.vocabulary % 128 == 0


def test_equal_texts_train_equal_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        CodeTokenizer.train(TEXTS, 300).save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_file_that_is_no_tokenizer_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "code_tokenizer.json"
    path.write_text("{}")
    with pytest.raises(DataError, match=r"code_tokenizer\.json is not a tokenizer"):
        CodeTokenizer.load(path)
