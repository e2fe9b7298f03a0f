import pytest

from voltx_core.config import resolve
from voltx_core.errors import ConfigError
from voltx_core.stages import estimates, graph, lifecycle
from voltx_core.stages.estimates import estimate
from voltx_core.stages.fingerprint import fingerprint, settings
from voltx_core.stages.lifecycle import execute
from voltx_core.stages.planning import plan

pytestmark = pytest.mark.usefixtures("orchard")
NAMES = ("seeds", "press", "taste", "benchmarks")


def tiny(**overrides):
    changed = {key.replace("__", "."): value for key, value in overrides.items()}
    return resolve("tiny", {"safety.steps": 20} | changed, environ={})


def run_all(config, workspace):
    for name in NAMES:
        execute(name, config, workspace, run_id="r")


def states(config, workspace, **options):
    return {n: p.state for n, p in plan(config, workspace.artifacts, **options).items()}


def test_in_an_empty_store_everything_runs_and_only_the_first_is_known(workspace):
    planned = plan(tiny(), workspace.artifacts)
    assert {p.state for p in planned.values()} == {"run"}
    assert planned["seeds"].why == "never run in this store"
    assert planned["seeds"].fingerprint is not None
    assert planned["press"].why == "its input from 1.0 seeds will be made first"
    assert planned["press"].fingerprint is None
    assert planned["benchmarks"].why == "its input from 2.0 press, 2.1 taste will be made first"


def test_a_committed_graph_is_reused_whole(workspace):
    run_all(tiny(), workspace)
    planned = plan(tiny(), workspace.artifacts)
    assert {p.state for p in planned.values()} == {"reuse"}
    assert planned["press"].why.startswith("committed 20")


def test_a_change_reruns_its_stage_and_what_depends_on_it_and_says_why(workspace):
    run_all(tiny(), workspace)
    planned = plan(tiny(safety__steps=21), workspace.artifacts)
    assert {n: p.state for n, p in planned.items()} == {
        "seeds": "reuse",
        "press": "run",
        "taste": "reuse",
        "benchmarks": "run",
    }
    assert planned["press"].why == "safety.steps: 20 → 21"
    assert planned["benchmarks"].why == "its input from 2.0 press will be made first"


def test_what_a_stage_does_not_read_never_reruns_it(workspace):
    run_all(tiny(), workspace)
    changed = tiny(checkpoint__interval_s=9.0, compute__threads=2, judge__workers=3)
    assert set(states(changed, workspace).values()) == {"reuse"}


def test_a_setting_deep_in_a_section_counts_alone(workspace):
    """taste reads alignment.sleep.steps, not the rest of alignment."""
    run_all(tiny(), workspace)
    assert states(tiny(alignment__sleep__replay=33), workspace)["taste"] == "reuse"
    assert states(tiny(alignment__sleep__steps=33), workspace)["taste"] == "run"


def test_the_seed_reruns_everything(workspace):
    run_all(tiny(), workspace)
    assert set(states(tiny(seed=1), workspace).values()) == {"run"}


def test_equal_bytes_from_changed_settings_do_not_rerun_what_follows(workspace):
    """The fingerprint of a stage holds the digests of its inputs, not the history behind them."""
    run_all(tiny(), workspace)
    changed = tiny(alignment__sleep__steps=33)
    execute("taste", changed, workspace, run_id="r2")
    assert states(changed, workspace) == dict.fromkeys(NAMES, "reuse")


def test_a_forced_stage_runs_and_so_does_what_depends_on_it(workspace):
    run_all(tiny(), workspace)
    planned = plan(tiny(), workspace.artifacts, force=["press"])
    assert (planned["press"].state, planned["press"].why) == ("run", "forced")
    assert planned["benchmarks"].state == "run"
    assert planned["taste"].state == "reuse"


def test_changed_code_is_pointed_out_and_a_raised_version_reruns(workspace, orchard):
    run_all(tiny(), workspace)
    orchard.edit("press", "run.stop.reason", "run.stop.reason ")
    planned = plan(tiny(), workspace.artifacts)["press"]
    assert planned.state == "reuse"
    assert planned.notes == (
        "the code of this stage changed since; raise SPEC.version to run it anew",
    )
    orchard.edit("press", 'pool="gpu"', 'pool="gpu", version=2')
    planned = plan(tiny(), workspace.artifacts)["press"]
    assert (planned.state, planned.why) == ("run", "stage version 1 → 2")


