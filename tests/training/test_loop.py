"""The training loop: exact resume, the same result in any number of micro-batches, data order."""

import itertools
import math

import pytest
import torch
from torch import nn

from voltx_core.config.schema import OptimizerConfig
from voltx_core.errors import Interrupted, StageError
from voltx_core.training.loop import Batch, train
from voltx_core.training.randomness import rows_of_step
from voltx_core.training.schedule import learning_rate

OPTIMIZER = OptimizerConfig(lr=1e-2)
ITEMS = torch.randn(40, 6, generator=torch.Generator().manual_seed(3))


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 16), nn.GELU(), nn.Linear(16, 6))


def fit(session, model, *, steps=30, on_step=None, noise=0.1, accumulation=1):
    def loss(batch: Batch):
        if on_step:
            on_step(batch)
        x = ITEMS[batch.rows]
        draws = torch.randn(x.shape, generator=batch.generator) * noise
        return (model(x + draws) - x).square().mean(), {}

    return train(
        session, scope="fit", modules={"model": model}, loss=loss, items=len(ITEMS), batch=8,
        steps=steps, optimizer=OPTIMIZER, accumulation=accumulation,
    )  # fmt: skip


def weights(model: nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])


@pytest.mark.parametrize("stop_at", [1, 7, 29])
def test_a_run_stopped_anywhere_and_resumed_ends_with_the_same_bits(session, stop_at) -> None:
    whole = network()
    curve = fit(session("whole"), whole).curve
    stopped = session("stopped")

    def stop(batch: Batch) -> None:
        if batch.step == stop_at:
            stopped.stop.set("SIGTERM")

    if stop_at == 29:  # the last step: nothing is left to interrupt
        fit(stopped, network(), on_step=stop)
    else:
        with pytest.raises(Interrupted, match="SIGTERM"):
            fit(stopped, network(), on_step=stop)
    model = network()
    steps: list[int] = []
    found = fit(session("stopped"), model, on_step=lambda batch: steps.append(batch.step))
    assert steps[:1] == [stop_at + 1][: 29 - stop_at]
    assert torch.equal(weights(model), weights(whole))
    assert found.curve == curve


def test_a_finished_run_is_restored_without_a_step(session) -> None:
    first = network()
    fit(session(), first)
    steps: list[int] = []
    second = network()
    fit(session(), second, on_step=lambda batch: steps.append(batch.step))
    assert steps == []
    assert torch.equal(weights(first), weights(second))


def test_micro_batches_change_the_memory_and_not_the_result(session) -> None:
    one, four = network(), network()
    fit(session("one"), one, noise=0)
    fit(session("four"), four, noise=0, accumulation=4)
    assert torch.allclose(weights(one), weights(four), atol=1e-5)


def test_running_out_of_memory_halves_the_micro_batch_and_goes_on(session) -> None:
    sizes: list[int] = []

    def greedy(batch: Batch) -> None:
        sizes.append(len(batch.rows))
        if len(batch.rows) > 2:
            raise torch.OutOfMemoryError("no memory for more than two rows")

    model = network()
    fit(session(), model, steps=3, on_step=greedy)
    assert sizes[:3] == [8, 4, 2]
    assert set(sizes[2:]) == {2}


def test_one_item_that_does_not_fit_is_a_clear_error(session) -> None:
    def hopeless(_: Batch) -> None:
        raise torch.OutOfMemoryError("nothing fits")

    with pytest.raises(StageError, match="one item at a time"):
        fit(session(), network(), on_step=hopeless)


def test_a_loss_that_is_not_finite_stops_the_run(session) -> None:
    model = network()
    with torch.no_grad():
        model[0].weight.fill_(math.inf)
    with pytest.raises(StageError, match="not finite"):
        fit(session(), model)


def test_every_epoch_shows_every_item_once() -> None:
    rows = torch.cat([rows_of_step(1, "s", step, 8, 40) for step in range(5)])
    assert sorted(rows.tolist()) == list(range(40))
    later = torch.cat([rows_of_step(1, "s", step, 8, 40) for step in range(5, 10)])
    assert sorted(later.tolist()) == list(range(40))
    assert not torch.equal(rows, later)


def test_a_batch_may_be_larger_than_the_data() -> None:
    rows = rows_of_step(0, "s", 0, 10, 4)
    assert len(rows) == 10
    assert sorted(rows[:4].tolist()) == [0, 1, 2, 3]


def test_the_schedule_warms_up_peaks_and_decays_to_its_floor() -> None:
    rates = [learning_rate(OPTIMIZER, step, 100) for step in range(100)]
    assert rates[0] < rates[4] <= OPTIMIZER.lr
    assert max(rates) == pytest.approx(OPTIMIZER.lr)
    assert rates[-1] == pytest.approx(OPTIMIZER.lr * OPTIMIZER.final_lr_share, rel=0.05)
    assert all(a >= b for a, b in itertools.pairwise(rates[5:]))


def test_an_interruption_inside_the_loss_saves_the_steps_before_it(session) -> None:
    def interrupted(batch: Batch) -> None:
        if batch.step == 5:
            raise Interrupted("SIGTERM while judging")

    with pytest.raises(Interrupted):
        fit(session("stopped"), network(), on_step=interrupted)
    steps: list[int] = []
    model, whole = network(), network()
    fit(session("stopped"), model, on_step=lambda batch: steps.append(batch.step))
    fit(session("whole"), whole)
    assert steps[0] == 5
    assert torch.equal(weights(model), weights(whole))
