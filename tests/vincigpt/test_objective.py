"""Chunked cross-entropy: the closed form's value and gradients, whatever the chunk."""

import pytest
import torch
import torch.nn.functional as F

from voltx_core.vincigpt.model import VinciGPT
from voltx_core.vincigpt.objective import cross_entropy, held_out_loss, token_loss
from voltx_core.vincigpt.shape import Shape
from voltx_core.vincigpt.stream import StreamWriter, TokenStream


def inputs() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(0)
    hidden = torch.randn(50, 24, generator=draw, requires_grad=True)
    table = torch.randn(90, 24, generator=draw, requires_grad=True)
    return hidden, table, torch.randint(0, 90, (50,), generator=draw)


@pytest.mark.parametrize("chunk", [1, 7, 50, 4_096])
def test_value_and_gradients_are_those_of_the_whole(chunk):
    hidden, table, targets = inputs()
    whole = F.cross_entropy(F.linear(hidden, table), targets)
    expected = torch.autograd.grad(3 * whole, (hidden, table))
    mine = cross_entropy(hidden, table, targets, chunk=chunk)
    torch.testing.assert_close(mine, whole)
    found = torch.autograd.grad(3 * mine, (hidden, table))
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)


def test_the_gradient_is_that_of_finite_differences():
    hidden, table, targets = (t.detach() for t in inputs())
    doubles = (hidden[:6].double().requires_grad_(), table[:9].double().requires_grad_())
    assert torch.autograd.gradcheck(
        lambda h, w: cross_entropy(h, w, targets[:6] % 9, chunk=4).double(),
        doubles,
        eps=1e-3,
        atol=2e-3,
        fast_mode=True,
    )


def test_in_bfloat16_it_stays_close():
    hidden, table, targets = inputs()
    whole = F.cross_entropy(F.linear(hidden, table), targets)
    with torch.autocast("cpu", torch.bfloat16):
        mine = cross_entropy(hidden, table, targets, chunk=16)
    mine.backward()
    assert float(mine.detach()) == pytest.approx(float(whole.detach()), rel=0.02)
    expected = torch.autograd.grad(whole, table)[0]
    assert F.cosine_similarity(table.grad.flatten(), expected.flatten(), dim=0) > 0.999


def small() -> VinciGPT:
    shape = Shape(vocabulary=128, layers=2, width=32, heads=4, kv_heads=2, hidden=48, context=16)
    return VinciGPT(shape, generator=torch.Generator().manual_seed(1))


def test_documents_do_not_see_each_other_unless_they_may():
    model, ids = small(), torch.randint(1, 128, (1, 17), generator=torch.Generator().manual_seed(2))
    ids[0, [0, 9]] = 0  # two documents

    def of_second(first: torch.Tensor, *, mask: bool) -> float:
        read = torch.cat([first, ids[:, 9:]], 1)
        documents = (read[:, :-1] == 0).cumsum(1) if mask else None
        logits = model(read[:, :-1], documents=documents)[0, 9:]
        return float(F.cross_entropy(logits, read[0, 10:]).detach())

    other = ids[:, :9].clone()
    other[0, 1:] = ids[0, 1:9].flip(0)
    assert of_second(ids[:, :9], mask=True) == pytest.approx(of_second(other, mask=True), abs=1e-6)
    assert abs(of_second(ids[:, :9], mask=False) - of_second(other, mask=False)) > 1e-4
    masked = float(token_loss(model, ids, 0).detach())
    assert abs(masked - float(token_loss(model, ids, 0, mask_documents=False).detach())) > 1e-4


def test_the_held_out_loss_is_the_mean_over_all_whole_rows(tmp_path):
    draw = torch.Generator().manual_seed(3)
    with StreamWriter(tmp_path, "part", 0) as writer:
        writer.add(torch.randint(1, 128, (9, 11), generator=draw).tolist())
    stream, model = TokenStream(tmp_path, "part"), small().eval()
    losses = [
        float(token_loss(model, stream.batch(torch.tensor([row]), 16, "cpu"), 0).detach())
        for row in range(stream.rows(16))
    ]
    assert stream.rows(16) == (9 * 12 - 1) // 16
    found = held_out_loss(model, stream, 0, device="cpu", batch=4)
    assert found == pytest.approx(sum(losses) / len(losses), abs=1e-6)
