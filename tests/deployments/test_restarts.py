"""What `voltx doctor` says about restarts, for homes in several conditions."""

import os
from pathlib import Path

import pytest

from deployments.processes import Identity
from deployments.restarts import checks, levels
from deployments.services import Wanted, write_json
from voltx_core.cli.doctor import Check, examine


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VOLTX_HOME", str(tmp_path))
    return tmp_path


def up(home: Path, *services: str, port: int | None = 4321) -> None:
    """Let this very process play the services."""
    me = Identity.of(os.getpid())
    assert me is not None
    Wanted(
        project=str(home),
        home=str(home),
        store=str(home / "store"),
        api_url="http://127.0.0.1:4321/api",
        port=port,
        pools=("control",),
    ).save()
    (home / "registered").touch()
    record = me.record()
    supervisor = record if "supervisor" in services else None
    others = {name: record for name in services if name != "supervisor"}
    write_json(home / "up.json", {"supervisor": supervisor, "services": others, "early_ends": {}})


def found() -> dict[str, Check]:
    return {check.name.removeprefix("Restart of "): check for check in checks()}


def test_every_level_says_who_starts_it_again(home: Path) -> None:
    up(home, "supervisor", "worker", "server")
    assert list(found()) == [level.name for level in levels()]
    assert all(check.state == "ok" for check in found().values())
    assert f"worker pid {os.getpid()} is at work" in found()["parent flow"].found


def test_before_the_first_start_it_says_what_installs_them(home: Path) -> None:
    assert "installed by `voltx up`; nothing is up here" in found()["server"].found
    assert home.is_dir()


def test_a_missing_keeper_is_a_warning_with_a_remedy(home: Path) -> None:
    up(home, "worker", "server")
    assert found()["worker"].state == "warning"
    assert found()["worker"].remedy == "voltx up starts it."
    assert found()["parent flow"].state == "ok"


def test_a_machine_that_joined_leaves_the_server_to_its_own(home: Path) -> None:
    up(home, "supervisor", "worker", port=None)
    assert "its own machine (http://127.0.0.1:4321/api)" in found()["server"].found


def test_doctor_asks_for_them(home: Path) -> None:
    up(home, "supervisor", "worker", "server")
    names = [check.name for check in examine(str(home / "store"))]
    assert "Restart of stage" in names
