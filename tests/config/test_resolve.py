import contextlib
import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voltx_core.config import PRESET_NAMES, VoltxConfig, dotted, lookup, resolve
from voltx_core.errors import ConfigError

KEYS = [key for key, _ in dotted(VoltxConfig())]


def mistakes(preset="tiny", overrides=(), environ=None):
    with pytest.raises(ConfigError) as raised:
        resolve(preset, overrides, environ=environ or {})
    return str(raised.value)


@pytest.mark.parametrize("preset", PRESET_NAMES)
def test_every_preset_is_a_valid_configuration_that_knows_its_name(preset):
    assert resolve(preset, environ={}).preset == preset


def test_the_cloud_preset_is_the_plan_itself():
    assert resolve("cloud", environ={}) == VoltxConfig()


def test_presets_only_change_sizes_and_never_the_method():
    """Every text, flag and choice is the plan's in every preset."""
    plan = dict(dotted(VoltxConfig()))
    for preset in PRESET_NAMES:
        for key, value in dotted(resolve(preset, environ={})):
            if isinstance(value, (str, bool)) and key != "preset":
                assert value == plan[key], key


def test_an_override_changes_one_setting_and_nothing_else():
    before, after = resolve("laptop", environ={}), resolve("laptop", ["seed=7"], environ={})
    changed = [k for (k, a), (_, b) in zip(dotted(before), dotted(after), strict=True) if a != b]
    assert changed == ["seed"]


def test_pairs_and_text_mean_the_same():
    pairs = {"soft_core.steps": 3, "data.corpus": "src", "baseline.steps": None}
    text = ["soft_core.steps=3", "data.corpus=src", "baseline.steps=null"]
    assert resolve("tiny", pairs, environ={}) == resolve("tiny", text, environ={})


def test_the_last_of_two_overrides_counts():
    assert resolve("tiny", ["seed=1", "seed=2"], environ={}).seed == 2


def test_a_whole_section_overlays_its_preset():
    config = resolve("tiny", {"codebook": {"entries": 32}}, environ={})
    assert config.codebook.entries == 32
    assert config.codebook.vectors == resolve("tiny", environ={}).codebook.vectors


def test_a_sub_section_keeps_the_defaults_of_its_own_stage():
    """OptimizerConfig has other defaults in RLVF than in the translator."""
    config = resolve("cloud", ["alignment.rlvf.optimizer.weight_decay=0.5"], environ={})
    assert config.alignment.rlvf.optimizer.lr == VoltxConfig().alignment.rlvf.optimizer.lr
    assert config.alignment.rlvf.optimizer.weight_decay == 0.5


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("soft_core.stpes", "soft_core.steps"),
        ("softcore.steps", "soft_core.steps"),
        ("codebook.entrys", "codebook.entries"),
        ("rar_budgte", "soft_core.rar_budget"),
        ("sede", "seed"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_name(wrong, meant):
    assert f"Unknown key '{wrong}'; did you mean '{meant}'?" in mistakes(overrides={wrong: 1})


def test_a_key_below_a_value_is_refused():
    assert "'seed' is a value, it has no 'x'" in mistakes(overrides={"seed.x": 1})


def test_an_unknown_preset_is_refused_with_the_nearest_name():
    assert "Unknown preset 'labtop'; did you mean 'laptop'?" in mistakes("labtop")


def test_the_preset_itself_cannot_be_overridden():
    """It would name sizes that are not its own."""
    assert "--preset tiny" in mistakes("laptop", ["preset=tiny"])


def test_all_mistakes_come_in_one_message():
    message = mistakes(
        overrides=["soft_core.stpes=1", "seed=-1", "codebook.entries=many", "nonsense", "x.y=2"]
    )
    assert message.startswith("The configuration has 5 mistakes:\n")
    assert [line.strip()[:2] for line in message.splitlines()[1:]] == ["1.", "2.", "3.", "4.", "5."]
    for part in ("soft_core.stpes", "seed = -1", "codebook.entries = 'many'", "'nonsense'", "x.y"):
        assert part in message


def test_conflicts_between_settings_are_found_and_counted_one_by_one():
    message = mistakes(
        overrides={
            "translator.decoder_width": 50,
            "baseline.heads": 5,
            "scaling.ladder": [{"width": 8, "blocks": 1}],
        }
    )
    assert "3 mistakes" in message
    assert "translator.decoder_width (50) must be a multiple of" in message
    assert "baseline.width (48) must be a multiple of baseline.heads (5)" in message
    assert "the ladder only grows" in message


def test_a_conflict_inside_a_section_names_the_section():
    message = mistakes(overrides=["benchmarks.ks=[1,100]"])
    assert "benchmarks: pass@100 needs at least as many samples as k, got samples=2" in message


def test_the_environment_names_the_data_directory(tmp_path):
    assert resolve("tiny", environ={"VOLTX_DATA_DIR": str(tmp_path)}).data.directory == str(
        tmp_path
    )


def test_an_override_wins_over_the_environment():
    config = resolve("tiny", ["data.directory=here"], environ={"VOLTX_DATA_DIR": "/elsewhere"})
    assert config.data.directory == "here"


def test_a_section_that_is_no_section_is_a_mistake_even_with_a_data_directory():
    assert "data = 5" in mistakes(overrides=["data=5"], environ={"VOLTX_DATA_DIR": "/data"})


def test_prices_of_single_pools_can_be_set():
    config = resolve("tiny", ["cost.rates_usd_per_hour.gpu=1.5"], environ={})
    assert config.cost.rates_usd_per_hour == VoltxConfig().cost.rates_usd_per_hour | {"gpu": 1.5}


def test_every_setting_can_be_looked_up_as_json():
    config = resolve("laptop", environ={})
    for key in KEYS:
        json.dumps(lookup(config, key))
    assert lookup(config, "scaling.ladder") == [{"width": 384, "blocks": 4}]
    assert lookup(config, "checkpoint") == config.checkpoint.model_dump(mode="json")


def test_a_configuration_survives_the_record_of_a_run():
    config = resolve("laptop", ["seed=3"], environ={})
    assert VoltxConfig.model_validate(json.loads(json.dumps(config.model_dump(mode="json")))) == (
        config
    )


@given(st.text(max_size=30), st.text(max_size=10))
def test_any_text_is_either_understood_or_refused_as_a_configuration_error(key, value):
    with contextlib.suppress(ConfigError):
        resolve("tiny", [f"{key}={value}"], environ={})


def test_importing_the_configuration_imports_no_framework():
    code = (
        "import sys; import voltx_core.config; "
        "heavy = {'torch', 'prefect', 'numpy', 'sklearn', 'faiss', 'boto3'} & set(sys.modules); "
        "sys.exit(', '.join(heavy) or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_processes_that_cannot_share_the_micro_batches_are_refused_beforehand():
    with pytest.raises(ConfigError, match=r"scaling.processes \(3\) must divide"):
        resolve("laptop", ["scaling.processes=3"], environ={})
    assert resolve("laptop", ["scaling.processes=2"], environ={}).scaling.processes == 2