def test_the_reason_compares_with_the_most_similar_result(workspace):
    run_all(tiny(), workspace)
    execute("press", tiny(safety__steps=30, safety__batch=8), workspace, run_id="r2")
    why = plan(tiny(safety__steps=31, safety__batch=8), workspace.artifacts)["press"].why
    assert why == "safety.steps: 30 → 31"


def test_files_outside_the_store_are_part_of_the_identity(workspace, orchard, tmp_path):
    outside = tmp_path / "outside"
    outside.write_text("one")
    orchard.edit(
        "seeds",
        "def run(run)",
        f"def external(config):\n    return "
        f"{{'outside': open({str(outside)!r}).read()}}\n\ndef run(run)",
    )
    run_all(tiny(), workspace)
    outside.write_text("two")
    planned = plan(tiny(), workspace.artifacts)["seeds"]
    assert planned.why == "what it reads from outside the store changed"


def test_where_data_lies_is_no_part_of_the_identity(orchard):
    orchard.edit("seeds", 'reads=("router",)', 'reads=("router", "data")')
    spec = graph.specs()["seeds"]
    here, there = tiny(data__directory="/a"), tiny(data__directory="/b")
    assert settings(spec, here) == settings(spec, there)
    assert fingerprint(spec, here, {}, {}) == fingerprint(spec, there, {}, {})


def test_a_damaged_manifest_is_an_error_that_names_it(workspace):
    run_all(tiny(), workspace)
    manifest = plan(tiny(), workspace.artifacts)["press"].manifest
    path = workspace.artifacts.store.local_path(
        f"stages/press/{manifest.fingerprint}/manifest.json"
    )
    path.write_text(path.read_text().replace('"press"', '"juicer"', 1))
    with pytest.raises(Exception, match=r"stages/press/.*manifest\.json"):
        plan(tiny(), workspace.artifacts)


def test_an_estimate_is_what_the_same_stage_took_scaled_by_its_steps(workspace, monkeypatch):
    monkeypatch.setattr(estimates, "kind", lambda: "gpu")
    config = tiny(compute__device="cpu")
    run_all(config, workspace)
    took = execute("press", config, workspace, run_id="r2").report["timings_s"]["total"]
    longer = tiny(safety__steps=60, compute__device="cpu")
    expected = estimate(plan(longer, workspace.artifacts)["press"], longer, workspace)
    assert expected.seconds == pytest.approx(3 * took)
    assert expected.cost_usd == pytest.approx(3 * took / 3600 * 2.5)
    assert expected.low_s < expected.seconds < expected.high_s
    assert expected.size > 0
    assert "times 3 for its size" in expected.basis


def test_a_result_of_the_same_device_goes_before_a_nearer_one_of_another(workspace, monkeypatch):
    config = tiny(compute__device="cpu")
    run_all(config, workspace)
    with monkeypatch.context() as patched:
        patched.setattr(lifecycle, "describe", lambda *_: {"device": "cuda"})
        run_all(tiny(safety__steps=60, compute__device="cpu"), workspace)
    nearly = tiny(safety__steps=61, compute__device="cpu")
    expected = estimate(plan(nearly, workspace.artifacts)["press"], nearly, workspace)
    assert "times 3" in expected.basis  # of 20 steps here, not of 60 there
    assert "cuda" not in expected.basis


def test_another_size_or_no_history_gives_no_estimate(workspace):
    config = tiny()
    assert estimate(plan(config, workspace.artifacts)["press"], config, workspace).seconds is None
    run_all(config, workspace)
    larger = tiny(safety__vectors=99)
    expected = estimate(plan(larger, workspace.artifacts)["press"], larger, workspace)
    assert (expected.seconds, expected.cost_usd) == (None, None)


def test_reuse_costs_nothing(workspace):
    config = tiny()
    run_all(config, workspace)
    expected = estimate(plan(config, workspace.artifacts)["press"], config, workspace)
    assert (expected.seconds, expected.cost_usd) == (0.0, 0.0)


def test_only_and_until_select_a_stage_with_all_it_needs():
    assert graph.select() == NAMES
    assert graph.select(only=["press"]) == ("seeds", "press")
    assert graph.select(until="2.1") == ("seeds", "taste")
    assert graph.select(only=["2.0", "taste"]) == ("seeds", "press", "taste")


def test_an_unknown_stage_is_refused_with_the_list_of_stages():
    with pytest.raises(ConfigError, match=r"No stage is called 'squash'.*2\.0 press"):
        graph.select(until="squash")
