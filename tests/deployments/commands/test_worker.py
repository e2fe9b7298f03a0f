"""`voltx worker --stay`: however it ends, stages save before whoever started it goes on."""

from collections.abc import Callable
from pathlib import Path

import pytest

from deployments.commands.worker import worker
from deployments.local import Up
from deployments.services import Running, Wanted


@pytest.fixture
def stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was taken down; services are a record of them only."""
    wanted = Wanted(
        project=str(tmp_path),
        home=str(tmp_path),
        store="s3://bucket/prefix",
        api_url="http://10.0.0.1:4200/api",
        port=None,
        pools=("voltx-gpu",),
    )
    running = Running(wanted=wanted, supervisor=None, services={}, early_ends={})
    services = Up(running=running, started=True, reachable=True)
    ends: list[str] = []

    def take_down(tell: Callable[[str], None]) -> list[str]:
        tell("Asking 1 running processes to save and leave...")
        ends.append("worker")
        return ends

    monkeypatch.setattr("deployments.local.bring_up", lambda *_, **__: services)
    monkeypatch.setattr("deployments.departure.take_down", take_down)
    return ends


def raises(error: BaseException) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


def test_stages_save_even_when_watching_over_them_fails(
    stopped: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deployments.attendance.attend", raises(OSError("no such process")))
    with pytest.raises(OSError, match="no such process"):
        worker(["gpu"], stay=True)
    assert stopped == ["worker"]


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), SystemExit(1)])
def test_stages_save_even_when_nobody_can_be_told(
    stopped: list[str], monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    monkeypatch.setattr("rich.console.Console.print", raises(error))
    worker(["gpu"], stay=True, idle_minutes=0)
    assert stopped == ["worker"]


def test_a_worker_in_the_background_stays_up_when_its_command_ends(stopped: list[str]) -> None:
    worker(["gpu"])
    assert stopped == []
