"""`voltx bench scaling`: contenders that do the same work, and figures that say what they are."""

import json
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

from voltx_core.bench import scaling, scaling_ranks, scaling_sizes
from voltx_core.bench.scaling_ranks import Timed
from voltx_core.config import resolve
from voltx_core.errors import ConfigError
from voltx_core.scaling.growth import grown_config
from voltx_core.soft_core.soft_core import SoftCore
from voltx_core.training.randomness import seeded
from voltx_core.training.ranks import Ranks

FIGURES = {
    "step_ms_51m", "step_ms_200m", "step_ms_500m", "mfu_51m", "mfu_200m", "mfu_500m",
    "vs_eager_51m", "two_rank_difference", "bench_problems_per_s", "bench_vs_sequential",
}  # fmt: skip


@pytest.fixture
def track(tmp_path):
    settings = ["scaling.batch=4", "scaling.accumulation=2"]
    config = resolve("tiny", settings, environ={})
    return scaling_sizes.track(config, tmp_path, "cpu", warm=1, steps=2)


def test_the_plans_sizes_have_the_parameters_of_their_names() -> None:
    config = resolve("cloud", environ={})
    for name, size in scaling_sizes.ladder_sizes(config).items():
        core = scaling_sizes.core_config(config, size, "mlp")
        count = scaling_sizes.parameters_of(core, config.translator.slot_width)
        # Attention to the query, which the plan's own count leaves out, comes on top.
        assert count == pytest.approx(float(name.removesuffix("m")) * 1e6, rel=0.2)


def test_at_a_constant_rate_both_contenders_end_with_the_same_weights(tmp_path) -> None:
    steady = ["scaling.optimizer.warmup_share=0", "scaling.optimizer.final_lr_share=1"]
    settings = ["scaling.batch=4", "scaling.accumulation=2", *steady]
    config = resolve("tiny", settings, environ={})
    track = scaling_sizes.track(config, tmp_path, "cpu", warm=1, steps=2)
    ended = []
    for run in (scaling_sizes._by_the_loop, scaling_sizes._plainly):
        with seeded(0, "core"):
            core = SoftCore(config.translator.slot_width, config.soft_core).train()
        first = {name: weight.clone() for name, weight in core.state_dict().items()}
        run(track, core, [])
        ended.append(core.state_dict())
    assert all(torch.equal(ended[0][name], ended[1][name]) for name in first)
    assert any(not torch.equal(ended[0][name], first[name]) for name in first)


@pytest.mark.parametrize("name", scaling_sizes.CONTENDERS)
def test_the_same_steps_of_both_contenders_are_timed(track, name, monkeypatch) -> None:
    done = 0
    step = torch.optim.AdamW.step

    def counted(self, *arguments):
        nonlocal done
        done += 1
        return step(self, *arguments)

    monkeypatch.setattr(torch.optim.AdamW, "step", counted)
    # A clock that shows the steps done: a step takes a second, whoever does it.
    clock = SimpleNamespace(perf_counter=lambda: float(done), process_time=lambda: done / 2)
    monkeypatch.setattr(scaling_sizes, "time", clock)
    timed = scaling_sizes.turn(track, track.config.soft_core, name)
    assert (timed.step_ms, timed.cpu_ms) == (1_000, 500)
    assert done == 3


def test_a_larger_core_takes_more_arithmetic(track) -> None:
    small = track.config.soft_core
    large = grown_config(small, track.config.scaling.ladder[0])
    assert scaling_sizes.flops_a_step(track, large) > scaling_sizes.flops_a_step(track, small) > 0


def test_a_cpu_has_no_utilisation_and_says_why(track) -> None:
    assert scaling_sizes.mfu(track, track.config.soft_core, 1.0) == (
        None,
        "no CUDA device here, and the peak of a CPU is not known",
    )


def test_what_does_not_fit_is_not_tried() -> None:
    assert scaling_sizes.missing_memory(1_000, "cpu") is None
    assert "GB are free" in scaling_sizes.missing_memory(10**12, "cpu")


def test_an_unknown_part_is_named_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"speed.*ladder"):
        scaling._chosen("sizes,speed")


def test_figures_that_did_not_run_are_null() -> None:
    assert scaling._nothing() == dict.fromkeys(FIGURES)


def test_waiting_inside_a_sum_is_counted_once(monkeypatch) -> None:
    now = 0.0

    def wait(_) -> None:
        nonlocal now
        now += 2.0

    def add(self, scalars):
        self.meet()
        return scalars

    monkeypatch.setattr(scaling_ranks, "time", SimpleNamespace(perf_counter=lambda: now))
    monkeypatch.setattr(Ranks, "meet", wait)
    monkeypatch.setattr(Ranks, "sum_scalars", add)
    timed = Timed(0, 2)
    assert timed.sum_scalars({"loss": torch.zeros(())}) == {"loss": torch.zeros(())}
    assert timed.spent_s == [2.0]
    timed.meet()  # before the first step everybody waits for everybody: no part of a step
    assert timed.spent_s == [2.0]


@pytest.mark.integration
def test_it_prints_every_figure_or_says_why_not(tmp_path) -> None:
    code = "from voltx_core.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "bench", "scaling", "--quick", "--repeat", "1", "--json"],
        cwd=tmp_path,
        env={**os.environ, "VOLTX_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    figures, samples = found["figures"], found["samples"]
    assert set(figures) == FIGURES
    missing = {name for name, value in figures.items() if value is None}
    assert missing == set(found["why"])
    assert missing == {name for name in FIGURES if name.endswith(scaling.SIZE_ENDINGS)}
    assert all(row["step_ms"]["voltx"][0] > 0 for row in samples["sizes"])
    assert 0 <= figures["two_rank_difference"] < 1e-4
    assert samples["exam"]["same_verdicts"]
    assert samples["ladder"]["growth_difference"] < 1e-4
    rows = {row["size"]: row for row in samples["ladder"]["rows"]}
    assert rows["grow, trained"]["PFLOP in all"] == pytest.approx(
        rows["scratch, trained"]["PFLOP in all"], rel=0.2
    )
