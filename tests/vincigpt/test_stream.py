"""The stream of tokens: what goes in comes out, row by row, on any device."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from voltx_core.errors import DataError
from voltx_core.vincigpt.stream import StreamWriter, TokenStream

DOCUMENTS = st.lists(st.lists(st.integers(1, 65_535), min_size=1, max_size=9), min_size=1)


@given(documents=DOCUMENTS)
def test_documents_come_back_between_their_separators(tmp_path_factory, documents):
    folder = tmp_path_factory.mktemp("stream")
    with StreamWriter(folder, "train", 0) as writer:
        writer.add(documents[:2])
        writer.add(documents[2:])
    stream = TokenStream(folder, "train")
    ends = [*stream.offsets[1:], len(stream)]
    found = [stream.ids[a + 1 : b].tolist() for a, b in zip(stream.offsets, ends, strict=True)]
    assert found == documents
    assert all(stream.ids[at] == 0 for at in stream.offsets)
    assert (folder / "train.bin").stat().st_size == 2 * len(stream)


def written(folder, documents: list[list[int]]) -> TokenStream:
    with StreamWriter(folder, "train", 0) as writer:
        writer.add(documents)
    return TokenStream(folder, "train")


def test_a_row_is_the_context_and_the_token_after_it(tmp_path):
    stream = written(tmp_path, [list(range(40_000, 40_030))])
    found = stream.batch(torch.tensor([2, 0]), 8, "cpu")
    assert found.dtype == torch.int64
    assert found[1].tolist() == [0, *range(40_000, 40_008)]
    assert found[0].tolist() == list(range(40_015, 40_024))
    assert stream.rows(8) == 3


def test_a_limit_cuts_the_document_that_crosses_it(tmp_path):
    with StreamWriter(tmp_path, "part", 0) as writer:
        writer.add([[1, 2, 3], [4, 5, 6], [7]], most=6)
        writer.add([[8]], most=6)
    assert TokenStream(tmp_path, "part").ids.tolist() == [0, 1, 2, 3, 0, 4]


def test_a_stream_stays_on_disk_without_a_gpu(tmp_path):
    stream = written(tmp_path, [[1, 2, 3]])
    assert not stream.reside("cpu")
    assert isinstance(stream.ids, np.memmap)


def test_a_missing_stream_says_what_to_do(tmp_path):
    with pytest.raises(DataError, match=r"vincigpt/train --param 'force=\[\"vincigpt_corpus\"\]'"):
        TokenStream(tmp_path, "train")
