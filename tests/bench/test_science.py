"""`voltx bench science`: shared work, figures over seeds, reasons for nulls, and a small run."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from voltx_core.bench.science_figures import (
    Score,
    Source,
    Spread,
    difference,
    figures,
    own,
    sources,
    spread,
)
from voltx_core.bench.science_variants import VARIANTS, chosen
from voltx_core.bench.science_work import Cell, Work
from voltx_core.errors import ConfigError

FIGURES = {
    "pass_at_1_soft_core", "pass_at_1_e2e", "pass_at_1_rlvf", "pass_at_1_sleep",
    "pass_at_1_baseline", "pass_at_1_shuffled", "pass_at_1_zero", "pass_at_1_true_frame",
    "converged_share", "cosine", "router_accuracy", "ece", "safety_fn", "safety_fp",
    "judge_wait_share",
}  # fmt: skip


def work_of(names: str, seeds: int = 2) -> Work:
    cells = [Cell(variant, seed) for variant in chosen(names) for seed in range(seeds)]
    return Work.of(cells, "tiny", [])


def reported(rate: float) -> dict[str, object]:
    row = {"pass@1": rate, "low": rate - 0.1, "high": rate + 0.1}
    return {
        "metrics": {"cosine": 0.9, "converged_share": None},
        "timings_s": {"judge.waited_for": 1.0, "judge.beside_training": 4.0},
        "tables": {
            "pass@1 and frame ablations": [
                {"suite": "compositions", "frame": "RAR loop, surer frame", **row},
                {"suite": "compositions", "frame": "zero frame", **row, "pass@1": 0.0},
            ],
            "Transformer baseline": [{"split": "compositions", "label": "it", **row}],
        },
    }


def test_what_two_variants_have_in_common_is_one_job() -> None:
    work = work_of("soft_core,no_attention,no_frame_noise", seeds=1)
    base, plain, noiseless = (
        work.cells[name, 0] for name in ("soft_core", "no_attention", "no_frame_noise")
    )
    assert base["translator"] is plain["translator"]
    assert base["soft_core"] is not plain["soft_core"]
    assert base["data"] is noiseless["data"]
    assert base["translator"] is not noiseless["translator"]
    assert len(work.jobs) == len({job.key + job.stage for job in work.jobs}) == 6


def test_seeds_share_nothing() -> None:
    work = work_of("soft_core")
    assert work.cells["soft_core", 0]["data"] is not work.cells["soft_core", 1]["data"]


def test_rewards_change_nothing_before_rlvf() -> None:
    work = work_of("table_rewards,shaped_rewards", seeds=1)
    table, shaped = work.cells["table_rewards", 0], work.cells["shaped_rewards", 0]
    apart = {stage for stage in table if table[stage] is not shaped[stage]}
    assert apart == {"rlvf"}


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
def test_every_variant_resolves_and_differs_from_the_method(variant) -> None:
    config = variant.config("laptop", 0)
    same = config == VARIANTS["soft_core"].config("laptop", 0)
    is_named = variant.name in {"soft_core", "baseline", "aligned", "hard_core", "table_rewards"}
    assert same == is_named


def test_a_decoder_without_a_field_has_the_parameters_of_both() -> None:
    from voltx_core.soft_core.soft_core import SoftCore
    from voltx_core.translator.decoder import SlotDecoder

    def size(config, with_core: bool) -> int:
        t = config.translator
        decoder = SlotDecoder(
            vocabulary=t.vocabulary, slot_width=t.slot_width, width=t.decoder_width,
            blocks=t.decoder_blocks, heads=t.decoder_heads, max_tokens=t.decoder_tokens,
        )  # fmt: skip
        parts = [decoder, SoftCore(t.slot_width, config.soft_core)] if with_core else [decoder]
        return sum(p.numel() for part in parts for p in part.parameters())

    whole = size(VARIANTS["soft_core"].config("laptop", 0), with_core=True)
    alone = size(VARIANTS["no_field"].config("laptop", 0), with_core=False)
    assert alone == pytest.approx(whole, rel=0.1)


def test_an_unknown_variant_is_named_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"no_such.*zero_bias"):
        chosen("soft_core,no_such")


def test_the_interval_over_three_seeds_is_students() -> None:
    found = Spread.of([Score(0.5), Score(0.6), Score(0.7)])
    assert found.mean == pytest.approx(0.6)
    assert (found.high - found.low) / 2 == pytest.approx(4.303 * 0.1 / 3**0.5)
    assert found.interval == "seeds"


def test_one_seed_has_the_interval_of_its_problems_or_none() -> None:
    assert Spread.of([Score(0.5, 0.4, 0.6)]).row()["interval"] == "problems"
    assert Spread.of([Score(0.5)]).row() == {
        "mean": 0.5, "low": None, "high": None, "values": [0.5], "interval": None,
    }  # fmt: skip


def test_seeds_that_agree_have_the_interval_of_their_problems() -> None:
    found = Spread.of([Score(0.0, 0.0, 0.02), Score(0.0, 0.0, 0.03)])
    assert (found.low, found.high, found.interval) == (0.0, 0.03, "problems")


def test_figures_come_from_reports_and_every_null_has_a_reason() -> None:
    work = work_of("soft_core,baseline")
    for seed, rate in ((0, 0.5), (1, 0.7)):
        work.cells["soft_core", seed]["soft_core"].report = reported(rate)
        work.cells["baseline", seed]["baseline"].why = "baseline with seed 0 failed: it burnt"
    values, samples, why = figures(work, range(2))
    assert set(values) >= FIGURES
    assert {name for name, value in values.items() if value is None} == set(why)
    assert values["pass_at_1_soft_core"] == 0.6
    assert samples["pass_at_1_soft_core"]["values"] == [0.5, 0.7]
    assert samples["pass_at_1_soft_core"]["low"] < 0.5
    assert values["pass_at_1_zero"] == 0.0
    assert values["cosine"] == 0.9
    assert "it burnt" in why["pass_at_1_baseline"]
    assert "no converged_share" in why["converged_share"]
    assert "leaves out aligned" in why["pass_at_1_sleep"]


def test_a_seed_without_a_result_is_told_beside_the_others() -> None:
    work = work_of("soft_core")
    work.cells["soft_core", 0]["soft_core"].report = reported(0.5)
    work.cells["soft_core", 1]["data"].why = "data with seed 1 failed: no disk"
    found, why = spread(work, sources()["pass_at_1_soft_core"], range(2))
    assert found is not None
    assert found.values == (0.5,)
    assert why == "data with seed 1 failed: no disk"


def test_differences_are_taken_seed_by_seed() -> None:
    work = work_of("soft_core,zero_bias")
    for seed, (one, other) in enumerate([(0.5, 0.4), (0.9, 0.8)]):
        work.cells["soft_core", seed]["soft_core"].report = reported(one)
        work.cells["zero_bias", seed]["soft_core"].report = reported(other)
    gap = difference(
        work, own(VARIANTS["zero_bias"], "compositions"),
        own(VARIANTS["soft_core"], "compositions"), range(2),
    )  # fmt: skip
    assert gap is not None
    assert gap.mean == pytest.approx(-0.1)
    assert gap.high - gap.low == pytest.approx(0.0, abs=1e-9)


def test_waiting_is_a_share_of_the_training_it_belongs_to() -> None:
    source = sources()["judge_wait_share"]
    assert isinstance(source, Source)
    assert source.score({"rlvf": reported(0.5)}) == Score(0.25)


def bench(folder: Path, *options: str) -> list[str]:
    command = [sys.executable, "-m", "voltx_core.cli.main", "bench", "science", "--quick"]
    return [*command, "--json", "--folder", str(folder), *options]


@pytest.mark.integration
def test_a_small_bench_fills_its_figures_and_goes_on_where_it_was_interrupted(tmp_path) -> None:
    command = bench(tmp_path, "--variants", "soft_core,no_attention,baseline")
    first = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    store = tmp_path / "store" / "stages" / "translator"
    while first.poll() is None and not list(store.glob("*/manifest.json")):
        time.sleep(0.2)
    first.send_signal(signal.SIGTERM)
    said, errors = first.communicate(timeout=120)
    assert first.returncode == 1, errors
    assert said == ""
    assert "progress is saved" in errors
    made = {path: os.stat(path).st_mtime_ns for path in store.glob("*/manifest.json")}

    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert {path: os.stat(path).st_mtime_ns for path in store.glob("*/manifest.json")} == made
    report = json.loads(done.stdout)
    values, why = report["figures"], report["why"]
    assert {name for name, value in values.items() if value is None} == set(why)
    for name in ("pass_at_1_soft_core", "pass_at_1_baseline", "pass_at_1_no_attention", "cosine"):
        assert values[name] is not None
        assert report["samples"][name]["values"] == [values[name]]
    assert "aligned" in why["pass_at_1_rlvf"]


@pytest.mark.integration
def test_a_killed_bench_leaves_no_process_behind(tmp_path) -> None:
    killed = subprocess.Popen(
        bench(tmp_path, "--variants", "soft_core"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while not (hosts := psutil.Process(killed.pid).children()):
        time.sleep(0.1)
    killed.kill()
    killed.wait()
    gone, alive = psutil.wait_procs(hosts, timeout=120)
    assert not alive
    assert gone


@pytest.mark.integration
def test_a_stage_that_fails_is_a_reason_and_ends_nothing_else(tmp_path) -> None:
    # No batch of the baseline fits its context: only that stage can fail.
    command = bench(tmp_path, "--variants", "soft_core,baseline", "--set", "baseline.context=2")
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["figures"]["pass_at_1_soft_core"] is not None
    assert report["figures"]["pass_at_1_baseline"] is None
    assert "baseline with seed 0 failed" in report["why"]["pass_at_1_baseline"]
