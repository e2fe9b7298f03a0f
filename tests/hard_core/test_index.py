import pytest
import torch

from voltx_core.errors import DataError
from voltx_core.hard_core.codebook import Codebook
from voltx_core.hard_core.index import CodebookIndex


@pytest.fixture(scope="module")
def codebook() -> Codebook:
    return Codebook(torch.randn(800, 24, generator=torch.Generator().manual_seed(0)))


@pytest.fixture(scope="module")
def queries() -> torch.Tensor:
    return torch.randn(300, 24, generator=torch.Generator().manual_seed(1))


def test_the_beam_doubles_until_recall_reaches_the_target(codebook, queries):
    index = CodebookIndex.build(codebook, links=4, construction=20)
    tuned = index.tune(codebook, queries, 0.95)
    assert tuned.recall >= 0.95
    assert len(tuned.trials) > 1
    assert [beam for beam, _ in tuned.trials] == [16 * 2**n for n in range(len(tuned.trials))]
    assert all(recall < 0.95 for _, recall in tuned.trials[:-1])
    assert index.beam == tuned.beam


def test_what_it_finds_is_what_exact_search_finds(codebook, queries):
    index = CodebookIndex.build(codebook, links=16, construction=100)
    index.beam = 400
    found, cosine = index.nearest(queries)
    exact, exact_cosine = codebook.nearest(queries)
    assert float((found == exact).float().mean()) > 0.99
    torch.testing.assert_close(cosine[found == exact], exact_cosine[found == exact])


def test_duplicate_entries_are_no_misses(queries):
    half = torch.randn(50, 24, generator=torch.Generator().manual_seed(2))
    codebook = Codebook(torch.cat([half, half]))
    index = CodebookIndex.build(codebook, links=16, construction=100)
    assert index.tune(codebook, queries, 1.0).recall == 1.0


def test_a_saved_index_keeps_its_beam_and_its_answers(codebook, queries, tmp_path):
    index = CodebookIndex.build(codebook, links=8, construction=40)
    index.beam = 77
    index.save(tmp_path / "c.hnsw")
    again = CodebookIndex.load(tmp_path / "c.hnsw", codebook)
    assert again.beam == 77
    assert torch.equal(again.nearest(queries)[0], index.nearest(queries)[0])


def test_the_same_codebook_gives_the_same_bytes(codebook, tmp_path):
    for name in "ab":
        CodebookIndex.build(codebook, links=8, construction=40).save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_an_index_of_another_codebook_is_refused(codebook, tmp_path):
    path = tmp_path / "c.hnsw"
    CodebookIndex.build(codebook, links=8, construction=40).save(path)
    with pytest.raises(DataError, match="not the 400 x 24"):
        CodebookIndex.load(path, Codebook(codebook.entries[:400]))
    with pytest.raises(DataError, match="not the 800 x 24"):
        CodebookIndex.load(path, Codebook(codebook.entries.flip(0)))


@pytest.mark.parametrize("content", [b"", b"garbage that is no index at all", b"IHNf" + bytes(20)])
def test_a_damaged_index_is_refused_by_name(codebook, tmp_path, content):
    path = tmp_path / "broken.hnsw"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"broken\.hnsw"):
        CodebookIndex.load(path, codebook)
