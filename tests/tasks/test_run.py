"""Names of runs."""

from datetime import UTC, datetime
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
