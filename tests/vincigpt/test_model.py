"""vinciGPT: shapes, isolation of packed documents, rotary positions, cache, files."""

import json

import pytest
import torch
import torch.nn.functional as F

from voltx_core.config.benchmarks import BaselineConfig
from voltx_core.errors import DataError
from voltx_core.vincigpt import model as architecture
from voltx_core.vincigpt.model import (
    Cache,
    VinciGPT,
    block_mask,
    document_positions,
    written_mask,
)
from voltx_core.vincigpt.shape import Shape, flops_per_token, parameter_count


def shape(**changes) -> Shape:
    sizes = {
        "vocabulary": 128,
        "layers": 2,
        "width": 32,
        "heads": 4,
        "kv_heads": 2,
        "hidden": 48,
        "context": 24,
    }
    return Shape(**(sizes | changes))


def model(**changes) -> VinciGPT:
    return VinciGPT(shape(**changes), generator=torch.Generator().manual_seed(1)).eval()


def tokens(*size: int) -> torch.Tensor:
    return torch.randint(4, 128, size, generator=torch.Generator().manual_seed(2))


VARIANTS = (
    {"kv_heads": 1},
    {"kv_heads": 4},
    {"activation": "relu2"},
    {"head": 16, "qk_norm": True},
    {"qkv_bias": True, "tied": False},
    {"output_bias": True, "qkv_bias": True},
)


@pytest.mark.parametrize("changes", VARIANTS)
def test_the_closed_form_counts_exactly_the_weights_there_are(changes):
    made = model(**changes)
    assert parameter_count(made.shape) == sum(p.numel() for p in made.parameters())


def test_six_flops_a_weight_and_the_square_of_attention_on_top():
    s = shape()
    assert flops_per_token(s) == 6 * parameter_count(s)
    assert flops_per_token(s, attended=10) - flops_per_token(s) == 12 * 2 * 32 * 10


def test_the_plan_size_has_about_110_million_parameters():
    planned = Shape.of(BaselineConfig(), 32_768)
    assert 105e6 < parameter_count(planned) < 115e6


def test_the_vocabulary_grows_to_a_multiple_of_128():
    assert Shape.of(BaselineConfig(), 700).vocabulary == 768


def test_a_shape_that_cannot_be_split_into_heads_is_refused():
    with pytest.raises(ValueError, match="heads"):
        shape(width=30)


@torch.no_grad()
def test_a_packed_document_gets_the_logits_it_would_get_alone():
    made, first, second = model(), tokens(1, 7), tokens(1, 11).flip(1)
    packed = torch.cat([first, second], 1)
    documents = torch.tensor([[0] * 7 + [1] * 11])
    logits = made(packed, documents=documents)
    torch.testing.assert_close(logits[:, :7], made(first), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(logits[:, 7:], made(second), atol=1e-5, rtol=1e-5)
    assert not torch.allclose(made(packed)[:, 7:], made(second), atol=1e-3)


def naively(documents: torch.Tensor, window: int | None) -> torch.Tensor:
    """Who may look at whom, from the definition."""
    rows, length = documents.shape
    mask = torch.zeros(rows, 1, length, length, dtype=torch.bool)
    for row in range(rows):
        for query in range(length):
            for key in range(query + 1):
                same = bool(documents[row, query] == documents[row, key])
                mask[row, 0, query, key] = same and (window is None or query - key < window)
    return mask


DOCUMENTS = torch.tensor([[0] * 5 + [1] * 12 + [2] * 3, [7] * 20, list(range(20))])


@pytest.mark.parametrize("window", [None, 4])
def test_the_written_mask_is_the_naive_one(window):
    assert written_mask(DOCUMENTS, 20, window).equal(naively(DOCUMENTS, window))


def test_one_document_a_row_needs_no_mask():
    assert written_mask(None, 20, None) is None
    assert written_mask(None, 20, 20) is None
    assert written_mask(None, 20, 6).equal(naively(torch.zeros(1, 20), 6))


@torch.no_grad()
@pytest.mark.parametrize("window", [None, 4])
@pytest.mark.parametrize("kv_heads", [1, 4])
def test_attention_by_blocks_equals_attention_with_the_naive_mask(kv_heads, window):
    from torch.nn.attention.flex_attention import flex_attention

    draw = torch.Generator().manual_seed(0)
    q = torch.randn(3, 4, 20, 16, generator=draw)
    k, v = (torch.randn(3, kv_heads, 20, 16, generator=draw) for _ in "kv")
    mine = flex_attention(q, k, v, block_mask=block_mask(DOCUMENTS, window), enable_gqa=True)
    mask = naively(DOCUMENTS, window)
    theirs = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, enable_gqa=True)
    torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("changes", VARIANTS)
