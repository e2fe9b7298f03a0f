"""Presets and ablations of vinciGPT."""

import pytest

from voltx_core.config import dotted, resolve
from voltx_core.config.vincigpt import ABLATIONS, PRESET_OF, translated
from voltx_core.errors import ConfigError


@pytest.mark.parametrize("preset", PRESET_OF)
@pytest.mark.parametrize("ablation", ABLATIONS)
def test_an_ablation_changes_one_setting_of_a_preset(preset, ablation):
    size, nothing = translated(preset, [], {})
    assert nothing == {}
    plain = dict(dotted(resolve(size, environ={})))
    size, changes = translated(preset, [ablation], {})
    changed = dict(dotted(resolve(size, changes, environ={})))
    assert [key for key in plain if plain[key] != changed[key]] == list(ABLATIONS[ablation])


def test_an_explicit_setting_wins_over_an_ablation():
    _, changes = translated("tiny", ["relu2", "muon"], {"vincigpt.activation": "swiglu"})
    assert changes == {"vincigpt.activation": "swiglu", "vincigpt.optimizer.kind": "muon"}


def test_a_step_that_cannot_be_cut_into_micro_batches_is_refused():
    with pytest.raises(ConfigError, match=r"vincigpt\.batch_tokens \(1000\) must be a multiple"):
        resolve("tiny", {"vincigpt.batch_tokens": 1_000}, environ={})


def test_an_hour_of_an_h100_is_the_plan():
    config = resolve(PRESET_OF["h100-1h"], environ={}).vincigpt
    assert config.batch_tokens == 64 * 512 * config.accumulation
    assert config.steps * config.batch_tokens == 1_310_720_000
    assert int(config.optimizer.warmup_share * config.steps) == 300
