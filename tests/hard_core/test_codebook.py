import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from voltx_core.errors import DataError
from voltx_core.frame import normalise
from voltx_core.hard_core import codebook as codebook_module
from voltx_core.hard_core.codebook import HEADER, Codebook, measure

ROWS = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 9), st.integers(1, 7)),
    elements=st.floats(-1e3, 1e3, width=32),
).filter(lambda rows: bool((rows != 0).any(1).all()))


@settings(max_examples=30, deadline=None)
@given(ROWS)
def test_a_saved_codebook_comes_back_bit_for_bit(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("codebook") / "c.bin"
    Codebook(torch.from_numpy(rows)).save(path)
    assert path.stat().st_size == 16 + 4 * rows.size
    assert Codebook.load(path).entries.numpy().tobytes() == rows.tobytes()


def test_the_file_is_a_little_endian_header_and_rows(tmp_path):
    path = tmp_path / "c.bin"
    Codebook(torch.tensor([[1.0, 0.0], [0.0, -1.0], [3.0, 4.0]])).save(path)
    written = path.read_bytes()
    assert written[:16] == b"VXCB" + bytes([1, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0])
    assert struct.unpack("<6f", written[16:]) == (1, 0, 0, -1, 3, 4)
    assert [p.name for p in tmp_path.iterdir()] == ["c.bin"]


def _file(folder: Path, rows: list[list[float]], header: bytes | None = None) -> Path:
    array = np.array(rows, dtype="<f4")
    path = folder / "bad.bin"
    path.write_bytes((header or HEADER.pack(b"VXCB", 1, *array.shape)) + array.tobytes())
    return path


GOOD = [[1.0, 2.0], [3.0, 4.0]]


@pytest.mark.parametrize(
    ("rows", "header", "cause"),
    [
        ([[1.0, float("nan")], [1.0, 1.0]], None, "row 0 holds a NaN"),
        ([[1.0, 1.0], [float("inf"), 1.0]], None, "row 1 holds a NaN or an infinity"),
        ([[1.0, 1.0], [0.0, 0.0]], None, "row 1 is all zeros"),
        (GOOD, HEADER.pack(b"VXCA", 1, 2, 2), "starts with b'VXCA'"),
        (GOOD, HEADER.pack(b"VXCB", 2, 2, 2), "format version 2"),
        (GOOD, HEADER.pack(b"VXCB", 1, 3, 2), "truncated"),
        (GOOD, HEADER.pack(b"VXCB", 1, 1, 2), "longer than it says"),
        (GOOD, HEADER.pack(b"VXCB", 1, 0, 2), "claims 0 entries"),
        (GOOD, HEADER.pack(b"VXCB", 1, 2**32 - 1, 2**32 - 1), "truncated"),
    ],
)
def test_a_damaged_file_is_refused_with_its_name_and_the_cause(tmp_path, rows, header, cause):
    path = _file(tmp_path, rows, header)
    with pytest.raises(DataError, match=cause) as refusal:
        Codebook.load(path)
    assert str(path) in str(refusal.value)


@pytest.mark.parametrize("kept", [0, 3, 15, 16, 20, 31])
def test_a_truncated_file_is_refused_at_any_length(tmp_path, kept):
    path = _file(tmp_path, GOOD)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(DataError, match=r"bad\.bin"):
        Codebook.load(path)


def test_a_missing_file_is_a_data_error(tmp_path):
    with pytest.raises(DataError, match="absent"):
        Codebook.load(tmp_path / "absent.bin")


def test_a_failed_save_leaves_the_earlier_file(tmp_path, monkeypatch):
    path = tmp_path / "c.bin"
    Codebook(torch.eye(2)).save(path)
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        Codebook(torch.eye(3)).save(path)
    assert len(Codebook.load(path)) == 2
    assert len(list(tmp_path.iterdir())) == 1


def test_nearest_agrees_with_brute_force_whatever_the_block(monkeypatch):
    draw = torch.Generator().manual_seed(3)
    codebook = Codebook(torch.randn(37, 8, generator=draw))
    vectors = torch.randn(101, 8, generator=draw)
    cosines = torch.nn.functional.cosine_similarity(
        vectors[:, None], codebook.entries[None], dim=-1
    )
    monkeypatch.setitem(codebook_module.BLOCK_CELLS, "cpu", 37 * 10)
    index, cosine = codebook.nearest(vectors)
    assert torch.equal(index, cosines.argmax(1))
    torch.testing.assert_close(cosine, cosines.max(1).values)


def test_length_of_entries_and_of_vectors_does_not_matter():
    codebook = Codebook(torch.tensor([[10.0, 0.0], [0.0, 0.1]]))
    index, cosine = codebook.nearest(torch.tensor([[0.2, 0.1], [1.0, 50.0]]))
    assert index.tolist() == [0, 1]
    assert cosine.tolist() == pytest.approx([2 / 5**0.5, 50 / 2501**0.5], abs=1e-6)


def test_quantisation_matches_its_closed_forms():
    codebook = Codebook(torch.eye(4))
    vectors = normalise(
        torch.tensor([[1.0, 0, 0, 0], [1.0, 0, 0, 0], [0, 1.0, 0, 0], [0, 3, 4, 0]])
    )
    found = codebook.quantisation(vectors)
    assert found.mean_cosine == pytest.approx((1 + 1 + 1 + 0.8) / 4)
    assert found.mean_l2 == pytest.approx(0.4**0.5 / 4, abs=1e-6)
    assert found.utilisation == pytest.approx(3 / 4)
    # shares 1/2, 1/4, 1/4: exp(entropy) = 2^1.5
    assert found.perplexity == pytest.approx(2**1.5)


def test_perplexity_of_an_even_choice_is_the_number_of_entries():
    found = measure(torch.arange(8).repeat(5), torch.ones(40), 8)
    assert found.perplexity == pytest.approx(8)
    assert found.utilisation == 1
    assert found.mean_l2 == 0
