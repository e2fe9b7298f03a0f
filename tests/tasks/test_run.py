"""How runs begin, and their names."""

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from tasks import run
from tasks.run import NAMED, run_name


def asked(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    when = datetime(2026, 11, 20, 10, 42, tzinfo=UTC)
    monkeypatch.setattr(run, "flow_run", SimpleNamespace(name=name, scheduled_start_time=when))


def test_a_run_is_named_by_when_it_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked(monkeypatch, "swift-heron")
    name = run_name()
    assert NAMED.fullmatch(name)
    assert name.startswith("2026-11-")
    assert name.endswith("-swift-heron")


def test_a_restarted_run_keeps_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    asked(monkeypatch, "2026-11-20-1042-swift-heron")
    assert run_name() == "2026-11-20-1042-swift-heron"


def test_a_plan_that_cannot_be_made_does_not_keep_a_run_from_beginning(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("VOLTX_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("VOLTX_HOME", str(tmp_path / "home"))
    facts = {"id": "f00d", "run_count": 1, "ui_url": None}
    when = datetime(2026, 11, 20, 10, 42, tzinfo=UTC)
    started = SimpleNamespace(name="swift-heron", scheduled_start_time=when, **facts)
    monkeypatch.setattr(run, "flow_run", started)

    def stumble(*_: object) -> None:
        raise KeyError("timings_s")

    monkeypatch.setattr(run, "forecast", stumble)
    with run.begin("tiny", None, ["data"], None, None) as begun:
        assert begun.stages[-1] == "data"
    assert "The plan of this run is not recorded" in caplog.text
