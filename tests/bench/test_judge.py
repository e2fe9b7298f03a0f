"""`voltx bench judge` on a few programs, and its arithmetic on rounds made by hand."""

import json
import subprocess
import sys

import pytest

from voltx_core.bench.contenders.contender import Script
from voltx_core.bench.judge_figures import LEVELS, PEERS, measure, samples
from voltx_core.bench.judge_programs import load_programs
from voltx_core.bench.race import Record, Round, race

GOOD = Script("good", "def f(x):\n    return 2 * x\n", ("assert f(2) == 4\n",), "f", "")
BAD = Script("bad", "def f(x):\n    return x\n", ("assert f(2) == 4\n",), "f", "")


def rounds_of(name: str, *walls: float, cpu_s: float = 1.0) -> Record:
    return Record(name, [Round(wall_s, cpu_s, (wall_s / 2, wall_s), ()) for wall_s in walls])


def test_contenders_agree_on_right_and_wrong_programs():
    heard: list[tuple[int, int]] = []
    names = ("seccomp", "human_eval", "subprocess", "floor")
    records = race(
        names,
        [GOOD, BAD, GOOD],
        workers=2,
        repeat=2,
        on_round=lambda done, total, _: heard.append((done, total)),
    )
    assert list(records) == list(names)
    ran = [record for record in records.values() if record.why is None]
    assert len(ran) >= len(names) - 1  # seccomp filters may be missing; the others always run
    for record in ran:
        assert [one.failed for one in record.rounds] == [("bad",)] * 2
        assert all(len(one.latencies_s) == 3 and one.wall_s > 0 for one in record.rounds)
    assert heard == [(done, 12) for done in range(12)]


def test_a_contender_that_cannot_run_says_why_and_the_others_go_on(tmp_path, monkeypatch):
    for package in ("evalplus", "nsjail"):
        (tmp_path / f"{package}.py").write_text("raise ImportError('broken on purpose')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    records = race(
        ("evalplus", "nsjail", "floor"), [GOOD], workers=1, repeat=1, on_round=lambda *_: None
    )
    assert "[bench]" in (records["evalplus"].why or "")
    assert "[bench]" in (records["nsjail"].why or "")
    assert len(records["floor"].rounds) == 1


def test_a_contender_that_passes_a_wrong_program_is_not_measured(tmp_path, monkeypatch):
    package = tmp_path / "evalplus"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "eval.py").write_text(
        "PASS = 'pass'\ndef untrusted_check(**given):\n    return PASS, []\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    records = race(("evalplus",), [GOOD], workers=1, repeat=1, on_round=lambda *_: None)
    assert records["evalplus"].why == "it passed a program that is wrong"
    assert records["evalplus"].rounds == []


def test_ratios_are_taken_within_a_round():
    records = {
        "ns": rounds_of("ns", 1.0, 10.0, 1.0, cpu_s=2.0),  # the machine was slow in the second
        "human_eval": rounds_of("human_eval", 6.0, 60.0, 6.0),
        "floor": rounds_of("floor", 0.5, 5.0, 0.5),
    }
    figures, why = measure(records, 2)
    assert figures["programs_per_s"] == 2.0
    assert figures["cpu_ms"] == 1000.0
    assert figures["vs_human_eval"] == 6.0
    assert figures["cpu_over_floor"] == 2.0
    assert figures["p50_ms"] == 1000.0
    assert samples(records, 2)["ns"]["programs_per_s"] == [2.0, 0.2, 2.0]
    assert why["vs_nsjail"] == "nsjail was not asked for"


def test_a_floor_below_the_resolution_of_the_clock_is_no_divisor():
    records = {"ns": rounds_of("ns", 1.0, 1.0), "floor": rounds_of("floor", 0.5, 0.5, cpu_s=0.0)}
    figures, why = measure(records, 2)
    assert figures["cpu_over_floor"] is None
    assert "tick of the clock" in why["cpu_over_floor"]


def test_what_did_not_run_is_null_with_a_reason():
    records = {"ns": Record("ns", why="no namespaces"), "floor": rounds_of("floor", 1.0)}
    figures, why = measure(records, 2)
    nulls = {name for name, value in figures.items() if value is None}
    assert nulls == set(why)
    assert {"programs_per_s", "p99_ms", "memory_mib_per_slot", "cpu_over_floor"} <= nulls
    assert {f"vs_{peer}" for peer in PEERS} <= nulls
    assert "no namespaces" in why["programs_per_s"]
    assert "no namespaces" in why["cpu_over_floor"]
    assert figures["programs_per_s_floor"] == 2.0


def test_without_published_data_the_programs_are_generated(monkeypatch):
    monkeypatch.delenv("VOLTX_DATA_DIR", raising=False)
    source, scripts = load_programs(3)
    assert source == "generated problems"
    assert len(scripts) == 3
    for script in scripts:
        exec(script.source, {})


@pytest.mark.integration
def test_the_command_ends_with_one_json_line():
    arguments = ["--programs", "4", "--repeat", "1", "--workers", "1", "--json"]
    ended = subprocess.run(
        [sys.executable, "-m", "voltx_core.cli.main", "bench", "judge", *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    report = json.loads(ended.stdout)
    assert report["bench"] == "judge"
    assert {name for name, value in report["figures"].items() if value is None} == set(
        report["why"]
    )
    assert report["figures"]["programs_per_s_floor"] > 0
    assert all(report["figures"][f"mismatches_{name}"] in (0, None) for name in LEVELS[1:])
    assert report["environment"]["programs"].startswith("4 ")
