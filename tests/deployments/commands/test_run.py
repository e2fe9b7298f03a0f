"""What `voltx run` refuses before it starts anything, and what it warns of."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from prefect.exceptions import ObjectNotFound

from deployments import client
from deployments.commands.run import run
from deployments.local import Up
from deployments.pools import pools, served
from deployments.services import Running, Wanted


@pytest.mark.parametrize("asked", [{"only": ["vincigpt"]}, {"until": "8.2"}, {"force": ["8.1"]}])
def test_a_stage_that_stands_aside_is_refused_with_its_own_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, asked: dict
) -> None:
    monkeypatch.setattr("deployments.local.bring_up", lambda _: pytest.fail("services were begun"))
    with pytest.raises(typer.Exit) as left:
        run("tiny", store=str(tmp_path / "store"), **asked)
    assert left.value.exit_code == 2
    assert "voltx vincigpt train" in " ".join(capsys.readouterr().err.split())


class Server:
    """Answers as a Prefect server whose pools have workers that were heard so many seconds ago."""

    def __init__(self, pools: tuple[str, ...], **silent_s: float) -> None:
        self._pools = pools
        self._heard = {
            pool: datetime.now(UTC) - timedelta(seconds=silence)
            for pool, silence in silent_s.items()
        }

    @contextmanager
    def connect(self, _: str) -> "Iterator[Server]":
        yield self

    def read_deployment_by_name(self, _: str) -> Any:
        return SimpleNamespace(id=1)

    def create_flow_run_from_deployment(self, *_: Any, name: str, **__: Any) -> Any:
        return SimpleNamespace(id=2, name=name)

    def read_work_pool(self, name: str) -> None:
        if name not in self._pools:
            raise ObjectNotFound(Exception(name))

    def read_workers_for_work_pool(self, pool: str) -> list[Any]:
        heard = self._heard.get(pool.removeprefix("voltx-").replace("-", "_"))
        return [] if heard is None else [SimpleNamespace(last_heartbeat_time=heard)]


@pytest.mark.parametrize(
    ("layout", "here", "until", "silent_s", "waits"),
    [
        ("several", None, None, {"cpu": 5, "gpu": 5}, ["voltx-multi-gpu"]),
        ("several", None, None, {"cpu": 5, "gpu": 600, "multi_gpu": 30}, ["voltx-gpu"]),
        ("several", None, "data", {"cpu": 5}, []),
        ("several", ("voltx-cpu",), None, {"gpu": 5}, ["voltx-multi-gpu"]),
        ("one", None, None, {}, []),
        ("one", ("voltx-cpu",), None, {}, []),
    ],
)
def test_pools_that_nobody_serves_are_named(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    layout: Any,
    here: tuple[str, ...] | None,
    until: str | None,
    silent_s: dict[str, float],
    waits: list[str],
) -> None:
    wanted = Wanted(
        project=str(tmp_path),
        home=str(tmp_path),
        store=str(tmp_path / "store"),
        api_url="http://10.0.0.1:4200/api",
        port=4200,
        pools=here or served(layout),
    )
    running = Running(wanted=wanted, supervisor=None, services={}, early_ends={})
    services = Up(running=running, started=True, reachable=True)
    monkeypatch.setattr("deployments.local.bring_up", lambda _: services)
    monkeypatch.setattr(client, "connect", Server(pools(layout), **silent_s).connect)
    monkeypatch.setenv("VOLTX_HOME", str(tmp_path))
    monkeypatch.setenv("VOLTX_STORE", str(tmp_path / "store"))

    run("tiny", until=until)

    said = capsys.readouterr().out
    named = [line.split()[3].rstrip(";") for line in said.splitlines() if "No worker" in line]
    assert named == waits
    assert all(f"--pool {pool[6:]} --server http://10.0.0.1:4200" in said for pool in waits)