def test_the_whole_model_is_the_same_by_blocks(changes, monkeypatch):
    made, ids = model(**changes), tokens(3, 20)
    written = made(ids, documents=DOCUMENTS)
    monkeypatch.setattr(architecture, "in_blocks", lambda _: True)
    torch.testing.assert_close(made(ids, documents=DOCUMENTS), written, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_a_window_hides_what_lies_further_back():
    made, ids = model(window=3, layers=1), tokens(1, 12)
    changed = ids.clone()
    changed[:, 4] = 1
    differs = (made(ids) - made(changed)).abs().amax(-1)[0] > 1e-5
    assert differs.nonzero().flatten().tolist() == [4, 5, 6]


@torch.no_grad()
def test_the_last_product_can_be_left_to_the_caller():
    made, ids = model(tied=False), tokens(2, 9)
    known = made(ids, logits=False)
    assert F.linear(known, made.table).equal(made(ids))


@torch.no_grad()
def test_a_token_never_sees_the_future():
    made, ids = model(), tokens(2, 12)
    changed = ids.clone()
    changed[:, 8:] = tokens(2, 4).flip(1)
    torch.testing.assert_close(made(ids)[:, :8], made(changed)[:, :8], atol=1e-5, rtol=1e-5)


def test_the_gradient_of_a_document_stays_inside_it():
    made, read = model(), []
    made.embedding.register_forward_hook(lambda _, __, out: read.append(out) or out.retain_grad())
    documents = (torch.arange(12) >= 5).long().unsqueeze(0)
    made(tokens(1, 12), documents=documents)[0, 8].sum().backward()
    reached = read[0].grad[0].abs().sum(-1) > 0
    assert reached.tolist() == [5 <= at <= 8 for at in range(12)]


@torch.no_grad()
def test_positions_count_from_each_documents_start():
    documents = torch.tensor([[0, 0, 0, 1, 1, 2], [5, 5, 5, 5, 5, 5]])
    expected = torch.tensor([[0, 1, 2, 0, 1, 0], [0, 1, 2, 3, 4, 5]])
    assert document_positions(documents, documents).equal(expected)
    assert document_positions(documents, None).equal(torch.arange(6).expand(2, 6))


@torch.no_grad()
def test_rotary_attention_depends_on_distance_only():
    made, ids = model(), tokens(1, 8)
    shifted = torch.arange(8).unsqueeze(0) + 13
    torch.testing.assert_close(made(ids), made(ids, positions=shifted), atol=2e-4, rtol=1e-3)
    stretched = torch.arange(8).unsqueeze(0) * 2
    assert not torch.allclose(made(ids), made(ids, positions=stretched), atol=1e-2)


@torch.no_grad()
@pytest.mark.parametrize("changes", [*VARIANTS, {"window": 4}])
def test_reading_through_the_cache_gives_the_logits_of_reading_at_once(changes):
    made, ids = model(**changes), tokens(3, 14)
    whole = made(ids)
    cache = Cache(made.shape, 3, 16, device=ids.device, dtype=torch.float32)
    parts = [made(ids[:, :5], cache=cache)]
    for at in range(5, 14):
        parts.append(made(ids[:, at : at + 1], positions=torch.full((3, 1), at), cache=cache))
    torch.testing.assert_close(torch.cat(parts, 1), whole, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_forgetting_finished_rows_leaves_the_others_as_they_were():
    made, ids = model(), tokens(3, 9)
    cache = Cache(made.shape, 3, 16, device=ids.device, dtype=torch.float32)
    made(ids[:, :8], cache=cache)
    cache.keep(torch.tensor([0, 2]))
    last = made(ids[[0, 2], 8:], positions=torch.full((2, 1), 8), cache=cache)
    torch.testing.assert_close(last[:, 0], made(ids)[[0, 2], 8], atol=1e-4, rtol=1e-4)


def test_squared_relu_has_the_weights_of_swiglu():
    gated = parameter_count(Shape.of(BaselineConfig(), 512))
    assert parameter_count(Shape.of(BaselineConfig(), 512, activation="relu2")) == gated


def test_equal_seeds_give_equal_weights():
    one, two = (
        VinciGPT(shape(), generator=torch.Generator().manual_seed(7)).state_dict() for _ in "ab"
    )
    assert all(one[name].equal(two[name]) for name in one)


def test_a_text_longer_than_the_context_is_refused():
    with pytest.raises(ValueError, match="context"):
        model()(tokens(1, 25))


def test_it_learns_a_sequence_by_heart():
    made = VinciGPT(shape(), generator=torch.Generator().manual_seed(0))
    ids = tokens(2, 12)
    adam = torch.optim.AdamW(made.parameters(), lr=1e-2)
    for _ in range(60):
        loss = F.cross_entropy(made(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())
        loss.backward()
        adam.step()
        adam.zero_grad()
    assert float(loss.detach()) < 0.1


@torch.no_grad()
def test_a_saved_model_comes_back_with_its_logits_and_its_record(tmp_path):
    made, ids = model(), tokens(1, 6)
    made.save(tmp_path / "m.safetensors", training={"steps": 3})
    loaded = VinciGPT.load(tmp_path / "m.safetensors")
    assert loaded.shape == made.shape
    assert loaded(ids).equal(made(ids))
    assert loaded.training_facts == {"steps": 3}


def test_all_metadata_sits_under_one_key(tmp_path):
    from safetensors import safe_open

    model().save(tmp_path / "m.safetensors")
    with safe_open(tmp_path / "m.safetensors", framework="pt") as file:
        (value,) = file.metadata().values()
    assert json.loads(value)["kind"] == "vincigpt"


@pytest.mark.parametrize("content", [b"", b"not a model", None])
def test_a_file_that_is_no_model_is_refused_by_name(tmp_path, content):
    path = tmp_path / "m.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"m\.safetensors"):
        VinciGPT.load(path)


def test_a_truncated_model_is_refused(tmp_path):
    path = tmp_path / "m.safetensors"
    model().save(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"m\.safetensors"):
        VinciGPT.load(path)
