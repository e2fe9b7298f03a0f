"""The training loop: exact resume, the same result in any number of micro-batches, data order."""

import itertools
import math
import random
import shutil

import numpy as np
import pytest
import torch
from torch import nn

from voltx_core.config import resolve
from voltx_core.config.optimizer import OptimizerConfig
from voltx_core.errors import Interrupted, StageError
from voltx_core.training.loop import Batch, train
from voltx_core.training.randomness import rows_of_step, seeded
from voltx_core.training.schedule import learning_rate

OPTIMIZER = OptimizerConfig(lr=1e-2)
ITEMS = torch.randn(40, 6, generator=torch.Generator().manual_seed(3))


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 16), nn.GELU(), nn.Linear(16, 6))


def fit(session, model, *, steps=30, on_step=None, noise=0.1, optimizer=OPTIMIZER, **settings):
    def loss(batch: Batch):
        if on_step:
            on_step(batch)
        x = ITEMS[batch.rows]
        draws = torch.randn(x.shape, generator=batch.generator) * noise
        return (model(x + draws) - x).square().mean(), {}

    return train(
        session, scope="fit", modules={"model": model}, loss=loss, items=len(ITEMS), batch=8,
        steps=steps, optimizer=optimizer, **settings,
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


def test_a_start_after_a_kill_does_not_run_out_of_memory_again(session) -> None:
    sizes: list[int] = []

    def greedy(batch: Batch) -> None:
        sizes.append(len(batch.rows))
        if len(batch.rows) > 2:
            raise torch.OutOfMemoryError("no memory for more than two rows")

    def killed(batch: Batch) -> None:
        greedy(batch)
        if batch.step == 2:
            raise KeyboardInterrupt  # nothing is saved on the way out, as by kill -9

    with pytest.raises(KeyboardInterrupt):
        fit(session("killed"), network(), steps=6, on_step=killed)
    sizes.clear()
    model, whole = network(), network()
    fit(session("killed"), model, steps=6, on_step=greedy)
    fit(session("whole"), whole, steps=6, on_step=greedy)
    assert set(sizes[:24]) == {2}
    assert torch.equal(weights(model), weights(whole))


def test_gradients_in_micro_batches_are_those_of_the_whole_batch(session) -> None:
    def greedy(batch: Batch) -> None:
        if len(batch.rows) > 1:
            raise torch.OutOfMemoryError("no memory for more than one row")

    norms = {}
    for name, on_step in (("roomy", None), ("tight", greedy)):
        run = session(name)
        fit(run, network(), steps=1, noise=0, on_step=on_step)
        norms[name] = run.observer.curves[0][1]
    assert norms["tight"] == pytest.approx(norms["roomy"], rel=1e-5)


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


def test_a_gradient_that_is_not_finite_leaves_the_weights_as_they_are(session) -> None:
    model = network()
    before = weights(model)

    def loss(batch: Batch):
        x = ITEMS[batch.rows]
        # The root of 0 is 0, and its slope infinite: times 0, not a number.
        return (model(x) * 0).square().sum().sqrt() + (model(x) - x).square().mean(), {}

    still = OPTIMIZER.model_copy(update={"weight_decay": 0.0})
    train(
        session(), scope="broken", modules={"model": model}, loss=loss, items=len(ITEMS), batch=8,
        steps=3, optimizer=still,
    )  # fmt: skip
    assert torch.equal(weights(model), before)


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


AVERAGED = OPTIMIZER.model_copy(update={"ema_decay": 0.8})


def test_averaged_weights_are_committed_and_survive_a_stop(session) -> None:
    plain, whole, model = network(), network(), network()
    fit(session("plain"), plain)
    fit(session("whole"), whole, optimizer=AVERAGED)
    stopped = session("stopped")

    def stop(batch: Batch) -> None:
        if batch.step == 11:
            stopped.stop.set("SIGTERM")

    with pytest.raises(Interrupted):
        fit(stopped, network(), optimizer=AVERAGED, on_step=stop)
    fit(session("stopped"), model, optimizer=AVERAGED)
    assert torch.equal(weights(model), weights(whole))
    assert not torch.equal(weights(whole), weights(plain))
    again = network()
    fit(session("whole"), again, optimizer=AVERAGED)  # finished: nothing but the restoring
    assert torch.equal(weights(again), weights(whole))


def test_averaging_does_not_change_what_is_trained(session) -> None:
    plain = fit(session("plain"), network())
    averaged = fit(session("averaged"), network(), optimizer=AVERAGED)
    assert averaged.curve == plain.curve


def test_an_evaluation_sees_what_the_stage_would_end_with(session) -> None:
    run, model = session(), network()
    run.config = resolve("tiny", {"compute.evaluate_every": 4}, environ={})
    seen: list[torch.Tensor] = []

    def evaluate() -> dict[str, float]:
        assert not model.training
        seen.append(weights(model).clone())
        return {"distance": float(seen[-1].norm())}

    def modes(_: Batch) -> None:
        assert model.training

    fit(run, model, steps=10, optimizer=AVERAGED, evaluate=evaluate, on_step=modes)
    logged = {step: row for step, row in run.observer.curves if "fit/distance" in row}
    assert sorted(logged) == [4, 8, 10]
    assert torch.equal(seen[-1], weights(model))


def test_speed_and_memory_are_logged_apart_from_what_is_the_same_every_time(session) -> None:
    run = session()
    fit(run, network(), steps=3)
    pace = [row for _, row in run.observer.curves if any(k.startswith("pace/") for k in row)]
    assert len(pace) == 3
    assert all(all(key.startswith("pace/fit/") for key in row) for row in pace)
    assert pace[-1]["pace/fit/items_per_s"] > 0
    assert pace[-1]["pace/fit/peak_memory_mib"] > 50
    assert pace[-1]["pace/fit/seconds_left"] == 0
    assert "pace/fit/mfu" not in pace[-1]  # no peak is known of a CPU


def test_training_neither_draws_from_global_generators_nor_depends_on_them(session) -> None:
    models = []
    for seed in (1, 2):
        models.append(network())
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        before = (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state())
        fit(session(f"seed-{seed}"), models[-1])
        assert random.getstate() == before[0]
        assert np.random.get_state()[1].tolist() == before[1]
        assert torch.equal(torch.get_rng_state(), before[2])
    assert torch.equal(weights(models[0]), weights(models[1]))


def test_first_weights_follow_from_seed_and_name_and_leave_no_trace() -> None:
    before = torch.get_rng_state()
    drawn = []
    for name in ("a", "a", "b"):
        with seeded(3, name):
            drawn.append(nn.Linear(2, 2).weight.detach().clone())
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.toolchain
@pytest.mark.skipif(shutil.which("g++") is None, reason="compiling needs g++")
def test_compiled_training_saves_plain_names_and_runs_eagerly_afterwards(session) -> None:
    run, model, eager = session("compiled"), network(), network()
    run.config = resolve("tiny", {"compute.compile": "on"}, environ={})
    compiled: list[bool] = []
    fit(
        run, model, steps=4, noise=0,
        on_step=lambda _: compiled.append(model._compiled_call_impl is not None),
    )  # fmt: skip
    assert compiled == [True] * 4
    fit(session("eager"), eager, steps=4, noise=0)
    saved = run.checkpoints.restore("fit")
    assert saved is not None
    assert not [name for name in saved.tensors if "_orig_mod" in name]
    assert model._compiled_call_impl is None
    assert torch.allclose(weights(model), weights(eager), atol=1e-5)


class Remembering:
    """Remembers at which steps it was asked, and the sum of the weights then."""

    def __init__(self, model: nn.Module) -> None:
        self.model, self.sums = model, torch.zeros(0)

    def look(self) -> dict[str, float]:
        self.sums = torch.cat([self.sums, weights(self.model).sum().reshape(1)])
        return {"looks": float(len(self.sums))}

    def tensors(self):
        return {"sums": self.sums}

    def meta(self):
        return {"looks": len(self.sums)}

    def recall(self, tensors, meta) -> None:
        self.sums = tensors["sums"]
        assert meta["looks"] == len(self.sums)


def test_what_evaluations_remember_is_as_old_as_the_weights_it_is_saved_with(session) -> None:
    def remembered(name: str, model: nn.Module, **settings) -> torch.Tensor:
        memory = Remembering(model)
        run = session(name)
        if settings:
            settings["on_step"] = lambda b: b.step == 13 and run.stop.set("SIGTERM")
        fit(run, model, evaluate=memory.look, evaluate_every=4, memory=memory, **settings)
        return memory.sums

    whole = remembered("whole", network())
    with pytest.raises(Interrupted):
        remembered("cut", network(), on_step=True)
    assert session("cut").checkpoints.restore("fit").meta["memory"] == {"looks": 3}
    assert remembered("cut", network()).equal(whole)
    assert len(whole) == 8  # at 4, 8, ... 28, and at the end
